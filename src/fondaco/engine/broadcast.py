"""What the leader has committed, for whoever wants to hear of it: handed out batch by batch, in order, without a gap.

The newest batches are kept, so that a listener who was away for a moment can go on where it was. One that has been away
for longer begins anew: what it missed stands in the tables.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from fondaco.engine.journal import Committed, Mark

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Events that are kept for those who come back. The newest batch stays, however large it is."""

Hear = Callable[[Committed], None]


class Broadcast:
    """The batches since ``mark``.

    Args:
        mark: where the journal stood when this began.
        kept_bytes: how much of what was is kept.
    """

    def __init__(self, mark: Mark, *, kept_bytes: int = KEPT_BYTES) -> None:
        self.mark = mark
        """The end of the newest batch."""
        self._begin = mark
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._kept: deque[Committed] = deque()
        self._listeners: dict[Hear, None] = {}

    def publish(self, batch: Committed) -> None:
        """A batch is on disk."""
        self.mark = batch.mark
        self._kept.append(batch)
        self._bytes += len(batch.events)
        while self._bytes > self._kept_bytes and len(self._kept) > 1:
            oldest = self._kept.popleft()
            self._begin = oldest.mark
            self._bytes -= len(oldest.events)
        for hear in list(self._listeners):
            hear(batch)

    def since(self, mark: Mark) -> list[Committed] | None:
        """The batches after that place; None when they are not all here, or the place is of another journal."""
        if mark == self._begin:
            return list(self._kept)
        for index, batch in enumerate(self._kept):
            if batch.mark == mark:
                return list(self._kept)[index + 1 :]
        return None

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Have each further batch handed over as soon as it is on disk; returns what ends that."""
        self._listeners[hear] = None
        return lambda: self._listeners.pop(hear, None) and None
