"""Makes the read models anew: a second set of tables, filled from the beginning, then put in the place of the first.

The second set stands in a schema of its own and has the same names. Readers see the old tables until the one
transaction that moves them out and the new ones in; whoever projects into them finds the watermark moved, and goes on
from there. A rebuild that ends half-way leaves a schema behind that the next one drops.

What no journal tells, that staff has seen an alert, is carried over. What the second set's projection writes for
notifications stands in an outbox of its own; of that, only what the live tables had not come to is sent.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from psycopg.errors import DependentObjectsStillExist
from sqlalchemy import MetaData, text

from fondaco.engine.journal import Committed, Mark
from fondaco.engine.projection.projection import (
    LIVE_SCHEMA,
    PARTITIONED,
    Projection,
    open_projection,
    use_schema,
)
from fondaco.engine.projection.read_models import ROWS
from fondaco.engine.tables import PROJECTION, WatermarkRow
from fondaco.infra.database import NAMES, Base, Database, PsycopgConnection
from fondaco.infra.outbox import OutboxRow

BUILDING: Final = "engine_rebuilding"
"""The schema in which tables are made anew."""
REPLACED: Final = "engine_replaced"
"""Where the old ones go, inside the transaction that drops them."""
MAX_CHASES: Final = 100
"""How often a rebuild goes after tables that have come further meanwhile, before it gives up."""
LOCK_TIMEOUT_MS: Final = 5_000
"""A reader that holds a table for longer makes the exchange of tables fail, instead of everybody wait behind it."""
TABLES: Final = tuple(row.__tablename__ for row in ROWS)

_TRIGGERS = """
SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY(%s) AND NOT t.tgisinternal
"""
_VIEWS = """
SELECT DISTINCT v.relnamespace::regnamespace::text, v.relname::text, pg_get_viewdef(v.oid)
FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_class c ON c.oid = d.refobjid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND c.relnamespace = %s::regnamespace AND c.relname = ANY(%s)
ORDER BY 1, 2
"""
_PARTITIONS = """
SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_class c ON c.oid = i.inhparent
WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY(%s) AND c.relkind = 'p' ORDER BY 1
"""
_LIMITS = f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SET LOCAL statement_timeout = 0"
_LOCK = f"SELECT batch_no, seq FROM {LIVE_SCHEMA}.watermarks WHERE name = %s FOR UPDATE"  # noqa: S608 - a name of ours
_MOVE = f"""
INSERT INTO {LIVE_SCHEMA}.watermarks AS w (name, batch_no, seq, chain_hash, updated_at)
VALUES (%s, %s, %s, %b, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET batch_no = excluded.batch_no, seq = excluded.seq, chain_hash = excluded.chain_hash,
    updated_at = excluded.updated_at
"""  # noqa: S608 - a name of ours
_NOBODY_ACKNOWLEDGES = f"LOCK TABLE {LIVE_SCHEMA}.risk_alerts IN EXCLUSIVE MODE"
"""Who is just doing so is waited for, and carried over; who comes now waits, and finds the new table."""
_ACKNOWLEDGED = f"""
UPDATE {BUILDING}.risk_alerts n SET acknowledged_at = o.acknowledged_at, acknowledged_by = o.acknowledged_by
FROM {LIVE_SCHEMA}.risk_alerts o WHERE o.id = n.id AND o.acknowledged_at IS NOT NULL
"""  # noqa: S608 - names of ours
_NOTIFY = f"INSERT INTO {LIVE_SCHEMA}.outbox SELECT * FROM {BUILDING}.outbox WHERE (body ->> 'seq')::bigint > %s"  # noqa: S608 - names of ours


class Replay(Protocol):
    """The journal done again from its beginning."""

    async def next_run(self) -> Sequence[Committed]:
        """The batches that follow, as many as are good to write at once; none at the journal's end."""
        ...


class RebuildError(Exception):
    """The new tables could not take the place of the old ones, which are as they were. The message says why."""


class RebuildOutrunError(RebuildError):
    """The live tables went on faster than the new ones could follow, or have come to what the journal does not have."""


async def rebuild(database: Database, replay: Replay) -> Mark:
    """Make the read models anew and put them in the place of the old ones; returns how far they have come.

    Raises:
        RebuildOutrunError: the new tables have not caught up; the old ones are as they were.
        RebuildError: something else stands in the way; the same.
        DatabaseUnavailableError: the database is away; the old tables are as they were.
    """
    await make_tables(database, BUILDING)
    projection = await open_projection(database, BUILDING)
    for _ in range(MAX_CHASES):
        await _follow(projection, replay)
        if await _exchange(database, projection.watermark()):
            return projection.watermark()
    raise RebuildOutrunError("The tables that stand are ahead of what the journal has told so far.")


async def make_tables(database: Database, schema: str) -> None:
    """Make an empty set of the read models, with watermark and outbox of its own, in a schema that is dropped first."""
    metadata = MetaData(naming_convention=NAMES)
    for name in (*TABLES, WatermarkRow.__tablename__, OutboxRow.__tablename__):
        Base.metadata.tables[name].to_metadata(metadata, schema=schema)
    async with database.transaction(statement_timeout_ms=0) as connection:
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(metadata.create_all)
    async with database.driver_transaction() as driver:
        await use_schema(driver, "")  # so that triggers are told with all names in full
        found = await (await driver.execute(_TRIGGERS, (LIVE_SCHEMA, list(TABLES)))).fetchall()
        for (definition,) in found:
            await driver.execute(definition.replace(f" ON {LIVE_SCHEMA}.", f" ON {schema}.").encode())


async def _follow(projection: Projection, replay: Replay) -> None:
    """Write all that the journal has."""
    while run := await replay.next_run():
        await projection.write(run)


async def _exchange(database: Database, built: Mark) -> bool:
    """Put the new tables in the place of the old, unless those have come further; says whether it did."""
    async with database.driver_transaction() as connection:
        await connection.execute(_LIMITS.encode())
        found = await (await connection.execute(_LOCK, (PROJECTION,))).fetchone()
        live_batch_no, live_seq = found or (0, 0)
        if live_batch_no > built.batch_no:
            return False
        await use_schema(connection, LIVE_SCHEMA)
        await connection.execute(_NOBODY_ACKNOWLEDGES.encode())
        await connection.execute(_ACKNOWLEDGED.encode())
        views = await (await connection.execute(_VIEWS, (LIVE_SCHEMA, list(TABLES)))).fetchall()
        for schema, name, _ in views:
            await _drop_view(connection, f"{schema}.{name}")
        await connection.execute(f"DROP SCHEMA IF EXISTS {REPLACED} CASCADE; CREATE SCHEMA {REPLACED}".encode())
        await _carry(connection, LIVE_SCHEMA, REPLACED)
        await _carry(connection, BUILDING, LIVE_SCHEMA)
        for schema, name, definition in views:
            await connection.execute(f"CREATE VIEW {schema}.{name} AS {definition}".encode())
        await connection.execute(_NOTIFY.encode(), (live_seq,))
        await connection.execute(_MOVE.encode(), (PROJECTION, *built))
        await connection.execute(f"DROP SCHEMA {REPLACED} CASCADE; DROP SCHEMA {BUILDING} CASCADE".encode())
    return True


async def _drop_view(connection: PsycopgConnection, name: str) -> None:
    try:
        await connection.execute(f"DROP VIEW {name}".encode())
    except DependentObjectsStillExist as error:
        raise RebuildError(
            f"Something of yours stands on the view {name}: drop it first ({error.diag.message_detail})."
        ) from error


async def _carry(connection: PsycopgConnection, source: str, target: str) -> None:
    """Move every read model with its partitions from one schema to another. Indexes go along."""
    partitions = await (await connection.execute(_PARTITIONS, (source, list(PARTITIONED)))).fetchall()
    for name in (*TABLES, *(each for (each,) in partitions)):
        await connection.execute(f"ALTER TABLE {source}.{name} SET SCHEMA {target}".encode())
