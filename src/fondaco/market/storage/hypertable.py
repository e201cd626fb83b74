"""A house with TimescaleDB: ``ticks`` is a hypertable, ``candles`` a view over continuous aggregates.

The aggregates answer in real time: what they have not materialised they compute from the ticks, so the newest candles
are right at every commit. A tick that comes *late*, into a bucket that may have been materialised, is not seen there
until that bucket is refreshed, and a refresh cannot be part of a transaction. Therefore:

- A batch with late ticks notes their minutes in ``stale_ranges`` in its own transaction. After the commit, and before
  anyone is told of the batch, `HypertableStorage.settle` refreshes them and takes the note away. A crash in between
  leaves the note; the next batch or the job settles it.
- Before that, everything up to the newest whole bucket is refreshed, however far back it was left: a house that stood
  still for longer than a policy looks back would otherwise lose the candles in between, because what lies before the
  newest materialised bucket is no longer computed.
- A bucket is refreshed only after it has been over for one bucket's time, by the policies and here alike; a tick that
  came earlier than half of that for 1m is not late. What lies between bears the longest transaction.

*Purged* ticks leave their 1m candles in the aggregate, as long as nobody refreshes there: no refresh of 1m reaches
behind the last ``tick_purges``, which each looks up as it begins, and a purge waits for those that began before it. A
tick from before a purge is refused by name, since its candle could not be made anew. Longer candles are made of
shorter ones and do not mind.

Ticks go in by one statement, an ``INSERT`` of the batch as one array, which leaves out what is known and returns the
rest. It is one way in for all batches, slower than the plain house's COPY and quick enough for every feed.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import psycopg
import structlog
from psycopg.rows import tuple_row

from fondaco.core.candles import MINUTE_US, TickColumns, Timeframe
from fondaco.infra.database import Database, DatabaseUnavailableError, PsycopgConnection, one_line
from fondaco.market.candles import records, stored_candle
from fondaco.market.copying import SeriesTicks
from fondaco.market.gaps import ledger_gaps
from fondaco.market.messages import Refused, Source, StoredCandle
from fondaco.market.partitions import moment, moment_us
from fondaco.market.storage.aggregates import AGGREGATES, MINUTES, Aggregate
from fondaco.market.storage.port import Batch, PurgeRefusedError, StoredBatch
from fondaco.market.storage.writing import by_series, count, delete_ticks, inserted_series, maintenance, quarantine

log = structlog.get_logger()

LATE_S = 90
"""A tick is late when its minute began longer ago than this, by the database's clock: see above."""
MAX_RANGES = 16
"""Ranges that one batch notes at most; nearer ones are joined, and refreshing what lies between does no harm."""
MAX_SETTLED = 1_000
"""Noted ranges that are settled at once; the next turn takes the others."""
REFRESH_WAIT_S = 60.0
"""How long a purge waits for refreshes that began before it."""
POLL_S = 0.1
MAX_PURGE_ATTEMPTS = 5
"""How often a purge settles late ticks that come while it begins, before it gives up until its next turn."""
PURGE_MARGIN_DAYS = 1
"""A purge stays this much behind what the 1m policy refreshes, for a refresh that is running."""
PURGED_ALREADY = "purged_already"
"""Why a tick from before the last purge is refused."""
PURGE_LOCK = 0x_F0DACC
"""Key of the advisory lock between batches (shared) and the moment a purge begins (alone). Held by transactions."""

_INSERT_NEW = """
INSERT INTO ticks SELECT * FROM unnest(%s::ticks[])
ON CONFLICT DO NOTHING
RETURNING source, symbol, (extract(epoch FROM time) * 1000000)::int8, trade_id, price, quantity, buyer_is_maker
"""
_PURGED_BEFORE = "SELECT purged_before()"
_REFRESH = "CALL refresh_continuous_aggregate(%s::regclass, %s::timestamptz, %s::timestamptz, force => %s)"
_REFRESH_MINUTES = _REFRESH.replace("%s::timestamptz", "greatest(%s::timestamptz, purged_before())", 1)
"""The limit is looked up by the CALL itself, so that no purge comes in between."""
_REFRESHING = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE 'CALL refresh_continuous_aggregate(%%' AND state <> 'idle' AND query_start < %s
    AND datname = current_database() AND pid <> pg_backend_pid()
"""
_NOTE = """
INSERT INTO stale_ranges (from_time, to_time, noted_at)
SELECT from_time, to_time, clock_timestamp() FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS r (from_time, to_time)
WHERE from_time < clock_timestamp() - make_interval(secs => %s)
"""
_IS_STALE = "SELECT EXISTS (SELECT FROM stale_ranges)"
_STALE = "SELECT id, from_time, to_time FROM stale_ranges ORDER BY from_time, id LIMIT %s"
_SETTLED = "DELETE FROM stale_ranges WHERE id = ANY(%s)"
_TOUCHED = """
SELECT * FROM candles
WHERE source = %s AND symbol = %s AND timeframe = %s AND open_time = ANY(%s) AND open_time >= %s AND open_time <= %s
ORDER BY open_time
"""
"""The bounds repeat what the array says: TimescaleDB finds chunks by them."""
_LOOK_BACK = """
SELECT now() - coalesce(max(
    coalesce((config ->> 'start_offset')::interval, interval '1000 years') + make_interval(days => %(margin)s)
), '0')
FROM timescaledb_information.jobs AS j JOIN timescaledb_information.continuous_aggregates AS a
    ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND a.view_name = %(view)s
    AND a.view_schema = current_schema()
"""
"""Up to where ticks may go. Versions differ in which of its two names a policy's job bears."""
_OLD_CHUNKS = """
SELECT max(range_end) FROM timescaledb_information.chunks
WHERE hypertable_name = 'ticks' AND hypertable_schema = current_schema() AND range_end <= %s
"""


class CandlesLateError(DatabaseUnavailableError):
    """A refresh was refused, as by another one that was running; what it was to do is still noted."""


class StaleRange(NamedTuple):
    """Minutes whose late ticks the aggregates may not have seen: from the first (inclusive) to the last (exclusive)."""

    from_us: int
    to_us: int


class HypertableStorage:
    """A hypertable of ticks, and continuous aggregates of candles."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_settled = False

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store a batch in one transaction, settle what was late in it, and read the candles that it touched.

        The candles are those of the whole batch, known ticks included: where the answer to the first try was lost, the
        second one still announces them.
        """
        series = by_series(batch.ticks)
        async with self._database.driver_transaction() as connection:
            kept, refused = await _without_purged(connection, series)
            added = await insert_new(connection, kept) if kept else []
            if added:
                await ledger_gaps(connection, added, now_us=now_us)
            await quarantine(connection, [*batch.refused, *refused])
            is_stale = await note_late(connection, added)
        if is_stale or not self._is_settled:
            await self._settle_if_possible()
        async with self._database.driver_transaction() as connection:
            candles = [each for one in kept for each in await touched_candles(connection, one)]
        return StoredBatch(tuple(candles), count(added))

    async def settle(self) -> None:
        """Refresh whatever is not up to date: first all that was left behind, then the ranges noted as stale."""
        async with self._database.driver_transaction() as connection:
            cursor = await connection.execute(_STALE, [MAX_SETTLED])
            noted = await cursor.fetchall()
            purged_us, now_us = await _purged_before_us(connection), await _now_us(connection)
        stale = [StaleRange(moment_us(from_time), moment_us(to_time)) for _, from_time, to_time in noted]
        async with self._database.outside_transaction() as connection:
            for aggregate in AGGREGATES:
                since_us = purged_us if aggregate is MINUTES else None
                await _refresh_behind(connection, aggregate, since_us, now_us)
                for window in refresh_windows(aggregate.timeframe, stale, since_us, now_us):
                    await _refresh(connection, aggregate, window.from_us, window.to_us, force=True)
            await connection.execute(_SETTLED, [[each_id for each_id, _, _ in noted]])
        self._is_settled = True

    async def purge(self, limit_us: int) -> int:
        """Drop whole chunks, and delete the rest up to the last whole minute before the limit."""
        limit_us -= limit_us % MINUTE_US
        await self._refuse_what_a_policy_may_refresh(limit_us)
        for _ in range(MAX_PURGE_ATTEMPTS):
            await self.settle()
            if await self._begin_purge(limit_us):
                await until_no_refresh_is_older(self._database)
                return await self._drop_chunks(limit_us) + await self._delete_rest(limit_us)
        raise CandlesLateError(
            "late ticks came faster than their candles could be refreshed; the next purge tries again"
        )

    async def make_ready(self, times_us: Iterable[int]) -> None:
        """Nothing to do: chunks are made as ticks need them."""
        del times_us

    async def _settle_if_possible(self) -> None:
        try:
            await self.settle()
        except DatabaseUnavailableError as error:
            # The ticks are in, and what they need is noted: the next batch or the job tries again.
            log.warning("candles.late", error=str(error))

    async def _refuse_what_a_policy_may_refresh(self, limit_us: int) -> None:
        async with self._database.driver_transaction() as connection:
            cursor = await connection.execute(_LOOK_BACK, {"margin": PURGE_MARGIN_DAYS, "view": MINUTES.name})
            (latest,) = await cursor.fetchone() or (None,)
        assert latest is not None, "an aggregate always answers"
        if limit_us > moment_us(latest):
            raise PurgeRefusedError(
                f"Trades since {latest:%Y-%m-%d %H:%M} UTC cannot be purged yet: the 1m candles are still refreshed "
                "from them and would be lost. Name a greater age."
            )

    async def _begin_purge(self, limit_us: int) -> bool:
        """From here on, ticks from before the limit are refused. False when some came that are not settled yet."""
        async with self._database.driver_transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [PURGE_LOCK])
            cursor = await connection.execute(
                "SELECT EXISTS (SELECT FROM stale_ranges WHERE from_time < %s)", [moment(limit_us)]
            )
            if (await cursor.fetchone()) == (True,):
                return False
            await connection.execute(
                "INSERT INTO tick_purges (purged_before, purged_at) VALUES (%s, now()) ON CONFLICT DO NOTHING",
                [moment(limit_us)],
            )
        return True

    async def _drop_chunks(self, limit_us: int) -> int:
        async with maintenance(self._database) as connection:
            limit = moment(limit_us)
            end = (await connection.exec_driver_sql(_OLD_CHUNKS, (limit,))).scalar_one()
            if end is None:
                return 0
            dropped = await connection.exec_driver_sql("SELECT count(*) FROM ticks WHERE time < %s", (end,))
            number = int(dropped.scalar_one())
            await connection.exec_driver_sql("SELECT drop_chunks('ticks', older_than => %s::timestamptz)", (limit,))
        return number

    async def _delete_rest(self, limit_us: int) -> int:
        async with maintenance(self._database) as connection:
            oldest = (await connection.exec_driver_sql("SELECT min(time) FROM ticks")).scalar_one()
        if oldest is None:
            return 0
        oldest_us = moment_us(oldest)
        return await delete_ticks(self._database, oldest_us - oldest_us % MINUTE_US, limit_us)


async def until_no_refresh_is_older(database: Database, *, wait_s: float = REFRESH_WAIT_S) -> None:
    """Wait for refreshes that began before now. Raises `CandlesLateError` when one takes longer than that."""
    async with database.driver_transaction() as connection:
        begun = moment(await _now_us(connection))
    try:
        async with asyncio.timeout(wait_s):
            while await _is_refreshing(database, begun):  # noqa: ASYNC110 - another session's, so nobody tells us
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise CandlesLateError("a refresh is still running; the next purge tries again") from None


async def insert_new(connection: PsycopgConnection, series: Sequence[SeriesTicks]) -> list[SeriesTicks]:
    """Insert what is not there yet; returns only that."""
    cursor = await connection.execute(_INSERT_NEW, [records(row for one in series for row in _rows(one))])
    return inserted_series(await cursor.fetchall())


async def note_late(connection: PsycopgConnection, added: Sequence[SeriesTicks]) -> bool:
    """Note the minutes of late ticks; whether any range waits to be settled, from this batch or an earlier one."""
    ranges = stale_ranges(added)
    if ranges:
        starts, ends = zip(*((moment(each.from_us), moment(each.to_us)) for each in ranges), strict=True)
        await connection.execute(_NOTE, [list(starts), list(ends), LATE_S])
    cursor = await connection.execute(_IS_STALE)
    return (await cursor.fetchone()) == (True,)


def stale_ranges(added: Sequence[SeriesTicks], *, most: int = MAX_RANGES) -> list[StaleRange]:
    """The minutes that ticks touch, as ranges in order of time; too many are joined where they are nearest."""
    if not added:
        return []
    minutes = np.unique(np.concatenate([one.columns.time_us // MINUTE_US for one in added]))
    jumps = np.diff(minutes)
    widest = np.argsort(jumps, kind="stable")[::-1][: most - 1]
    cuts = np.sort(widest[jumps[widest] > 1]) + 1
    return [StaleRange(int(part[0]) * MINUTE_US, (int(part[-1]) + 1) * MINUTE_US) for part in np.split(minutes, cuts)]


def refresh_windows(
    timeframe: Timeframe, stale: Iterable[StaleRange], since_us: int | None, now_us: int
) -> list[StaleRange]:
    """The whole buckets of stale ranges that may be refreshed by now, joined where they touch.

    A bucket that has not been over for its own length is left out: nobody has materialised it, so it is computed from
    the ticks when it is read.
    """
    end_us = timeframe.open_time_us(now_us - timeframe.length_us)
    windows: list[StaleRange] = []
    for each in sorted(stale):
        from_us = max(timeframe.open_time_us(each.from_us), since_us or 0)
        to_us = min(timeframe.open_time_us(each.to_us - 1) + timeframe.length_us, end_us)
        if from_us >= to_us:
            continue
        if windows and from_us <= windows[-1].to_us:
            windows[-1] = StaleRange(windows[-1].from_us, max(windows[-1].to_us, to_us))
        else:
            windows.append(StaleRange(from_us, to_us))
    return windows


async def touched_candles(connection: PsycopgConnection, series: SeriesTicks) -> list[StoredCandle]:
    """The candles that a series' ticks belong to, as they stand now."""
    minutes = np.unique(series.columns.time_us // MINUTE_US).tolist()
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    found: list[StoredCandle] = []
    for timeframe in Timeframe:
        open_times = [
            moment(each) for each in sorted({timeframe.open_time_us(minute * MINUTE_US) for minute in minutes})
        ]
        key = (series.source, series.symbol, timeframe.value)
        await cursor.execute(_TOUCHED, [*key, open_times, open_times[0], open_times[-1]])
        found += [stored_candle(row) for row in await cursor.fetchall()]
    return found


async def _without_purged(
    connection: PsycopgConnection, series: Sequence[SeriesTicks]
) -> tuple[list[SeriesTicks], list[Refused]]:
    """Leave out ticks from before the last purge, refused by name. Holds purges off until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [PURGE_LOCK])
    purged_us = await _purged_before_us(connection)
    if purged_us is None:
        return list(series), []
    kept: list[SeriesTicks] = []
    refused: list[Refused] = []
    for one in series:
        is_kept = one.columns.time_us >= purged_us
        kept += [each for each in [_chosen(one, is_kept)] if len(each.received_us)]
        refused += _refused(_chosen(one, ~is_kept))
    return kept, refused


def _chosen(series: SeriesTicks, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> SeriesTicks:
    time_us, trade_id, price, quantity, buyer_is_maker = series.columns
    columns = TickColumns(time_us[mask], trade_id[mask], price[mask], quantity[mask], buyer_is_maker[mask])
    return SeriesTicks(series.source, series.symbol, columns, series.received_us[mask])


def _refused(series: SeriesTicks) -> list[Refused]:
    return [
        Refused(Source(series.source), series.symbol, PURGED_ALREADY, ",".join(map(str, row)), int(received_us))
        for row, received_us in zip(_rows(series), series.received_us, strict=True)
    ]


def _rows(series: SeriesTicks) -> Iterable[tuple[int | str, ...]]:
    """Ticks as rows of the table, in the order of its columns."""
    received = (moment(each).isoformat() for each in series.received_us.tolist())
    time_us, *others, is_maker = (column.tolist() for column in series.columns)
    for at, trade_id, price, quantity, maker, received_at in zip(time_us, *others, is_maker, received, strict=True):
        yield (
            series.source,
            series.symbol,
            moment(at).isoformat(),
            trade_id,
            price,
            quantity,
            "t" if maker else "f",
            received_at,
        )


async def _purged_before_us(connection: PsycopgConnection) -> int | None:
    row = await (await connection.execute(_PURGED_BEFORE)).fetchone()
    return None if row is None or row[0] is None else moment_us(row[0])


async def _is_refreshing(database: Database, before: datetime) -> bool:
    async with database.driver_transaction() as connection:
        return (await (await connection.execute(_REFRESHING, [before])).fetchone()) != (0,)


async def _now_us(connection: PsycopgConnection) -> int:
    """The database's clock, since it is the one that policies go by."""
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None, "a clock always answers"
    return moment_us(row[0])


async def _refresh_behind(
    connection: PsycopgConnection, aggregate: Aggregate, since_us: int | None, now_us: int
) -> None:
    """Refresh what has changed or was never materialised, up to the newest bucket that may be."""
    timeframe = aggregate.timeframe
    end_us = timeframe.open_time_us(now_us - timeframe.length_us)
    if since_us is None or since_us < end_us:
        await _refresh(connection, aggregate, since_us, end_us, force=False)


async def _refresh(
    connection: PsycopgConnection, aggregate: Aggregate, from_us: int | None, to_us: int, *, force: bool
) -> None:
    """Refresh whole buckets. With ``force`` also where TimescaleDB has no note of a change.

    It has lost such notes when a refresh was interrupted (timescale/timescaledb#8591); ours stay until the end.
    """
    start: datetime | None = None if from_us is None else moment(from_us)
    try:
        await connection.execute(
            _REFRESH_MINUTES if aggregate is MINUTES else _REFRESH, [aggregate.name, start, moment(to_us), force]
        )
    except psycopg.DatabaseError as error:
        raise CandlesLateError(f"{aggregate.name} cannot be refreshed now: {one_line(error)}") from error
