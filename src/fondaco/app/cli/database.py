"""``fondaco db …``."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fondaco.app import revisions
from fondaco.app.backups import back_up, read_archive
from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import house_database, idle_database, said_to_the_user
from fondaco.app.migrations import migrate as run_migrations
from fondaco.app.restores import Target, look_at
from fondaco.app.restores import restore as restore_archive
from fondaco.engine.archive import Archive
from fondaco.engine.journal import JournalError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import JournalReplay
from fondaco.engine.projection.rebuilding import RebuildError
from fondaco.engine.projection.rebuilding import rebuild as rebuild_tables
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.errors import UserError
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings, Settings
from fondaco.market.storage.conversion import convert

RETRY_S = 0.5
"""Between two tries at a database that is busy."""
UNIT = 1024
"""From one unit of size to the next."""


def migrate(*, wait_s: Annotated[float, Parameter(show=False)] = 0.0) -> None:
    """Run the migrations. ``wait_s`` is how long to wait for a server that is just starting."""
    settings = begin("migrate")
    asyncio.run(_migrate(settings, wait_s))


def generate(message: str) -> None:
    """Write a migration.

    Args:
        message: What it changes, in a few words; they become part of the file's name.
    """
    settings = begin("generate")
    asyncio.run(_generate(settings, message))


def timescale() -> None:
    """Set up TimescaleDB."""
    asyncio.run(_timescale(begin("timescale")))


def rebuild() -> None:
    """Make the engine's tables anew."""
    asyncio.run(_rebuild(begin("rebuild")))


def url() -> None:
    """Print the address."""
    settings = begin("url")
    say(settings.database_url or EmbeddedPostgres(settings.data_dir).tcp_url)


def backup(file: Path, *, replace: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Write a backup.

    Args:
        file: Where it is to be. Only you may read it: it holds everything that the house knows.
        replace: Let it take the place of a file that is there.
    """
    settings = begin("backup")
    asyncio.run(_backup(settings, file.absolute(), replace=replace))


def restore(
    file: Path,
    *,
    replace: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Restore a backup.

    Args:
        file: The backup.
        replace: Let it take the place of a database that is not empty. Everything in that is lost.
        yes: Do not ask before replacing.
    """
    settings = begin("restore")
    asyncio.run(_restore(settings, file.absolute(), replace=replace, yes=yes))


async def _backup(settings: Settings, file: Path, *, replace: bool) -> None:
    async with house_database(settings, command="fondaco db backup") as address:
        with said_to_the_user():
            size = await back_up(address, settings.database, file, replace=replace, on_table=_say_table)
    say(f"Backed up to {file} ({_in_units(size)}).")


async def _restore(settings: Settings, file: Path, *, replace: bool, yes: bool) -> None:
    archive = await read_archive(file)
    async with idle_database(settings, command="fondaco db restore") as address:
        with said_to_the_user():
            target = await look_at(address, settings.database)
            if target.tables:
                _agree_to_replace(target, replace=replace, yes=yes)
            await restore_archive(address, settings.database, file, target, on_table=_say_table)
    say(f"Restored from {file}, made at {archive.created}. `fondaco candles verify` proves its candles.")


def _agree_to_replace(target: Target, *, replace: bool, yes: bool) -> None:
    """Raises `UserError` unless the user means it."""
    if not replace:
        raise UserError(
            f"The database is not empty: it has {len(target.tables)} tables. "
            "With --replace they are dropped, and the backup takes their place."
        )
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("Replacing drops everything in the database: say that you mean it with --yes.")
    if input(f"Drop the {len(target.tables)} tables of the database and restore the backup? Type yes: ") != "yes":
        raise UserError("Nothing was changed.")


def _say_table(table: str) -> None:
    say(f"  {table}")


def _in_units(size: int) -> str:
    """A size in bytes for people."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < UNIT:
            return f"{size} {unit}"
        size //= UNIT
    return f"{size} GiB"


async def _migrate(settings: Settings, wait_s: float) -> None:
    async with house_database(settings, command="fondaco db migrate", wait_s=wait_s) as address:
        with said_to_the_user():
            await _migrate_within(wait_s, address, settings.database)
    say("The database is up to date.")


async def _timescale(settings: Settings) -> None:
    async with house_database(settings, command="fondaco db timescale") as address:
        with said_to_the_user():
            await asyncio.to_thread(run_migrations, address, settings.database)
            await convert(address, settings.database, say)


async def _rebuild(settings: Settings) -> None:
    async with house_database(settings, command="fondaco db rebuild") as address:
        database = Database(address, settings.database, application="rebuild")
        try:
            store = PostgresStore(database, archive=Archive(settings.journal_dir))
            with said_to_the_user():
                built = await rebuild_tables(database, JournalReplay(store))
        except (JournalError, RebuildError) as error:
            raise UserError(f"Nothing was changed. {error}") from error
        finally:
            await database.dispose()
    say(f"The engine's tables are made anew from {built.batch_no} batches of the journal, up to command {built.seq}.")


async def _migrate_within(wait_s: float, address: str, settings: DatabaseSettings) -> None:
    """Migrate; a server that is busy, or a table that is in use, is tried again until the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        try:
            return await asyncio.to_thread(run_migrations, address, settings)
        except DatabaseUnavailableError:
            if loop.time() >= until:
                raise
        await asyncio.sleep(RETRY_S)


async def _generate(settings: Settings, message: str) -> None:
    async with house_database(settings, command="fondaco db generate") as address:
        with said_to_the_user():
            path = await asyncio.to_thread(revisions.generate, address, settings.database, message)
    say("The database has what the code says: nothing to write." if path is None else f"Written: {path}")
