"""The bus inside one process: every handle is a connection of its own to one hub, on one event loop.

`LocalBus.connect` gives another handle, as another process would have: when it closes, the entries that it read and
did not acknowledge go back to the stream, and its watchers end. `fondaco.infra.bus.socket` serves the same hub to
other processes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from fondaco.infra.bus.hub import WATCHER_ENDED, Group, Hub, Reader, Subscription, T, Watcher, checked
from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry, Message
from fondaco.infra.clock import now_us
from fondaco.infra.settings import BusSettings

R = TypeVar("R")

CLOSED = "This connection to the bus has been closed."


class Watched(AsyncIterator[T]):
    """Turns batches into single messages. Cancelling a wait for the next message loses none."""

    def __init__(self, fetch: Callable[[], Awaitable[Sequence[T]]]) -> None:
        self._fetch = fetch
        self._ready: deque[T] = deque()

    async def __anext__(self) -> T:
        while not self._ready:
            self._ready.extend(await self._fetch())
        return self._ready.popleft()


class LocalBus(Bus):
    """A handle on a hub in this process. Made with settings it brings a new hub; `connect` shares it."""

    def __init__(self, settings: BusSettings, *, hub: Hub | None = None, clock_us: Callable[[], int] = now_us) -> None:
        self._hub = hub or Hub(settings, clock_us)
        self._settings = settings
        self._reader = Reader()
        self._waits: set[asyncio.Future[Any]] = set()
        self._endings: dict[Watcher[Any], Callable[[], None]] = {}
        self._is_closed = False

    @contextmanager
    def connect(self) -> Iterator["LocalBus"]:
        """Another connection to the same hub. Closing it gives back what it read and did not acknowledge."""
        handle = self.connected()
        try:
            yield handle
        finally:
            handle.close()

    def connected(self) -> "LocalBus":
        """`connect` without the context: end it with `close`."""
        return LocalBus(self._settings, hub=self._hub)

    def close(self) -> None:
        """Give everything back. Waiting calls and iterators end with `BusUnavailableError`, as do later calls."""
        self._is_closed = True
        for wait in self._waits:
            if not wait.done():
                wait.set_exception(BusUnavailableError(CLOSED))
        for watcher in tuple(self._endings):
            self.unwatch(watcher)
        for group, held in self._reader.held.items():
            group.give_back(self._reader, tuple(held))

    async def append(self, stream: str, body: bytes) -> str:
        """Add an entry and return its id; waits its turn while the stream is full."""
        target = self._opened().stream(stream)
        if not target.is_full:
            return target.add(checked(body))
        written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        target.writers.append((written, checked(body)))
        return await self._until(written)

    async def read(self, stream: str, group: str, *, max_entries: int, wait_s: float) -> list[Entry]:
        """Take entries that no reader of the group holds; wait up to ``wait_s`` for the first."""
        source = self._opened().stream(stream).group(group)
        taken = source.take(self._reader, max_entries)
        if taken or wait_s <= 0:
            return taken
        try:
            async with asyncio.timeout(wait_s):
                while not taken:
                    await self._until_woken(source)
                    taken = source.take(self._reader, max_entries)
        except TimeoutError:
            return []
        return taken

    async def ack(self, stream: str, group: str, entry_ids: Sequence[str]) -> None:
        """Say that these entries are safely stored. Ids that the group does not wait for are ignored."""
        self._opened().stream(stream).ack(group, entry_ids)

    @asynccontextmanager
    async def tail(self, stream: str, group: str) -> AsyncIterator[AsyncIterator[Entry]]:
        """Watch a stream: every entry that ``group`` has not acknowledged, then each new one."""
        watcher = self.watch_stream(stream, group)
        try:
            yield Watched(watcher.next_batch)
        finally:
            self.unwatch(watcher)

    async def publish(self, channel: str, body: bytes) -> None:
        """Send to whoever is subscribed now."""
        self.publish_now(channel, body)

    @asynccontextmanager
    async def subscribe(self, *channels: str) -> AsyncIterator[AsyncIterator[Message]]:
        """Listen to channels; a name that ends in ``*`` listens to every channel with that beginning."""
        watcher = self.watch_channels(channels)
        try:
            yield Watched(watcher.next_batch)
        finally:
            self.unwatch(watcher)

    async def set(self, key: str, body: bytes) -> None:
        """Keep the last value under a key."""
        self._opened().values[key] = checked(body)

    async def get(self, key: str) -> bytes | None:
        """Read the last value of a key."""
        return self._opened().values.get(key)

    def publish_now(self, channel: str, body: bytes) -> None:
        """`publish` without a coroutine: it never waits."""
        self._opened().publish(Message(channel, checked(body)))

    def release(self, stream: str, group: str, entry_ids: Sequence[str]) -> None:
        """Give back entries that were read for a caller who no longer wants them."""
        self._opened().stream(stream).group(group).give_back(self._reader, entry_ids)

    def watch_stream(self, stream: str, group: str) -> Watcher[Entry]:
        """`tail` without the context: end it with `unwatch`."""
        source = self._opened().stream(stream)
        watcher = Watcher(self._settings.watcher_max_messages, source.unacknowledged(group))
        source.watchers.add(watcher)
        self._endings[watcher] = lambda: source.watchers.discard(watcher)
        return watcher

    def watch_channels(self, channels: Sequence[str]) -> Watcher[Message]:
        """`subscribe` without the context: end it with `unwatch`."""
        hub = self._opened()
        watcher: Watcher[Message] = Watcher(self._settings.watcher_max_messages)
        subscription = Subscription(channels, watcher)
        hub.subscribe(subscription)
        self._endings[watcher] = lambda: hub.unsubscribe(subscription)
        return watcher

    def unwatch(self, watcher: Watcher[Any]) -> None:
        """End a watcher. Ending it twice is harmless."""
        ending = self._endings.pop(watcher, None)
        if ending is not None:
            ending()
        watcher.end(WATCHER_ENDED)

    def _opened(self) -> Hub:
        if self._is_closed:
            raise BusUnavailableError(CLOSED)
        return self._hub

    async def _until_woken(self, group: Group) -> None:
        """Wait in line until the group may have something."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        group.waiters.append(woken)
        try:
            await self._until(woken)
        except BaseException:  # cancelled or closed, perhaps just after it was woken: the next in line must not miss it
            group.wake_one()
            raise

    async def _until(self, wait: asyncio.Future[R]) -> R:
        self._waits.add(wait)
        try:
            return await wait
        finally:
            self._waits.discard(wait)
