"""The bus over Valkey or Redis: the same promises as the local one, kept by a server that other machines reach too.

A handle is a reader. While it is open it says so (`BEAT`) every quarter of ``claim_idle_ms``; a reader that has been
silent for longer is dead, and what it held goes to others, as it does at once when a handle is closed. A handle looks
for the dead only once its own connection is that old: after the server was away, everybody had the same time to come
back.

While the server is away every call raises `BusUnavailableError`; the handle connects again by itself, as a new reader.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog

from fondaco.infra.bus.hub import (
    ENTRY_OVERHEAD_BYTES,
    MAX_BATCH_BYTES,
    WATCHER_ENDED,
    Subscription,
    T,
    Watcher,
    checked,
)
from fondaco.infra.bus.local import CLOSED, Watched
from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry, Message
from fondaco.infra.bus.valkey import scripts
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.appending import Appending
from fondaco.infra.bus.valkey.durability import check_durability
from fondaco.infra.bus.valkey.line import Reply
from fondaco.infra.bus.valkey.listening import listening
from fondaco.infra.bus.valkey.names import entries_bell, held_bytes, room_bell
from fondaco.infra.bus.valkey.scripts import AFTER_ALL, RETURNED
from fondaco.infra.bus.valkey.session import Session, open_session
from fondaco.infra.bus.valkey.tailing import Tail
from fondaco.infra.settings import BusSettings

log = structlog.get_logger()

FIRST_RETRY_S = 0.02
LONGEST_RETRY_S = 1.0
LOOK_AGAIN_S = 1.0
"""A reader that waits looks again after so long, should a bell have been missed."""
BEATS_PER_LIFE = 4
"""How often a reader says that it lives before it would be taken for dead."""
MAX_ACKS_PER_CALL = 1_000
ENTRY_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
AWAY = "The bus at {} does not answer. It is tried again and again."


class ValkeyBus(Bus):
    """A handle on a server, a reader of its own. Use it through `fondaco.infra.bus.opening.open_bus`."""

    def __init__(self, address: Address, settings: BusSettings) -> None:
        self._address = address
        self._settings = settings
        self._session: Session | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._appending: dict[str, Appending] = {}
        self._read_from: dict[tuple[str, str], None] = {}
        self._is_closed = False

    async def open(self) -> None:
        """Connect, and from then on connect again whenever that is needed.

        Raises:
            BusUnavailableError: nothing answers there, or it refuses us.
            NotDurableError: it would lose entries that it has taken.
        """
        self._session = await self._connected()
        self.start()

    def start(self) -> None:
        """`open` without waiting: until the server answers, calls raise `BusUnavailableError`."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    async def close(self) -> None:
        """Give back everything that was read and not acknowledged. What waits ends with `BusUnavailableError`."""
        self._is_closed = True
        for line in self._appending.values():
            line.close()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._session is not None:
            session, self._session = self._session, None
            try:
                await self._leave(session, session.reader)
            except BusUnavailableError as error:
                log.info("bus.left_without_a_word", error=str(error))  # others find out by its silence
            session.drop(CLOSED)
            await session.close()

    async def append(self, stream: str, body: bytes) -> str:
        """Add an entry and return its id; waits its turn while the stream is full."""
        checked(body)
        session = self._current()
        line = self._appending.get(stream)
        if line is None or line.session is not session:
            line = self._appending[stream] = Appending(session, stream, self._settings.stream_max_bytes)
        return await line.append(body)

    async def read(self, stream: str, group: str, *, max_entries: int, wait_s: float) -> list[Entry]:
        """Take entries that no reader of the group holds; wait up to ``wait_s`` for the first."""
        session = self._current()
        self._read_from[stream, group] = None
        if wait_s <= 0:
            return await self._take(session, stream, group, max_entries)
        bell = await session.bell(entries_bell(stream))
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    with bell.next() as ring:  # before looking, or one in between would be missed
                        if taken := await self._take(session, stream, group, max_entries):
                            return taken
                        await asyncio.wait((ring,), timeout=LOOK_AGAIN_S)
        except TimeoutError:
            return []

    async def ack(self, stream: str, group: str, entry_ids: Sequence[str]) -> None:
        """Say that these entries are safely stored. Ids that the group does not wait for are ignored."""
        session = self._current()
        ids = [each for each in entry_ids if ENTRY_ID.fullmatch(each)]
        keys, names = (stream, held_bytes(stream)), (group, RETURNED, ENTRY_OVERHEAD_BYTES, room_bell(stream))
        with reader_given_up(session):
            for start in range(0, len(ids), MAX_ACKS_PER_CALL):
                some = ids[start : start + MAX_ACKS_PER_CALL]
                await session.run(scripts.ACK, keys, *names, *some)

    @asynccontextmanager
    async def tail(self, stream: str, group: str) -> AsyncIterator[AsyncIterator[Entry]]:
        """Watch a stream: every entry that ``group`` has not acknowledged, then each new one."""
        session = self._current()
        watcher: Watcher[Entry] = Watcher(self._settings.watcher_max_messages)
        with ended_with(session, watcher):
            async with Tail(session, stream, group, watcher) as tail:
                yield Watched(tail.next_batch)

    async def publish(self, channel: str, body: bytes) -> None:
        """Send to whoever is subscribed now."""
        await self._current().wire.call("PUBLISH", channel, checked(body))

    @asynccontextmanager
    async def subscribe(self, *channels: str) -> AsyncIterator[AsyncIterator[Message]]:
        """Listen to channels; a name that ends in ``*`` listens to every channel with that beginning."""
        session = self._current()
        watcher: Watcher[Message] = Watcher(self._settings.watcher_max_messages)
        with ended_with(session, watcher):
            async with listening(session.ears, Subscription(channels, watcher)):
                yield Watched(watcher.next_batch)

    async def set(self, key: str, body: bytes) -> None:
        """Keep the last value under a key."""
        await self._current().wire.call("SET", key, checked(body))

    async def get(self, key: str) -> bytes | None:
        """Read the last value of a key."""
        value: bytes | None = await self._current().wire.call("GET", key)
        return value

    def _current(self) -> Session:
        if self._is_closed:
            raise BusUnavailableError(CLOSED)
        if self._session is None or self._session.is_lost:
            raise BusUnavailableError(AWAY.format(self._address))
        return self._session

    async def _take(self, session: Session, stream: str, group: str, most: int) -> list[Entry]:
        """One look. Cancelled, it gives back what is still handed out for it: nobody would ever acknowledge that."""
        asked = session.ask(scripts.TAKE, (stream,), group, session.reader, RETURNED, most, MAX_BATCH_BYTES)
        try:
            with reader_given_up(session):
                found = await session.answer(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: _give_back(session, stream, group, done))
            raise
        return [Entry(entry_id.decode(), body) for entry_id, body in found]

    async def _keep_connected(self) -> None:
        left: list[str] = []  # names under which we read, and of which others may still think that they hold something
        while True:
            if self._session is not None:
                await self._beat_until_lost(self._session)
                log.warning("bus.lost", address=str(self._address), reason=self._session.wire.reason)
                left.append(self._session.reader)
                await self._session.close()
            session = await self._connected_again()
            self._session = session
            try:
                while left:
                    await self._leave(session, left[-1])
                    left.pop()
            except BusUnavailableError as error:
                session.drop(str(error))
                await asyncio.sleep(LONGEST_RETRY_S)
            else:
                log.info("bus.connected", address=str(self._address))

    async def _beat_until_lost(self, session: Session) -> None:
        """Say that we live, and see that the server does, until it does not."""
        clock = asyncio.get_running_loop().time
        idle_ms = self._settings.claim_idle_ms
        every_s = idle_ms / BEATS_PER_LIFE / 1_000
        since = last = clock()
        while not session.is_lost:
            await asyncio.wait((session.lost,), timeout=every_s)
            # Who was held up himself does not judge the others: they may have been held up by the same.
            is_late, last = clock() - last > 2 * every_s, clock()
            longest = idle_ms if not is_late and (last - since) * 1_000 >= idle_ms else 0
            try:
                await asyncio.gather(session.ears.ping(), session.wire.call("PING"), self._beat(session, longest))
            except BusUnavailableError as error:
                log.warning("bus.beat_missed", error=str(error))  # lost: it ends; refused: the next beat may be taken

    async def _beat(self, session: Session, longest_idle_ms: int) -> None:
        for stream, group in tuple(self._read_from):
            names = (group, session.reader, RETURNED, entries_bell(stream))
            dead = await session.run(scripts.BEAT, (stream,), *names, longest_idle_ms, AFTER_ALL)
            if dead:
                log.warning("bus.readers_died", stream=stream, group=group, readers=dead)

    async def _leave(self, session: Session, reader: str) -> None:
        """What this reader held is others' now."""
        for stream, group in self._read_from:
            await session.run(scripts.LEAVE, (stream,), group, reader, RETURNED, entries_bell(stream))

    async def _connected_again(self) -> Session:
        retry_s, said = FIRST_RETRY_S, ""
        while True:
            try:
                return await self._connected()
            except BusUnavailableError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("bus.away", error=said)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    async def _connected(self) -> Session:
        session = await open_session(self._address)
        try:
            await check_durability(session.wire, self._address, accept_loss=self._settings.accept_loss)
        except BaseException:  # refused or cancelled: no session may stay open
            await session.close()
            raise
        return session


@contextmanager
def reader_given_up(session: Session) -> Iterator[None]:
    """End the session when reading or acknowledging fails, or is refused: its caller lets go of what it has read."""
    try:
        yield
    except BusUnavailableError as error:
        session.drop(str(error))
        raise


@contextmanager
def ended_with(session: Session, watcher: Watcher[T]) -> Iterator[None]:
    """See to it that a watcher ends with its session, or else with the block."""

    def end(_lost: asyncio.Future[None]) -> None:
        watcher.end(session.ears.reason)

    session.ears.lost.add_done_callback(end)
    try:
        yield
    finally:
        session.ears.lost.remove_done_callback(end)
        watcher.end(WATCHER_ENDED)


def _give_back(session: Session, stream: str, group: str, taken: asyncio.Future[Reply]) -> None:
    """Let others have what was taken for a caller who no longer wants it. A lost session gives back all by itself."""
    if taken.cancelled() or taken.exception() is not None or not taken.result() or session.is_lost:
        return
    ids = [entry_id.decode() for entry_id, _ in taken.result()]
    session.ask(scripts.GIVE_BACK, (stream,), group, session.reader, RETURNED, entries_bell(stream), *ids)
