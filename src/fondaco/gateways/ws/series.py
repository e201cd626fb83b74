"""One candle series as it stands this moment: what has been committed, and what is still on its way there.

A candle shown is *committed ⊕ pending*: the last committed candle merged with the ticks that no commit has named yet.
When a commit arrives it brings the candle as it stands then, and its ticks leave the pending part. Leaving takes only
the sums back: open, high, low and close of those ticks are in the committed candle now, and merging a price in twice
changes nothing. So a commit costs the same however much is pending.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fondaco.core.candles import MINUTE_US, Candle, Timeframe, merge
from fondaco.market.messages import Tick

PRUNE_SLACK = 64
"""Committed candles beyond the wanted number that may gather before the oldest are let go."""


class Series:
    """The candles of one symbol and timeframe, at least the newest ``keep`` of them."""

    def __init__(self, timeframe: Timeframe, keep: int) -> None:
        self.timeframe = timeframe
        self._keep = keep
        self._committed: dict[int, Candle] = {}
        self._pending: dict[int, Candle] = {}
        # Older candles are not shown: a late tick would show one without its committed part.
        self._floor_us = 0
        self._newest_us = 0
        self._touched: set[int] = set()
        self._told: dict[int, tuple[Candle, bool]] = {}

    def commit(self, open_time_us: int, candle: Candle) -> None:
        """Take a candle as it stands after a commit. ``trades`` only grows, so an older version is known by it."""
        known = self._committed.get(open_time_us)
        if open_time_us < self._floor_us or (known is not None and known.trades > candle.trades):
            return
        self._committed[open_time_us] = candle
        self._touch(open_time_us)
        if len(self._committed) > self._keep + PRUNE_SLACK:
            self._prune()

    def load(self, candles: Mapping[int, Candle]) -> None:
        """Take the newest committed candles, as read from the database."""
        for open_time_us, candle in candles.items():
            self.commit(open_time_us, candle)
        if len(candles) >= self._keep:
            self._floor_us = max(self._floor_us, min(candles))

    def add(self, minute_us: int, candle: Candle) -> None:
        """Add what ticks on their way come to within one minute."""
        bar = self.timeframe.open_time_us(minute_us)
        pending = self._pending.get(bar)
        self._pending[bar] = candle if pending is None else merge(pending, candle)
        self._touch(bar)

    def take_back(self, minute_us: int, candle: Candle) -> None:
        """Take back what `add` got: it has been committed."""
        bar = self.timeframe.open_time_us(minute_us)
        left = without_sums(self._pending[bar], candle)
        if left.trades:
            self._pending[bar] = left
        else:
            del self._pending[bar]
        self._touched.add(bar)

    def forget_pending(self) -> None:
        """Begin again with what has been committed."""
        self._touched.update(self._pending)
        self._pending.clear()

    def at(self, bar: int) -> Candle | None:
        """The candle as it stands now."""
        committed, pending = self._committed.get(bar), self._pending.get(bar)
        if committed is None or pending is None:
            return committed or pending
        return merge(committed, pending)

    def newest(self, now_us: int) -> list[tuple[int, Candle, bool]]:
        """The newest ``keep`` candles, oldest first, each with whether its time is over."""
        bars = sorted(bar for bar in {*self._committed, *self._pending} if bar >= self._floor_us)[-self._keep :]
        return [(bar, candle, self._is_over(bar, now_us)) for bar, candle in self._candles(bars)]

    def changes(self, now_us: int) -> list[tuple[int, Candle, bool]]:
        """Candles that stand otherwise than last told, oldest first. A new bar tells that the one before is over."""
        if not self._touched:
            return []
        touched = self._touched | {bar for bar, (_, is_over) in self._told.items() if not is_over}
        self._touched = set()
        told = []
        for bar, candle in self._candles(sorted(bar for bar in touched if bar >= self._floor_us)):
            now = (candle, self._is_over(bar, now_us))
            if self._told.get(bar) != now:
                self._told[bar] = now
                told.append((bar, *now))
        self._told = {bar: self._told[bar] for bar in sorted(self._told)[-self._keep :]}
        return told

    def settle(self) -> None:
        """Nobody listens: forget what was told, and what would have been."""
        self._touched.clear()
        self._told.clear()

    def _touch(self, bar: int) -> None:
        self._touched.add(bar)
        self._newest_us = max(self._newest_us, bar)

    def _candles(self, bars: Iterable[int]) -> Iterator[tuple[int, Candle]]:
        for bar in bars:
            candle = self.at(bar)
            if candle is not None:
                yield bar, candle

    def _is_over(self, bar: int, now_us: int) -> bool:
        """A later bar says so too: the exchange's clock may be ahead of ours."""
        return bar < self._newest_us or bar + self.timeframe.length_us <= now_us

    def _prune(self) -> None:
        bars = sorted(self._committed)[-self._keep :]
        self._committed = {bar: self._committed[bar] for bar in bars}
        self._floor_us = bars[0]


def fold_few(ticks: Iterable[Tick]) -> dict[int, Candle]:
    """Fold a handful of ticks into 1m candles: `fold_minutes` of the core without numpy, which costs more to set up."""
    minutes: dict[int, list[Tick]] = {}
    for tick in ticks:
        minutes.setdefault(tick.time_us - tick.time_us % MINUTE_US, []).append(tick)
    return {minute: _fold_minute(each) for minute, each in minutes.items()}


def without_sums(candle: Candle, part: Candle) -> Candle:
    """Take the sums of a part out of a candle; prices and first and last trade stay."""
    return msgspec.structs.replace(
        candle,
        volume=candle.volume - part.volume,
        quote_volume=candle.quote_volume - part.quote_volume,
        taker_volume=candle.taker_volume - part.taker_volume,
        taker_quote_volume=candle.taker_quote_volume - part.taker_quote_volume,
        trades=candle.trades - part.trades,
    )


def _fold_minute(ticks: list[Tick]) -> Candle:
    ordered = sorted(ticks, key=_moment) if len(ticks) > 1 else ticks
    first, last = ordered[0], ordered[-1]
    prices = [tick.price for tick in ticks]
    taken = [tick for tick in ticks if not tick.buyer_is_maker]
    return Candle(
        open=first.price,
        high=max(prices),
        low=min(prices),
        close=last.price,
        volume=sum([tick.quantity for tick in ticks]),
        quote_volume=sum([tick.price * tick.quantity for tick in ticks]),
        taker_volume=sum([tick.quantity for tick in taken]),
        taker_quote_volume=sum([tick.price * tick.quantity for tick in taken]),
        trades=len(ticks),
        first_time_us=first.time_us,
        first_trade_id=first.trade_id,
        last_time_us=last.time_us,
        last_trade_id=last.trade_id,
    )


def _moment(tick: Tick) -> tuple[int, int]:
    return tick.time_us, tick.trade_id
