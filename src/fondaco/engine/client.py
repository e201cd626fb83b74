"""The client of an engine in the same process: a command in, its answer out, once that is on disk.

A command is sent under an id. When no answer comes (`OutcomeUnknownError`, a cancelled wait, a lost process), it may
have been done or not: sending it again under the same id gives the answer that it got, or does it now.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol, TypeVar

from fondaco.core.commands import Command
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer
from fondaco.engine.broadcast import Broadcast
from fondaco.engine.door import Entry, enter
from fondaco.engine.journal import Committed
from fondaco.engine.looking import look
from fondaco.engine.port import QUEUE_RETRY_S, Overloaded, OverloadedError, StartOver, Why
from fondaco.engine.queries import Query, Seen
from fondaco.engine.sequencer import Read, Sequencer

T = TypeVar("T")


class Waiting(Protocol):
    """Whoever waits for an outcome: an `asyncio.Future`, or what stands for one."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, result: Any, /) -> None:  # noqa: ANN401 - an answer, or whatever a look came to
        """It came to this."""
        ...

    def set_exception(self, exception: BaseException, /) -> None:
        """It came to nothing, or nobody knows."""
        ...


class EngineClient:
    """Hands commands to a sequencer and waits for their outcomes: `fondaco.engine.port.Engine` in one process.

    Args:
        sequencer: of the engine that leads.
        broadcast: what that engine commits.
        wake: called when something waits for its turn.
    """

    def __init__(self, sequencer: Sequencer[Waiting], broadcast: Broadcast, wake: Callable[[], None]) -> None:
        self._sequencer = sequencer
        self._broadcast = broadcast
        self._wake = wake
        self._is_open = True

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Have a command done: see `Engine.submit`."""
        entered = enter(account_id, command_id, not_after_ns, command)
        if isinstance(entered, Answer):
            return entered
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.offer(entered, future)
        return await future

    async def read(self, read: Callable[[Machine], T]) -> T:
        """Look at the machine, after all that was submitted before; raises what ``read`` raises, and as `submit`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.offer(read, future)
        return await future

    def offer(self, work: Entry | Read, waiting: Waiting) -> None:
        """Let a command or a look at the machine wait for its turn. Raises `OverloadedError`."""
        overloaded = None if self._is_open else Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S)
        if overloaded is None:
            sequencer = self._sequencer
            if isinstance(work, Entry):
                overloaded = sequencer.offer(work, waiting)
            else:
                overloaded = sequencer.offer_read(work, waiting)
        if overloaded is not None:
            raise OverloadedError(overloaded)
        self._wake()

    async def look(self, query: Query) -> Seen:
        """Ask something of the machine: see `Engine.look`."""
        return await self.read(lambda machine: look(machine, query))

    def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Every batch as it is committed: see `Engine.follow`. Ends when this engine leads no longer."""
        return self._broadcast.follow()

    def close(self) -> None:
        """Take nothing more."""
        self._is_open = False


def settle(future: Waiting, outcome: object) -> None:
    """Give whoever waits the outcome; who waits no more gets none."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
