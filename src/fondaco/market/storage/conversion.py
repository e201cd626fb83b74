"""Turns a plain house into one with TimescaleDB: ``fondaco db timescale`` (EXP-30, EXP-35).

The work goes in steps, each one transaction, between states that the database itself shows (`Kind`). Cut off anywhere,
the house stands in one of them, and the next run goes on from there; at the end a run changes nothing.

1. *plain* → *unfinished*: ``ticks`` becomes a hypertable. ``candles`` is still the table, and still the truth.
2. *unfinished*: old aggregates are dropped and made anew, candles whose ticks were purged are put into them, and all is
   refreshed.
3. *unfinished* → *timescale*: every candle of the aggregates must equal that of the table, bit for bit. Then the
   policies are added, the table goes and the view takes its name. Else nothing is changed, and the user is told.

Aggregates of another version of this house are made anew the same way: what the view holds becomes the table again.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from fondaco.infra.database import DatabaseUnavailableError, libpq_url, one_line
from fondaco.infra.errors import UserError
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.storage import aggregates
from fondaco.market.storage.aggregates import AGGREGATES, MINUTES
from fondaco.market.storage.choose import KIND, Kind, kind_of

Connection = psycopg.AsyncConnection[TupleRow]
Say = Callable[[str], None]

CONVERSION_LOCK = 0x_F0DACE
"""Key of the advisory lock that keeps two runs apart, step by step. Held by transactions, as everywhere."""
LOCK_MS = 30_000
"""How long a step waits for a table that is in use."""
LEAST_VERSION = (2, 23)
"""Refreshing by force, on which settling late ticks rests, came before; nothing older than this was tried."""
CHUNK = "interval '7 days'"
MAX_SHOWN = 5
"""Differing candles that are named."""
COMMENT = "fondaco aggregates "

_INSTALLED = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
_AVAILABLE = "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
_TO_HYPERTABLE = (
    "ALTER TABLE ticks RENAME TO ticks_plain",
    "ALTER INDEX ticks_pkey RENAME TO ticks_plain_pkey",
    "ALTER INDEX idx_ticks_time RENAME TO idx_ticks_plain_time",
    "CREATE TABLE ticks (LIKE ticks_plain INCLUDING CONSTRAINTS)",
    "ALTER TABLE ticks ADD CONSTRAINT ticks_pkey PRIMARY KEY (source, symbol, time, trade_id)",
    "CREATE INDEX idx_ticks_time ON ticks USING brin (time)",
    f"SELECT create_hypertable('ticks', by_range('time', {CHUNK}), create_default_indexes => false)",
    "INSERT INTO ticks SELECT * FROM ticks_plain",
    "DROP TABLE ticks_plain",
)
_PURGED_BEFORE = """
SELECT greatest(max(c.close_time), (SELECT max(purged_before) FROM tick_purges)) FROM candles AS c
LEFT JOIN (SELECT source, symbol, min(time) AS time FROM ticks GROUP BY source, symbol) AS oldest USING (source, symbol)
WHERE c.timeframe = '1m' AND (oldest.time IS NULL OR c.first_time < oldest.time)
"""
"""The end of the last 1m candle that is older than the oldest tick of its series: what came before was purged."""
_NOTE_PURGE = "INSERT INTO tick_purges (purged_before, purged_at) VALUES (%s, now()) ON CONFLICT DO NOTHING"
_MATERIALISED = """
SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)
FROM timescaledb_information.continuous_aggregates WHERE view_name = %s AND view_schema = current_schema()
"""
_HAS_POLICY = """
SELECT j.job_id FROM timescaledb_information.jobs AS j JOIN timescaledb_information.continuous_aggregates AS a
    ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND a.view_name = %s AND a.view_schema = current_schema()
"""
_DIFFERENT = """
SELECT timeframe, symbol, source, open_time FROM (
    (SELECT * FROM candles EXCEPT ALL SELECT * FROM candles_view)
    UNION ALL (SELECT * FROM candles_view EXCEPT ALL SELECT * FROM candles)
) AS differing GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


class ConversionError(UserError):
    """The set-up stopped. What the steps before have done stands; the message says what to do."""


async def convert(url: str, settings: DatabaseSettings, say: Say) -> None:
    """Set up TimescaleDB in a migrated house, from whatever state it is in. Says what it does; may be run again.

    Raises:
        ConversionError: it cannot go on; the exit code of the command says so too.
        DatabaseUnavailableError: the database is away.
    """
    async with _connected(url, settings) as connection:
        await _add_extension(connection, say)
        kind = await _kind(connection)
        if kind is Kind.TIMESCALE and not await _is_of_this_version(connection):
            say("The aggregates are of another version: they are made anew.")
            kind = await _back_to_table(connection)
        if kind is Kind.TIMESCALE:
            async with _step(connection):
                await _add_policies(connection)
            say("This house has TimescaleDB: nothing to change.")
            return
        if kind is Kind.PLAIN:
            say("Moving the trades into a hypertable.")
            await _make_hypertable(connection)
        say("Making the aggregates.")
        await _make_aggregates(connection)
        await _fill(connection, say)
        say("Comparing every candle.")
        await _swap(connection)
        say("This house has TimescaleDB now.")


@asynccontextmanager
async def _connected(url: str, settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """One connection, closed whatever happens (EXP-35), with errors in the house's words."""
    try:
        connection = await Connection.connect(
            libpq_url(url),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=settings.connect_timeout_s,
            application_name="fondaco timescale",
        )
        async with connection:
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(one_line(error)) from error
    except psycopg.Error as error:
        raise ConversionError(
            f"TimescaleDB could not be set up: {one_line(error)}. What was done so far stands, and all trades "
            "and candles are there; put that right and run `fondaco db timescale` again."
        ) from error


@asynccontextmanager
async def _step(connection: Connection) -> AsyncIterator[None]:
    """One transaction, one run at a time, without the limits of a request."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MS:d}")
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [CONVERSION_LOCK])
        yield


async def _add_extension(connection: Connection, say: Say) -> None:
    """Add the extension where it is not there yet, and look whether it is one that we know."""
    if await _scalar(connection, _AVAILABLE) is None:
        raise ConversionError(
            "This server has no TimescaleDB, and neither has the embedded one: set DATABASE_URL to a server that has."
        )
    if await _scalar(connection, _INSTALLED) is None:
        say("Adding the extension timescaledb.")
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    version = str(await _scalar(connection, _INSTALLED))
    major, minor = (int("".join(filter(str.isdecimal, part))) for part in version.split(".")[:2])
    if (major, minor) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise ConversionError(f"TimescaleDB {version} is too old: {least} or newer is needed.")


async def _kind(connection: Connection) -> Kind:
    row = await (await connection.execute(KIND)).fetchone()
    return kind_of(None if row is None else (row[0], row[1]))


async def _is_of_this_version(connection: Connection) -> bool:
    comment = await _scalar(connection, "SELECT obj_description('candles'::regclass, 'pg_class')")
    return str(comment) == COMMENT + aggregates.signature()


async def _back_to_table(connection: Connection) -> Kind:
    """Make what the view holds the table again, so that nothing hangs on the aggregates."""
    async with _step(connection):
        await connection.execute("LOCK TABLE ticks IN ACCESS EXCLUSIVE MODE")
        await connection.execute("CREATE TABLE candles_table AS SELECT * FROM candles")
        await connection.execute("DROP VIEW candles")
        await connection.execute("ALTER TABLE candles_table RENAME TO candles")
    return Kind.UNFINISHED


async def _make_hypertable(connection: Connection) -> None:
    async with _step(connection):
        await connection.execute("LOCK TABLE ticks, candles IN ACCESS EXCLUSIVE MODE")
        if await _kind(connection) is not Kind.PLAIN:
            return  # another run has done it meanwhile
        for statement in _TO_HYPERTABLE:
            await connection.execute(statement)


async def _make_aggregates(connection: Connection) -> None:
    """Drop old aggregates and make them anew, with the 1m candles whose ticks are gone."""
    async with _step(connection):
        for aggregate in reversed(AGGREGATES):
            await connection.execute(f"DROP MATERIALIZED VIEW IF EXISTS {aggregate.name} CASCADE")
        for aggregate in AGGREGATES:
            for statement in aggregates.create(aggregate):
                await connection.execute(statement)
        purged_before = await _scalar(connection, _PURGED_BEFORE)
        if purged_before is not None:
            materialised = await _scalar(connection, _MATERIALISED, MINUTES.name)
            await connection.execute(aggregates.keep_minutes(str(materialised)), [purged_before])
            await connection.execute(_NOTE_PURGE, [purged_before])


async def _fill(connection: Connection, say: Say) -> None:
    """Refresh each aggregate up to its newest bucket that the policies would refresh too."""
    purged_before = await _scalar(connection, "SELECT max(purged_before) FROM tick_purges")
    for aggregate in AGGREGATES:
        say(f"Filling {aggregate.name}.")
        since = purged_before if aggregate is MINUTES else None
        until = await _scalar(connection, f"SELECT now() - {aggregate.interval}")
        await _refresh(connection, aggregate.name, since, until)


async def _refresh(connection: Connection, name: str, since: datetime | None, until: datetime) -> None:
    await connection.execute(
        "CALL refresh_continuous_aggregate(%s::regclass, %s::timestamptz, %s::timestamptz)", [name, since, until]
    )


async def _swap(connection: Connection) -> None:
    """Let the view take the table's place, if it says the very same."""
    async with _step(connection):
        await connection.execute("LOCK TABLE ticks, candles IN ACCESS EXCLUSIVE MODE")
        await connection.execute(aggregates.candles_view("candles_view"))
        differing = await (await connection.execute(_DIFFERENT)).fetchall()
        if differing:
            shown = ", ".join(
                f"{each[0]} {each[1]} {each[3]:%Y-%m-%dT%H:%MZ} ({each[2]})" for each in differing[:MAX_SHOWN]
            )
            raise ConversionError(
                f"{len(differing)} candles are not what their trades make, so they would change: {shown}. Nothing was "
                "dropped: the candles are as they were. `fondaco candles verify` tells more."
            )
        await _add_policies(connection)
        await connection.execute("DROP FUNCTION IF EXISTS merge_candles")
        await connection.execute("DROP TABLE candles")
        await connection.execute("ALTER VIEW candles_view RENAME TO candles")
        await connection.execute(f"COMMENT ON VIEW candles IS '{COMMENT}{aggregates.signature()}'")
        await connection.execute("DELETE FROM stale_ranges")


async def _add_policies(connection: Connection) -> None:
    """Add the policies that are missing. One that is there stays as it is: somebody may have changed it."""
    for aggregate in AGGREGATES:
        if await _scalar(connection, _HAS_POLICY, aggregate.name) is None:
            await connection.execute(aggregates.add_policy(aggregate))


async def _scalar(connection: Connection, query: str, *parameters: object) -> Any:  # noqa: ANN401 - whatever is asked for
    row = await (await connection.execute(query, list(parameters) or None)).fetchone()
    return None if row is None else row[0]
