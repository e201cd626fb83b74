"""Which minutes a batch makes stale, and which whole buckets of them may be refreshed by now."""

import numpy as np
import pytest

from fondaco.core.candles import MINUTE_US, MONDAY_US, Timeframe
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.storage.aggregates import AGGREGATES, signature
from fondaco.market.storage.hypertable import MAX_RANGES, StaleRange, refresh_windows, stale_ranges
from fondaco.market.storage.writing import by_series

START_US = MONDAY_US + 2000 * Timeframe.W1.length_us
"""A moment at which a bucket of every timeframe begins."""
LONG_AFTER_US = START_US + 10 * Timeframe.W1.length_us


def minutes(*numbers: int, symbol: str = "BTCUSDT") -> list[TickBatch]:
    """A tick in each of these minutes."""
    at = [START_US + number * MINUTE_US + 7 for number in numbers]
    ticks = tuple(Tick(each, each, 1, 1, buyer_is_maker=True, received_us=0) for each in at)
    return [TickBatch(Source.BINANCE, symbol, ticks)]


def a_range(first: int, end: int) -> StaleRange:
    return StaleRange(START_US + first * MINUTE_US, START_US + end * MINUTE_US)


def test_nothing_new_makes_nothing_stale() -> None:
    assert stale_ranges([]) == []


def test_neighbouring_minutes_of_all_series_are_one_range() -> None:
    series = by_series([*minutes(5, 3, 3), *minutes(4, 9, symbol="ETHUSDT")])
    assert stale_ranges(series) == [a_range(3, 6), a_range(9, 10)]


def test_as_many_ranges_as_the_limit_are_kept_apart_and_one_more_is_joined_where_it_is_nearest() -> None:
    apart = [number * 100 for number in range(MAX_RANGES)]
    assert len(stale_ranges(by_series(minutes(*apart)))) == MAX_RANGES
    joined = stale_ranges(by_series(minutes(*apart, 150)))
    assert len(joined) == MAX_RANGES
    covered = {minute for each in joined for minute in np.arange(each.from_us, each.to_us, MINUTE_US).tolist()}
    assert {START_US + number * MINUTE_US for number in (*apart, 150)} <= covered


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_a_stale_minute_refreshes_the_whole_bucket_round_it(timeframe: Timeframe) -> None:
    (window,) = refresh_windows(timeframe, [a_range(0, 1)], None, LONG_AFTER_US)
    assert window == StaleRange(START_US, START_US + timeframe.length_us)


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_a_bucket_is_refreshed_once_it_has_been_over_for_its_own_length_and_not_before(timeframe: Timeframe) -> None:
    ready_us = START_US + 2 * timeframe.length_us
    assert refresh_windows(timeframe, [a_range(0, 1)], None, ready_us - 1) == []
    assert len(refresh_windows(timeframe, [a_range(0, 1)], None, ready_us)) == 1


def test_windows_that_touch_are_one() -> None:
    stale = [a_range(11, 12), a_range(0, 1), a_range(5, 6), a_range(30, 31)]
    assert refresh_windows(Timeframe.M5, stale, None, LONG_AFTER_US) == [a_range(0, 15), a_range(30, 35)]


def test_nothing_before_the_last_purge_is_refreshed() -> None:
    purged_us = START_US + 2 * MINUTE_US
    stale = [a_range(0, 1), a_range(1, 4)]
    assert refresh_windows(Timeframe.M1, stale, purged_us, LONG_AFTER_US) == [a_range(2, 4)]


def test_a_parent_is_made_and_refreshed_before_its_children_and_its_buckets_fill_theirs() -> None:
    done: set[Timeframe | None] = {None}
    for each in AGGREGATES:
        assert each.parent in done
        assert each.parent is None or each.timeframe.length_us % each.parent.length_us == 0
        done.add(each.timeframe)
    assert done == {None, *Timeframe}


def test_the_signature_is_that_of_the_released_aggregates() -> None:
    """When this fails, every house with TimescaleDB makes its aggregates anew at its next `fondaco db timescale`."""
    assert signature() == "c41e619f4a6a109c"
