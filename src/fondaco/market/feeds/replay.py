"""The replay feed: recorded trades, played again at real speed, a multiple of it, or flat out.

Times are the recorded ones, or shifted so that the recording plays now (`fondaco.market.feeds.tape` has the rules, and
what a restart does). Shifted to now at real speed the feed keeps to the clock: what is due is played at once, then each
tick at its time. At other speeds the replay's own time runs ahead of the clock, or behind it.

Shifted to now, the first start plays history first (`fondaco.market.feeds.history`), flat out. Lines of the recording
that are no ticks come before everything else, once.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from fondaco.core.candles import MINUTE_US, TickColumns
from fondaco.core.listings import Catalogue
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.history import history_columns, own_minutes, recorded_minutes
from fondaco.market.feeds.port import Read, Resume
from fondaco.market.feeds.recordings import Recording, load_recording
from fondaco.market.feeds.tape import Tape, Track
from fondaco.market.messages import Refused, Source

log = structlog.get_logger()

MAX_TICKS_PER_READ = 1_000
"""Most ticks of one symbol that one read hands out."""
LONGEST_SLEEP_S = 1.0
"""The clock is looked at this often at least, since it may be set or the machine may sleep."""


class ReplayFeed:
    """Plays tapes. Make it with `open_replay`."""

    source = Source.REPLAY

    def __init__(
        self,
        tapes: Sequence[Tape],
        refused: Sequence[Refused],
        label: str,
        *,
        clock_us: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.label = label
        self.connected = True
        self._tapes = tapes
        self._refused = tuple(refused)
        self._clock_us = clock_us
        self._sleep = sleep

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of all tapes."""
        return tuple(track.symbol for tape in self._tapes for track in tape.tracks)

    @property
    def anchors(self) -> Mapping[str, int]:
        """Each symbol's anchor, where times are shifted."""
        return {track.symbol: tape.anchor_us for tape in self._tapes if tape.is_shifted for track in tape.tracks}

    async def reads(self) -> AsyncGenerator[Read, None]:
        """History, then the recording; ends only when it does not loop."""
        if self._refused and not any(tape.is_resumed for tape in self._tapes):
            yield Read(refused=self._refused)
        for tape in self._tapes:
            for batch in tape.history(MAX_TICKS_PER_READ, received_us=self._clock_us()):
                yield Read((batch,), is_history=True)
        for tape in self._tapes:
            tape.start(now_us=self._clock_us())
        while playing := [tape for tape in self._tapes if not tape.has_ended]:
            now_us = self._clock_us()
            batches = [batch for tape in playing for batch in tape.take(MAX_TICKS_PER_READ, now_us=now_us)]
            if batches:
                yield Read(tuple(batches))
            else:
                wait_us = min(tape.wait_us(now_us) for tape in playing)
                await self._sleep(min(LONGEST_SLEEP_S, wait_us / 1_000_000))
        self.connected = False
        yield Read()


def open_replay(
    paths: Sequence[Path],
    settings: MarketSettings,
    catalogue: Catalogue,
    resume: Resume,
    clock_us: Callable[[], int],
    *,
    with_history: bool | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> ReplayFeed:
    """Load recordings and put each in its place. Reads files, so call it from a thread.

    Args:
        paths: one file or several, of different symbols.
        settings: speed, times, loop and how much history.
        catalogue: the listed pairs; others are passed over.
        resume: where every series stands in the database.
        clock_us: the clock.
        with_history: whether the first start plays history; by default when times are shifted to now.
        sleep: how to wait.

    Raises:
        RecordingError: a file cannot be replayed.
    """
    wants_history = settings.replay_times == "now" if with_history is None else with_history
    points = {symbol: point for (source, symbol), point in resume.items() if source is Source.REPLAY}
    tapes, recordings = [], []
    for path in paths:
        recording = load_recording(path, catalogue, received_us=clock_us())
        candles = settings.history_candles if wants_history else 0
        tape = _make_tape(recording, path.parent, settings, catalogue, history_candles=candles)
        tape.place(points, now_us=clock_us())
        tapes.append(tape)
        recordings.append(recording)
        if recording.refused_count:
            log.warning("replay.lines_refused", path=str(path), lines=recording.refused_count)
    refused = [each for recording in recordings for each in recording.refused]
    return ReplayFeed(tapes, refused, _label(recordings, settings), clock_us=clock_us, sleep=sleep)


def _make_tape(
    recording: Recording, folder: Path, settings: MarketSettings, catalogue: Catalogue, *, history_candles: int
) -> Tape:
    first_us = min(int(columns.time_us.min()) for columns in recording.series.values())
    last_us = max(int(columns.time_us.max()) for columns in recording.series.values())
    first_minute_us = first_us - first_us % MINUTE_US
    # One more than the length, so that the next loop begins after the last tick also when that falls on a minute.
    span_us = -(-(last_us - first_us + 1) // MINUTE_US) * MINUTE_US
    tracks = []
    for symbol, columns in recording.series.items():
        minutes = []
        if history_candles:
            minutes = recorded_minutes(
                folder,
                catalogue.by_symbol[symbol],
                market=recording.market,
                before_us=first_minute_us,
                wanted=history_candles,
            ) or own_minutes(columns, first_minute_us=first_minute_us, span_us=span_us, wanted=history_candles)
        history = history_columns(minutes, first_trade_id=int(columns.trade_id[0]))
        tracks.append(Track(symbol, _from(first_minute_us, columns), _from(first_minute_us, history), span_us=span_us))
    return Tape(
        tracks,
        first_minute_us=first_minute_us,
        speed=settings.replay_speed,
        times=settings.replay_times,
        loop=settings.replay_loop,
    )


def _from(first_minute_us: int, columns: TickColumns) -> TickColumns:
    return columns._replace(time_us=columns.time_us - first_minute_us)


def _label(recordings: Sequence[Recording], settings: MarketSettings) -> str:
    market = "Binance futures" if all(each.market == "usdm" for each in recordings) else "Binance"
    days = sorted({_day(columns) for recording in recordings for columns in recording.series.values()})
    manner = "replayed as if now" if settings.replay_times == "now" else "replayed with their own times"
    return f"Recorded {market} trades of {' and '.join(days)}, {manner}"


def _day(columns: TickColumns) -> str:
    return datetime.fromtimestamp(int(columns.time_us[0]) // 1_000_000, UTC).date().isoformat()
