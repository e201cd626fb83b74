"""What a bus on this machine remembers: streams with their groups, channels with their subscribers, keys.

Plain state and plain functions; only `Watcher.next_batch` waits. `fondaco.infra.bus.local` adds the waiting of
writers and readers, `fondaco.infra.bus.socket` the other processes.

Invariants, for each group: an entry is unacknowledged exactly while ``holder_of`` has it; it is held by at most one
reader; one that nobody holds stands in ``fresh`` (never handed out) or ``returned`` (its reader went away), and
everything in ``returned`` is older than everything in ``fresh``. A stream keeps an entry until every group that it
knows has acknowledged it; while it knows none, it keeps all.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from fondaco.infra.bus.port import BusUnavailableError, Entry, Message
from fondaco.infra.settings import BusSettings

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Longest body of an entry, a message or a value."""
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Bodies handed out in one go come to no more than this, unless a single one does."""
MAX_WATCH_BATCH = 1_000
"""Most messages that a watcher takes in one go."""
ENTRY_OVERHEAD_BYTES = 256
"""What an entry costs beside its body; counted, so that a flood of empty entries fills a stream too."""

WATCHER_ENDED = "This watcher has ended."

T = TypeVar("T", bound=Entry | Message)


class BodyTooLargeError(ValueError):
    """A body longer than `MAX_BODY_BYTES`. A mistake of the caller's; trying again does not help."""


def checked(body: bytes) -> bytes:
    """Return the body, or refuse one that is too long."""
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"A body on the bus may have {MAX_BODY_BYTES} bytes; this one has {len(body)}.")
    return body


class Reader:
    """Who holds entries: one connection. What it holds goes back when it closes."""

    def __init__(self) -> None:
        self.held: dict[Group, set[str]] = {}


class Group:
    """A consumer group of one stream: what it has not acknowledged, and who holds it."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self._bodies = bodies
        self.holder_of: dict[str, Reader | None] = dict.fromkeys(bodies)
        self._fresh = deque(bodies)
        self._returned: list[str] = []  # a heap
        self.waiters: deque[asyncio.Future[None]] = deque()

    def add(self, entry_id: str) -> None:
        """Take in a new entry of the stream."""
        self.holder_of[entry_id] = None
        self._fresh.append(entry_id)
        self.wake_one()

    def take(self, reader: Reader, max_entries: int) -> list[Entry]:
        """Hand out the oldest entries that nobody holds."""
        taken: list[Entry] = []
        room = MAX_BATCH_BYTES
        held = reader.held.setdefault(self, set())
        while len(taken) < max_entries and (queue := self._oldest_queue()) is not None:
            entry_id = queue[0]
            body = self._bodies[entry_id]
            room -= len(body)
            if taken and room < 0:
                break
            self._drop_first(queue)
            self.holder_of[entry_id] = reader
            held.add(entry_id)
            taken.append(Entry(entry_id, body))
        if self._oldest_queue() is not None:
            self.wake_one()
        return taken

    def give_back(self, reader: Reader, entry_ids: Iterable[str]) -> None:
        """Let others have what ``reader`` holds of these."""
        held = reader.held.get(self, set())
        for entry_id in held.intersection(entry_ids):
            held.discard(entry_id)
            self.holder_of[entry_id] = None
            heapq.heappush(self._returned, entry_id)
        self.wake_one()

    def ack(self, entry_id: str) -> bool:
        """Strike an entry off; says whether it was still unacknowledged."""
        if entry_id not in self.holder_of:
            return False
        holder = self.holder_of.pop(entry_id)
        if holder is not None:
            holder.held[self].discard(entry_id)
        return True

    def wake_one(self) -> None:
        """Tell the reader that has waited longest to look again."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _oldest_queue(self) -> deque[str] | list[str] | None:
        """The queue whose first entry is the oldest one free. What was acknowledged meanwhile is dropped on the way."""
        for queue in (self._returned, self._fresh):
            while queue and queue[0] not in self.holder_of:
                self._drop_first(queue)
            if queue:
                return queue
        return None

    @staticmethod
    def _drop_first(queue: deque[str] | list[str]) -> None:
        if isinstance(queue, deque):
            queue.popleft()
        else:
            heapq.heappop(queue)


class Watcher(Generic[T]):
    """Messages that wait for one watcher. It may begin with a backlog; beyond that at most ``limit`` may wait."""

    def __init__(self, limit: int, backlog: Iterable[T] = ()) -> None:
        self._limit = limit
        self._waiting: deque[T] = deque(backlog)
        self._backlog = len(self._waiting)
        self._news = asyncio.Event()
        self._ended: str | None = None

    def push(self, item: T) -> None:
        """Add a message, or cut off a watcher that is too far behind."""
        if self._ended is not None:
            return
        if len(self._waiting) - self._backlog >= self._limit:
            self.end(f"This watcher was cut off: more than {self._limit} messages waited for it. Start over.")
            return
        self._waiting.append(item)
        self._news.set()

    def end(self, reason: str) -> None:
        """Stop watching: whoever waits gets `BusUnavailableError`, and what waited is let go."""
        self._ended = self._ended or reason
        self._waiting.clear()
        self._news.set()

    def require_open(self) -> None:
        """Raise `BusUnavailableError` when the watcher has ended."""
        if self._ended is not None:
            raise BusUnavailableError(self._ended)

    async def next_batch(self) -> list[T]:
        """Take what waits, at least one message. Cancelling takes nothing."""
        while not self._waiting:
            self.require_open()
            self._news.clear()
            await self._news.wait()
        return self._take()

    def _take(self) -> list[T]:
        taken: list[T] = []
        room = MAX_BATCH_BYTES
        while self._waiting and len(taken) < MAX_WATCH_BATCH:
            room -= len(self._waiting[0].body)
            if taken and room < 0:
                break
            taken.append(self._waiting.popleft())
        self._backlog = max(0, self._backlog - len(taken))
        return taken


class Stream:
    """Entries in the order of their ids, the groups that read them and the watchers that look on."""

    def __init__(self, settings: BusSettings, first_id: int) -> None:
        self._max_bytes = settings.stream_max_bytes
        self._next_id = first_id
        self.bodies: dict[str, bytes] = {}
        self.byte_count = 0
        self.groups: dict[str, Group] = {}
        self.watchers: set[Watcher[Entry]] = set()
        self.writers: deque[tuple[asyncio.Future[str], bytes]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether a writer has to wait. Never while there is room: whatever makes room admits the writers in line."""
        return self.byte_count > self._max_bytes

    def group(self, name: str) -> Group:
        """The group of this name; a new one begins with everything that the stream still has."""
        if name not in self.groups:
            self.groups[name] = Group(self.bodies)
        return self.groups[name]

    def add(self, body: bytes) -> str:
        """Append without waiting. Ids have a fixed width, so that their text sorts as their number does."""
        entry = Entry(f"{self._next_id:020d}", body)
        self._next_id += 1
        self.bodies[entry.id] = body
        self.byte_count += len(body) + ENTRY_OVERHEAD_BYTES
        for group in self.groups.values():
            group.add(entry.id)
        for watcher in self.watchers:
            watcher.push(entry)
        return entry.id

    def ack(self, group_name: str, entry_ids: Iterable[str]) -> None:
        """Strike entries off for a group, forget those that every group has done with, and let writers go on."""
        group = self.groups.get(group_name)
        if group is None:
            return
        for entry_id in entry_ids:
            if group.ack(entry_id) and not any(entry_id in other.holder_of for other in self.groups.values()):
                self.byte_count -= len(self.bodies.pop(entry_id)) + ENTRY_OVERHEAD_BYTES
        self._admit_writers()

    def unacknowledged(self, group_name: str) -> list[Entry]:
        """Everything that the group has not acknowledged, oldest first."""
        group = self.groups.get(group_name)
        return [Entry(*each) for each in self.bodies.items() if group is None or each[0] in group.holder_of]

    def _admit_writers(self) -> None:
        while self.writers and not self.is_full:
            written, body = self.writers.popleft()
            if not written.done():
                written.set_result(self.add(body))


class Subscription:
    """The channels that one watcher listens to."""

    def __init__(self, channels: Sequence[str], watcher: Watcher[Message]) -> None:
        self.names = frozenset(each for each in channels if not each.endswith("*"))
        self.prefixes = tuple(each[:-1] for each in channels if each.endswith("*"))
        self.watcher = watcher


class Hub:
    """Everything that a bus on this machine remembers."""

    def __init__(self, settings: BusSettings, clock_us: Callable[[], int]) -> None:
        self.settings = settings
        self.values: dict[str, bytes] = {}
        self._clock_us = clock_us
        self._streams: dict[str, Stream] = {}
        self._by_name: dict[str, dict[Subscription, None]] = {}
        self._by_prefix: dict[Subscription, None] = {}

    def stream(self, name: str) -> Stream:
        """The stream of this name, made at first use.

        Its ids begin at the wall clock, so an id given out by a hub that has died names nothing in its successor.
        """
        if name not in self._streams:
            self._streams[name] = Stream(self.settings, self._clock_us())
        return self._streams[name]

    def publish(self, message: Message) -> None:
        """Hand a message to every subscriber, once each."""
        for subscription in self._by_name.get(message.channel, ()):
            subscription.watcher.push(message)
        for subscription in self._by_prefix:
            if message.channel.startswith(subscription.prefixes) and message.channel not in subscription.names:
                subscription.watcher.push(message)

    def subscribe(self, subscription: Subscription) -> None:
        """Start to listen."""
        for name in subscription.names:
            self._by_name.setdefault(name, {})[subscription] = None
        if subscription.prefixes:
            self._by_prefix[subscription] = None

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop listening."""
        for name in subscription.names:
            self._by_name[name].pop(subscription, None)
            if not self._by_name[name]:
                del self._by_name[name]
        self._by_prefix.pop(subscription, None)
