"""Nights with a whole engine whose clock is moved: each day is paid for once, whatever happened to those who pay."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import pytest

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    OpenPosition,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
)
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, AccountOpened, Refused, Reply
from fondaco.core.vocabulary import Direction, World
from fondaco.domains.desk.nights import DAY_US, SETTLED_US, ended_days, next_nights, pay_nights
from fondaco.engine.client import EngineClient
from fondaco.engine.leader import Leader
from fondaco.engine.port import Engine
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.reading import Tables
from fondaco.engine.recovery import recovered
from fondaco.infra.database import Database
from support.engines import WIDE
from support.floor import SYMBOL, TERMS
from support.live import PATIENCE_S, following
from support.ways import Way

DAY_NS: Final = DAY_US * 1_000
PRICE: Final = 50_000 * 10**8
QUANTITY: Final = 10**7
"""A tenth of a unit: at the price, an entry of 5,000."""
RATE_PPM: Final = 100
NIGHT: Final = 5_000 * 10**8 * RATE_PPM // 1_000_000


class Clock:
    """The engine's clock: at first noon, some days ago, so that no midnight comes unasked."""

    def __init__(self) -> None:
        self.days_ago = 0
        self._begun_ns = time.time_ns()
        self._noon_ns = (self._begun_ns // DAY_NS - 1) * DAY_NS + DAY_NS // 2

    def __call__(self) -> int:
        """The time."""
        return self._noon_ns + time.time_ns() - self._begun_ns - self.days_ago * DAY_NS

    @property
    def day(self) -> int:
        """The day, counted from 1970."""
        return self() // DAY_NS


class House:
    """A house with one account, a position, and the clock."""

    def __init__(self, client: EngineClient, database: Database, clock: Clock) -> None:
        self.client = client
        self.database = database
        self.clock = clock
        self.account_id = 0
        self._number = 0

    async def do(self, command: Command, command_id: str = "") -> Reply:
        """Have the house do a command."""
        self._number += 1
        answer = await self.client.submit(
            HOUSE,
            command,
            command_id=command_id or f"house-{self._number}",
            not_after_ns=self.clock() + 5_000_000_000,
        )
        return answer.reply

    async def begin(self, worlds: Sequence[World] = (World.TRADING,)) -> None:
        """Open a position, so many days ago."""
        listing = ListAsset("BTC", 8), ListAsset("USDT", 8), ListInstrument(TERMS), AdmitUser("ann")
        assert [await self.do(each) for each in listing] == [DONE] * len(listing)
        opened = await self.do(OpenAccount("ann", World.TRADING, "USDT"))
        assert isinstance(opened, AccountOpened)
        self.account_id = opened.account_id
        for world in worlds:
            await self.do(SetDeskRules(DeskRules(world)))
        terms = DeskTerms(World.TRADING, SYMBOL, is_dealt=True, min_lots=1, max_lots=10**6, long_financing_ppm=RATE_PPM)
        quote = Quote(PRICE, PRICE, self.clock(), PRICE, 1)
        opening = OpenPosition(self.account_id, SYMBOL, Direction.LONG, QUANTITY, 1)
        for command in (
            Deposit(self.account_id, "USDT", 10_000 * 10**8),
            SetDeskTerms(terms),
            SetQuote(World.TRADING, SYMBOL, "tested", 0, (quote,)),
            opening,
        ):
            assert not isinstance(reply := await self.do(command), Refused), reply
        await self.in_tables()

    async def in_tables(self) -> None:
        """Wait until the tables have all that was done."""
        seq = await self.client.read(lambda machine: machine.seq)
        async with Tables(self.database, wait_s=PATIENCE_S).read(seq):
            pass

    async def paid(self, engine: Engine | None = None) -> int:
        """Have the nights paid that are due now; returns how many were."""
        count = await pay_nights(engine or self.client, self.database, self.clock_us)
        await self.in_tables()
        return count

    def clock_us(self) -> int:
        """The same clock for those who pay."""
        return self.clock() // 1_000

    async def financing(self) -> int:
        """What the position has paid so far."""
        (position,) = await self.client.read(lambda machine: list(machine.house.desk.positions.values()))
        return position.financing


@asynccontextmanager
async def house_of(database: Database) -> AsyncIterator[House]:
    """A house whose engine has a clock of its own."""
    store, clock = PostgresStore(database), Clock()
    standing = await recovered(store)
    lease = await store.acquire("test", "")
    assert lease is not None
    leader = Leader(lease, standing, WIDE, clock_ns=clock)
    running = asyncio.ensure_future(leader.run())
    try:
        async with following(store, database):
            yield House(leader.client, database, clock)
    finally:
        leader.stop()
        await running


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    """A position was opened four days ago, and it is four days ago still."""
    async with house_of(database) as made:
        made.clock.days_ago = 4
        await made.begin()
        yield made


async def test_nothing_is_due_while_the_first_day_goes_on(house: House) -> None:
    before = await house.client.read(lambda machine: machine.seq)
    assert await house.paid() == 0
    assert await house.client.read(lambda machine: machine.seq) == before  # nor is it asked for
    assert await next_nights(house.database) == [(World.TRADING, house.clock.day)]


async def test_each_midnight_one_night_is_paid_however_often_the_job_runs(house: House) -> None:
    for nights in (1, 2):
        house.clock.days_ago -= 1
        assert await house.paid() == 1
        assert await house.paid() == 0
        assert await house.financing() == nights * NIGHT


async def test_days_of_silence_are_paid_for_one_by_one(house: House) -> None:
    first = house.clock.day
    house.clock.days_ago = 0
    assert await house.paid() == 4
    assert await house.financing() == 4 * NIGHT
    async with house.database.driver_transaction() as connection:
        rows = await connection.execute("SELECT day - date '1970-01-01' FROM desk_rollovers ORDER BY day")
        assert [day for (day,) in await rows.fetchall()] == [first, first + 1, first + 2, first + 3]


async def test_two_that_run_at_the_same_time_pay_once(house: House) -> None:
    house.clock.days_ago = 0
    await asyncio.gather(*(pay_nights(house.client, house.database, house.clock_us) for _ in range(3)))
    assert await house.financing() == 4 * NIGHT


async def test_one_that_looks_at_old_tables_pays_nothing_twice(house: House) -> None:
    """The tables are a moment behind: the same days are submitted again, under the same ids."""
    house.clock.days_ago = 0
    assert await pay_nights(house.client, house.database, house.clock_us) == 4
    assert await house.financing() == 4 * NIGHT
    async with house.database.driver_transaction() as connection:
        await connection.execute("DELETE FROM desk_rollovers")
    assert await pay_nights(house.client, house.database, house.clock_us) == 4
    assert await house.financing() == 4 * NIGHT


async def test_an_engine_that_is_away_is_waited_for(house: House) -> None:
    way = Way(house.client)
    way.is_open = False
    house.clock.days_ago = 0
    assert await house.paid(way) == 0
    way.is_open = True
    assert await house.paid(way) == 4


async def test_a_night_that_was_refused_too_early_is_paid_when_it_is_due(house: House) -> None:
    """The engine remembers the refusal under the id of the night."""
    day = house.clock.day
    reply = await house.do(Rollover(World.TRADING, day), f"rollover-trading-{day}")
    assert reply == Refused(Refusal.WRONG_DAY)
    house.clock.days_ago -= 1
    assert await house.paid() == 1
    assert await house.financing() == NIGHT


async def test_each_world_has_nights_of_its_own(database: Database) -> None:
    async with house_of(database) as house:
        house.clock.days_ago = 2
        await house.begin([World.TRADING, World.DEMO])
        house.clock.days_ago = 0
        assert await house.paid() == 4
        assert await next_nights(database) == [(World.DEMO, house.clock.day), (World.TRADING, house.clock.day)]


async def test_without_a_desk_nothing_is_due(database: Database) -> None:
    assert await next_nights(database) == []


def test_a_day_has_ended_a_moment_after_midnight() -> None:
    assert ended_days(20_000 * DAY_US + SETTLED_US - 1) == 19_999
    assert ended_days(20_000 * DAY_US + SETTLED_US) == 20_000
