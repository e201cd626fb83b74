"""Ticks for tests, and the naive grouping that candles are held against: as plain as it can be, and slow."""

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from fondaco.core.candles import Candle, TickColumns, Timeframe
from fondaco.market.messages import Tick

MOMENT_US = 1_723_161_254_000_000
"""2024-08-08 23:54:14, shortly before a minute, an hour, a day and (Thursday) no week ends."""


def ticks(*, span_us: int = 3 * 86_400_000_000, max_size: int = 40) -> st.SearchStrategy[list[Tick]]:
    """Ticks with distinct ids, many of which share a moment; prices and quantities up to the edge of 64 bits."""
    times = st.one_of(
        st.integers(0, span_us // 1000).map(lambda each: MOMENT_US + each * 1000),
        st.sampled_from([MOMENT_US, MOMENT_US + 1000, MOMENT_US + 60_000_000, MOMENT_US + 345_946_000_000]),
    )
    amounts = st.one_of(st.integers(1, 2**62), st.integers(1, 1000))
    one = st.builds(
        Tick,
        trade_id=st.integers(1, 10_000),
        time_us=times,
        price=amounts,
        quantity=amounts,
        buyer_is_maker=st.booleans(),
        received_us=times,
    )
    return st.lists(one, unique_by=lambda tick: tick.trade_id, max_size=max_size)


def naive_candles(stored: Iterable[Tick], timeframe: Timeframe) -> dict[int, Candle]:
    """Group ticks by hand, one candle at a time, straight from the words of the specification."""
    groups: dict[int, list[Tick]] = {}
    for tick in stored:
        groups.setdefault(timeframe.open_time_us(tick.time_us), []).append(tick)
    return {open_time: naive_candle(group) for open_time, group in groups.items()}


def naive_candle(group: Sequence[Tick]) -> Candle:
    """One candle of a group: earliest price, latest price, extremes and sums."""
    in_order = sorted(group, key=lambda tick: (tick.time_us, tick.trade_id))
    first, last = in_order[0], in_order[-1]
    taken = [tick for tick in group if not tick.buyer_is_maker]
    return Candle(
        open=first.price,
        high=max(tick.price for tick in group),
        low=min(tick.price for tick in group),
        close=last.price,
        volume=sum(tick.quantity for tick in group),
        quote_volume=sum(tick.price * tick.quantity for tick in group),
        taker_volume=sum(tick.quantity for tick in taken),
        taker_quote_volume=sum(tick.price * tick.quantity for tick in taken),
        trades=len(group),
        first_time_us=first.time_us,
        first_trade_id=first.trade_id,
        last_time_us=last.time_us,
        last_trade_id=last.trade_id,
    )


def columns(batch: Sequence[Tick]) -> TickColumns:
    """Ticks as the columns that the fold takes."""
    return TickColumns(
        np.array([tick.time_us for tick in batch], np.int64),
        np.array([tick.trade_id for tick in batch], np.int64),
        np.array([tick.price for tick in batch], np.int64),
        np.array([tick.quantity for tick in batch], np.int64),
        np.array([tick.buyer_is_maker for tick in batch], np.bool_),
    )


def split(batch: Sequence[Tick], cuts: Iterable[int]) -> list[Sequence[Tick]]:
    """Cut a sequence at some places; the pieces, some of them empty, join to the whole."""
    places = sorted(each % (len(batch) + 1) for each in cuts)
    edges = [0, *places, len(batch)]
    return [batch[start:end] for start, end in pairwise(edges)]


def walk(count: int, seed: int) -> list[Tick]:
    """A seeded walk with ids from 1 in which many trades share a millisecond."""
    numbers = random.Random(seed)
    price, time_us, walked = 6_000_000, MOMENT_US, []
    for trade_id in range(1, count + 1):
        price = max(1, price + numbers.randint(-30, 30))
        time_us += 1000 * numbers.choice([0, 0, 0, 1, 40, 900])
        walked.append(Tick(trade_id, time_us, price, numbers.randint(1, 10**9), numbers.random() < 0.5, time_us))
    return walked
