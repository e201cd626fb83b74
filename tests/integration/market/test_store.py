"""Ticks are stored exactly once, and candles, gaps and quarantine follow from them in the same transaction."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.messages import Refused, Source, Tick
from fondaco.market.partitions import Partitions
from fondaco.market.store import MAX_RAW_CHARS, Batch, TickStore
from support.stored import batch, candles_of, gaps_of, store_all, ticks_of, verified
from support.ticks import MOMENT_US, naive_candles, split, ticks

fresh_symbols = (f"T{number}USDT" for number in count())
"""Each example takes a symbol of its own, so that one database serves them all."""


def tick(trade_id: int, *, at_us: int = MOMENT_US, price: int = 100) -> Tick:
    return Tick(trade_id, at_us, price, 5, buyer_is_maker=False, received_us=at_us + 7)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stored=ticks(),
    cuts=st.lists(st.integers(0, 1000), max_size=4),
    again=st.lists(st.integers(0, 1000), max_size=15),
    random=st.randoms(use_true_random=False),
)
async def test_any_order_batching_and_repetition_leaves_the_same_tables(
    database: Database, stored: list[Tick], cuts: list[int], again: list[int], random: object
) -> None:
    symbol = next(fresh_symbols)
    delivered = stored + [stored[each % len(stored)] for each in again if stored]
    random.shuffle(delivered)  # type: ignore[attr-defined] # Hypothesis types its Random as object
    new = await store_all(database, [batch(part, symbol=symbol) for part in split(delivered, cuts)])

    assert new == len(stored)
    assert await ticks_of(database, symbol) == sorted(stored, key=lambda each: (each.time_us, each.trade_id))
    for timeframe in Timeframe:
        assert await candles_of(database, timeframe, symbol) == naive_candles(stored, timeframe)


async def test_what_a_transaction_returns_is_what_stands_in_the_table(database: Database) -> None:
    store = TickStore(database)
    await store.store(batch([tick(1, price=10), tick(2, price=30)]), now_us=0)
    done = await store.store(batch([tick(3, price=20), tick(2, price=30)]), now_us=0)
    assert done.new_ticks == 1
    assert {each.timeframe for each in done.candles} == set(Timeframe)
    for each in done.candles:
        assert await candles_of(database, each.timeframe) == {each.open_time_us: each.candle}


async def test_sums_beyond_64_bits_are_exact(database: Database) -> None:
    most = 2**62
    stored = [Tick(each, MOMENT_US, most, most, buyer_is_maker=False, received_us=0) for each in range(1, 8)]
    await store_all(database, [batch(stored)])
    (candle,) = (await candles_of(database, Timeframe.D1)).values()
    assert candle.volume == 7 * most
    assert candle.quote_volume == 7 * most * most
    assert all(week.different == 0 for week in await verified(database))


async def test_the_same_symbol_of_two_sources_stays_apart(database: Database) -> None:
    await store_all(database, [batch([tick(1)]), batch([tick(1, price=900)], source=Source.REPLAY)])
    (binance,) = (await candles_of(database, Timeframe.M1)).values()
    (replay,) = (await candles_of(database, Timeframe.M1, source=Source.REPLAY)).values()
    assert (binance.close, replay.close) == (100, 900)


async def test_partitions_are_made_for_any_week_and_by_several_recorders_at_once(database: Database) -> None:
    year_us = 365 * 86_400_000_000
    times = [MOMENT_US - 13 * year_us, MOMENT_US, MOMENT_US + 2 * year_us]
    await store_all(database, [batch([tick(each, at_us=at_us) for each, at_us in enumerate(times, 1)])])
    assert len(await ticks_of(database)) == 3
    await Partitions(database).ensure(times)  # another recorder, which remembers nothing


async def test_refused_messages_are_kept_once_with_their_reason(database: Database) -> None:
    refused = Refused(Source.BINANCE, "BTCUSDT", "price_not_a_number", "x\x00" + "y" * 5000, MOMENT_US)
    store = TickStore(database)
    for _ in range(2):
        await store.store(Batch([], [refused]), now_us=0)
    async with database.transaction() as connection:
        ((reason, raw),) = (await connection.execute(text("SELECT reason, raw FROM quarantine"))).all()
    assert reason == "price_not_a_number"
    assert raw.startswith("x\\0y")
    assert len(raw) <= MAX_RAW_CHARS + 1


async def test_a_jump_of_ids_is_ledgered_and_late_ticks_fill_it(database: Database) -> None:
    await store_all(database, [batch([tick(10)]), batch([tick(11), tick(15)])])
    assert await gaps_of(database) == [(11, 15, 3, False)]
    await store_all(database, [batch([tick(13), tick(15)])])
    assert await gaps_of(database) == [(11, 15, 2, False)]
    await store_all(database, [batch([tick(14), tick(12), tick(13), tick(16)])])
    assert await gaps_of(database) == [(11, 15, 0, True)]


async def test_ids_before_the_first_are_no_gap(database: Database) -> None:
    await store_all(database, [batch([tick(10)]), batch([tick(3), tick(4)]), batch([tick(11)])])
    assert await gaps_of(database) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(1, 30), unique=True, min_size=1).flatmap(st.permutations),
    cuts=st.lists(st.integers(0, 100), max_size=4),
)
async def test_open_gaps_are_exactly_the_missing_ids_above_the_first_batch(
    database: Database, ids: list[int], cuts: list[int]
) -> None:
    symbol = next(fresh_symbols)
    parts = [part for part in split([tick(each) for each in ids], cuts) if part]
    await store_all(database, [batch(part, symbol=symbol) for part in parts])
    lowest = min(each.trade_id for each in parts[0])
    async with database.transaction() as connection:
        query = text("SELECT coalesce(sum(missing), 0) FROM gaps WHERE symbol = :symbol AND filled_at IS NULL")
        missing = (await connection.execute(query, {"symbol": symbol})).scalar_one()
    assert missing == len(set(range(lowest, max(ids) + 1)) - set(ids))


async def test_a_database_that_is_away_raises_by_name_and_stores_nothing(database_url: str) -> None:
    elsewhere = Database(
        database_url.rsplit("/", 1)[0] + "/no_such_database", DatabaseSettings(pool_wait_s=0.2), application="test"
    )
    with pytest.raises(DatabaseUnavailableError):
        await TickStore(elsewhere).store(batch([tick(1)]), now_us=0)
    await elsewhere.dispose()
