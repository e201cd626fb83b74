"""``fondaco replay`` and ``fondaco journal …``: the journal read again, moved out of the way, and proved."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import house_database, said_to_the_user
from fondaco.core.machine import Machine
from fondaco.core.money import format_atoms
from fondaco.core.snapshot import state_hash
from fondaco.engine.archive import Archive
from fondaco.engine.archiving import archived, verified
from fondaco.engine.journal import JournalError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.replaying import Until, replayed_until
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings

BROKEN = 1
"""Exit code when the journal is not what it must be."""


def replay(*, until: str = "") -> None:
    """Replay.

    Args:
        until: The number of a command, or a moment with its zone (2026-11-21T12:00:00Z); the journal's end when left
            out.
    """
    asyncio.run(_replay(begin("replay"), parse_until(until)))


def parse_until(text: str) -> Until:
    """Read a command's number or a moment. Raises `UserError` when it is neither."""
    if not text:
        return Until()
    if text.isdecimal() and text.isascii():
        return Until(seq=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UserError(
            f"{text!r} is neither a command's number nor a moment with its zone, such as 2026-11-21T12:00:00Z."
        )
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Until(now_ns=(since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000)


def archive() -> None:
    """Move old journal into the archive."""
    asyncio.run(_archive(begin("archive")))


def verify() -> int:
    """Do the whole journal again."""
    return asyncio.run(_verify(begin("verify")))


async def _replay(settings: Settings, until: Until) -> None:
    with _said_in_a_sentence():
        async with _store(settings, "fondaco replay") as store:
            machine = await replayed_until(store, until)
    for line in report(machine):
        say(line)


async def _archive(settings: Settings) -> None:
    with _said_in_a_sentence():
        async with _store(settings, "fondaco journal archive") as store:
            moved = await archived(store, Archive(settings.journal_dir))
    if not moved.files:
        say("Nothing was moved: recovery may need all that is there, until the follower keeps its next snapshot.")
        return
    say(
        f"Batches {moved.begins.batch_no + 1} to {moved.ends.batch_no} (commands {moved.begins.seq + 1} to "
        f"{moved.ends.seq}) are in the archive now: {settings.journal_dir}. Back it up with the database."
    )


async def _verify(settings: Settings) -> int:
    try:
        async with _store(settings, "fondaco journal verify") as store:
            machine, mark = await verified(store, Archive(settings.journal_dir))
    except JournalError as error:
        say(str(error))
        return BROKEN
    say(f"The journal is whole: {mark.seq} commands in {mark.batch_no} batches.")
    say(f"state {state_hash(machine).hex()}")
    return 0


@asynccontextmanager
async def _store(settings: Settings, command: str) -> AsyncIterator[PostgresStore]:
    async with house_database(settings, command=command) as url:
        database = Database(url, settings.database, application=command)
        try:
            with said_to_the_user():
                yield PostgresStore(database, archive=Archive(settings.journal_dir))
        finally:
            await database.dispose()


@contextmanager
def _said_in_a_sentence() -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        raise UserError(str(error)) from error


def report(machine: Machine) -> Iterator[str]:
    """Number, moment and hash of the state, then every account's balances."""
    house = machine.house
    moment = datetime.fromtimestamp(machine.now_ns // 1_000_000_000, UTC)
    yield f"command {machine.seq} at {moment:%Y-%m-%d %H:%M:%S}.{machine.now_ns % 1_000_000_000 // 1_000:06d} UTC"
    yield f"state {state_hash(machine).hex()}"
    for account_id in sorted(house.accounts):
        for balance in machine.balances_of(account_id):
            available, held = (
                format_atoms(atoms, house.assets[balance.asset]) for atoms in (balance.available, balance.held)
            )
            yield f"account {account_id} {balance.asset} available {available} held {held}"
