"""Gaps are fetched and closed, and the ledger says what was done about each."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest
from sqlalchemy import text

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.feeds.backfill import NOT_LISTED_YET, TOO_LARGE, Backfiller
from fondaco.market.feeds.binance_rest import MAX_TRIES, BinanceHistory
from fondaco.market.gap_filling import FIRST_RETRY_S, LONGEST_RETRY_S, OpenGap, missing_ranges
from fondaco.market.messages import RECORDERS, TICKS_STREAM, Tick, TickBatch, decode_entry
from fondaco.market.partitions import moment
from fondaco.market.store import Batch, TickStore
from support.feeding import Clock, catalogue, unreceived
from support.past_trades import Answer, PastTradesServer, past_trades
from support.stored import batch, execute, store_all, ticks_of, verified
from support.ticks import walk

CATALOGUE = catalogue("BTC/USDT")
TICKS = walk(5_000, seed=3)


@pytest.fixture
def exchange() -> Iterator[PastTradesServer]:
    with past_trades(TICKS) as server:
        yield server


class House:
    """What a back-filler works with, and a recorder that stores what it sent when told to."""

    def __init__(self, database: Database, exchange: PastTradesServer, *, max_trades: int = 1_000_000) -> None:
        self.clock = Clock()
        self.bus = LocalBus(BusSettings())
        self.database = database
        settings = MarketSettings(binance_rest_url=exchange.url, backfill_max_trades=max_trades)
        self.history = BinanceHistory(settings, sleep=self.clock.sleep, clock_s=lambda: self.clock.now_us / 1e6)
        self.backfiller = Backfiller(
            database, self.bus, CATALOGUE, self.history, settings, clock_us=self.clock, sleep=self.clock.sleep
        )

    async def record(self) -> int:
        """Store everything on the stream; returns how many ticks were new."""
        entries = await self.bus.read(TICKS_STREAM, RECORDERS, max_entries=1_000, wait_s=0)
        decoded = [decode_entry(each.body) for each in entries]
        batches = [each for each in decoded if isinstance(each, TickBatch)]
        assert all(each.is_backfill for each in batches)
        refused = [each for each in decoded if not isinstance(each, TickBatch)]
        return (await TickStore(self.database).store(Batch(batches, refused), now_us=self.clock.now_us)).new_ticks

    async def story(self) -> list[tuple[int, int, int, str | None, bool]]:
        """Each gap's missing and absent ids, attempts, problem, and whether it is filled."""
        query = "SELECT missing, absent, attempts, problem, filled_at IS NOT NULL FROM gaps ORDER BY after_trade_id"
        async with self.database.transaction() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]


@pytest.fixture
async def house(database: Database, exchange: PastTradesServer) -> AsyncIterator[House]:
    house = House(database, exchange)
    yield house
    await house.history.aclose()


def without(*lost: range) -> list[Tick]:
    return [tick for tick in TICKS if not any(tick.trade_id in each for each in lost)]


async def test_what_was_lost_is_fetched_page_by_page_and_the_gaps_close(
    house: House, exchange: PastTradesServer
) -> None:
    await store_all(house.database, [batch(without(range(100, 101), range(700, 3_200)))])
    assert await house.backfiller.work_once() == 2
    assert exchange.asked == [700, 1_700, 2_700, 100]  # the newest gap first
    assert await house.record() == 2_501
    assert await house.story() == [(0, 0, 1, None, True), (0, 0, 1, None, True)]
    assert unreceived(await ticks_of(house.database)) == unreceived(TICKS)
    assert [week.different for week in await verified(house.database)] == [0]
    assert await house.backfiller.work_once() == 0


@pytest.mark.parametrize(("age_s", "due"), [(4, 0), (5, 1)])
async def test_a_gap_that_another_recorder_may_close_is_left_alone_for_a_while(
    house: House, exchange: PastTradesServer, age_s: int, due: int
) -> None:
    found_us = house.clock.now_us - age_s * 1_000_000
    await store_all(house.database, [batch(without(range(100, 101)))], now_us=found_us)
    assert await house.backfiller.work_once() == due
    assert len(exchange.asked) == due


@pytest.mark.parametrize(("purged_us", "due"), [(TICKS[98].time_us, 1), (TICKS[98].time_us + 1, 0)])
async def test_what_would_be_refused_because_it_was_purged_is_not_fetched(
    house: House, exchange: PastTradesServer, purged_us: int, due: int
) -> None:
    await store_all(house.database, [batch(without(range(100, 101)))])
    await execute(
        house.database, "INSERT INTO tick_purges (purged_before, purged_at) VALUES (:at, :at)", at=moment(purged_us)
    )
    assert await house.backfiller.work_once() == due
    assert len(exchange.asked) == due


async def test_only_what_is_still_missing_is_asked_for(house: House, exchange: PastTradesServer) -> None:
    await store_all(house.database, [batch(without(range(1_000, 4_000))), batch(TICKS[1_499:2_999])])
    await house.backfiller.work_once()
    assert exchange.asked == [1_000, 3_000]
    assert await house.record() == 1_500
    assert await house.story() == [(0, 0, 1, None, True)]


async def test_ids_that_the_exchange_does_not_have_are_said_to_be_absent(
    house: House, exchange: PastTradesServer
) -> None:
    exchange.ticks = without(range(1_200, 1_210), range(1_999, 2_000))
    await store_all(house.database, [batch(without(range(1_000, 2_000)))])
    await house.backfiller.work_once()
    assert await house.story() == [(1_000, 11, 1, None, False)]  # on their way, not stored yet
    assert await house.record() == 989
    assert await house.story() == [(11, 11, 1, None, True)]


async def test_a_gap_of_which_nothing_exists_is_closed_at_once(house: House, exchange: PastTradesServer) -> None:
    exchange.ticks = without(range(1_200, 1_210))
    await store_all(house.database, [batch(exchange.ticks)])
    await house.backfiller.work_once()
    assert await house.story() == [(10, 10, 1, None, True)]


async def test_a_list_that_ends_inside_the_gap_is_late_and_asked_again(
    house: House, exchange: PastTradesServer
) -> None:
    exchange.ticks = TICKS[:1_500]
    await store_all(house.database, [batch(without(range(1_000, 2_000)))])
    await house.backfiller.work_once()
    await house.record()
    assert await house.story() == [(499, 0, 1, NOT_LISTED_YET, False)]
    exchange.ticks = TICKS
    assert await house.backfiller.work_once() == 0
    await house.clock.sleep(FIRST_RETRY_S)
    assert await house.backfiller.work_once() == 1
    await house.record()
    assert await house.story() == [(0, 0, 2, None, True)]


async def test_a_problem_is_noted_and_the_pauses_grow_up_to_their_limit(
    house: House, exchange: PastTradesServer
) -> None:
    await store_all(house.database, [batch(without(range(1_000, 2_000)))])
    pauses = []
    for _ in range(11):
        exchange.instead += [Answer(500)] * MAX_TRIES
        paused_s = 0
        while await house.backfiller.work_once() == 0:
            await house.clock.sleep(FIRST_RETRY_S)
            paused_s += FIRST_RETRY_S
        pauses.append(paused_s)
    assert pauses == [0, *(min(FIRST_RETRY_S * 2**number, LONGEST_RETRY_S) for number in range(10))]
    assert await house.story() == [(1_000, 0, 11, "unreachable", False)]


async def test_a_refused_trade_is_quarantined_and_counts_as_absent(house: House, exchange: PastTradesServer) -> None:
    await store_all(house.database, [batch(without(range(1_000, 1_003)))])
    raw = '{"id":%d,"price":"%s","qty":"1","time":1723161255342,"isBuyerMaker":true}'
    exchange.instead.append(Answer(200, f"[{raw % (1_000, '1')},{raw % (1_001, '1e5')},{raw % (1_003, '1')}]"))
    await house.backfiller.work_once()
    assert await house.record() == 1
    assert await house.story() == [(2, 2, 1, None, True)]
    async with house.database.transaction() as connection:
        assert (await connection.execute(text("SELECT reason FROM quarantine"))).scalars().all() == [
            "price_not_a_number"
        ]


@pytest.mark.parametrize(("most", "fetched"), [(1_000, True), (999, False)])
async def test_a_gap_beyond_the_limit_is_left_and_says_so(
    database: Database, exchange: PastTradesServer, most: int, *, fetched: bool
) -> None:
    house = House(database, exchange, max_trades=most)
    await store_all(database, [batch(without(range(1_000, 2_000)))])
    await house.backfiller.work_once()
    await house.history.aclose()
    assert bool(exchange.asked) == fetched
    assert await house.story() == [(1_000, 0, 1, None if fetched else TOO_LARGE, False)]


async def test_killed_in_the_middle_it_begins_again_with_what_is_missing(
    house: House, exchange: PastTradesServer
) -> None:
    await store_all(house.database, [batch(without(range(500, 4_500)))])
    for pages in (1, 2):
        asked = len(exchange.asked)
        working = asyncio.create_task(house.backfiller.work_once())
        while len(exchange.asked) < asked + pages:  # noqa: ASYNC110 - the exchange counts in a thread of its own
            await asyncio.sleep(0.001)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await house.record()
    await house.backfiller.work_once()
    await house.record()
    assert unreceived(await ticks_of(house.database)) == unreceived(TICKS)
    assert await house.story() == [(0, 0, 1, None, True)]


@pytest.mark.parametrize("seed", range(5))
async def test_missing_ranges_are_exactly_what_is_not_stored(database: Database, seed: int) -> None:
    numbers = random.Random(seed)
    stored = [TICKS[0], TICKS[399], *numbers.sample(TICKS[1:399], numbers.randint(0, 300))]
    await store_all(database, [batch(stored)])
    gap = OpenGap("binance", "BTCUSDT", 1, 400, 0, moment(TICKS[0].time_us), moment(TICKS[399].time_us))
    async with database.transaction() as connection:
        ranges = await missing_ranges(connection, gap)
    listed = [trade_id for each in ranges for trade_id in range(each.first, each.last + 1)]
    assert listed == sorted(set(range(1, 401)) - {tick.trade_id for tick in stored})
    assert all(left.last + 1 < right.first for left, right in pairwise(ranges))
