"""A recording laid on the clock: which tick is due when, under which id, in whichever loop, also after a restart.

The recording's first minute plays at the *anchor*, a whole minute, so candles keep their borders. Loop k shifts every
time by k spans and every id by k id spans; a span is the recording's length rounded up to whole minutes, an id span the
count of ids from first to last, so ids go on without a gap from loop to loop. Anchor, recording and loop number decide
every tick: a restart that finds the anchor again plays the very same ticks, and what was stored before vanishes as
duplicate.

The anchor follows from the last stored tick, since its id says which tick of which loop it was. One that was kept is
used only while no tick is stored. A last tick that this recording cannot have made, with that id at that time, belongs
to another recording: then the tape begins anew, without history, which would mix with what is stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Literal

import numpy as np

from fondaco.core.candles import MINUTE_US, TickColumns
from fondaco.market.feeds.port import LastTick, ResumePoint
from fondaco.market.messages import Source, Tick, TickBatch

Times = Literal["now", "recorded"]

MAX_CATCH_UP_US = 6 * 60 * MINUTE_US
"""A tape further behind the clock than this leaves out whole loops, as a gap of ids, instead of playing them all."""


class Track:
    """One symbol of a recording. Times are counted from the recording's first minute, that is from the anchor."""

    def __init__(self, symbol: str, columns: TickColumns, history: TickColumns, *, span_us: int) -> None:
        assert len(columns.trade_id)
        self.symbol = symbol
        self._columns = columns
        self._history = history
        self._span_us = span_us
        self._id_span = int(columns.trade_id[-1] - columns.trade_id[0]) + 1
        # Ids come in order; a trade that is stamped before its predecessor is due with it.
        self._due_us = np.maximum.accumulate(columns.time_us)
        self._history_at = 0
        self._loop = 0
        self._at = 0

    def begin(self, *, with_history: bool) -> None:
        """Go to the beginning."""
        self._history_at = 0 if with_history else len(self._history.trade_id)
        self._loop = self._at = 0

    def anchor_of(self, last: LastTick) -> int | None:
        """The anchor under which a tick was played, or None for a tick that is not of this track."""
        place = self._find(last.trade_id)
        if place is None:
            return None
        columns, at, loop = place
        anchor_us = last.time_us - int(columns.time_us[at]) - loop * self._span_us
        return None if anchor_us % MINUTE_US else anchor_us

    def go_behind(self, last: LastTick) -> None:
        """Go to the tick after one that `anchor_of` knows."""
        place = self._find(last.trade_id)
        assert place is not None
        columns, at, loop = place
        if columns is self._history:
            self._history_at, self._loop, self._at = at + 1, 0, 0
            return
        self.begin(with_history=False)
        self._loop, self._at = loop, at + 1
        self._turn()

    @property
    def first_us(self) -> int:
        """When the first tick of the first loop is due."""
        return int(self._due_us[0])

    @property
    def next_us(self) -> int:
        """When the next tick, history aside, is due."""
        return self._loop * self._span_us + int(self._due_us[self._at])

    @property
    def loop(self) -> int:
        """The number of the running loop, from 0."""
        return self._loop

    def skip_loops(self, behind_us: int) -> None:
        """Leave out as many whole loops as fit in a time."""
        self._loop += behind_us // self._span_us

    def take_history(self, most: int, *, anchor_us: int, received_us: int) -> tuple[Tick, ...]:
        """The next ticks of history; none at its end."""
        start = self._history_at
        self._history_at = min(start + most, len(self._history.trade_id))
        return _ticks(self._history, start, self._history_at, (anchor_us, 0), received_us)

    def take(self, until_us: int, most: int, *, anchor_us: int, received_us: int) -> tuple[Tick, ...]:
        """The next ticks of the running loop that are due until a time."""
        shift_us = self._loop * self._span_us
        start = self._at
        due = int(np.searchsorted(self._due_us, until_us - shift_us, side="right"))
        stop = min(due, start + most)
        if stop <= start:
            return ()
        ticks = _ticks(self._columns, start, stop, (anchor_us + shift_us, self._loop * self._id_span), received_us)
        self._at = stop
        self._turn()
        return ticks

    def _turn(self) -> None:
        if self._at == len(self._due_us):
            self._loop, self._at = self._loop + 1, 0

    def _find(self, trade_id: int) -> tuple[TickColumns, int, int] | None:
        """Where an id stands: in which columns, at which row, in which loop."""
        first = int(self._columns.trade_id[0])
        history_at = trade_id - first + len(self._history.trade_id)
        if 0 <= history_at < len(self._history.trade_id):
            return self._history, history_at, 0
        loop, offset = divmod(trade_id - first, self._id_span)
        at = int(np.searchsorted(self._columns.trade_id, first + offset))
        if loop < 0 or int(self._columns.trade_id[at]) != first + offset:
            return None
        return self._columns, at, loop


class Tape:
    """A recording's tracks under one anchor, played at one speed."""

    def __init__(
        self, tracks: Sequence[Track], *, first_minute_us: int, speed: float, times: Times, loop: bool
    ) -> None:
        self.tracks = tracks
        self.anchor_us = first_minute_us
        self.is_resumed = False
        self._first_minute_us = first_minute_us
        self._speed = speed
        self._times = times
        self._loop = loop
        self._start_us = self._started_us = 0

    def place(self, points: Mapping[str, ResumePoint], *, now_us: int) -> None:
        """Find the anchor and every track's place behind what is stored."""
        if self.is_shifted:
            self.anchor_us = self._find_anchor(points, now_us)
        for track in self.tracks:
            last = points.get(track.symbol, ResumePoint()).last
            if last is not None and track.anchor_of(last) == self.anchor_us:
                track.go_behind(last)
                self.is_resumed = True
            else:
                track.begin(with_history=last is None)

    def start(self, *, now_us: int) -> None:
        """Let time run: on the clock at real speed and shifted to now, else from where the tape stands."""
        if not self._is_on_clock:
            self._start_us, self._started_us = self._next_us, now_us

    @property
    def is_shifted(self) -> bool:
        """Whether the recording plays at other times than its own."""
        return self._times == "now"

    @property
    def has_ended(self) -> bool:
        """Whether the recording is through and does not begin again."""
        return not self._playing

    def wait_us(self, now_us: int) -> int:
        """How long until the next tick is due."""
        if not self._speed:
            return 0
        return max(0, int((self._next_us - self._reached_us(now_us)) / self._speed))

    def history(self, most: int, *, received_us: int) -> Iterator[TickBatch]:
        """All history, in batches."""
        for track in self.tracks:
            while ticks := track.take_history(most, anchor_us=self.anchor_us, received_us=received_us):
                yield TickBatch(Source.REPLAY, track.symbol, ticks)

    def take(self, most: int, *, now_us: int) -> list[TickBatch]:
        """What is due now, at most ``most`` ticks of each symbol."""
        self._leave_out_lost_loops(now_us)
        # Flat out everything is due; a minute at a time keeps the symbols of a recording abreast.
        reached_us = self._reached_us(now_us) if self._speed else self._next_us + MINUTE_US
        until_us = reached_us - self.anchor_us
        taken = (
            (track.symbol, track.take(until_us, most, anchor_us=self.anchor_us, received_us=now_us))
            for track in self._playing
        )
        return [TickBatch(Source.REPLAY, symbol, ticks) for symbol, ticks in taken if ticks]

    @property
    def _playing(self) -> list[Track]:
        return [track for track in self.tracks if self._loop or track.loop == 0]

    @property
    def _is_on_clock(self) -> bool:
        return self.is_shifted and self._speed == 1

    @property
    def _next_us(self) -> int:
        """The time that the next tick is stamped with, or its predecessor's where that is later."""
        return self.anchor_us + min(track.next_us for track in self._playing)

    def _reached_us(self, now_us: int) -> int:
        return self._start_us + int((now_us - self._started_us) * self._speed)

    def _find_anchor(self, points: Mapping[str, ResumePoint], now_us: int) -> int:
        known = [(track, points[track.symbol]) for track in self.tracks if track.symbol in points]
        from_ticks = (track.anchor_of(point.last) for track, point in known if point.last is not None)
        kept = (point.anchor_us for _, point in known if point.last is None)
        recent = (each for each in kept if each is not None and each > now_us - MAX_CATCH_UP_US)
        for anchor_us in (*from_ticks, *recent):
            if anchor_us is not None and anchor_us <= now_us:
                return anchor_us - anchor_us % MINUTE_US
        first_us = min(track.first_us for track in self.tracks)
        return (now_us - first_us) // MINUTE_US * MINUTE_US

    def _leave_out_lost_loops(self, now_us: int) -> None:
        if not (self._is_on_clock and self._loop):
            return
        for track in self.tracks:
            behind_us = now_us - self.anchor_us - track.next_us
            if behind_us > MAX_CATCH_UP_US:
                track.skip_loops(behind_us)


def _ticks(columns: TickColumns, start: int, stop: int, shift: tuple[int, int], received_us: int) -> tuple[Tick, ...]:
    """Rows of columns as ticks, with times and ids shifted."""
    rows = slice(start, stop)
    shift_us, shift_id = shift
    return tuple(
        map(
            Tick,
            (columns.trade_id[rows] + shift_id).tolist(),
            (columns.time_us[rows] + shift_us).tolist(),
            columns.price[rows].tolist(),
            columns.quantity[rows].tolist(),
            columns.buyer_is_maker[rows].tolist(),
            repeat(received_us),
        )
    )
