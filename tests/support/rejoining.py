"""An engine whose listeners lose the line when a test says so, as over a socket, and begin anew after it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing

from fondaco.core.commands import Command
from fondaco.core.replies import Answer
from fondaco.engine.journal import Committed
from fondaco.engine.port import Engine, StartOver
from fondaco.engine.queries import Query, Seen


class RejoiningEngine:
    """See `fondaco.engine.port.Engine`: commands and questions go through, the stream of events breaks when told to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lost = asyncio.Event()

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Pass it on."""
        return await self._engine.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)

    async def look(self, query: Query) -> Seen:
        """Pass it on."""
        return await self._engine.look(query)

    def lose_the_line(self) -> None:
        """End every listener's stream, and begin another."""
        self._lost.set()
        self._lost = asyncio.Event()

    async def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Stream after stream, each until the line is lost."""
        while True:
            lost = self._lost
            async with aclosing(self._engine.follow()) as events:
                while (told := await _unless(lost, anext(events))) is not None:
                    yield told


async def _unless(lost: asyncio.Event, coming: Awaitable[Committed | StartOver]) -> Committed | StartOver | None:
    """What comes, or None when the line is lost before."""
    told, losing = asyncio.ensure_future(coming), asyncio.ensure_future(lost.wait())
    try:
        await asyncio.wait((told, losing), return_when=asyncio.FIRST_COMPLETED)
        return None if losing.done() else told.result()
    finally:
        told.cancel()
        losing.cancel()
        await asyncio.wait((told, losing))
