"""Where events go until the batch that they belong to is done.

A row of state is encoded as it is emitted: what changes later cannot change what was said. Frozen events wait as they
are, and `EventLog.take` encodes everything at once, as one MessagePack array.
"""

from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class EventLog:
    """Events since it was last taken. ``emit`` takes a frozen event, `emit_row` a row of state as it is now."""

    __slots__ = ("_events", "emit")

    def __init__(self) -> None:
        self._events: list[Any] = []
        self.emit = self._events.append
        """Add a frozen event. The list's own method: this is called several times for each command."""

    def emit_row(self, row: msgspec.Struct) -> None:
        """Add a row that may change later."""
        self._events.append(msgspec.Raw(_encode(row)))

    def take(self) -> bytes:
        """What was emitted since the last time: an array of events."""
        taken = _encode(self._events)
        self._events.clear()
        return taken
