"""Books at the edge over real tables: begun anywhere, kept up by the stream, equal to the engine's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fondaco.core.book.vocabulary import Depth, Side
from fondaco.core.machine import Machine
from fondaco.core.vocabulary import World
from fondaco.engine.books import KEPT_TRADES, Books
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import Engine
from fondaco.infra.database import Database
from support.engines import open_exchange
from support.floor import SYMBOL
from support.live import PATIENCE_S, House, kept_up, whole_engine
from support.order_flow import OrderFlow
from support.rejoining import RejoiningEngine

KEY = (World.TRADING, SYMBOL)
WHOLE = 1_000_000


def levels(machine: Machine) -> list[list[Depth]]:
    book = machine.house.markets[KEY].book
    return [book.depth(side, WHOLE) for side in Side]


def live_levels(books: Books) -> list[list[Depth]]:
    book = books.book(*KEY)
    return [book.bids.best(WHOLE), book.asks.best(WHOLE)]


@asynccontextmanager
async def begun_now(house: House, engine: Engine | None = None) -> AsyncIterator[tuple[LiveHouse, Books]]:
    """Books of another process, which begin with the tables as they are."""
    books = Books()
    live = LiveHouse(engine or house.client, house.database, [books])
    async with kept_up(live):
        yield live, books


async def test_books_that_begin_anywhere_equal_the_engine_s(database: Database) -> None:
    first, flow = Books(), OrderFlow(seed=21)
    async with whole_engine(database, [first]) as house:
        await open_exchange(house.client)
        for _ in range(4):
            await flow.run(house.client, 400)
            async with begun_now(house) as (live, books):
                await flow.run(house.client, 100)
                await house.caught_up()
                await asyncio.wait_for(live.come_to(first.seq), PATIENCE_S)
                expected = await house.client.read(levels)
                assert live_levels(books) == live_levels(first) == expected
                assert min(len(side) for side in expected) > 3


async def test_the_last_trades_are_read_from_the_tables_as_the_stream_told_them(database: Database) -> None:
    first, flow = Books(), OrderFlow(seed=22)
    async with whole_engine(database, [first]) as house:
        await open_exchange(house.client)
        await flow.run(house.client, 1_000)
        await house.caught_up()
        first.take_changes()
        heard = list(first.book(*KEY).trades)
        assert len(heard) == KEPT_TRADES
        async with begun_now(house) as (_, books):
            assert list(books.book(*KEY).trades) == heard
            assert books.take_changes() == []


async def test_whoever_lost_the_line_begins_anew_and_is_right_again(database: Database) -> None:
    flow = OrderFlow(seed=23)
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        engine = RejoiningEngine(house.client)
        async with begun_now(house, engine) as (live, books):
            for _ in range(3):
                await flow.run(house.client, 200)
                engine.lose_the_line()
                await flow.run(house.client, 200)
                seq = await house.client.read(lambda machine: machine.seq)
                await asyncio.wait_for(live.come_to(seq), PATIENCE_S)
                assert live_levels(books) == await house.client.read(levels)
