"""One client of the stream: what it listens to, and an outbox that a slow reader cannot fill.

The outbox holds replies in order and at most *one* item per channel. While the client takes its frames as they come, an
item is the very frame that every other subscriber gets. When a second one comes before the first has left, the two are
merged: candles, prices and feed keep the newest state, ticks the newest few thousand, and the frame says how many were
merged and dropped. A waiting snapshot swallows updates altogether, since it is made only when it leaves.

`run` has two sides: one task reads and obeys, one writes and waits as long as the client makes it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from fondaco.core.listings import Catalogue
from fondaco.gateways.asgi import Receive, Send
from fondaco.gateways.ws.messages import (
    Channel,
    Error,
    Ping,
    Pong,
    RequestId,
    StreamError,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Update,
    decode,
    encode,
    merge_updates,
    parse_channel,
)
from fondaco.infra.metrics import Metrics

MAX_REPLIES = 100
"""Replies that may wait; while there are more, nothing further is read from the client."""

TOO_LONG = 1009
GOING_AWAY = 1001


class Limits(NamedTuple):
    """What one client may ask for."""

    max_subscriptions: int
    max_message_bytes: int
    max_waiting_ticks: int


class Closing(NamedTuple):
    """How the stream ends."""

    code: int
    reason: str


class Frame(NamedTuple):
    """An update, its JSON, and the WebSocket frame around it; shared by all subscribers."""

    update: Update
    payload: bytes
    wire: bytes


WriteFrame: TypeAlias = Callable[[bytes], bool]
"""Writes a ready WebSocket frame, unless the client is behind: then it says False and writes nothing."""


class Publisher(Protocol):
    """Whoever sends the frames of channels."""

    def join(self, session: "Session", channel: Channel) -> None:
        """Send a snapshot, and updates from now on."""
        ...

    def leave(self, session: "Session", channel: Channel) -> None:
        """Send no more."""
        ...

    def snapshot(self, channel: Channel) -> bytes:
        """The snapshot of a channel as it stands now, as JSON."""
        ...


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
        self._items: dict[Channel, Frame | Update | None] = {}
        self._closing: Closing | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def reply(self, frame: msgspec.Struct) -> None:
        """Add a reply; replies leave before updates."""
        self._is_idle = False
        self._replies.append(encode(frame))
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
        self._items[channel], gave_way = merge_updates(older, frame.update, max_ticks=self._max_ticks)
        self._metrics.stream_conflated.inc()
        self._metrics.stream_dropped.inc(gave_way)

    def want_snapshot(self, channel: Channel) -> None:
        """Send the channel's state anew, instead of whatever waits."""
        self._is_idle = False
        self._items[channel] = None
        self._news.set()

    def forget(self, channel: Channel) -> None:
        """Drop what waits for a channel."""
        self._items.pop(channel, None)

    def close(self, closing: Closing) -> None:
        """End the stream after the replies, leaving updates unsent."""
        self._is_idle = False
        self._closing = self._closing or closing
        self._items.clear()
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
        if self._items:
            return self._next_item()
        self._is_idle = True
        return None

    def _next_item(self) -> bytes:
        channel = next(iter(self._items))
        item = self._items.pop(channel)
        if item is None:
            return self._snapshot(channel)
        return item.payload if isinstance(item, Frame) else encode(item)


class Session:
    """One open stream."""

    def __init__(
        self,
        publisher: Publisher,
        catalogue: Catalogue,
        limits: Limits,
        metrics: Metrics,
        write_frame: WriteFrame | None = None,
    ) -> None:
        self._publisher = publisher
        self._catalogue = catalogue
        self._limits = limits
        self._channels: set[Channel] = set()
        self.outbox = Outbox(limits.max_waiting_ticks, publisher.snapshot, metrics, write_frame)

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve until the client leaves or the outbox is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(send))
                await self._read(receive)
                writer.cancel()
        finally:
            for channel in self._channels:
                self._publisher.leave(self, channel)

    async def _read(self, receive: Receive) -> None:
        while True:
            await self.outbox.room()
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            self.obey(message.get("text"))

    async def _write(self, send: Send) -> None:
        while True:
            match await self.outbox.next():
                case Closing(code, reason):
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                case payload:
                    await send({"type": "websocket.send", "text": payload.decode(), "bytes": None})

    def obey(self, text: str | None) -> None:
        """Do what one message of the client says; None is a binary frame."""
        if text is not None and self._is_too_long(text):
            self._refuse_too_long()
            return
        request_id: RequestId = None
        try:
            message = decode(text)
            request_id = message.id
            match message:
                case Subscribe(channels):
                    self._subscribe(channels, request_id)
                case Unsubscribe(channels):
                    self._unsubscribe(channels, request_id)
                case Ping():
                    self.outbox.reply(Pong(request_id))
        except StreamError as error:
            self.outbox.reply(Error(request_id, error.code, error.message))

    def _subscribe(self, names: list[str], request_id: RequestId) -> None:
        channels = [parse_channel(name, self._catalogue) for name in names]
        if len(self._channels.union(channels)) > self._limits.max_subscriptions:
            raise StreamError(
                "too_many_subscriptions",
                f"One connection may listen to {self._limits.max_subscriptions} channels; none of these was added.",
            )
        self.outbox.reply(Subscribed(request_id, [channel.name for channel in channels]))
        for channel in channels:
            self._channels.add(channel)
            self._publisher.join(self, channel)

    def _unsubscribe(self, names: list[str], request_id: RequestId) -> None:
        channels = [parse_channel(name, self._catalogue) for name in names]
        for channel in channels:
            self._channels.discard(channel)
            self._publisher.leave(self, channel)
            self.outbox.forget(channel)
        self.outbox.reply(Unsubscribed(request_id, [channel.name for channel in channels]))

    def _is_too_long(self, text: str) -> bool:
        most = self._limits.max_message_bytes
        return len(text) > most or len(text.encode()) > most

    def _refuse_too_long(self) -> None:
        most = self._limits.max_message_bytes
        self.outbox.reply(Error(None, "message_too_long", f"A message may have {most} bytes."))
        self.outbox.close(Closing(TOO_LONG, "message_too_long"))
