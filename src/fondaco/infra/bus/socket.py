"""The bus between processes on one machine: a hub behind a Unix socket, and the client that other processes use.

A connection is a reader: when it breaks, the hub hands what it held to others. The client connects again by itself;
while it is away every call raises `BusUnavailableError`, and iterators that were open end with it, because the hub no
longer knows their place.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import structlog

from fondaco.infra.bus.frames import (
    Ack,
    Append,
    Appended,
    BusProtocol,
    Done,
    Entries,
    Failed,
    Get,
    Messages,
    Next,
    Publish,
    Question,
    Read,
    Release,
    Reply,
    Set,
    Unwatch,
    Value,
    WatchChannels,
    WatchStream,
    reply_decoder,
    request_decoder,
)
from fondaco.infra.bus.hub import WATCHER_ENDED, T, Watcher, checked
from fondaco.infra.bus.local import LocalBus, Watched
from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry, Message
from fondaco.infra.settings import BusSettings
from fondaco.infra.unix_sockets import listening_socket, short_address

log = structlog.get_logger()

FIRST_RETRY_S = 0.02
LONGEST_RETRY_S = 1.0
MAX_APPENDS_IN_FLIGHT = 64
"""Appends of one client that the hub has not answered; further ones wait in the client."""
MAX_ACKS_PER_FRAME = 20_000

BROKEN = "The connection to the bus broke."

R = TypeVar("R", Done, Appended, Entries, Messages, Value)


class HubConnection(BusProtocol):
    """The hub's end of one connection."""

    def __init__(self, bus: LocalBus, connections: set["HubConnection"]) -> None:
        super().__init__()
        self._bus = bus
        self._connections = connections
        self._watchers: dict[int, Watcher[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the hub."""
        super().connection_made(transport)
        self._connections.add(self)

    def closed(self) -> None:
        """Leave the hub: what this connection held goes back."""
        self._connections.discard(self)
        for task in self._tasks:
            task.cancel()
        self._bus.close()

    def pause_writing(self) -> None:
        """A client that does not take its replies is not listened to."""
        super().pause_writing()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Listen to it again."""
        super().resume_writing()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def frame_received(self, frame: memoryview) -> None:
        """Do what needs no reply at once, and the rest in a task, because it may have to wait."""
        match request_decoder.decode(frame):
            case Publish(channel, body):
                self._bus.publish_now(channel, body)
            case Release(stream, group, entry_ids):
                self._bus.release(stream, group, entry_ids)
            case Unwatch(number):
                if (watcher := self._watchers.pop(number, None)) is not None:
                    self._bus.unwatch(watcher)
            case question:
                task = asyncio.get_running_loop().create_task(self._answer(question))
                self._tasks.add(task)
                task.add_done_callback(self._answered)

    async def _answer(self, question: Question) -> None:
        try:
            reply = await self._reply(question)
        except BusUnavailableError as error:
            reply = Failed(question.request, str(error))
        self.send(reply)

    async def _reply(self, question: Question) -> Reply:
        match question:
            case Append(request, stream, body):
                return Appended(request, await self._bus.append(stream, body))
            case Read(request, stream, group, max_entries, wait_s):
                return Entries(request, await self._bus.read(stream, group, max_entries=max_entries, wait_s=wait_s))
            case Ack(request, stream, group, entry_ids):
                await self._bus.ack(stream, group, entry_ids)
                return Done(request)
            case Set(request, key, body):
                await self._bus.set(key, body)
                return Done(request)
            case Get(request, key):
                return Value(request, await self._bus.get(key))
            case WatchStream(request, stream, group):
                self._watchers[request] = self._bus.watch_stream(stream, group)
                return Done(request)
            case WatchChannels(request, channels):
                self._watchers[request] = self._bus.watch_channels(channels)
                return Done(request)
            case Next(request, number):
                return await self._next(request, number)

    async def _next(self, request: int, number: int) -> Reply:
        watcher = self._watchers.get(number)
        if watcher is None:
            raise BusUnavailableError(WATCHER_ENDED)
        items = await watcher.next_batch()
        return Entries(request, items) if isinstance(items[0], Entry) else Messages(request, items)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A mistake of ours. The client is told by the broken connection; it would wait for ever otherwise.
            log.error("bus.request_failed", exc_info=error)
            self.abort()


@asynccontextmanager
async def serve_local_bus(path: Path, settings: BusSettings) -> AsyncIterator[LocalBus]:
    """Host the bus at ``path`` for other processes; yields a handle for this one.

    Raises `fondaco.infra.unix_sockets.SocketTakenError` when another living process does so already.
    """
    loop = asyncio.get_running_loop()
    connections: set[HubConnection] = set()
    bus = LocalBus(settings)
    with listening_socket(path) as listener:
        server = await loop.create_unix_server(lambda: HubConnection(bus.connected(), connections), sock=listener)
        try:
            yield bus
        finally:
            server.close()
            for connection in tuple(connections):
                connection.abort()
            bus.close()


class ClientConnection(BusProtocol):
    """The client's end of one connection."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = asyncio.Event()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    def frame_received(self, frame: memoryview) -> None:
        """Hand a reply to whoever asked."""
        reply = reply_decoder.decode(frame)
        waiting = self._waiting.pop(reply.request, None)
        if waiting is None or waiting.done():
            return
        if isinstance(reply, Failed):
            waiting.set_exception(BusUnavailableError(reply.reason))
        else:
            waiting.set_result(reply)

    def closed(self) -> None:
        """Tell everyone who waits."""
        self.lost.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(BusUnavailableError(BROKEN))
        self._waiting.clear()

    def number(self) -> int:
        """A number for the next question."""
        return next(self._numbers)

    async def say(self, message: Publish) -> None:
        """Send what has no reply; waits while the hub does not keep up."""
        await self.writable.wait()
        self._check()
        self.send(message)

    def ask(self, question: Question) -> asyncio.Future[Reply]:
        """Send a question; its reply comes later."""
        self._check()
        self.send(question)
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[question.request] = waiting
        return waiting

    async def answer(self, kind: type[R], question: Question) -> R:
        """Send a question, once the hub keeps up, and wait for its reply."""
        await self.writable.wait()
        return expect(kind, await self.ask(question))

    def _check(self) -> None:
        if self.lost.is_set():
            raise BusUnavailableError(BROKEN)


def expect(kind: type[R], reply: Reply) -> R:
    """The reply, which must be of this kind."""
    assert isinstance(reply, kind), reply
    return reply


class RemoteWatcher(Generic[T]):
    """A watcher that lives in the hub, read one batch at a time."""

    def __init__(self, connection: ClientConnection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._asked: asyncio.Future[Reply] | None = None

    async def next_batch(self) -> Sequence[T]:
        """Ask for what there is. A wait that is cancelled leaves its question standing for the next one."""
        if self._asked is None:
            self._asked = self._connection.ask(Next(self._connection.number(), self._number))
        reply = await asyncio.shield(self._asked)
        self._asked = None
        assert isinstance(reply, Entries | Messages), reply
        return cast("Sequence[T]", reply.items)

    def end(self) -> None:
        """Tell the hub that nobody looks any more."""
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(BusUnavailableError(WATCHER_ENDED))
            self._asked.exception()  # seen, whether or not anyone waits for it
        self._connection.send(Unwatch(self._number))


class SocketBus(Bus):
    """The bus of another process. Use it through `fondaco.infra.bus.open_bus`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: ClientConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._append_slots = asyncio.Semaphore(MAX_APPENDS_IN_FLIGHT)

    async def open(self) -> None:
        """Connect, and from then on connect again whenever the connection breaks. Raises `OSError` without a hub."""
        self._connection = await self._connected()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    async def close(self) -> None:
        """Leave. The hub gives what was read and not acknowledged to others."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._connection is not None:
            self._connection.abort()
            await self._connection.lost.wait()
            self._connection = None

    async def append(self, stream: str, body: bytes) -> str:
        """Add an entry and return its id; waits its turn while the stream is full."""
        checked(body)
        async with self._append_slots:
            connection = self._current()
            return (await connection.answer(Appended, Append(connection.number(), stream, body))).entry_id

    async def read(self, stream: str, group: str, *, max_entries: int, wait_s: float) -> list[Entry]:
        """Take entries that no reader of the group holds; wait up to ``wait_s`` for the first."""
        connection = self._current()
        await connection.writable.wait()
        asked = connection.ask(Read(connection.number(), stream, group, max_entries, wait_s))
        try:
            reply = await asyncio.shield(asked)
        except asyncio.CancelledError:
            # The hub may hand entries to this call still; nobody would ever acknowledge them.
            asked.add_done_callback(lambda done: _release(connection, stream, group, done))
            raise
        return expect(Entries, reply).items

    async def ack(self, stream: str, group: str, entry_ids: Sequence[str]) -> None:
        """Say that these entries are safely stored."""
        connection = self._current()
        for start in range(0, len(entry_ids), MAX_ACKS_PER_FRAME):
            some = tuple(entry_ids[start : start + MAX_ACKS_PER_FRAME])
            await connection.answer(Done, Ack(connection.number(), stream, group, some))

    @asynccontextmanager
    async def tail(self, stream: str, group: str) -> AsyncIterator[AsyncIterator[Entry]]:
        """Watch a stream: every entry that ``group`` has not acknowledged, then each new one."""
        connection = self._current()
        number = connection.number()
        await connection.answer(Done, WatchStream(number, stream, group))
        watcher: RemoteWatcher[Entry] = RemoteWatcher(connection, number)
        try:
            yield Watched(watcher.next_batch)
        finally:
            watcher.end()

    async def publish(self, channel: str, body: bytes) -> None:
        """Send to whoever is subscribed now."""
        await self._current().say(Publish(channel, checked(body)))

    @asynccontextmanager
    async def subscribe(self, *channels: str) -> AsyncIterator[AsyncIterator[Message]]:
        """Listen to channels; a name that ends in ``*`` listens to every channel with that beginning."""
        connection = self._current()
        number = connection.number()
        await connection.answer(Done, WatchChannels(number, channels))
        watcher: RemoteWatcher[Message] = RemoteWatcher(connection, number)
        try:
            yield Watched(watcher.next_batch)
        finally:
            watcher.end()

    async def set(self, key: str, body: bytes) -> None:
        """Keep the last value under a key."""
        connection = self._current()
        await connection.answer(Done, Set(connection.number(), key, checked(body)))

    async def get(self, key: str) -> bytes | None:
        """Read the last value of a key."""
        connection = self._current()
        return (await connection.answer(Value, Get(connection.number(), key))).body

    def _current(self) -> ClientConnection:
        if self._connection is None or self._connection.lost.is_set():
            raise BusUnavailableError("The bus of this house does not answer. It is tried again and again.")
        return self._connection

    async def _connected(self) -> ClientConnection:
        with short_address(self._path) as address:
            _, connection = await asyncio.get_running_loop().create_unix_connection(ClientConnection, address)
        return connection

    async def _keep_connected(self) -> None:
        while True:
            if self._connection is not None:
                await self._connection.lost.wait()
                log.warning("bus.lost", path=str(self._path))
            self._connection = await self._connected_again()
            log.info("bus.connected", path=str(self._path))

    async def _connected_again(self) -> ClientConnection:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                return await self._connected()
            except OSError:
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)


def _release(connection: ClientConnection, stream: str, group: str, done: asyncio.Future[Reply]) -> None:
    if done.cancelled() or done.exception() is not None:
        return
    taken = expect(Entries, done.result()).items
    connection.send(Release(stream, group, tuple(entry.id for entry in taken)))
