"""Backups: a file that holds the whole database as it was at one moment, made while the house runs.

A backup is a plain archive of pg_dump in its custom format, so that PostgreSQL's own tools can read it when we cannot.
It is written beside its place and moved there when it is whole and on disk: what has the name is a backup. Its schema's
revision is that of the table ``alembic_version`` inside it.
"""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from fondaco.app.migrations import known_revisions
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.postgres.clients import Say, client_program
from fondaco.infra.settings import DatabaseSettings

MAGIC = b"PGDMP"
"""How every archive in the custom format begins."""
LOCK_WAIT_MS = 30_000
"""A table that somebody holds for longer, such as a migration, stops the backup instead of being waited for."""
COMPRESSION = "gzip:1"
"""The quick one, which every version of pg_restore reads."""
MAX_LISTED_BYTES = 16 * 1024 * 1024
"""What an archive says about itself is shorter."""

_STATE = text("""
SELECT
    to_regclass('public.alembic_version') IS NOT NULL,
    EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
""")


class Archive(NamedTuple):
    """What a backup says about itself."""

    revision: str
    created: str


async def back_up(url: str, settings: DatabaseSettings, file: Path, *, replace: bool, on_table: Say) -> int:
    """Write a backup; returns its size in bytes.

    Args:
        url: the database.
        settings: for looking into it.
        file: where the backup is to be.
        replace: whether it may take the place of a file that is there.
        on_table: called with each table's name when its turn comes.

    Raises:
        UserError: it cannot be made; then nothing is left of it, and a file that was there is untouched.
        DatabaseUnavailableError: the database cannot be reached.
    """
    _check_place(file, replace=replace)
    await _check_database(url, settings)
    new = _new_file(file)
    try:
        arguments = (
            *("--format=custom", f"--compress={COMPRESSION}", "--no-owner", "--no-privileges", "--verbose"),
            *(f"--lock-wait-timeout={LOCK_WAIT_MS}", f"--file={new}"),
        )
        async with client_program("pg_dump", arguments, url=url, on_table=on_table) as dump:
            trouble = await dump.ended()
        if trouble is not None:
            raise UserError(f"The backup could not be made, and {file} is as it was ({trouble}).")
        size = new.stat().st_size
        _put_in_place(new, file)
    finally:
        new.unlink(missing_ok=True)
    return size


async def read_archive(file: Path) -> Archive:
    """What a backup says about itself. Raises `UserError` when the file is none of ours, or a newer one."""
    _check_is_archive(file)
    contents = await _said_by_restore(file, "--list")
    if " TABLE public alembic_version " not in contents:
        raise UserError(f"{file} is a backup of another database: it holds no house.")
    rows = await _said_by_restore(file, "--data-only", "--schema=public", "--table=alembic_version", "--file=-")
    revision = _between(rows, "FROM stdin;\n", "\n")
    known = known_revisions()
    if revision not in known:
        raise UserError(
            f"{file} was made by a newer Fondaco: its schema is {revision or 'unknown'}, and this program knows those "
            f"up to {known[0]}. Restore it with that version."
        )
    return Archive(revision, _between(contents, "; Archive created at ", "\n"))


def _check_place(file: Path, *, replace: bool) -> None:
    if not file.parent.is_dir():
        raise UserError(f"There is no folder {file.parent}: make it, or choose another place for the backup.")
    if file.is_dir():
        raise UserError(f"{file} is a folder: name a file in it.")
    if file.exists() and not replace:
        raise UserError(f"{file} is there already: choose another name, or let it be replaced with --replace.")


async def _check_database(url: str, settings: DatabaseSettings) -> None:
    database = Database(url, settings, application="backup")
    try:
        async with database.transaction() as connection:
            is_house, has_timescale = (await connection.execute(_STATE)).one()
    finally:
        await database.dispose()
    if not is_house:
        raise UserError("The database holds no house yet, so there is nothing to back up.")
    if has_timescale:
        raise UserError(
            "The database has TimescaleDB, whose tables need its own steps around pg_dump and pg_restore: "
            "follow its manual on logical backups."
        )


def _new_file(file: Path) -> Path:
    """An empty file beside the place, which only its owner may read."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".new", dir=file.parent)
    except OSError as error:
        raise UserError(f"No file can be made in {file.parent} ({error.strerror}): choose another place.") from error
    os.close(descriptor)
    return Path(name)


def _put_in_place(new: Path, file: Path) -> None:
    """Give the file its name, and see that the name is on disk too; pg_dump has seen to the contents."""
    try:
        new.replace(file)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise UserError(f"The backup cannot be put in its place {file}: {error.strerror}.") from error


def _check_is_archive(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(MAGIC))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    if begins != MAGIC:
        raise UserError(f"{file} is no backup: `fondaco db backup` makes them.")


async def _said_by_restore(file: Path, *arguments: str) -> str:
    async with client_program("pg_restore", (*arguments, str(file))) as reading:
        said = await reading.output(MAX_LISTED_BYTES)
        trouble = await reading.ended()
    if trouble is not None:
        raise UserError(f"{file} is damaged or cut off ({trouble}).")
    return said.decode(errors="replace")


def _between(said: str, begin: str, end: str) -> str:
    return said.partition(begin)[2].partition(end)[0].strip()
