"""The desk on the stream: an account hears of its positions and what they are worth, everybody hears the quotes."""

from fondaco.core.commands import ClosePosition, OpenPosition, PlaceEntry
from fondaco.core.desk.state import Level
from fondaco.core.replies import EntryPlaced, PositionOpened
from fondaco.core.vocabulary import Direction, EntryKind, LevelKind
from fondaco.infra.database import Database
from support.desk_floor import DEALT, open_desk, quote
from support.engines import submit
from support.floor import ALICE, WHOLE
from support.house import StreamClient
from support.house_stream import Frame, served_floor

ACCOUNT = f"account:{ALICE}"
QUOTES = f"quotes:{DEALT}"
STOP = Level(LevelKind.PRICE, 49_000 * WHOLE)


async def next_of(client: StreamClient, kind: str) -> Frame:
    """The next frame of a kind; margin frames come between the others as the quotes do."""
    while (frame := await client.hear())["type"] != kind:
        assert frame["type"] == "margin", frame
    return frame


async def test_an_account_hears_of_positions_fills_and_entries_and_what_they_are_worth(database: Database) -> None:
    async with served_floor(database) as served:
        engine = served.engine.client
        await open_desk(engine)
        async with served.client("alice") as client:
            await client.ask(op="subscribe", channels=[ACCOUNT])
            begun = await client.hear()
            assert (begun["data"]["positions"], begun["data"]["entries"]) == ([], [])
            opening = OpenPosition(ALICE, DEALT, Direction.LONG, WHOLE // 2, 5, stop=STOP)
            opened = (await submit(engine, ALICE, opening)).reply
            assert isinstance(opened, PositionOpened)
            (effect,) = (await next_of(client, "update"))["data"]
            (row,), (fill,) = effect["positions"], effect["fills"]
            assert (row["position_id"], row["quantity"], row["stop_loss"], row["close_reason"]) == (
                opened.position_id,
                "0.50000000",
                "49000.00000000",
                None,
            )
            assert (fill["kind"], fill["price"], fill["tick_id"]) == ("open", "50000.00000000", 49_990)
            assert "orders" not in effect
            margin = await next_of(client, "margin")
            assert margin["channel"] == ACCOUNT
            (item,) = margin["data"]["positions"]
            assert (item["unrealised"], item["liquidation_price"]) == ("-5.00000000", "41000.00000000")
            assert margin["data"]["account"] is None
            await quote(engine, 51_000, 51_010)
            while (await next_of(client, "margin"))["data"]["positions"][0]["unrealised"] != "500.00000000":
                pass
            waiting = PlaceEntry(ALICE, DEALT, Direction.LONG, EntryKind.LIMIT, 50_000 * WHOLE, WHOLE, 5)
            placed = (await submit(engine, ALICE, waiting)).reply
            assert isinstance(placed, EntryPlaced)
            (effect,) = (await next_of(client, "update"))["data"]
            assert [(each["entry_id"], each["state"]) for each in effect["entries"]] == [(placed.entry_id, "pending")]
            await quote(engine, 48_900, 48_910)
            (effect,) = (await next_of(client, "update"))["data"]
            assert [(each["kind"], each["close_reason"]) for each in effect["fills"]] == [
                ("close", "stop_loss"),
                ("open", None),
            ]
            assert [each["state"] for each in effect["entries"]] == ["filled"]
            assert [each["close_reason"] for each in effect["positions"]] == ["stop_loss", None]


async def test_whoever_begins_later_gets_what_stands_and_what_it_is_worth(database: Database) -> None:
    async with served_floor(database) as served:
        engine = served.engine.client
        await open_desk(engine)
        opened = (await submit(engine, ALICE, OpenPosition(ALICE, DEALT, Direction.SHORT, WHOLE, 10))).reply
        assert isinstance(opened, PositionOpened)
        async with served.client("alice") as client:
            await client.ask(op="subscribe", channels=[ACCOUNT])
            begun = await client.hear()
            (row,) = begun["data"]["positions"]
            assert (row["position_id"], row["direction"], row["margin"]) == (
                opened.position_id,
                "short",
                "4999.00000000",
            )
            assert (await client.hear())["data"]["positions"][0]["unrealised"] == "-10.00000000"
        closing = await submit(engine, ALICE, ClosePosition(ALICE, opened.position_id))
        async with served.client("alice") as client:
            await client.ask(op="subscribe", channels=[ACCOUNT], after_seq=begun["seq"])
            (effect,) = (await next_of(client, "update"))["data"]
            assert effect["seq"] == closing.seq
            assert (effect["positions"][0]["close_reason"], effect["positions"][0]["realised"]) == (
                "owner",
                "-10.00000000",
            )


async def test_everybody_hears_the_desk_s_quotes_each_beginning_with_the_last(database: Database) -> None:
    async with served_floor(database) as served:
        engine = served.engine.client
        await open_desk(engine, is_quoted=False)
        await served.engine.caught_up()
        async with served.client() as client:
            answer = await client.ask(op="subscribe", channels=["quotes:eth", "demo/quotes:btc"])
            assert (answer["type"], answer["code"]) == ("error", "unknown_symbol")
            (begun,) = await client.subscribe("quotes:eth")
            assert (begun["channel"], begun["data"]) == (QUOTES, None)
            seq = await quote(engine, 49_990, 50_000)
            told = await client.hear()
            assert (told["type"], told["seq"], told["first_seq"]) == ("update", seq, begun["seq"] + 1)
            assert {name: told["data"][name] for name in ("bid", "ask", "source")} == {
                "bid": "49990.00000000",
                "ask": "50000.00000000",
                "source": "binance",
            }
            async with served.client() as later:
                (begun,) = await later.subscribe(QUOTES)
                assert (begun["seq"], begun["data"]) == (told["seq"], told["data"])
                seq = await quote(engine, 50_990, 51_000)
                for each in (client, later):
                    frame = await each.hear()
                    assert (frame["first_seq"], frame["seq"], frame["data"]["bid"]) == (
                        told["seq"] + 1,
                        seq,
                        "50990.00000000",
                    )
