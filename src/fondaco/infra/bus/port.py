"""The bus port: durable-until-acknowledged streams, fire-and-forget channels, and last-value keys.

One port, several buses: the local hub (`fondaco.infra.bus.local`) and, across machines, a Valkey or Redis server
(`fondaco.infra.bus.valkey`). The words are Redis's, because users know them: a *stream* keeps entries until its
consumer *group* acknowledges them, a *channel* reaches whoever listens at that moment, a *key* holds the last value.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from fondaco.infra.errors import UserError


class Entry(NamedTuple):
    """One entry of a stream. The id is the bus's own and only says *which*, never *when* or *how many*."""

    id: str
    body: bytes


class Message(NamedTuple):
    """One message of a channel."""

    channel: str
    body: bytes


class BusUnavailableError(Exception):
    """The bus cannot be reached now. Callers wait and try again; nothing they sent is known to have arrived."""


class NoHouseError(BusUnavailableError, UserError):
    """Nothing answers at the place where this house's bus would be."""


class Bus(Protocol):
    """What every bus offers. All calls raise `BusUnavailableError` when the bus is away."""

    async def append(self, stream: str, body: bytes) -> str:
        """Add an entry and return its id. Waits while the stream is full: back pressure, never a silent drop.

        Writers of one process wait in line. Several processes may go in any order once there is room.
        """
        ...

    async def read(self, stream: str, group: str, *, max_entries: int, wait_s: float) -> list[Entry]:
        """Take entries that no reader of the group holds, at most ``max_entries``; wait up to ``wait_s`` for the first.

        An entry read and not acknowledged is handed out again when its reader's connection has gone. A hub sees that
        at once. A server of other machines sees it at once when the reader closed its bus, and else by its silence: a
        dead reader's entries come back after ``bus.claim_idle_ms``. Whoever gets `BusUnavailableError` from `read` or
        `ack` must let go of what it has read: it may be with others already.
        """
        ...

    async def ack(self, stream: str, group: str, entry_ids: Sequence[str]) -> None:
        """Say that these entries are safely stored. Acknowledging twice is harmless.

        The stream forgets what every group has acknowledged; a server of other machines, once all that is older is
        acknowledged too.
        """
        ...

    def tail(self, stream: str, group: str) -> AbstractAsyncContextManager[AsyncIterator[Entry]]:
        """Watch a stream without taking from it: every entry ``group`` has not acknowledged, then each new one.

        None twice, none missed. A watcher that falls too far behind is cut off with `BusUnavailableError`, and starts
        over. What the group acknowledges before the watcher has come to it may be left out.
        """
        ...

    async def publish(self, channel: str, body: bytes) -> None:
        """Send to whoever is subscribed now."""
        ...

    def subscribe(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Listen to channels; a name that ends in ``*`` listens to every channel with that beginning."""
        ...

    async def set(self, key: str, body: bytes) -> None:
        """Keep the last value under a key."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Read the last value of a key."""
        ...
