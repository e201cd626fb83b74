"""Books and trades of the house on the stream: a client's own book is the engine's, however it came by it."""

import asyncio
from random import Random

import pytest

from fondaco.core.book.vocabulary import Depth, Side
from fondaco.core.commands import ListInstrument
from fondaco.core.machine import Machine
from fondaco.core.money import format_atoms
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.engine.port import Engine
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings, StreamSettings
from support.engines import submit
from support.floor import ALICE, BOB, SYMBOL, TERMS, limit
from support.house import StreamClient, stream_client
from support.house_stream import Frame, LocalBook, Served, served_floor
from support.order_flow import OrderFlow
from support.rejoining import RejoiningEngine

BOOK, TRADES = f"book:{SYMBOL}", f"trades:{SYMBOL}"
WHOLE = 1_000_000
COMMANDS_A_ROUND = 400


def engine_sides(machine: Machine) -> tuple[int, dict[str, str], dict[str, str]]:
    """The number of the last command, and the engine's book as the stream would write it."""
    book = machine.house.markets[World.TRADING, SYMBOL].book
    bids, asks = (book.depth(side, WHOLE) for side in Side)
    return machine.seq, written(bids), written(asks)


def written(levels: list[Depth]) -> dict[str, str]:
    return {format_atoms(each.price * TERMS.tick, 8): format_atoms(each.lots * TERMS.lot, 8) for each in levels}


async def nudge(served: Served, step: int) -> None:
    """Change the book for certain, so that its frames come to the newest command."""
    side, ticks = (Side.BUY, 49_000 - step) if step % 2 else (Side.SELL, 51_000 + step)
    await submit(served.engine.client, ALICE, limit(ALICE, side, ticks, 1))


async def hear_to(client: StreamClient, book: LocalBook, seq: int) -> None:
    """Keep a book up to a command."""
    while book.seq < seq:
        await hear_one(client, book)


async def hear_one(client: StreamClient, book: LocalBook) -> None:
    frame = await client.hear()
    if frame.get("channel") == book.channel:
        book.take(frame)


@pytest.mark.parametrize("rounds", [20, pytest.param(250, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
async def test_a_book_kept_from_diffs_equals_the_engine_s_after_many_commands_and_reconnects(
    database: Database, rounds: int
) -> None:
    flow, random = OrderFlow(seed=31), Random(32)
    async with served_floor(database) as served, stream_client(served.house) as always:
        faithful, largest = LocalBook(BOOK), 0
        faithful.take((await always.subscribe(BOOK))[0])
        for step in range(rounds):
            running = asyncio.ensure_future(flow.run(served.engine.client, COMMANDS_A_ROUND))
            for _ in range(random.randrange(5)):  # the other's snapshot comes somewhere in the middle of it
                await hear_one(always, faithful)
            async with stream_client(served.house) as passing:
                fresh = LocalBook(BOOK)
                fresh.take((await passing.subscribe(BOOK))[0])
                await running
                await nudge(served, step)
                seq, bids, asks = await served.engine.client.read(engine_sides)
                for client, book in ((always, faithful), (passing, fresh)):
                    await hear_to(client, book, seq)
                    assert (book.bids, book.asks) == (bids, asks)
                largest = max(largest, min(len(bids), len(asks)))
        assert faithful.snapshots == 1
        assert largest > 5


async def test_a_house_that_lost_its_engine_s_line_sends_new_snapshots_and_is_right_again(database: Database) -> None:
    flow, lines = OrderFlow(seed=33), list[RejoiningEngine]()

    def between(engine: Engine) -> Engine:
        lines.append(RejoiningEngine(engine))
        return lines[0]

    async with served_floor(database, between=between) as served, stream_client(served.house) as client:
        book = LocalBook(BOOK)
        book.take((await client.subscribe(BOOK))[0])
        for step in range(3):
            await flow.run(served.engine.client, 200)
            lines[0].lose_the_line()
            await flow.run(served.engine.client, 200)
            while book.snapshots < step + 2:
                await hear_one(client, book)
            await nudge(served, step)
            seq, bids, asks = await served.engine.client.read(engine_sides)
            await hear_to(client, book, seq)
            assert (book.bids, book.asks) == (bids, asks)


async def test_levels_and_trades_are_decimal_text_and_the_taker_is_named(database: Database) -> None:
    async with served_floor(database) as served, stream_client(served.house) as client:
        book, trades = await client.subscribe("book:btc", "trades:BTC/USDT")
        assert (book["channel"], book["data"]) == (BOOK, {"bids": [], "asks": []})
        assert (trades["channel"], trades["data"]) == (TRADES, [])
        placed = await submit(served.engine.client, ALICE, limit(ALICE, Side.SELL, 50_000, 3))
        assert await client.hear() == {
            "type": "update",
            "channel": BOOK,
            "first_seq": book["seq"] + 1,
            "seq": placed.seq,
            "data": {"bids": [], "asks": [["50000.00000000", "0.03000000"]]},
        }
        met = await submit(served.engine.client, BOB, limit(BOB, Side.BUY, 50_000, 3))
        level, trade = await client.hear(), await client.hear()
        assert level["data"] == {"bids": [], "asks": [["50000.00000000", "0"]]}
        assert (level["first_seq"], level["seq"]) == (placed.seq + 1, met.seq)
        assert (trade["first_seq"], trade["seq"]) == (trades["seq"] + 1, met.seq)
        ((trade_id, time_ms, *rest),) = trade["data"]
        assert (trade_id, rest) == (1, ["50000.00000000", "0.03000000", "buy"])
        assert time_ms > 1_700_000_000_000
        (again,) = await client.subscribe(TRADES)
        assert (again["data"], again["seq"]) == (trade["data"], met.seq)


async def test_play_money_s_book_has_a_prefix_and_nothing_of_the_other_s(database: Database) -> None:
    async with served_floor(database) as served, stream_client(served.house) as client:
        assert (await client.ask(op="subscribe", channels=[f"demo/{BOOK}"]))["code"] == "unknown_symbol"
        await submit(served.engine.client, 0, ListInstrument(demo_terms()))
        await served.house.live.come_to(await served.engine.client.read(lambda machine: machine.seq))
        demo, real = await client.subscribe(f"demo/{BOOK}", BOOK)
        assert (demo["channel"], real["channel"]) == (f"demo/{BOOK}", BOOK)
        await submit(served.engine.client, ALICE, limit(ALICE, Side.SELL, 50_000, 3))
        assert (await client.hear())["channel"] == BOOK
        assert (await client.ask(op="ping"))["type"] == "pong"


async def test_a_house_may_show_play_money_to_everybody(database: Database) -> None:
    settings = Settings(public_world="demo")
    async with served_floor(database, settings) as served, stream_client(served.house) as client:
        await submit(served.engine.client, 0, ListInstrument(demo_terms()))
        await submit(served.engine.client, ALICE, limit(ALICE, Side.SELL, 50_000, 3))
        await served.house.live.come_to(await served.engine.client.read(lambda machine: machine.seq))
        for frame in await client.subscribe(BOOK, f"demo/{BOOK}"):
            assert frame["data"] == {"bids": [], "asks": []}


def demo_terms() -> Terms:
    return Terms(
        world=World.DEMO,
        instrument=TERMS.instrument,
        tick=TERMS.tick,
        lot=TERMS.lot,
        max_price_ticks=TERMS.max_price_ticks,
        max_order_lots=TERMS.max_order_lots,
    )


async def test_a_snapshot_has_the_best_levels_and_updates_have_all(database: Database) -> None:
    most = 3
    async with (
        served_floor(database, Settings(stream=StreamSettings(snapshot_levels=most))) as served,
        stream_client(served.house) as client,
    ):
        for ticks in range(50_000, 50_000 + most + 1):
            await submit(served.engine.client, ALICE, limit(ALICE, Side.SELL, ticks, 1))
        last = await submit(served.engine.client, ALICE, limit(ALICE, Side.BUY, 40_000, 1))
        await served.house.live.come_to(last.seq)
        (snapshot,) = await client.subscribe(BOOK)
        assert [price for price, _ in snapshot["data"]["asks"]] == [
            f"{price}.00000000" for price in range(50_000, 50_000 + most)
        ]
        assert len(snapshot["data"]["bids"]) == 1
        await submit(served.engine.client, ALICE, limit(ALICE, Side.SELL, 59_000, 1))
        frame: Frame = await client.hear()
        assert frame["data"]["asks"] == [["59000.00000000", "0.01000000"]]


async def test_a_channel_that_the_house_does_not_have_is_refused_by_name(database: Database) -> None:
    async with served_floor(database) as served, stream_client(served.house) as client:
        for name, code in (
            ("book", "unknown_channel"),
            ("book:", "unknown_symbol"),
            ("book:DOGEUSDT", "unknown_symbol"),
            ("book:BTCUSDT:1m", "unknown_symbol"),
            ("demo/ticks:BTCUSDT", "unknown_channel"),
            ("external/book:BTCUSDT", "unknown_channel"),
            ("account:1000", "not_signed_in"),
            ("account:" + "9" * 5_000, "message_too_long"),
        ):
            assert (await client.ask(op="subscribe", channels=[name]))["code"] == code, name
