"""The Binance feed: public trade streams of all pairs over one WebSocket.

picows hands over one frame after the other while it works through what a read of the socket gave; they become one
`Read`, made when the loop comes round, so nothing is awaited per trade. When the consumer is slow and
`MAX_WAITING_FRAMES` wait, reading from the socket pauses, TCP holds Binance back, and nothing is dropped. A connection
that ends is opened again, with exponential back-off and jitter, so that a thousand houses do not return in the same
second.

Binance pings every 20 s and gives up on a peer that has not answered within a minute; so do we.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from random import Random
from types import MappingProxyType

import structlog
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from fondaco.core.listings import Catalogue
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.port import FeedError, Read
from fondaco.market.messages import Refused, Source, Tick, TickBatch
from fondaco.market.normalise import SymbolTick, normalise_frame
from fondaco.wire.binance import combined_url

log = structlog.get_logger()

MAX_STREAMS = 1_024
"""Streams that Binance allows on one connection."""
MAX_WAITING_FRAMES = 20_000
"""Frames that wait for a slow consumer before reading pauses; it goes on at half of them."""
MAX_FRAMES_PER_READ = 1_000
"""A burst is handed over in parts, so that reading can pause in the middle of it."""
MAX_FRAME_BYTES = 64 * 1024
"""A longer frame ends the connection: a trade takes 200 bytes."""
HANDSHAKE_TIMEOUT_S = 10.0
PING_IDLE_S = 30.0
PING_REPLY_S = 30.0
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 30.0


class _Gathering:
    """What has arrived since the loop last came round."""

    def __init__(self) -> None:
        self.frames = 0
        self.ticks: dict[str, list[Tick]] = {}
        self.refused: list[Refused] = []

    def add(self, found: SymbolTick | Refused | None) -> None:
        """Take in one frame; None is a frame of another kind."""
        self.frames += 1
        if isinstance(found, SymbolTick):
            self.ticks.setdefault(found.symbol, []).append(found.tick)
        elif found is not None:
            self.refused.append(found)

    def read(self) -> Read:
        """The same as a read."""
        batches = (TickBatch(Source.BINANCE, symbol, tuple(ticks)) for symbol, ticks in self.ticks.items())
        return Read(tuple(batches), tuple(self.refused))


class BinanceFeed:
    """Takes trades from Binance, and goes on doing so through broken connections."""

    source = Source.BINANCE
    label = "Binance, live trades"

    def __init__(
        self,
        settings: MarketSettings,
        catalogue: Catalogue,
        clock_us: Callable[[], int],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        max_waiting_frames: int = MAX_WAITING_FRAMES,
    ) -> None:
        if not settings.binance_ws_url.startswith(("ws://", "wss://")):
            raise FeedError(f"The address of Binance's streams must begin with wss://: {settings.binance_ws_url}.")
        if len(catalogue.symbols) > MAX_STREAMS:
            raise FeedError(f"{len(catalogue.symbols)} pairs are set; Binance allows {MAX_STREAMS} on a connection.")
        self.symbols = catalogue.symbols
        self.connected = False
        self.anchors: Mapping[str, int] = MappingProxyType({})
        self._catalogue = catalogue
        self._clock_us = clock_us
        self._url = combined_url(settings.binance_ws_url, catalogue.symbols)
        self._sleep = sleep
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._gathering = _Gathering()
        self._waiting: deque[_Gathering] = deque()
        self._waiting_frames = 0
        self._max_waiting_frames = max_waiting_frames
        self._is_paused = False
        self._changed = asyncio.Event()
        self._has_traded = asyncio.Event()
        self._transport: WSTransport | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def delivers_within(self, seconds: float) -> bool:
        """Connect and tell whether a trade arrives in time. If so it waits for `reads`; if not, the wire is let go."""
        traded = asyncio.create_task(self._has_traded.wait())
        try:
            await asyncio.wait((traded, self._start()), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            traded.cancel()
        if not self._has_traded.is_set():
            await self.aclose()
        return self._has_traded.is_set()

    async def reads(self) -> AsyncGenerator[Read, None]:
        """Deliver what arrives, without end."""
        keeper = self._start()
        try:
            while not keeper.done():
                while self._waiting:
                    gathering = self._waiting.popleft()
                    self._let_go_of(gathering.frames)
                    yield gathering.read()
                self._changed.clear()
                await self._changed.wait()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Let go of the wire. Raises what ended the connecting, if that was a bug of ours."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.cancel()
        await asyncio.wait((keeper,))
        if not keeper.cancelled():
            keeper.result()

    def take(self, frame: bytes) -> None:
        """Take in one frame; what one read of the socket gave is handed over together."""
        if not self._gathering.frames:
            asyncio.get_running_loop().call_soon(self._hand_over_the_rest)
        self._gathering.add(normalise_frame(frame, self._catalogue, source=self.source, received_us=self._clock_us()))
        if self._gathering.frames >= MAX_FRAMES_PER_READ:
            self._hand_over()

    def _start(self) -> asyncio.Task[None]:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_connected())
            self._keeper.add_done_callback(lambda _: self._changed.set())
        return self._keeper

    def _hand_over_the_rest(self) -> None:
        if self._gathering.frames:
            self._hand_over()

    def _hand_over(self) -> None:
        gathering, self._gathering = self._gathering, _Gathering()
        self._waiting.append(gathering)
        self._waiting_frames += gathering.frames
        self._changed.set()
        if gathering.ticks:
            self._has_traded.set()
        if self._waiting_frames >= self._max_waiting_frames and self._transport is not None:
            self._is_paused = True
            self._transport.underlying_transport.pause_reading()

    def _let_go_of(self, frames: int) -> None:
        self._waiting_frames -= frames
        if not self._is_paused or self._waiting_frames > self._max_waiting_frames // 2:
            return
        self._is_paused = False
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.underlying_transport.resume_reading()

    async def _keep_connected(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            self._has_traded.clear()
            problem = await self._stay_connected()
            retry_s = FIRST_RETRY_S if self._has_traded.is_set() else min(2 * retry_s, LONGEST_RETRY_S)
            pause_s = retry_s * self._random.uniform(0.5, 1.0)
            log.warning("binance.connection_ended", problem=problem, retry_s=round(pause_s, 3))
            await self._sleep(pause_s)

    async def _stay_connected(self) -> str:
        """Connect and remain so as long as it goes well; returns what ended it."""
        try:
            self._transport, _ = await ws_connect(
                lambda: _Listener(self),
                self._url,
                websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                max_frame_size=MAX_FRAME_BYTES,
                enable_auto_ping=True,
                auto_ping_idle_timeout=PING_IDLE_S,
                auto_ping_reply_timeout=PING_REPLY_S,
            )
            self._set_connected(connected=True)
            await self._transport.wait_disconnected()
        except (OSError, WSError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            if self._transport is not None:
                self._transport.disconnect(graceful=False)
                self._transport = None
            self._is_paused = False
            self._set_connected(connected=False)
        return "closed by Binance"

    def _set_connected(self, *, connected: bool) -> None:
        if self.connected != connected:
            self.connected = connected
            self._hand_over()


class _Listener(WSListener):
    """One connection: puts frames together and passes them on. picows answers pings by itself."""

    def __init__(self, feed: BinanceFeed) -> None:
        super().__init__()
        self._feed = feed
        self._parts = bytearray()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle one frame. It points into picows' buffer, so what is kept is copied."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type in _DATA:
            self._take(transport, frame)

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.fin and not self._parts:
            self._feed.take(payload)
            return
        self._parts += payload
        if len(self._parts) > MAX_FRAME_BYTES:
            transport.disconnect()
        elif frame.fin:
            self._feed.take(bytes(self._parts))
            self._parts.clear()


_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION})
