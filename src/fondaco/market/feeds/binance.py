"""The Binance feed: public trade streams of all pairs over one WebSocket.

picows hands over one frame after the other while it works through what a read of the socket gave; they become one
`Read`, made when the loop comes round, so nothing is awaited per trade. When the consumer is slow and
`MAX_WAITING_FRAMES` wait, reading from the socket pauses, TCP holds Binance back, and nothing is dropped.

`fondaco.market.feeds.binance_wire` keeps the connection up. While it replaces one by another both deliver, so a trade
id that came a moment ago is passed over. Ids that never came show in the ledger of gaps, and
`fondaco.market.feeds.backfill` fetches them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import MappingProxyType

from fondaco.core.listings import Catalogue
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.binance_wire import FrameKind, Lifetimes, WireKeeper
from fondaco.market.feeds.port import FeedError, Read
from fondaco.market.messages import Refused, Source, Tick, TickBatch
from fondaco.market.normalise import SymbolTick, normalise_frame
from fondaco.wire.binance import announces_shutdown, combined_url

MAX_STREAMS = 1_024
"""Streams that Binance allows on one connection."""
MAX_WAITING_FRAMES = 20_000
"""Frames that wait for a slow consumer before reading pauses; it goes on at half of them."""
MAX_FRAMES_PER_READ = 1_000
"""A burst is handed over in parts, so that reading can pause in the middle of it."""
RECENT_IDS = 4_096
"""Trade ids remembered for each symbol. An older one that comes again is left to the tables, which take it once."""


class RecentIds:
    """The newest trade ids of one symbol, to tell what has been delivered a moment ago."""

    def __init__(self, kept: int = RECENT_IDS) -> None:
        self._kept = kept
        self._known: set[int] = set()
        self._in_order: deque[int] = deque()

    def add(self, trade_id: int) -> bool:
        """Remember an id; says whether it is new."""
        if trade_id in self._known:
            return False
        self._known.add(trade_id)
        self._in_order.append(trade_id)
        if len(self._in_order) > self._kept:
            self._known.discard(self._in_order.popleft())
        return True


class _Gathering:
    """What has arrived since the loop last came round."""

    def __init__(self) -> None:
        self.frames = 0
        self.ticks: dict[str, list[Tick]] = {}
        self.refused: list[Refused] = []

    def add(self, found: SymbolTick | Refused) -> None:
        """Take in one frame."""
        self.frames += 1
        if isinstance(found, SymbolTick):
            self.ticks.setdefault(found.symbol, []).append(found.tick)
        else:
            self.refused.append(found)

    def merge(self, later: "_Gathering") -> None:
        """Take in what came after this."""
        self.frames += later.frames
        self.refused += later.refused
        for symbol, ticks in later.ticks.items():
            self.ticks.setdefault(symbol, []).extend(ticks)

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
        self._recent = {symbol: RecentIds() for symbol in catalogue.symbols}
        self._gathering = _Gathering()
        self._waiting: deque[_Gathering] = deque()
        self._waiting_frames = 0
        self._max_waiting_frames = max_waiting_frames
        self._changed = asyncio.Event()
        self._has_traded = asyncio.Event()
        self._wire = WireKeeper(
            combined_url(settings.binance_ws_url, catalogue.symbols),
            Lifetimes(settings.binance_replace_after_s, settings.binance_quiet_s),
            self.take,
            self._set_connected,
            sleep,
        )
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

    def take(self, frame: bytes) -> FrameKind:
        """Take in one frame; what one read of the socket gave is handed over together."""
        found = normalise_frame(frame, self._catalogue, source=self.source, received_us=self._clock_us())
        if found is None:
            return FrameKind.SHUTDOWN if announces_shutdown(frame) else FrameKind.OTHER
        if isinstance(found, Refused):
            self._gather(found)
            return FrameKind.OTHER
        if self._recent[found.symbol].add(found.tick.trade_id):
            self._gather(found)
        return FrameKind.TRADE

    def _gather(self, found: SymbolTick | Refused) -> None:
        if not self._gathering.frames:
            asyncio.get_running_loop().call_soon(self._hand_over_the_rest)
        self._gathering.add(found)
        if self._gathering.frames >= MAX_FRAMES_PER_READ:
            self._hand_over()

    def _start(self) -> asyncio.Task[None]:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._wire.run())
            self._keeper.add_done_callback(lambda _: self._changed.set())
        return self._keeper

    def _hand_over_the_rest(self) -> None:
        if self._gathering.frames:
            self._hand_over()

    def _hand_over(self) -> None:
        gathering, self._gathering = self._gathering, _Gathering()
        # A read costs its consumer several steps on the bus. When it is behind, what waits becomes fewer, larger reads.
        if self._waiting and self._waiting[-1].frames + gathering.frames <= MAX_FRAMES_PER_READ:
            self._waiting[-1].merge(gathering)
        else:
            self._waiting.append(gathering)
        self._waiting_frames += gathering.frames
        self._changed.set()
        if gathering.ticks:
            self._has_traded.set()
        if self._waiting_frames >= self._max_waiting_frames and not self._wire.is_paused:
            self._wire.pause()

    def _let_go_of(self, frames: int) -> None:
        self._waiting_frames -= frames
        if self._wire.is_paused and self._waiting_frames <= self._max_waiting_frames // 2:
            self._wire.resume()

    def _set_connected(self, is_connected: bool) -> None:  # noqa: FBT001 - a callback of one argument
        if self.connected != is_connected:
            self.connected = is_connected
            self._hand_over()
