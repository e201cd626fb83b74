"""The loop of the feed process: what a feed reads goes to the bus, honest for storage and quoted for trading (EXP-3).

Every tick and every refusal is appended to the ticks stream, in order, and waits there until it is stored. The last
tick of each read and symbol is quoted: on the symbol's channel and under its key. While the bus is away the same entry
is tried again and the feed is not asked for more, so nothing is lost; an entry that did arrive before the answer was
lost comes twice, and the tables take it once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial

import msgspec
import structlog

from fondaco.core.listings import Catalogue
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.port import Feed, Read
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    TICKS_STREAM,
    FeedState,
    StreamEntry,
    TickBatch,
    encode_entry,
    quote_channel,
)
from fondaco.market.quotes import Quoter, encode_quote

log = structlog.get_logger()

MAX_TICKS_PER_ENTRY = 500
"""A longer batch is split: an entry is stored whole, so this also bounds a transaction's overshoot."""
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 2.0

_state_encoder = msgspec.msgpack.Encoder()


async def run_feed(
    feed: Feed,
    bus: Bus,
    catalogue: Catalogue,
    settings: MarketSettings,
    now_us: Callable[[], int],
    *,
    observe: Callable[[Read], None] = lambda _: None,
) -> None:
    """Carry reads from the feed to the bus until the feed ends or the task is cancelled.

    Args:
        feed: where the ticks come from.
        bus: where they go.
        catalogue: the listed pairs.
        settings: the markups.
        now_us: the clock, for the moment since which the feed is up or down.
        observe: told of each read once it is on the bus; counts ticks and refusals by reason.
    """
    carrier = _Carrier(bus, feed, catalogue, Quoter(settings.markup_ppm, settings.default_markup_ppm))
    await carrier.announce(since_us=now_us())
    async with aclosing(feed.reads()) as reads:
        async for read in reads:
            if feed.connected != carrier.said_connected:
                await carrier.announce(since_us=now_us())
            await carrier.carry(read)
            observe(read)


def entries_of(read: Read) -> Iterator[StreamEntry]:
    """A read as entries of the stream, none with more than `MAX_TICKS_PER_ENTRY` ticks."""
    for batch in read.ticks:
        for start in range(0, len(batch.ticks), MAX_TICKS_PER_ENTRY):
            part = batch.ticks[start : start + MAX_TICKS_PER_ENTRY]
            yield TickBatch(batch.source, batch.symbol, part, batch.is_backfill, read.is_history)
    yield from read.refused


async def until_taken(
    call: Callable[[], Awaitable[object]], *, once_back: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Call until the bus takes it, however long that takes; ``once_back`` goes first when the bus was away."""
    retry_s = FIRST_RETRY_S
    was_away = False
    while True:
        try:
            if was_away and once_back is not None:
                await once_back()
            await call()
        except BusUnavailableError as error:
            log.warning("feed.bus_away", error=str(error), retry_s=retry_s)
            was_away = True
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        else:
            return


class _Carrier:
    """Puts things on the bus, however long that takes."""

    def __init__(self, bus: Bus, feed: Feed, catalogue: Catalogue, quoter: Quoter) -> None:
        self.said_connected = False
        self._bus = bus
        self._feed = feed
        self._catalogue = catalogue
        self._quoter = quoter
        self._since_us = 0

    async def announce(self, *, since_us: int) -> None:
        """Say which feed runs and whether it is connected: to who listens now, and to who asks later."""
        self._since_us = since_us
        await self._insist(self._say_state)

    async def carry(self, read: Read) -> None:
        """Append a read's entries and quote its newest ticks, all at once: the next trades wait for this.

        A bus keeps the order in which one writer's entries are handed to it. Only one that goes away between two of
        them may turn them round; tables and candles come out the same.
        """
        quoted = () if read.is_history else read.ticks
        await asyncio.gather(*map(self._append, entries_of(read)), *map(self._quote, quoted))

    async def _append(self, entry: StreamEntry) -> None:
        await self._insist(partial(self._bus.append, TICKS_STREAM, encode_entry(entry)))

    async def _quote(self, batch: TickBatch) -> None:
        quote = self._quoter.quote(batch.ticks[-1], self._catalogue.by_symbol[batch.symbol])
        await self._insist(partial(self._say, quote_channel(batch.symbol), encode_quote(quote)))

    async def _say_state(self) -> None:
        feed = self._feed
        self.said_connected = feed.connected
        state = FeedState(feed.source, feed.label, feed.symbols, feed.connected, self._since_us)
        body = _state_encoder.encode(state)
        await self._bus.set(FEED_KEY, body)
        await self._bus.publish(FEED_CHANNEL, body)

    async def _say(self, key: str, body: bytes) -> None:
        await asyncio.gather(self._bus.set(key, body), self._bus.publish(key, body))

    async def _insist(self, call: Callable[[], Awaitable[object]]) -> None:
        """Call until the bus takes it. A bus that was away may have forgotten its keys, so the state is said anew."""
        await until_taken(call, once_back=self._say_state)
