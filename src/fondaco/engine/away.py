"""The engine that is not there: whoever has no way to one talks to this, and is told so."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

from fondaco.core.commands import Command
from fondaco.engine.journal import Committed
from fondaco.engine.port import OverloadedError, StartOver
from fondaco.engine.queries import Query
from fondaco.engine.sequencer import QUEUE_RETRY_S, Overloaded, Why


class AwayEngine:
    """Takes nothing and tells nothing, for as long as it is asked: see `fondaco.engine.port.Engine`."""

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> NoReturn:
        """Refuse: see `Engine.submit`."""
        del account_id, command, command_id, not_after_ns
        raise engine_away()

    async def look(self, query: Query) -> NoReturn:
        """Refuse: see `Engine.look`."""
        del query
        raise engine_away()

    def follow(self) -> AsyncIterator[Committed | StartOver]:
        """Nothing, for ever: see `Engine.follow`."""
        return _Silence()


class _Silence(AsyncIterator[Committed | StartOver]):
    """A stream on which nothing ever comes."""

    async def __anext__(self) -> Committed | StartOver:
        never: asyncio.Future[Committed | StartOver] = asyncio.get_running_loop().create_future()
        return await never


def engine_away() -> OverloadedError:
    """What is raised while there is no way to the engine, or while it is not known yet what it has done."""
    return OverloadedError(Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S))
