"""Restores a backup: everything that was there goes, and everything in the backup comes, in one transaction.

pg_restore writes the archive as a script, psql runs it, and *we* stand between: the transaction is opened before the
first line and committed only once pg_restore has ended well. Whoever dies in the middle, the server rolls back and the
old state stands. A backup of an older schema is migrated afterwards.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from fondaco.app.migrations import MIGRATION_LOCK, migrate
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.postgres.clients import ClientProgram, Say, client_program
from fondaco.infra.settings import DatabaseSettings

APPLICATION = "restore"
CHUNK_BYTES = 1024 * 1024
MAX_HEADER_LINES = 60
"""The settings at the head of a script stand in fewer lines."""
LAST_SETTING = b"SET row_security"
SINCE_17 = (b"SET transaction_timeout",)
"""What pg_restore sets that an older server does not know."""
VERSION_17 = 170_000
LOCK_WAIT_MS = 30_000
ENDING_WAIT_S = 2.0
"""A server shows a connection for a moment after its program has ended: so long a house may seem to be there."""
RETRY_S = 0.1

_STATE = text("""
SELECT
    current_setting('server_version_num')::int,
    ARRAY(
        SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
            AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1
    ),
    ARRAY(
        SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'fondaco %' AND application_name <> :own
        ORDER BY 1
    )
""")

_BEGIN = f"""
BEGIN;
SET LOCAL lock_timeout = {LOCK_WAIT_MS};
SET LOCAL client_min_messages = warning;
SELECT pg_advisory_xact_lock({MIGRATION_LOCK});
"""
_END = "RESET ALL;\nCOMMIT;\n"
"""A pooler gives the session to somebody else afterwards: the script's settings must not go along."""

_CLEAR = """
DO $clear$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace n
        WHERE nspname NOT IN ('public', 'information_schema') AND nspname !~ '^pg_'
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = n.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('DROP %s IF EXISTS public.%I CASCADE',
            CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, relname)
        FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
            -- An identity column's sequence goes with its table, and refuses to go before it.
            AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i'))
        UNION ALL
        SELECT format('DROP ROUTINE IF EXISTS public.%I(%s) CASCADE', proname, pg_get_function_identity_arguments(oid))
        FROM pg_proc p
        WHERE pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', typname) FROM pg_type t
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE statement;
    END LOOP;
END $clear$;
"""
"""What extensions brought stays."""


CONNECTION_LOST = 2
"""psql's exit code for it."""


class Target(NamedTuple):
    """The database that a backup is to go into: its server, and the tables that it has now."""

    server_version: int
    tables: Sequence[str]


async def look_at(url: str, settings: DatabaseSettings) -> Target:
    """What is there now. Raises `UserError` when a house works on it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + ENDING_WAIT_S
    database = Database(url, settings, application=APPLICATION)
    try:
        while True:
            async with database.transaction() as connection:
                version, tables, others = (await connection.execute(_STATE, {"own": f"fondaco {APPLICATION}"})).one()
            if not others:
                return Target(version, tables)
            if loop.time() >= until:
                raise UserError(f"A house works on that database ({', '.join(others)}): stop it first.")
            await asyncio.sleep(RETRY_S)
    finally:
        await database.dispose()


async def restore(url: str, settings: DatabaseSettings, file: Path, target: Target, *, on_table: Say) -> None:
    """Put the backup in the place of everything that `look_at` saw, then migrate.

    Args:
        url: the database.
        settings: for the migrations.
        file: the backup.
        target: what `look_at` saw. Where that was nothing, nothing is dropped, should something have come meanwhile.
        on_table: called with each table's name when its turn comes.

    Raises:
        UserError: it failed, and the database is as it was.
        DatabaseUnavailableError: the backup is restored, and the migrations could not be run.
    """
    to_script = ("--no-owner", "--no-privileges", "--verbose", "--file=-", str(file))
    run_script = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
    async with (
        client_program("pg_restore", to_script, on_table=on_table) as writer,
        client_program("psql", run_script, url=url) as runner,
    ):
        trouble = await _hand_over(writer, runner, target)
    if trouble is not None:
        raise UserError(f"Nothing was restored, and the database is as it was ({trouble}).")
    await asyncio.to_thread(migrate, url, settings)


async def script_head(script: asyncio.StreamReader, server_version: int) -> bytes:
    """The head of a script, without what this server does not know."""
    lines = []
    for _ in range(MAX_HEADER_LINES):
        line = await script.readline()
        if server_version >= VERSION_17 or not line.startswith(SINCE_17):
            lines.append(line)
        if not line or line.startswith(LAST_SETTING):
            break
    return b"".join(lines)


async def _hand_over(writer: ClientProgram, runner: ClientProgram, target: Target) -> str | None:
    """Give the script to psql, and the COMMIT only when all of it has come; returns what went wrong."""
    script, statements = writer.process.stdout, runner.process.stdin
    assert script is not None
    assert statements is not None
    try:
        statements.write((_BEGIN + (_CLEAR if target.tables else "")).encode())
        statements.write(await script_head(script, target.server_version))
        while chunk := await script.read(CHUNK_BYTES):
            statements.write(chunk)
            await statements.drain()
        if trouble := await writer.ended():
            return trouble  # psql is ended by the caller, without a COMMIT
        statements.write(_END.encode())
        await statements.drain()
        statements.close()
    except ConnectionError:
        return await runner.ended()  # it has stopped at an error, and says which
    trouble = await runner.ended()
    if trouble is not None and runner.process.returncode == CONNECTION_LOST:
        raise UserError(f"The connection broke at the very end: look whether the backup is there ({trouble}).")
    return trouble
