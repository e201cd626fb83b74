"""Candles as a mergeable summary of ticks, equal whatever the order and the batching they come in.

A candle remembers its first and last trade by ``(time, trade id)``, because many trades share a millisecond and time
alone would pick open and close by luck. That makes `merge` commutative and associative: a late tick, a second batch
and a rebuild from scratch all arrive at the same bits. Merging counts, so a tick must be folded exactly once; whoever
stores ticks leaves the duplicates out before folding.

Times are whole microseconds since 1970, UTC. Sums are Python integers: a day of PEPEUSDT overflows 64 bits at scale 8.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
MONDAY_US = 4 * DAY_US
"""1970-01-01 was a Thursday; the first Monday came four days later, and weeks are counted from there."""


class Timeframe(StrEnum):
    """The nine lengths of candle that the house keeps."""

    M1 = "1m"
    M2 = "2m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @property
    def length_us(self) -> int:
        """Length in microseconds."""
        return _LENGTH_US[self]

    def open_time_us(self, time_us: int) -> int:
        """Start of the candle that a moment belongs to. A moment on the border opens the later candle."""
        if self is Timeframe.W1:
            return time_us - (time_us - MONDAY_US) % self.length_us
        return time_us - time_us % self.length_us


_LENGTH_US: Mapping[Timeframe, int] = MappingProxyType(
    {
        Timeframe.M1: MINUTE_US,
        Timeframe.M2: 2 * MINUTE_US,
        Timeframe.M5: 5 * MINUTE_US,
        Timeframe.M10: 10 * MINUTE_US,
        Timeframe.M15: 15 * MINUTE_US,
        Timeframe.H1: 60 * MINUTE_US,
        Timeframe.H4: 240 * MINUTE_US,
        Timeframe.D1: DAY_US,
        Timeframe.W1: 7 * DAY_US,
    }
)


class Candle(msgspec.Struct, frozen=True):
    """What a span of one symbol's trades comes to.

    Prices are quote atoms per base unit, ``volume`` and ``taker_volume`` base atoms; ``quote_volume`` and
    ``taker_quote_volume`` are sums of price times quantity, exact, so their scale is both scales together.
    ``taker_*`` counts the trades in which the buyer was the taker.
    """

    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    taker_volume: int
    taker_quote_volume: int
    trades: int
    first_time_us: int
    first_trade_id: int
    last_time_us: int
    last_trade_id: int


class TickColumns(NamedTuple):
    """Ticks of one symbol, a column each, of equal length and in any order. No tick may stand in it twice."""

    time_us: npt.NDArray[np.int64]
    trade_id: npt.NDArray[np.int64]
    price: npt.NDArray[np.int64]
    quantity: npt.NDArray[np.int64]
    buyer_is_maker: npt.NDArray[np.bool_]


def merge(one: Candle, other: Candle) -> Candle:
    """Join two candles of disjoint ticks in the same span. Commutative and associative."""
    one_first = (one.first_time_us, one.first_trade_id) <= (other.first_time_us, other.first_trade_id)
    one_last = (one.last_time_us, one.last_trade_id) >= (other.last_time_us, other.last_trade_id)
    first = one if one_first else other
    last = one if one_last else other
    return Candle(
        open=first.open,
        high=max(one.high, other.high),
        low=min(one.low, other.low),
        close=last.close,
        volume=one.volume + other.volume,
        quote_volume=one.quote_volume + other.quote_volume,
        taker_volume=one.taker_volume + other.taker_volume,
        taker_quote_volume=one.taker_quote_volume + other.taker_quote_volume,
        trades=one.trades + other.trades,
        first_time_us=first.first_time_us,
        first_trade_id=first.first_trade_id,
        last_time_us=last.last_time_us,
        last_trade_id=last.last_trade_id,
    )


def fold_minutes(ticks: TickColumns) -> dict[int, Candle]:
    """Fold one symbol's ticks into 1m candles, keyed by open time in microseconds."""
    if len(ticks.time_us) == 0:
        return {}
    order = np.lexsort((ticks.trade_id, ticks.time_us))
    time_us, trade_id, price, quantity, buyer_is_maker = (column[order] for column in ticks)
    minute = time_us // MINUTE_US
    starts = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1))
    ends = np.append(starts[1:], len(minute))
    highs = np.maximum.reduceat(price, starts).tolist()
    lows = np.minimum.reduceat(price, starts).tolist()
    # Python integers from here on: products and sums go beyond 64 bits.
    sums = _exact_sums(price.tolist(), quantity.tolist(), buyer_is_maker.tolist())
    first, last = starts, ends - 1
    edges = zip(
        (minute[first] * MINUTE_US).tolist(),
        price[first].tolist(),
        highs,
        lows,
        price[last].tolist(),
        time_us[first].tolist(),
        trade_id[first].tolist(),
        time_us[last].tolist(),
        trade_id[last].tolist(),
        starts.tolist(),
        ends.tolist(),
        strict=True,
    )
    return {
        open_time: Candle(
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=sum(sums.volume[start:end]),
            quote_volume=sum(sums.quote_volume[start:end]),
            taker_volume=sum(sums.taker_volume[start:end]),
            taker_quote_volume=sum(sums.taker_quote_volume[start:end]),
            trades=end - start,
            first_time_us=first_time,
            first_trade_id=first_id,
            last_time_us=last_time,
            last_trade_id=last_id,
        )
        for open_time, open_, high, low, close, first_time, first_id, last_time, last_id, start, end in edges
    }


def roll_up(minutes: Mapping[int, Candle], timeframe: Timeframe) -> dict[int, Candle]:
    """Gather 1m candles into a longer timeframe, keyed by open time. Every timeframe is a whole number of minutes."""
    if timeframe is Timeframe.M1:
        return dict(minutes)
    return merge_all((timeframe.open_time_us(open_time), candle) for open_time, candle in minutes.items())


def merge_all(candles: Iterable[tuple[int, Candle]]) -> dict[int, Candle]:
    """Merge candles that share a key."""
    merged: dict[int, Candle] = {}
    for key, candle in candles:
        merged[key] = merge(merged[key], candle) if key in merged else candle
    return merged


class _Sums(NamedTuple):
    volume: Sequence[int]
    quote_volume: Sequence[int]
    taker_volume: Sequence[int]
    taker_quote_volume: Sequence[int]


def _exact_sums(prices: list[int], quantities: list[int], buyer_is_maker: list[bool]) -> _Sums:
    """The summands of each tick, as Python integers."""
    notionals = [price * quantity for price, quantity in zip(prices, quantities, strict=True)]
    return _Sums(
        volume=quantities,
        quote_volume=notionals,
        taker_volume=[0 if maker else each for each, maker in zip(quantities, buyer_is_maker, strict=True)],
        taker_quote_volume=[0 if maker else each for each, maker in zip(notionals, buyer_is_maker, strict=True)],
    )
