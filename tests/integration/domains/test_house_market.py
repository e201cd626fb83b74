"""Every trade of the house becomes one tick, whoever is killed in between, and the candles follow."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import HOUSE, Deposit, ListInstrument, OpenAccount
from fondaco.core.replies import AccountOpened, OrderPlaced
from fondaco.core.vocabulary import World
from fondaco.domains.house_market.api import Printer
from fondaco.domains.house_market.missing import Span, Standing, missing
from fondaco.engine.client import EngineClient
from fondaco.engine.postgres_store import PostgresStore
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings
from fondaco.market.messages import Source, Tick
from fondaco.market.store import Batch, TickStore
from support.engines import leading, open_exchange, submit
from support.floor import FUNDS, TERMS, limit
from support.house_trades import recording, trade
from support.live import following, whole_engine
from support.stored import batch, gaps_of, store_all, verified
from support.tasks import ended
from support.waiting import eventually
from support.ways import Way

TRADES = "SELECT id, created_at, price, quantity, taker_side = 'sell' FROM trades WHERE world = :name ORDER BY id"
AS_TICKS = """
SELECT id, (extract(epoch FROM created_at) * 1000000)::int8, price, quantity, taker_side = 'sell', 0 FROM trades
WHERE world = :name ORDER BY id
"""
TICKS = "SELECT trade_id, time, price, quantity, buyer_is_maker FROM ticks WHERE source = :name ORDER BY 1"


async def rows(database: Database, query: str, name: str) -> list[tuple[Any, ...]]:
    async with database.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(query), {"name": name})]


def equal(database: Database, count: int, world: World = World.TRADING) -> Callable[[], Awaitable[bool]]:
    """Whether there are so many trades, and the ticks are the same, to the unit and the microsecond."""
    source = {World.TRADING: Source.HOUSE, World.DEMO: Source.HOUSE_DEMO}[world]

    async def are_equal() -> bool:
        trades = await rows(database, TRADES, world.value)
        return len(trades) == count and await rows(database, TICKS, source.value) == trades

    return are_equal


async def candles_equal_their_ticks(database: Database) -> bool:
    """As `fondaco candles verify` says it, of the house's own series too; and nobody quotes those."""
    weeks = [week for week in await verified(database) if week.source == "house"]
    assert await rows(database, "SELECT FROM prices WHERE source = :name", "house") == []
    return sum(week.equal for week in weeks) > 0 and all(week.different == 0 for week in weeks)


@pytest.fixture
def bus() -> LocalBus:
    """A bus that outlives whoever speaks over it."""
    return LocalBus(BusSettings())


@pytest.fixture
async def ticks(database: Database) -> TickStore:
    """Where ticks go. It has been there before: whoever is cut off while connecting leaves the server waiting."""
    ticks = TickStore(database)
    await ticks.store(Batch([], []), now_us=0)
    return ticks


async def test_trades_become_ticks_and_candles_to_the_unit(database: Database, ticks: TickStore, bus: LocalBus) -> None:
    with bus.connect() as own:
        async with (
            whole_engine(database) as house,
            recording(database, ticks, bus),
            ended(Printer(house.client, database, own).run()),
        ):
            await open_exchange(house.client)
            for step in range(40):
                await trade(house.client, 50_000 + step, 1 + step, buyer_takes=step % 3 > 0)
            await eventually(equal(database, 40))
    assert await candles_equal_their_ticks(database)
    assert await gaps_of(database) == []


async def test_play_money_has_a_source_of_its_own(database: Database, ticks: TickStore, bus: LocalBus) -> None:
    """The same symbol, but another market."""
    with bus.connect() as own:
        async with (
            whole_engine(database) as house,
            recording(database, ticks, bus),
            ended(Printer(house.client, database, own).run()),
        ):
            await open_exchange(house.client)
            await trade(house.client, 50_000, 1)
            await trade_in_the_demo_world(house.client)
            await eventually(equal(database, 1))
            await eventually(equal(database, 1, World.DEMO))
    prices = [(await rows(database, TICKS, name))[0][2] for name in ("house", "house_demo")]
    assert prices == [50_000 * TERMS.tick, 7 * TERMS.tick]


async def test_what_was_traded_before_is_printed_too(database: Database, ticks: TickStore, bus: LocalBus) -> None:
    with bus.connect() as own:
        async with whole_engine(database) as house:
            await open_exchange(house.client)
            for step in range(5):
                await trade(house.client, 50_000 + step, 1)
            async with recording(database, ticks, bus), ended(Printer(house.client, database, own).run()):
                await eventually(equal(database, 5))


async def test_each_trade_is_stored_once_whoever_is_killed(database: Database, ticks: TickStore, bus: LocalBus) -> None:
    """Printer, recorder and engine, each cut off at a random place, again and again."""
    luck = random.Random(20_261_121)
    traded = 0
    async with whole_engine(database) as house:
        await open_exchange(house.client)
    for _ in range(6):
        async with whole_engine(database) as house:
            for _ in range(4):
                with bus.connect() as own:
                    async with recording(database, ticks, bus), ended(Printer(house.client, database, own).run()):
                        for _ in range(luck.randrange(1, 8)):
                            await trade(house.client, 50_000 + traded % 7, 1 + traded % 5)
                            traded += 1
                        for _ in range(luck.randrange(40)):
                            await asyncio.sleep(0)
    with bus.connect() as own:
        async with (
            whole_engine(database) as house,
            recording(database, ticks, bus),
            ended(Printer(house.client, database, own).run()),
        ):
            await eventually(equal(database, traded))
    assert await candles_equal_their_ticks(database)
    assert all(is_filled for *_, is_filled in await gaps_of(database))


async def test_a_printer_goes_on_when_the_engine_starts_anew(
    database: Database, ticks: TickStore, bus: LocalBus
) -> None:
    """It speaks to whoever leads, and reads what it did not hear from the tables."""
    store = PostgresStore(database)
    with bus.connect() as own:
        async with following(store, database), recording(database, ticks, bus):
            async with leading(store) as leader:
                await open_exchange(leader.client)
                await trade(leader.client, 50_000, 1)
            way = Way(leader.client)
            async with ended(Printer(way, database, own).run()):
                for step in range(3):
                    async with leading(store) as leader:
                        await trade(leader.client, 50_001 + step, 1)
                        way.client = leader.client
                        await trade(leader.client, 50_002 + step, 1)
                        await eventually(equal(database, 3 + 2 * step))


async def test_ticks_that_a_lost_bus_took_along_are_sent_again_and_no_others(
    database: Database, ticks: TickStore, bus: LocalBus
) -> None:
    """The first, and some in the middle, were lost before they were stored. Those that stand are not touched."""
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        for step in range(8):
            await trade(house.client, 50_000 + step, 1)

        async def are_in_the_tables() -> bool:
            return len(await rows(database, TRADES, "trading")) == 8

        await eventually(are_in_the_tables)
        known = [Tick(*row) for row in await rows(database, AS_TICKS, "trading")]
        await store_all(database, [batch([known[2], known[3], known[6]], source=Source.HOUSE)])
        with bus.connect() as own:
            async with recording(database, ticks, bus), ended(Printer(house.client, database, own).run()):
                await eventually(equal(database, 8))
    assert await candles_equal_their_ticks(database)


def test_what_is_missing_is_all_ids_but_those_that_stand() -> None:
    assert missing(Standing()) == [Span(0)]
    assert missing(Standing(head=9)) == [Span(9)]
    standing = Standing(head=9, first=4, gaps=(Span(7, 9), Span(4, 6)))
    assert missing(standing) == [Span(0, 4), Span(4, 6), Span(7, 9), Span(9)]


async def trade_in_the_demo_world(client: EngineClient) -> None:
    """Once, at 7 ticks, between accounts that have got play money for it."""
    await submit(client, HOUSE, ListInstrument(msgspec.structs.replace(TERMS, world=World.DEMO)))
    for user, side, asset in (("alice", Side.BUY, "USDT"), ("bob", Side.SELL, "BTC")):
        opened = (await submit(client, HOUSE, OpenAccount(user, World.DEMO, "USDT"))).reply
        assert isinstance(opened, AccountOpened)
        await submit(client, HOUSE, Deposit(opened.account_id, asset, FUNDS))
        answer = await submit(client, opened.account_id, limit(opened.account_id, side, 7, 1))
        assert isinstance(answer.reply, OrderPlaced)
