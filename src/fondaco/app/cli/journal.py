"""``fondaco replay`` and ``fondaco journal …``."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import house_database, said_to_the_user
from fondaco.core.machine import Machine
from fondaco.core.money import format_atoms
from fondaco.core.snapshot import state_hash
from fondaco.engine.journal import JournalError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.replaying import Until, replayed_until
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings


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


async def _replay(settings: Settings, until: Until) -> None:
    async with house_database(settings, command="fondaco replay") as url:
        database = Database(url, settings.database, application="replay")
        try:
            with said_to_the_user():
                machine = await replayed_until(PostgresStore(database), until)
        except JournalError as error:
            raise UserError(str(error)) from error
        finally:
            await database.dispose()
    for line in report(machine):
        say(line)


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
