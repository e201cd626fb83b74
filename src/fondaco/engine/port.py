"""What the rest of the house may want of the engine, wherever it runs: one protocol, and the errors that it raises.

`fondaco.engine.client.EngineClient` speaks to an engine in the same process, `fondaco.engine.remote.RemoteEngine` over
a socket to the one that leads.
"""

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from fondaco.core.commands import Command
from fondaco.core.replies import Answer
from fondaco.engine.journal import Committed, Mark
from fondaco.engine.queries import Query, Seen

QUEUE_RETRY_S: Final = 1
"""When to come back to a full queue."""


class Why(StrEnum):
    """Why the engine takes no more for now."""

    QUEUE_FULL = "queue_full"
    FOLLOWER_BEHIND = "follower_behind"
    ENGINE_AWAY = "engine_away"


class Overloaded(NamedTuple):
    """A command that was not taken: it has no number and is not journaled. Coming back later may help."""

    why: Why
    retry_after_s: int


class OverloadedError(Exception):
    """The engine takes no more for now. Nothing was done."""

    def __init__(self, overloaded: Overloaded) -> None:
        self.why = overloaded.why
        self.retry_after_s = overloaded.retry_after_s
        super().__init__(f"The engine takes no more for now ({self.why}). Try again in {self.retry_after_s} s.")


def engine_away() -> OverloadedError:
    """What is raised while there is no way to the engine, or while it is not known yet what it has done."""
    return OverloadedError(Overloaded(Why.ENGINE_AWAY, QUEUE_RETRY_S))


class OutcomeUnknownError(Exception):
    """The engine ended before it could answer. Send the same command again under the same id."""

    def __init__(self) -> None:
        super().__init__("The engine ended before it could answer. Send the same command again under the same id.")


class StartOver(NamedTuple):
    """The stream goes on after this place; what came before it is not told, and stands in the tables."""

    mark: Mark


class Engine(Protocol):
    """Where commands go, and where events come from."""

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
        ...

    async def look(self, query: Query) -> Seen:
        """Ask something of the engine's memory, after all that was submitted before. Raises as `submit` does."""
        ...

    def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Every batch as it is committed, in order and without a gap, for as long as it is asked.

        The first thing that comes is a `StartOver`; another comes whenever something could not be told in between.
        """
        ...
