"""A way to an engine as another process has it: it can be cut off, and lead to another engine later."""

import asyncio
from collections.abc import AsyncGenerator

from fondaco.core.commands import Command
from fondaco.core.replies import Answer
from fondaco.engine.client import EngineClient
from fondaco.engine.journal import Committed
from fondaco.engine.port import QUEUE_RETRY_S, Overloaded, OverloadedError, StartOver, Why
from fondaco.engine.queries import Query, Seen


class Way:
    """Leads to a real engine, while it is open."""

    def __init__(self, client: EngineClient) -> None:
        self.client = client
        self.is_open = True
        self.was_refused = asyncio.Event()
        """Somebody came while it was closed."""

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Have a command done."""
        self._pass()
        return await self.client.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)

    async def look(self, query: Query) -> Seen:
        """Ask something."""
        self._pass()
        return await self.client.look(query)

    def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Follow whoever leads now."""
        return self.client.follow()

    def _pass(self) -> None:
        if not self.is_open:
            self.was_refused.set()
            raise OverloadedError(Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S))
