"""The recorder: takes ticks from the bus and stores them in batches, each exactly once.

It gathers across reads and writes when `batch_size` ticks have come together or `batch_wait_s` have gone by since the
first of them, whichever is first (EXP-12). Entries are acknowledged only after their transaction has committed, so a
crash loses nothing; what is then delivered again vanishes at the primary key. While the database is away the batch is
kept and tried again; nothing more is read, so the bus holds the rest and, when it is full, the feed waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import structlog

from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry
from fondaco.infra.clock import now_us
from fondaco.infra.database import DatabaseUnavailableError
from fondaco.infra.settings import MarketSettings
from fondaco.market.messages import (
    RECORDERS,
    STORED_CHANNEL,
    TICKS_STREAM,
    Refused,
    Source,
    Stored,
    StreamEntry,
    TickBatch,
    decode_entry,
    encode_stored,
)
from fondaco.market.prices import PriceWriter
from fondaco.market.store import Batch, StoredBatch, TickStore

log = structlog.get_logger()

MAX_ENTRIES_PER_READ = 200
READ_WAIT_S = 0.5
"""Longest wait inside one read, so that a stop is noticed."""
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0


@dataclass
class Gathered:
    """Entries read and not yet stored, oldest first."""

    entries: deque[tuple[str, StreamEntry]] = field(default_factory=deque)
    tick_count: int = 0
    since_us: int = 0

    def add(self, entry: Entry, *, now_us: int) -> None:
        """Take in one entry; one that cannot be decoded is refused by name and blocks nothing (EXP-15)."""
        if not self.entries:
            self.since_us = now_us
        message = decode(entry, now_us=now_us)
        self.entries.append((entry.id, message))
        self.tick_count += weight(message)

    def take(self, most_ticks: int) -> list[tuple[str, StreamEntry]]:
        """Hand out the oldest entries, at least one and about ``most_ticks`` ticks."""
        taken: list[tuple[str, StreamEntry]] = []
        count = 0
        while self.entries and (not taken or count + weight(self.entries[0][1]) <= most_ticks):
            taken.append(self.entries.popleft())
            count += weight(taken[-1][1])
        self.tick_count -= count
        return taken


def weight(message: StreamEntry) -> int:
    """How many messages of the wire an entry stands for."""
    return len(message.ticks) if isinstance(message, TickBatch) else 1


def decode(entry: Entry, *, now_us: int) -> StreamEntry:
    """Read an entry, or refuse it with the reason."""
    try:
        return decode_entry(entry.body)
    except msgspec.DecodeError as error:
        return Refused(Source.HOUSE, None, "undecodable_entry", f"{error}: {entry.body!r}", now_us)


class Recorder:
    """Stores the ticks stream. `run` works until cancelled or `stop` is called; then it stores what it holds."""

    def __init__(
        self,
        bus: Bus,
        store: TickStore,
        prices: PriceWriter,
        settings: MarketSettings,
        *,
        clock_us: Callable[[], int] = now_us,
    ) -> None:
        self._bus = bus
        self._store = store
        self._prices = prices
        self._settings = settings
        self._clock_us = clock_us
        self._gathered = Gathered()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish: store what has been read, acknowledge it and return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Read and store until `stop`."""
        while not self._stopping.is_set():
            try:
                await self._gather()
            except BusUnavailableError as error:
                log.warning("recorder.bus_away", error=str(error))
                self._gathered = Gathered()  # unacknowledged, so the bus hands it out again
                await self._pause(FIRST_RETRY_S)
                continue
            while self._is_due():
                await self._flush()
        while self._gathered.entries:
            await self._flush()

    async def _gather(self) -> None:
        entries = await self._bus.read(
            TICKS_STREAM, RECORDERS, max_entries=MAX_ENTRIES_PER_READ, wait_s=min(self._wait_s(), READ_WAIT_S)
        )
        for entry in entries:
            self._gathered.add(entry, now_us=self._clock_us())

    def _wait_s(self) -> float:
        """Seconds until what has been gathered is due."""
        if not self._gathered.entries:
            return self._settings.batch_wait_s
        return max(0.0, self._settings.batch_wait_s - (self._clock_us() - self._gathered.since_us) / 1e6)

    def _is_due(self) -> bool:
        enough = self._gathered.tick_count >= self._settings.batch_size
        return bool(self._gathered.entries) and (enough or self._wait_s() == 0)

    async def _flush(self) -> None:
        taken = self._gathered.take(self._settings.batch_max)
        ticks = [message for _, message in taken if isinstance(message, TickBatch)]
        refused = [message for _, message in taken if isinstance(message, Refused)]
        stored = await self._store_until_it_is_there(Batch(ticks, refused))
        if stored is None:
            return
        entry_ids = tuple(entry_id for entry_id, _ in taken)
        try:
            await self._bus.ack(TICKS_STREAM, RECORDERS, entry_ids)
            await self._bus.publish(STORED_CHANNEL, encode_stored(Stored(entry_ids, stored.candles)))
        except BusUnavailableError as error:
            # Stored but not acknowledged: the bus hands the entries out again, and the primary key makes that harmless.
            log.warning("recorder.ack_lost", entries=len(entry_ids), error=str(error))
        await self._write_prices(stored)

    async def _write_prices(self, stored: StoredBatch) -> None:
        """Price rows are made every few seconds; when the database has just gone, the next batch makes them."""
        try:
            await self._prices.write(stored.candles, now_us=self._clock_us())
        except DatabaseUnavailableError as error:
            log.warning("recorder.prices_late", error=str(error))

    async def _store_until_it_is_there(self, batch: Batch) -> StoredBatch | None:
        """Try until the database has taken the batch; give up only when stopping, unacknowledged and so not lost."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                return await self._store.store(batch, now_us=self._clock_us())
            except DatabaseUnavailableError as error:
                if self._stopping.is_set():
                    return None
                log.warning("recorder.database_away", error=str(error), retry_s=retry_s)
                await self._pause(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but wake at once when asked to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
