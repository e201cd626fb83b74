"""The client of an engine in the same process: a command in, its answer out, once that is on disk.

A command is sent under an id. When no answer comes (`OutcomeUnknownError`, a cancelled wait, a lost process), it may
have been done or not: sending it again under the same id gives the answer that it got, or does it now.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fondaco.core.commands import Command
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer
from fondaco.engine.door import enter
from fondaco.engine.sequencer import QUEUE_RETRY_S, Overloaded, Sequencer, Why

T = TypeVar("T")


class OverloadedError(Exception):
    """The engine takes no more for now. Nothing was done."""

    def __init__(self, overloaded: Overloaded) -> None:
        self.why = overloaded.why
        self.retry_after_s = overloaded.retry_after_s
        super().__init__(f"The engine takes no more for now ({self.why}). Try again in {self.retry_after_s} s.")


class OutcomeUnknownError(Exception):
    """The engine ended before it could answer. Send the same command again under the same id."""

    def __init__(self) -> None:
        super().__init__("The engine ended before it could answer. Send the same command again under the same id.")


class EngineClient:
    """Hands commands to a sequencer and waits for their outcomes.

    Args:
        sequencer: of the engine that leads.
        wake: called when something waits for its turn.
    """

    def __init__(self, sequencer: "Sequencer[asyncio.Future[Any]]", wake: Callable[[], None]) -> None:
        self._sequencer = sequencer
        self._wake = wake
        self._is_open = True

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Have a command done; returns the answer once it is on disk.

        Args:
            account_id: who sends it; `fondaco.core.commands.HOUSE` for the house.
            command: what to do.
            command_id: the sender's own: the same one again gets the same answer and does nothing.
            not_after_ns: a command whose turn comes later is refused.

        Raises:
            OverloadedError: it was not taken.
            OutcomeUnknownError: whether it was done is not known.
            msgspec.ValidationError: it is not what its type says.
        """
        entered = enter(account_id, command_id, not_after_ns, command)
        if isinstance(entered, Answer):
            return entered
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._must_be_taken(self._overloaded() or self._sequencer.offer(entered, future))
        return await future

    async def read(self, read: Callable[[Machine], T]) -> T:
        """Look at the machine, after all that was submitted before; raises what ``read`` raises, and as `submit`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._must_be_taken(self._overloaded() or self._sequencer.offer_read(read, future))
        return await future

    def close(self) -> None:
        """Take nothing more."""
        self._is_open = False

    def _overloaded(self) -> Overloaded | None:
        return None if self._is_open else Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S)

    def _must_be_taken(self, overloaded: Overloaded | None) -> None:
        if overloaded is not None:
            raise OverloadedError(overloaded)
        self._wake()


def settle(future: "asyncio.Future[Any]", outcome: object) -> None:
    """Give whoever waits the outcome; who waits no more gets none."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
