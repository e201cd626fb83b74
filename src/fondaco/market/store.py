"""Stores a batch of ticks exactly once: ticks, candles, gap ledger and quarantine in one transaction.

Two ways in, with one result. *All new*: the batch is copied straight into ``ticks``; the primary key vouches that
nothing in it was stored before. When the key objects (an entry delivered again, a loop of a feed, two recorders), the
transaction is rolled back and done anew the *some known* way: copy into a staging table, insert what is not there, and
let only the inserted ticks go into candles and gaps. Either way a tick is folded into its candles exactly once.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import numpy as np
from psycopg.errors import CheckViolation, UniqueViolation

from fondaco.core.candles import DAY_US, TickColumns
from fondaco.infra.database import Database, PsycopgConnection
from fondaco.market.candles import fold, merge_candles
from fondaco.market.copying import COLUMNS, SeriesTicks, copy_body
from fondaco.market.gaps import ledger_gaps
from fondaco.market.messages import Refused, StoredCandle, Tick, TickBatch
from fondaco.market.partitions import Partitions, moment

MAX_RAW_CHARS = 1_000
"""How much of a refused message is kept."""

QUARANTINE_IDS = UUID("6f0daca0-0000-5000-8000-000000000001")
"""Name space of quarantine ids: the id is derived from the message, so a message delivered again is stored once."""

_COLUMNS = ", ".join(COLUMNS)
_STAGING = "CREATE TEMP TABLE IF NOT EXISTS ticks_staging (LIKE ticks) ON COMMIT DELETE ROWS"
"""Made when missing in whatever server session the pooler gave us, so it needs no session of its own."""
_INSERT_NEW = f"""
INSERT INTO ticks ({_COLUMNS}) SELECT {_COLUMNS} FROM ticks_staging ORDER BY source, symbol, time, trade_id
ON CONFLICT DO NOTHING
RETURNING source, symbol, (extract(epoch FROM time) * 1000000)::int8, trade_id, price, quantity, buyer_is_maker
"""  # noqa: S608 - made of the column names above, nothing from outside
_QUARANTINE = """
INSERT INTO quarantine (id, source, symbol, reason, raw, received_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


class Batch(NamedTuple):
    """What one transaction stores."""

    ticks: Sequence[TickBatch]
    refused: Sequence[Refused]


class StoredBatch(NamedTuple):
    """What one transaction did: the candles as they stand now, and how many ticks were new."""

    candles: tuple[StoredCandle, ...]
    new_ticks: int


Intake = Callable[[PsycopgConnection, list[SeriesTicks]], Awaitable[list[SeriesTicks]]]
"""Writes ticks and returns those that were new."""


class TickStore:
    """The door through which every tick enters the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions = Partitions(database)

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store a batch in one transaction; on return it is committed.

        Raises:
            DatabaseUnavailableError: nothing was stored, or the answer to the commit was lost; storing it again is
            safe.
        """
        series = by_series(batch.ticks)
        await self._partitions.ensure(_day_samples(series))
        try:
            return await self._store_new_or_known(batch, series, now_us=now_us)
        except CheckViolation:
            # A purge has dropped a partition that we remember.
            self._partitions.forget()
            await self._partitions.ensure(_day_samples(series))
            return await self._store_new_or_known(batch, series, now_us=now_us)

    async def _store_new_or_known(self, batch: Batch, series: list[SeriesTicks], *, now_us: int) -> StoredBatch:
        try:
            return await self._transact(batch, series, copy_all, now_us=now_us)
        except UniqueViolation:
            return await self._transact(batch, series, copy_new, now_us=now_us)

    async def _transact(self, batch: Batch, series: list[SeriesTicks], intake: Intake, *, now_us: int) -> StoredBatch:
        async with self._database.driver_transaction() as connection:
            added = await intake(connection, series) if series else []
            candles: tuple[StoredCandle, ...] = ()
            if added:
                candles = await merge_candles(connection, (each for one in added for each in fold(one)))
                await ledger_gaps(connection, added, now_us=now_us)
            if batch.refused:
                await connection.cursor().executemany(_QUARANTINE, [_quarantine_row(each) for each in batch.refused])
        return StoredBatch(candles, sum(len(one.received_us) for one in added))


async def copy_all(connection: PsycopgConnection, series: list[SeriesTicks]) -> list[SeriesTicks]:
    """Copy straight into ``ticks``. Raises `UniqueViolation` when one of them is there already."""
    await _copy(connection, "ticks", series)
    return series


async def copy_new(connection: PsycopgConnection, series: list[SeriesTicks]) -> list[SeriesTicks]:
    """Copy into staging and insert what is not there yet; returns only that."""
    await connection.execute(_STAGING)
    await _copy(connection, "ticks_staging", series)
    cursor = await connection.cursor(binary=True).execute(_INSERT_NEW)
    rows: dict[tuple[str, str], list[tuple[int, int, int, int, bool]]] = {}
    for source, symbol, *values in await cursor.fetchall():
        rows.setdefault((source, symbol), []).append(tuple(values))
    return [
        SeriesTicks(source, symbol, _columns(values), np.zeros(len(values), np.int64))
        for (source, symbol), values in sorted(rows.items())
    ]


def by_series(batches: Sequence[TickBatch]) -> list[SeriesTicks]:
    """Gather ticks into columns, one set for each source and symbol.

    All in the order of the primary key: two recorders that store the same ticks at once then wait for each other's rows
    in one order, and cannot deadlock.
    """
    gathered: dict[tuple[str, str], list[TickBatch]] = {}
    for batch in batches:
        gathered.setdefault((batch.source.value, batch.symbol), []).append(batch)
    series = []
    for (source, symbol), parts in sorted(gathered.items()):
        ticks = [tick for part in parts for tick in part.ticks]
        if ticks:
            ticks.sort(key=_key)
            columns = _columns([(t.time_us, t.trade_id, t.price, t.quantity, t.buyer_is_maker) for t in ticks])
            received_us = np.fromiter((tick.received_us for tick in ticks), np.int64, len(ticks))
            series.append(SeriesTicks(source, symbol, columns, received_us))
    return series


def _key(tick: Tick) -> tuple[int, int]:
    return tick.time_us, tick.trade_id


def _columns(rows: Sequence[tuple[int, int, int, int, bool]]) -> TickColumns:
    time_us, trade_id, price, quantity, buyer_is_maker = zip(*rows, strict=True)
    return TickColumns(
        np.array(time_us, np.int64),
        np.array(trade_id, np.int64),
        np.array(price, np.int64),
        np.array(quantity, np.int64),
        np.array(buyer_is_maker, np.bool_),
    )


def _day_samples(series: Sequence[SeriesTicks]) -> set[int]:
    """One moment of each day that the ticks touch: enough to know their weeks."""
    return {int(day) * DAY_US for one in series for day in np.unique(one.columns.time_us // DAY_US)}


async def _copy(connection: PsycopgConnection, table: str, series: list[SeriesTicks]) -> None:
    async with connection.cursor().copy(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
        await copy.write(copy_body(series))


def _quarantine_row(refused: Refused) -> tuple[Any, ...]:
    raw = refused.raw[:MAX_RAW_CHARS].replace("\x00", "\\0")
    key = f"{refused.source}|{refused.symbol}|{refused.received_us}|{raw}"
    return (
        uuid5(QUARANTINE_IDS, key),
        refused.source.value,
        refused.symbol,
        refused.reason,
        raw,
        moment(refused.received_us),
    )
