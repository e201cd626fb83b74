"""A house on plain PostgreSQL: ticks, candles, gap ledger and quarantine in one transaction.

Two ways in, with one result. *All new*: the batch is copied straight into ``ticks``; the primary key vouches that
nothing in it was stored before. When the key objects (an entry delivered again, a loop of a feed, two recorders), the
transaction is rolled back and done anew the *some known* way: copy into a staging table, insert what is not there, and
let only the inserted ticks go into candles and gaps. Either way a tick is folded into its candles exactly once.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import numpy as np
from psycopg.errors import CheckViolation, UniqueViolation

from fondaco.core.candles import DAY_US
from fondaco.infra.database import Database, PsycopgConnection
from fondaco.market.candles import fold, merge_candles
from fondaco.market.copying import COLUMNS, SeriesTicks, copy_body
from fondaco.market.gaps import ledger_gaps
from fondaco.market.messages import StoredCandle
from fondaco.market.partitions import WEEK_US, Partitions, drop_partition, standing_weeks
from fondaco.market.storage.port import Batch, StoredBatch
from fondaco.market.storage.writing import by_series, count, delete_ticks, inserted_series, maintenance, quarantine

_COLUMNS = ", ".join(COLUMNS)
_STAGING = "CREATE TEMP TABLE IF NOT EXISTS ticks_staging (LIKE ticks) ON COMMIT DELETE ROWS"
"""Made when missing in whatever server session the pooler gave us, so it needs no session of its own."""
_INSERT_NEW = f"""
INSERT INTO ticks ({_COLUMNS}) SELECT {_COLUMNS} FROM ticks_staging ORDER BY source, symbol, time, trade_id
ON CONFLICT DO NOTHING
RETURNING source, symbol, (extract(epoch FROM time) * 1000000)::int8, trade_id, price, quantity, buyer_is_maker
"""  # noqa: S608 - made of the column names above, nothing from outside

Intake = Callable[[PsycopgConnection, list[SeriesTicks]], Awaitable[list[SeriesTicks]]]
"""Writes ticks and returns those that were new."""


class PlainStorage:
    """Weekly partitions of ticks, and a table of candles."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions = Partitions(database)

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store a batch in one transaction."""
        series = by_series(batch.ticks)
        await self._partitions.ensure(_day_samples(series))
        try:
            return await self._store_new_or_known(batch, series, now_us=now_us)
        except CheckViolation:
            # A purge has dropped a partition that we remember.
            self._partitions.forget()
            await self._partitions.ensure(_day_samples(series))
            return await self._store_new_or_known(batch, series, now_us=now_us)

    async def settle(self) -> None:
        """Nothing to do: a tick and its candles are committed together."""

    async def purge(self, limit_us: int) -> int:
        """Drop weeks that lie wholly before the limit with their partition; delete from the one it falls into."""
        async with self._database.transaction() as connection:
            weeks = [week_us for week_us in await standing_weeks(connection) if week_us < limit_us]
        purged = 0
        for week_us in weeks:
            if week_us + WEEK_US <= limit_us:
                purged += await self._drop(week_us)
            else:
                purged += await delete_ticks(self._database, week_us, limit_us)
        return purged

    async def make_ready(self, times_us: Iterable[int]) -> None:
        """Make the partitions of these moments."""
        await self._partitions.ensure(times_us)

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
            await quarantine(connection, batch.refused)
        return StoredBatch(candles, count(added))

    async def _drop(self, week_us: int) -> int:
        async with maintenance(self._database) as connection:
            return await drop_partition(connection, week_us)


async def copy_all(connection: PsycopgConnection, series: list[SeriesTicks]) -> list[SeriesTicks]:
    """Copy straight into ``ticks``. Raises `UniqueViolation` when one of them is there already."""
    await _copy(connection, "ticks", series)
    return series


async def copy_new(connection: PsycopgConnection, series: list[SeriesTicks]) -> list[SeriesTicks]:
    """Copy into staging and insert what is not there yet; returns only that."""
    await connection.execute(_STAGING)
    await _copy(connection, "ticks_staging", series)
    cursor = await connection.cursor(binary=True).execute(_INSERT_NEW)
    return inserted_series(await cursor.fetchall())


def _day_samples(series: Sequence[SeriesTicks]) -> set[int]:
    """One moment of each day that the ticks touch: enough to know their weeks."""
    return {int(day) * DAY_US for one in series for day in np.unique(one.columns.time_us // DAY_US)}


async def _copy(connection: PsycopgConnection, table: str, series: list[SeriesTicks]) -> None:
    async with connection.cursor().copy(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
        await copy.write(copy_body(series))
