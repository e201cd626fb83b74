"""The way from any process of the house to the engine that leads: the one place that knows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fondaco.core.commands import Command
from fondaco.core.replies import Answer
from fondaco.engine.journal import Committed
from fondaco.engine.port import Engine, OverloadedError, StartOver
from fondaco.engine.queries import Query, Seen
from fondaco.engine.sequencer import QUEUE_RETRY_S, Overloaded, Why
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings


@asynccontextmanager
async def remote_engine(settings: Settings, database: Database) -> AsyncIterator[Engine]:
    """The engine of the house, for as long as the block runs. It may be away at any time, and come back."""
    del settings, database
    yield AwayEngine()


class AwayEngine:
    """An engine that is not within reach: it takes nothing, and nothing is heard of it."""

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Refuse: see `Engine.submit`."""
        del account_id, command, command_id, not_after_ns
        raise OverloadedError(Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S))

    async def look(self, query: Query) -> Seen:
        """Refuse: see `Engine.look`."""
        del query
        raise OverloadedError(Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S))

    async def follow(self) -> AsyncIterator[Committed | StartOver]:
        """Tell nothing: see `Engine.follow`."""
        nothing: tuple[Committed | StartOver, ...] = ()
        for told in nothing:
            yield told
