"""The processes of the engine: the one that leads, and the one that follows and stands by.

Both run the same node. Whatever ends it, an exit is no loss: what was acknowledged is in the journal, the supervisor
starts it again, and meanwhile the other one leads.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.engines import engine_secret
from fondaco.app.processes.parts import own_database, run, stop_event
from fondaco.core.book.book import rehearse
from fondaco.engine.archive import Archive
from fondaco.engine.journal import JournalError
from fondaco.engine.leader import Leader
from fondaco.engine.listener import listening
from fondaco.engine.node import Node
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.engine.sequencer import Bounds, ClockJumpError
from fondaco.engine.store import FencedError, Identity, StoreLostError
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings

log = structlog.get_logger()

FAILED = 1
"""Exit code of an engine that has ended and is to be started again."""


def engine(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> int:
    """Lead."""
    return run(_engine(begin("engine"), "engine", Node.lead_or_follow, supervised=supervised))


def follower(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> int:
    """Follow."""
    return run(_engine(begin("follower"), "follower", Node.follow, supervised=supervised))


async def _engine(
    settings: Settings, name: str, work: Callable[[Node], Coroutine[Any, Any, None]], *, supervised: bool
) -> int:
    secret = engine_secret(settings)
    rehearse()  # a leader that compiles while orders wait is taken for dead
    async with (
        own_database(settings, name, supervised=supervised) as database,
        listening(secret, _place(settings, name)) as listener,
    ):
        leaders: list[Leader] = []

        def led(leader: Leader) -> None:
            leaders.append(leader)
            listener.lead(leader)

        node = node_of(settings, database, Identity(_holder(name), listener.address), led)
        try:
            await _until_stopped(work(node), leaders)
        except ClockJumpError as error:
            raise UserError(str(error)) from error
        except (FencedError, StoreLostError, JournalError) as error:
            log.error("engine.ended", why=str(error))  # noqa: TRY400 - the sentence says it all
            return FAILED
    return 0


def _holder(name: str) -> str:
    return f"{name} of {socket.gethostname()}, process {os.getpid()}"


def _place(settings: Settings, name: str) -> Path | tuple[str, int]:
    """Where this process is reached once it leads."""
    if settings.engine.listen is None:
        return settings.run_dir / f"{name}.sock"
    host, _, port = settings.engine.listen.partition(":")
    return host, int(port)


def node_of(settings: Settings, database: Database, identity: Identity, led: Callable[[Leader], None]) -> Node:
    """The node of a process, as the settings want it."""
    bounds = Bounds(settings.engine.queue_commands, settings.engine.follower_lag_commands)
    return Node(
        PostgresStore(database, settings.engine.direct_url, Archive(settings.journal_dir)),
        TablesProjector(database),
        identity,
        bounds,
        snapshot_commands=settings.engine.snapshot_commands,
        led=led,
    )


async def _until_stopped(work: Coroutine[Any, Any, None], leaders: list[Leader]) -> None:
    """Run until it ends or a signal to stop comes: then a leader answers whoever waits, and a follower just ends."""
    working = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop_event().wait())
    try:
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        if leaders:
            leaders[-1].stop()
        elif not working.done():
            working.cancel()
        await asyncio.wait((working,))
        if not working.cancelled():
            await working
    finally:
        stopped.cancel()
        working.cancel()
        await asyncio.wait((working, stopped))
