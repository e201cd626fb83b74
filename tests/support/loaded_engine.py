"""A process for tests that kill it: a node that, while it leads, is under load and writes down every answer it got.

Arguments: the database's address, ``lead`` or ``follow``, and the file that gets a line ``number id`` for each answer.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import structlog

from fondaco.app.processes.engine import node_of
from fondaco.core.commands import HOUSE, Command
from fondaco.engine.client import EngineClient
from fondaco.engine.leader import Leader
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.store import FencedError, Identity, StoreLostError
from fondaco.infra.database import Database
from fondaco.infra.settings import EngineSettings, Settings
from support.floor import ALICE, BOB, OPENING, VALID_NS, crossing

CLIENTS = 32
SNAPSHOT_COMMANDS = 3_000

log = structlog.get_logger()


async def main(url: str, role: str, file: Path) -> None:
    """Run until killed, or until the database goes away under a leader."""
    settings = Settings(database_url=url, engine=EngineSettings(snapshot_commands=SNAPSHOT_COMMANDS))
    database = Database(url, settings.database, application=role)
    loads: set[asyncio.Task[None]] = set()
    acknowledged = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def led(leader: Leader) -> None:
        loads.add(asyncio.ensure_future(load(leader.client, acknowledged)))

    node = node_of(settings, database, Identity(role, ""), led)
    try:
        await (node.lead_or_follow() if role == "lead" else node.follow())
    except (FencedError, StoreLostError) as error:
        log.info("loaded.ended", why=str(error))


async def load(client: EngineClient, acknowledged: int) -> None:
    """Open the exchange, unless that was done before, and let clients trade without a pause."""
    ids = (f"{os.getpid()}-{number}" for number in count())
    try:
        for number, command in enumerate(OPENING):
            await note(client, acknowledged, HOUSE, command, f"open-{number}")
        await asyncio.gather(*(trade(client, acknowledged, ids, number) for number in range(CLIENTS)))
    except (OverloadedError, OutcomeUnknownError) as error:
        log.info("loaded.no_more", why=str(error))


async def trade(client: EngineClient, acknowledged: int, ids: Iterator[str], number: int) -> None:
    """One client: an order, and when it is answered the next."""
    account_id = (ALICE, BOB)[number % 2]
    for step in count(number):
        await note(client, acknowledged, account_id, crossing(account_id, step), next(ids))


async def note(client: EngineClient, acknowledged: int, account_id: int, command: Command, command_id: str) -> None:
    """Have a command done, and write its answer down before anything else happens."""
    answer = await client.submit(account_id, command, command_id=command_id, not_after_ns=time.time_ns() + VALID_NS)
    os.write(acknowledged, f"{answer.seq} {command_id}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
