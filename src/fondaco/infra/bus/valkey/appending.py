"""The line of writers of one stream: each waits its turn, and as many as have come together go in one step.

The server answers once its disk has them, so the more go together, the less each waits for the disk. While the stream
is full the line stands still; it moves on when the bell of the stream says that something was forgotten.
"""

import asyncio
from collections import deque

from fondaco.infra.bus.hub import ENTRY_OVERHEAD_BYTES, MAX_BATCH_BYTES
from fondaco.infra.bus.local import CLOSED
from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.bus.valkey.names import entries_bell, held_bytes, news, room_bell
from fondaco.infra.bus.valkey.scripts import APPEND
from fondaco.infra.bus.valkey.session import Bell, Session

MAX_PER_STEP = 200
LOOK_AGAIN_S = 1.0
"""A full stream is tried again after so long, should a bell have been missed."""


class Appending:
    """The writers of this process for one stream, for as long as a session lasts."""

    def __init__(self, session: Session, stream: str, most_bytes: int) -> None:
        self.session = session
        self._stream = stream
        self._most_bytes = most_bytes
        self._line: deque[tuple[asyncio.Future[str], bytes]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def append(self, body: bytes) -> str:
        """Add an entry and return its id. Cancelled, it leaves the line, unless it is under way already."""
        written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._line.append((written, body))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())
        return await written

    def close(self) -> None:
        """Send everyone away."""
        if self._worker is not None:
            self._worker.cancel()
        self._send_away(BusUnavailableError(CLOSED))

    async def _work(self) -> None:
        try:
            await self._move_the_line()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._send_away(error)

    async def _move_the_line(self) -> None:
        room: Bell | None = None
        while batch := self._next_step():
            if room is None:
                if not await self._step(batch):
                    room = await self.session.bell(room_bell(self._stream))
                continue
            with room.next() as ring:
                if not await self._step(batch):
                    await asyncio.wait((ring,), timeout=LOOK_AGAIN_S)

    async def _step(self, batch: list[tuple[asyncio.Future[str], bytes]]) -> bool:
        """Append what there is room for; False when some had to stay in line."""
        keys = (self._stream, held_bytes(self._stream))
        channels = (news(self._stream), entries_bell(self._stream))
        bodies = [body for _, body in batch]
        ids = await self.session.run(APPEND, keys, self._most_bytes, ENTRY_OVERHEAD_BYTES, *channels, *bodies)
        for entry_id in ids:
            written, _ = self._line.popleft()
            if not written.done():
                written.set_result(entry_id.decode())
        return len(ids) == len(batch)

    def _next_step(self) -> list[tuple[asyncio.Future[str], bytes]]:
        """The head of the line, as much as goes in one step. Those who have given up leave it."""
        self._line = deque(each for each in self._line if not each[0].done())
        batch: list[tuple[asyncio.Future[str], bytes]] = []
        room = MAX_BATCH_BYTES
        for each in self._line:
            room -= len(each[1])
            if batch and (room < 0 or len(batch) == MAX_PER_STEP):
                break
            batch.append(each)
        return batch

    def _send_away(self, error: Exception) -> None:
        for written, _ in self._line:
            if not written.done():
                written.set_exception(error)
        self._line.clear()
