"""What waits for one client of the stream: an outbox that a slow reader cannot fill.

It holds replies in order, at most *one* item per channel of public data, and account frames in order. While the client
takes its frames as they come, an item is the very frame that every other subscriber gets. When a second one comes
before the first has left, the two are merged: candles, prices, feed, quotes and levels of books keep the newest state,
ticks and trades the newest few thousand, and the frame says what was merged and dropped. A waiting snapshot swallows
updates altogether, since it is made only when it leaves.

Of the frames that tell how an account's margin stands the newest counts; its others are neither merged nor dropped. A
client that lets more of them wait than `MAX_TOLD_BYTES` is told up to where it has been sent each account, and cut off;
there it can go on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from fondaco.gateways.ws.desk_frames import MarginFrame
from fondaco.gateways.ws.house_frames import HouseUpdate, merge_house_updates
from fondaco.gateways.ws.messages import Channel, Error, Update, encode, margin_channel, merge_updates
from fondaco.gateways.ws.protocol import text_frame
from fondaco.infra.metrics import Metrics

MAX_REPLIES: Final = 100
"""Replies that may wait; while there are more, nothing further is read from the client."""
MAX_WAITING_LEVELS: Final = 10_000
"""Changed levels of a book that may wait for a slow reader; beyond that it gets a snapshot instead."""
MAX_TOLD_BYTES: Final = 4 * 1024 * 1024
"""Account frames that may wait. The newest always may, however long it is."""

TOO_SLOW: Final = 4008


class Closing(NamedTuple):
    """How the stream ends."""

    code: int
    reason: str


class Frame(NamedTuple):
    """An update, its JSON, and the WebSocket frame around it; shared by all subscribers."""

    update: Update | HouseUpdate | MarginFrame
    payload: bytes
    wire: bytes


WriteFrame: TypeAlias = Callable[[bytes], bool]
"""Writes a ready WebSocket frame, unless the client is behind: then it says False and writes nothing."""


class Outbox:
    """What waits for one client."""

    def __init__(
        self,
        max_ticks: int,
        snapshot: Callable[[Channel], bytes],
        metrics: Metrics,
        write_frame: WriteFrame | None = None,
    ) -> None:
        self._max_ticks = max_ticks
        self._snapshot = snapshot
        self._metrics = metrics
        self._write_frame = write_frame
        self._is_idle = True
        self._replies: deque[bytes] = deque()
        self._told: deque[tuple[Channel, int, bytes]] = deque()
        self._told_bytes = 0
        self._sent_seqs: dict[Channel, int] = {}
        self._items: dict[Channel, Frame | Update | HouseUpdate | MarginFrame | None] = {}
        self._closing: Closing | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def reply(self, frame: msgspec.Struct) -> None:
        """Write a reply at once if nothing waits; else add it. Replies leave before updates."""
        payload = encode(frame)
        if self._is_written(payload):
            return
        self._replies.append(payload)
        if len(self._replies) >= MAX_REPLIES:
            self._room.clear()
        self._news.set()

    async def room(self) -> None:
        """Wait until replies fit in."""
        await self._room.wait()

    def offer(self, channel: Channel, frame: Frame) -> None:
        """Write an update at once if nothing waits; else add it, merged with one that still waits."""
        if self._is_idle and self._write_frame is not None and self._write_frame(frame.wire):
            return
        self._is_idle = False
        if channel not in self._items:
            self._items[channel] = frame
            self._news.set()
            return
        waiting = self._items[channel]
        if waiting is None:
            return
        older = waiting.update if isinstance(waiting, Frame) else waiting
        self._items[channel], gave_way = self._merged(older, frame.update)
        self._metrics.stream_conflated.inc()
        self._metrics.stream_dropped.inc(gave_way)

    def tell(self, channel: Channel, seq: int, payload: bytes) -> None:
        """Add a frame of an account, which ends at this command; cut off a client that lets too many wait."""
        if self._closing is not None:
            return
        if self._is_written(payload):
            self._sent_seqs[channel] = seq
            return
        self._told.append((channel, seq, payload))
        self._told_bytes += len(payload)
        self._news.set()
        if self._told_bytes > MAX_TOLD_BYTES and len(self._told) > 1:
            self._cut_off()

    def want_snapshot(self, channel: Channel) -> None:
        """Send the channel's state anew, instead of whatever waits."""
        self._is_idle = False
        self._items[channel] = None
        self._news.set()

    def forget(self, channel: Channel) -> None:
        """Drop what waits for a channel."""
        self._items.pop(channel, None)
        self._items.pop(margin_channel(channel.account_id), None)
        self._sent_seqs.pop(channel, None)
        self._told = deque(each for each in self._told if each[0] != channel)
        self._told_bytes = sum(len(payload) for _, _, payload in self._told)

    def close(self, closing: Closing) -> None:
        """End the stream after the replies, leaving updates unsent."""
        self._is_idle = False
        self._closing = self._closing or closing
        self._items.clear()
        self._told.clear()
        self._news.set()

    async def next(self) -> bytes | Closing:
        """What leaves next, as soon as there is something. Asking says that what was taken before has left."""
        while (taken := self.take()) is None:
            self._news.clear()
            await self._news.wait()
        return taken

    def take(self) -> bytes | Closing | None:
        """What leaves next, or None when nothing waits."""
        if self._replies:
            reply = self._replies.popleft()
            if len(self._replies) < MAX_REPLIES:
                self._room.set()
            return reply
        if self._closing is not None:
            return self._closing
        if self._told:
            channel, self._sent_seqs[channel], payload = self._told.popleft()
            self._told_bytes -= len(payload)
            return payload
        if self._items:
            return self._next_item()
        self._is_idle = True
        return None

    def _next_item(self) -> bytes:
        channel, item = next(iter(self._items.items()))
        # A snapshot goes on waiting while it is made: what is published meanwhile is in it, and must not follow it.
        payload = self._snapshot(channel) if item is None else item.payload if isinstance(item, Frame) else encode(item)
        self._items.pop(channel, None)
        return payload

    def _is_written(self, payload: bytes) -> bool:
        """Write a frame at once, if nothing waits and the client keeps up. Else something is about to wait."""
        if self._is_idle and self._write_frame is not None and self._write_frame(text_frame(payload)):
            return True
        self._is_idle = False
        return False

    def _merged(
        self, older: Update | HouseUpdate | MarginFrame, newer: Update | HouseUpdate | MarginFrame
    ) -> tuple[Update | HouseUpdate | MarginFrame | None, int]:
        if isinstance(newer, MarginFrame):
            return newer, 0
        if isinstance(newer, HouseUpdate):
            assert isinstance(older, HouseUpdate)
            return merge_house_updates(older, newer, max_trades=self._max_ticks, max_levels=MAX_WAITING_LEVELS)
        assert isinstance(older, Update)
        return merge_updates(older, newer, max_ticks=self._max_ticks)

    def _cut_off(self) -> None:
        resume = {channel.name: seq for channel, seq in self._sent_seqs.items()}
        sentence = (
            "More account frames wait than this connection may hold. Connect again and go on where `resume` says."
        )
        self.reply(Error(None, "too_slow", sentence, resume=resume))
        self.close(Closing(TOO_SLOW, "too_slow"))
