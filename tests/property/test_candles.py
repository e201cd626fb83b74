"""Candles come out equal whatever the order and batching of their ticks, and as a naive grouping has them (EXP-33)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.candles import DAY_US, Candle, Timeframe, fold_minutes, merge, merge_all, roll_up
from fondaco.market.messages import Tick
from support.ticks import columns, naive_candles, split, ticks


@given(ticks(), st.lists(st.integers(0, 1000), max_size=6), st.randoms(use_true_random=False))
def test_any_permutation_and_batching_of_ticks_gives_the_naive_grouping(
    stored: list[Tick], cuts: list[int], random: object
) -> None:
    shuffled = list(stored)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis types its Random as object
    for timeframe in Timeframe:
        parts = [roll_up(fold_minutes(columns(part)), timeframe) for part in split(shuffled, cuts)]
        merged = merge_all(item for part in parts for item in part.items())
        assert merged == naive_candles(stored, timeframe)


@given(ticks(max_size=9).filter(lambda stored: len(stored) >= 3))
def test_merging_is_commutative_and_associative(stored: list[Tick]) -> None:
    one, two, three = (naive_candles(stored[start::3], Timeframe.W1) for start in range(3))
    for key in set(one) & set(two) & set(three):
        a, b, c = one[key], two[key], three[key]
        assert merge(a, b) == merge(b, a)
        assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(st.integers(0, 2**52), st.sampled_from(Timeframe))
def test_a_moment_lies_in_its_candle_and_candles_tile_time(time_us: int, timeframe: Timeframe) -> None:
    open_time = timeframe.open_time_us(time_us)
    assert open_time <= time_us < open_time + timeframe.length_us
    assert timeframe.open_time_us(open_time) == open_time
    assert timeframe.open_time_us(open_time + timeframe.length_us) == open_time + timeframe.length_us


def test_a_week_begins_on_monday() -> None:
    monday = 1_722_816_000_000_000
    assert datetime.fromtimestamp(monday // 1_000_000, UTC).strftime("%A %H:%M") == "Monday 00:00"
    assert Timeframe.W1.open_time_us(monday) == monday
    assert Timeframe.W1.open_time_us(monday + 7 * DAY_US - 1) == monday
    assert Timeframe.W1.open_time_us(monday - 1) == monday - 7 * DAY_US


@pytest.mark.parametrize("timeframe", [each for each in Timeframe if each is not Timeframe.M1])
def test_every_timeframe_is_a_whole_number_of_minutes_and_begins_on_one(timeframe: Timeframe) -> None:
    assert timeframe.length_us % Timeframe.M1.length_us == 0
    assert timeframe.open_time_us(2**50) % Timeframe.M1.length_us == 0


def test_trades_of_one_millisecond_open_and_close_by_their_ids() -> None:
    late_id, early_id = (
        Tick(trade_id=2, time_us=0, price=20, quantity=1, buyer_is_maker=False, received_us=0),
        Tick(trade_id=1, time_us=0, price=10, quantity=1, buyer_is_maker=True, received_us=0),
    )
    candle: Candle = fold_minutes(columns([late_id, early_id]))[0]
    assert (candle.open, candle.close) == (10, 20)
