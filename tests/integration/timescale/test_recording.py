"""A house with TimescaleDB: ticks stored exactly once, candles equal whatever came late, purges that lose no candle."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fondaco.core.candles import MINUTE_US, Candle, Timeframe
from fondaco.infra.database import Database
from fondaco.market.current import set_current_feed
from fondaco.market.jobs import purge_ticks, settle_candles
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.reads import Range, bars, latest_candles, latest_prices, prints, recent_bars
from fondaco.market.storage.aggregates import AGGREGATES, MINUTES
from fondaco.market.storage.hypertable import (
    CandlesLateError,
    _refresh,
    insert_new,
    note_late,
    until_no_refresh_is_older,
)
from fondaco.market.storage.port import PurgeRefusedError
from fondaco.market.storage.writing import by_series
from fondaco.market.store import Batch, TickStore
from support.stored import batch, candles_of, execute, gaps_of, store_all, ticks_of, verified
from support.ticks import MOMENT_US, naive_candles, split, ticks
from support.timescale import POLICY_JOB, REAL_SERVER
from support.waiting import eventually

EXAMPLES = 25 if REAL_SERVER else 12
"""A batch of late ticks refreshes nine aggregates; on PGlite that takes a second."""
DAY_US = 1440 * MINUTE_US
fresh_symbols = (f"T{number}USDT" for number in count())


def tick(trade_id: int, *, at_us: int, price: int = 100) -> Tick:
    return Tick(trade_id, at_us, price, 5, buyer_is_maker=trade_id % 2 == 0, received_us=at_us + 7)


def now_us() -> int:
    """The aggregates go by the clock, so these tests do: everything is so and so long ago."""
    return time.time_ns() // 1000


async def everything(database: Database, symbol: str = "BTCUSDT") -> dict[Timeframe, dict[int, Candle]]:
    return {timeframe: await candles_of(database, timeframe, symbol) for timeframe in Timeframe}


def naive(stored: Sequence[Tick]) -> dict[Timeframe, dict[int, Candle]]:
    return {timeframe: naive_candles(stored, timeframe) for timeframe in Timeframe}


async def stale(database: Database) -> int:
    """How many ranges wait to be settled."""
    async with database.transaction() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM stale_ranges"))).scalar_one())


async def run_policies(database: Database) -> None:
    """What the background workers of a server do from time to time."""
    async with database.outside_transaction() as connection:
        for aggregate in AGGREGATES:
            cursor = await connection.execute(POLICY_JOB, [aggregate.name])
            ((job_id,),) = await cursor.fetchall()
            await connection.execute("CALL run_job(%s)", [job_id])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stored=ticks(),
    cuts=st.lists(st.integers(0, 1000), max_size=2),
    again=st.lists(st.integers(0, 1000), max_size=15),
    random=st.randoms(use_true_random=False),
)
async def test_any_order_batching_and_repetition_leaves_the_same_tables(
    house: Database, stored: list[Tick], cuts: list[int], again: list[int], random: object
) -> None:
    symbol = next(fresh_symbols)
    delivered = stored + [stored[each % len(stored)] for each in again if stored]
    random.shuffle(delivered)  # type: ignore[attr-defined] # Hypothesis types its Random as object
    new = await store_all(house, [batch(part, symbol=symbol) for part in split(delivered, cuts)])

    assert new == len(stored)
    assert await ticks_of(house, symbol) == sorted(stored, key=lambda each: (each.time_us, each.trade_id))
    assert await everything(house, symbol) == naive(stored)
    assert await stale(house) == 0


async def test_live_ticks_are_in_the_candles_at_once_without_a_refresh(house: Database) -> None:
    """EXP-C12: the newest bucket is always there. Trades of one millisecond open and close by their ids."""
    store, at_us = TickStore(house), now_us()
    await store.store(batch([]), now_us=0)  # what was left behind is settled with the first batch
    live = [tick(each, at_us=at_us, price=100 + each * 7919 % 10) for each in (5, 3, 9, 4)]
    done = await store.store(batch(live), now_us=0)
    assert {each.timeframe: {each.open_time_us: each.candle} for each in done.candles} == naive(live)
    assert await everything(house) == naive(live)
    async with house.transaction() as connection:
        filled = await connection.execute(text("SELECT count(*) FROM timescaledb_information.chunks"))
        assert filled.scalar_one() == 1, "the ticks' own; nothing was materialised"


async def test_a_late_tick_is_in_every_candle_when_its_batch_is_announced(house: Database) -> None:
    """Older than any look-back, and in buckets that are materialised."""
    store = TickStore(house)
    first = [tick(each, at_us=MOMENT_US + each * 40_000_000) for each in range(1, 30)]
    await store.store(batch(first), now_us=0)
    await settle_candles(house, 0)
    late = [tick(50, at_us=MOMENT_US + 100_000_000, price=7), tick(51, at_us=MOMENT_US + 100_000_000, price=9999)]
    done = await store.store(batch(late), now_us=0)
    assert done.new_ticks == 2
    announced = {(each.timeframe, each.open_time_us): each.candle for each in done.candles}
    expected = naive([*first, *late])
    assert {timeframe for timeframe, _ in announced} == set(Timeframe)
    assert all(expected[timeframe][open_time] == candle for (timeframe, open_time), candle in announced.items())
    assert await everything(house) == expected


@pytest.mark.parametrize("lost", [False, True])
async def test_a_crash_between_commit_and_refresh_is_made_good_by_the_job(house: Database, *, lost: bool) -> None:
    """Also when TimescaleDB has lost its own note of the change, as an interrupted refresh made it do."""
    first = [tick(each, at_us=MOMENT_US + each * 40_000_000) for each in range(1, 30)]
    await store_all(house, [batch(first)])
    late = [tick(50, at_us=MOMENT_US + 100_000_000, price=7)]
    async with house.driver_transaction() as connection:  # all that a recorder does up to its commit
        added = await insert_new(connection, by_series([TickBatch(Source.BINANCE, "BTCUSDT", tuple(late))]))
        assert await note_late(connection, added)
    if lost:
        await execute(house, "DELETE FROM _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log")
    assert await everything(house) != naive([*first, *late]), "stale, or this test shows nothing"
    await settle_candles(house, 0)
    assert await everything(house) == naive([*first, *late])
    assert await stale(house) == 0


async def test_a_batch_whose_answer_was_lost_is_announced_when_it_comes_again(house: Database) -> None:
    stored = [tick(1, at_us=MOMENT_US), tick(2, at_us=MOMENT_US + MINUTE_US)]
    await store_all(house, [batch(stored)])
    done = await TickStore(house).store(batch(stored), now_us=0)
    assert done.new_ticks == 0
    assert {each.timeframe for each in done.candles} == set(Timeframe)


async def test_a_standstill_longer_than_a_policy_looks_back_loses_no_candle(house: Database) -> None:
    """The last minutes before it were never materialised; the policies go on after them."""
    await store_all(house, [batch([])])
    before = [tick(each, at_us=now_us() - 3 * DAY_US + each * MINUTE_US) for each in range(1, 6)]
    async with house.driver_transaction() as connection:  # live when they came: nothing was noted
        await insert_new(connection, by_series([TickBatch(Source.BINANCE, "BTCUSDT", tuple(before))]))
    after = [tick(99, at_us=now_us() - 10 * MINUTE_US)]
    await store_all(house, [batch(after)])
    await run_policies(house)
    assert await everything(house) == naive([*before, *after])


async def test_policies_materialise_what_is_there_and_change_no_candle(house: Database) -> None:
    """EXP-34: each runs, as the server's background workers would have it."""
    stored = [tick(each, at_us=now_us() - each * 3_600_000_000) for each in range(1, 50)]
    await store_all(house, [batch(stored[:40]), batch(stored[40:])])
    await run_policies(house)
    assert await everything(house) == naive(stored)
    assert [week.different for week in await verified(house)] == [0] * len(await verified(house))


async def test_gaps_are_ledgered_and_filled_as_in_a_plain_house(house: Database) -> None:
    at_us = now_us()
    await store_all(house, [batch([tick(each, at_us=at_us) for each in (10, 11, 15)])])
    assert await gaps_of(house) == [(11, 15, 3, False)]
    await store_all(house, [batch([tick(each, at_us=at_us) for each in (12, 14, 13)])])
    assert await gaps_of(house) == [(11, 15, 0, True)]


async def test_a_purge_drops_ticks_and_keeps_their_candles(house: Database) -> None:
    """EXP-38, whatever the policies do afterwards; chunks go whole, the rest minute by minute."""
    stored = [tick(each, at_us=now_us() - each * DAY_US) for each in range(1, 40)]
    await store_all(house, [batch(stored)])
    before = await everything(house)
    purged = await purge_ticks(house, timedelta(days=30, hours=12), now_us())
    assert purged == 9
    assert [each.trade_id for each in await ticks_of(house)] == list(range(30, 0, -1))
    assert await purge_ticks(house, timedelta(days=30, hours=12), now_us()) == 0
    await run_policies(house)
    await settle_candles(house, 0)
    assert await everything(house) == before
    weeks = await verified(house)
    assert sum(week.different for week in weeks) == 0
    assert sum(week.unverifiable for week in weeks) > 0


async def test_a_refresh_that_knows_nothing_of_a_purge_does_not_reach_behind_it(house: Database) -> None:
    """As one that was on its way when the purge began."""
    stored = [tick(each, at_us=now_us() - each * DAY_US) for each in range(1, 40)]
    await store_all(house, [batch(stored)])
    before = await everything(house)
    await purge_ticks(house, timedelta(days=30, hours=12), now_us())
    async with house.outside_transaction() as connection:
        await _refresh(connection, MINUTES, None, now_us() - 2 * MINUTE_US, force=True)
    assert await everything(house) == before


async def test_a_purge_waits_for_refreshes_that_began_before_it(database: Database) -> None:
    """On a server of many sessions, with a procedure of that name which takes as long as somebody holds a lock."""
    await execute(
        database, "CREATE PROCEDURE refresh_continuous_aggregate() LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(7)'"
    )
    async with database.driver_transaction() as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(7)")
        refreshing = asyncio.ensure_future(_call(database))
        await eventually(lambda: _somebody_waits(database))
        with pytest.raises(CandlesLateError, match="still running"):
            await until_no_refresh_is_older(database, wait_s=0.01)
    await refreshing
    await until_no_refresh_is_older(database)


async def _call(database: Database) -> None:
    async with database.outside_transaction() as connection:
        await connection.execute("CALL refresh_continuous_aggregate()")


async def _somebody_waits(database: Database) -> bool:
    async with database.transaction() as connection:
        found = await connection.execute(text("SELECT count(*) FROM pg_locks WHERE objid = 7 AND NOT granted"))
        return int(found.scalar_one()) == 1


async def test_a_late_tick_of_a_purged_minute_is_refused_by_name_and_its_candle_stays(house: Database) -> None:
    stored = [tick(each, at_us=now_us() - each * DAY_US) for each in range(1, 40)]
    await store_all(house, [batch(stored)])
    await purge_ticks(house, timedelta(days=30, hours=12), now_us())
    before = await everything(house)
    late = [tick(500, at_us=stored[35].time_us), tick(501, at_us=stored[3].time_us)]
    assert await store_all(house, [batch(late)]) == 1
    async with house.transaction() as connection:
        ((reason, raw),) = (await connection.execute(text("SELECT reason, raw FROM quarantine"))).all()
    assert (reason, ",500,100,5,t," in raw) == ("purged_already", True)
    after = await everything(house)
    kept = Timeframe.M1.open_time_us(stored[35].time_us)
    assert after[Timeframe.M1][kept] == before[Timeframe.M1][kept]
    assert sum(each.trades for each in after[Timeframe.W1].values()) == len(stored) + 1


async def test_late_ticks_that_nobody_has_settled_are_in_their_candles_before_they_are_purged(house: Database) -> None:
    old = [tick(each, at_us=now_us() - 40 * DAY_US + each * MINUTE_US) for each in range(1, 9)]
    await store_all(house, [batch(old[:4])])
    async with house.driver_transaction() as connection:
        added = await insert_new(connection, by_series([TickBatch(Source.BINANCE, "BTCUSDT", tuple(old[4:]))]))
        await note_late(connection, added)
    assert await purge_ticks(house, timedelta(days=30), now_us()) == 8
    assert await everything(house) == naive(old)


@pytest.mark.parametrize(("days", "is_refused"), [(1, True), (2, False)])
async def test_a_purge_that_would_reach_what_a_policy_refreshes_is_refused(
    house: Database, days: int, *, is_refused: bool
) -> None:
    """EXP-34 has 1m look back a day; a day more is left for a refresh that is running."""
    stored = [tick(each, at_us=now_us() - 3 * DAY_US // 2) for each in range(1, 4)]
    await store_all(house, [batch(stored)])
    age = timedelta(days=days, minutes=1)
    if is_refused:
        with pytest.raises(PurgeRefusedError, match="cannot be purged yet"):
            await purge_ticks(house, age, now_us())
    else:
        assert await purge_ticks(house, age, now_us()) == 0
    assert len(await ticks_of(house)) == 3


async def test_readers_see_the_same_in_both_kinds_of_house(house: Database, database: Database) -> None:
    at_us = now_us()
    stored = [tick(each, at_us=at_us - each * 33_000_000, price=100 + each % 13) for each in range(1, 120)]
    seen = [await all_reads(each, stored, at_us) for each in (house, database)]
    assert seen[0] == seen[1]
    assert all(seen[0])


async def all_reads(database: Database, stored: list[Tick], at_us: int) -> list[object]:
    """Fill a house and ask it everything that readers ask."""
    done = await TickStore(database).store(batch(stored), now_us=0)
    prices = PriceWriter(database, Quoter({}, 100), every_s=1)
    await prices.write(done.candles, now_us=at_us)
    everywhen = Range(0, 2**51, 50)
    async with database.transaction() as connection:
        await set_current_feed(
            connection, source=Source.BINANCE, label="x", symbols=["BTCUSDT"], anchors={}, since_us=at_us
        )
        seen: list[object] = [
            await bars(connection, Source.BINANCE, "BTCUSDT", Timeframe.M5, everywhen),
            await prints(connection, Source.BINANCE, "BTCUSDT", everywhen, before_id=70),
            await latest_candles(connection, Source.BINANCE, "BTCUSDT", Timeframe.H1, 5),
            await latest_prices(connection, ["BTCUSDT"]),
        ]
    async with database.driver_transaction() as driver:
        seen += [await recent_bars(driver, "BTCUSDT", timeframe, 20) for timeframe in Timeframe]
    return [*seen, sorted(done.candles, key=lambda each: (each.timeframe, each.open_time_us)), done.new_ticks]


async def test_a_refused_message_and_no_tick_is_a_batch_too(house: Database) -> None:
    done = await TickStore(house).store(Batch([], []), now_us=0)
    assert done == ((), 0)
