"""The stream `/api/v1/stream`: a plain ASGI app that fans the live board out to its subscribers.

Changes are gathered for `stream.flush_ms` and leave in one frame per channel, encoded once; the same text goes to every
subscriber. The first change after a quiet moment leaves at once, and while nothing changes nothing runs. A subscriber
that does not read costs its own outbox and nobody else anything.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec
import structlog

from fondaco.core.listings import Catalogue
from fondaco.gateways.asgi import Receive, Scope, Send
from fondaco.gateways.ws.accounts import AccountStreams
from fondaco.gateways.ws.board import Board
from fondaco.gateways.ws.floor import Floor
from fondaco.gateways.ws.house_frames import HouseUpdate
from fondaco.gateways.ws.listener import Listener
from fondaco.gateways.ws.messages import HOUSE_KINDS, Channel, Kind, RequestId, Snapshot, Update, encode
from fondaco.gateways.ws.outbox import Closing, Frame
from fondaco.gateways.ws.protocol import EXTENSION, text_frame
from fondaco.gateways.ws.session import GOING_AWAY, Limits, Session
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import StreamSettings

STREAM_PATH = "/api/v1/stream"
TRY_AGAIN_LATER = 1013
GOODBYE_S = 1.0
"""How long a stop waits for clients to take their goodbye; one that does not read is cut off."""

log = structlog.get_logger()


class Topic:
    """A channel that somebody listens to."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.sessions: dict[Session, None] = {}
        self.snapshot: bytes | None = None


class Stream:
    """Accepts clients, keeps the board up with the bus, and flushes it; and tells what the house's own exchange did."""

    def __init__(
        self,
        settings: StreamSettings,
        database: Database,
        bus: Bus,
        catalogue: Catalogue,
        metrics: Metrics,
        floor: Floor,
        accounts: AccountStreams,
    ) -> None:
        self._settings = settings
        self._floor = floor
        self._accounts = accounts
        self._catalogue = catalogue
        self._metrics = metrics
        self._changed = asyncio.Event()
        self.board = Board(
            catalogue, keep_candles=settings.snapshot_candles, max_ticks=settings.max_waiting_ticks, clock_us=now_us
        )
        self._listener = Listener(
            self.board, bus, database, metrics, candles=settings.snapshot_candles, changed=self._changed.set
        )
        floor.exchange.changed = self._changed.set
        self._limits = Limits(
            settings.max_subscriptions,
            settings.max_message_bytes,
            settings.max_waiting_ticks,
            settings.max_commands,
        )
        self._topics: dict[Channel, Topic] = {}
        self._seqs: dict[Channel, int] = {}
        self._sessions: set[Session] = set()
        self._is_closing = False
        self._nobody_left = asyncio.Event()
        self._nobody_left.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the board live while the application runs; say goodbye to every client at the end."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listener.run())
            flushing = tasks.create_task(self._flush_forever())
            yield
            await self.close()
            listening.cancel()
            flushing.cancel()

    async def close(self) -> None:
        """Tell every client that the server goes away, take no more, and wait a moment until they have heard it."""
        self._is_closing = True
        for session in self._sessions:
            session.outbox.close(Closing(GOING_AWAY, "going_away"))
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._nobody_left.wait()
        except TimeoutError:
            log.info("stream.left_behind", sessions=len(self._sessions))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client until it leaves."""
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        if (refusal := self._refusal()) is not None:
            await send({"type": "websocket.close", "code": refusal.code, "reason": refusal.reason})
            return
        session = Session(
            self, self._catalogue, self._floor, self._limits, self._metrics, scope["extensions"].get(EXTENSION)
        )
        self._sessions.add(session)
        self._count_sessions()
        try:
            await session.run(receive, send)
        finally:
            self._sessions.discard(session)
            self._count_sessions()

    def join(self, session: Session, channel: Channel, after_seq: int | None, request_id: RequestId) -> None:
        """Send a snapshot, and updates from now on; of an account what came after a command, where that is given."""
        if channel.kind is Kind.ACCOUNT:
            self._accounts.join(session, channel, after_seq, request_id)
            return
        if channel not in self._topics:
            self._topics[channel] = Topic(self._seqs.get(channel, 0))
        self._topics[channel].sessions[session] = None
        session.outbox.want_snapshot(channel)

    def leave(self, session: Session, channel: Channel) -> None:
        """Send no more."""
        if channel.kind is Kind.ACCOUNT:
            self._accounts.leave(session, channel)
            return
        topic = self._topics.get(channel)
        if topic is None:
            return
        topic.sessions.pop(session, None)
        if not topic.sessions:
            if channel.kind not in HOUSE_KINDS:
                self._seqs[channel] = topic.seq
            del self._topics[channel]

    def snapshot(self, channel: Channel) -> bytes:
        """The snapshot of a channel as it stands now; many who join at once share one."""
        topic = self._topics[channel]
        if channel.kind in HOUSE_KINDS:
            self._flush_exchange()  # what has changed but was not told yet would else be in it, and be told again
        if topic.snapshot is None:
            topic.snapshot = encode(self._snapshot(channel, topic))
        return topic.snapshot

    def _snapshot(self, channel: Channel, topic: Topic) -> msgspec.Struct:
        if channel.kind in HOUSE_KINDS:
            return self._floor.exchange.snapshot(channel)
        return Snapshot(channel.name, topic.seq, self.board.source_of(channel), self.board.snapshot(channel))

    def _refusal(self) -> Closing | None:
        if self._is_closing:
            return Closing(GOING_AWAY, "going_away")
        if len(self._sessions) >= self._settings.max_connections:
            return Closing(TRY_AGAIN_LATER, "too_many_connections")
        return None

    def _count_sessions(self) -> None:
        self._metrics.stream_sessions.set(len(self._sessions))
        if self._sessions:
            self._nobody_left.clear()
        else:
            self._nobody_left.set()

    async def _flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        waking: asyncio.TimerHandle | None = None
        while True:
            await self._changed.wait()
            self._changed.clear()
            if waking is not None:
                waking.cancel()
            began = loop.time()
            self.flush()
            wait_s = self._accounts.wait_s()
            waking = None if wait_s is None else loop.call_later(wait_s, self._changed.set)
            took_s = loop.time() - began
            # At least as long as the flush took: a thousand clients must not keep requests from being answered.
            await asyncio.sleep(max(self._settings.flush_ms / 1000 - took_s, took_s))

    def flush(self) -> None:
        """Hand every change to whoever listens."""
        self._reset(self.board.take_resets())
        for channel, data, dropped in self.board.changes(self._topics):
            topic = self._topics[channel]
            topic.seq += 1
            self._publish(topic, channel, Update(channel.name, topic.seq, data, dropped=dropped))
        self._flush_exchange()

    def _flush_exchange(self) -> None:
        exchange = self._floor.exchange
        if exchange.take_began_anew():
            self._reset([channel for channel in self._topics if channel.kind in HOUSE_KINDS])
            self._accounts.begin_anew()
        for channel, update in exchange.take_updates(self._topics):
            self._publish(self._topics[channel], channel, update)
        self._accounts.flush()

    def _reset(self, channels: Iterable[Channel]) -> None:
        """Whoever listens to one of these needs a new snapshot."""
        for channel in channels:
            topic = self._topics.get(channel)
            if topic is not None:
                topic.seq += 1
                topic.snapshot = None
                for session in topic.sessions:
                    session.outbox.want_snapshot(channel)

    def _publish(self, topic: Topic, channel: Channel, update: Update | HouseUpdate) -> None:
        topic.snapshot = None
        payload = encode(update)
        frame = Frame(update, payload, text_frame(payload))
        for session in topic.sessions:
            session.outbox.offer(channel, frame)
        self._metrics.stream_frames.inc(len(topic.sessions))
        self._metrics.stream_dropped.inc(update.dropped)
