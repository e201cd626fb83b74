"""What the leader has committed, for whoever wants to hear of it: batch by batch, in order, without a gap.

The newest batches are kept, and a follower of the stream is no more than a place among them: a slow one costs nothing,
and one that was away for a moment goes on where it was. Whoever falls behind what is kept starts over, and is told so.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from typing import Final

from fondaco.engine.journal import Committed, Mark
from fondaco.engine.port import StartOver

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Events that are kept for the slow and for those who come back. The newest batch stays, however large it is."""


class Broadcast:
    """The batches since ``mark``.

    Args:
        mark: where the journal stands when this begins.
        kept_bytes: how much of what was is kept.
    """

    def __init__(self, mark: Mark, *, kept_bytes: int = KEPT_BYTES) -> None:
        self.mark = mark
        """The end of the newest batch."""
        self._begin = mark
        self._kept: deque[Committed] = deque()
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._news = asyncio.Event()
        self._is_open = True

    def publish(self, batch: Committed) -> None:
        """A batch is on disk."""
        self.mark = batch.mark
        self._kept.append(batch)
        self._bytes += len(batch.events)
        while self._bytes > self._kept_bytes and len(self._kept) > 1:
            oldest = self._kept.popleft()
            self._begin = oldest.mark
            self._bytes -= len(oldest.events)
        self._wake()

    def close(self) -> None:
        """Nothing more will come. What is kept is still handed out."""
        self._is_open = False
        self._wake()

    async def follow(self, after: Mark | None = None) -> AsyncGenerator[Committed | StartOver, None]:
        """Every batch after a place, also those to come, until this is closed.

        Without a place, and whenever what follows it is no longer kept, a `StartOver` says where the stream goes on.
        """
        while True:
            news = self._news
            if after is None or not self._is_kept(after):
                after = self.mark
                yield StartOver(after)
            for batch in self._since(after):
                yield batch
                after = batch.mark
                if not self._is_kept(after):
                    break
            if after == self.mark:
                if not self._is_open:
                    return
                await news.wait()

    def _is_kept(self, mark: Mark) -> bool:
        """Whether all that follows on this place is here. A place of another journal is none."""
        index = mark.batch_no - self._begin.batch_no
        if index == 0:
            return mark == self._begin
        return 0 < index <= len(self._kept) and self._kept[index - 1].mark == mark

    def _since(self, mark: Mark) -> Iterator[Committed]:
        return iter(list(islice(self._kept, mark.batch_no - self._begin.batch_no, None)))

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
