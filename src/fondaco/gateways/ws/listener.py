"""Keeps the live board up with the bus and the database.

Order matters when it connects: it subscribes to commits first and opens the tail of the stream second, so that a commit
of any entry in the tail is heard; candles are read from the database last, so that what was acknowledged before the
tail opened is in them. While the database is away the board works from what it knows, and reading is tried again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import structlog

from fondaco.core.candles import Timeframe
from fondaco.gateways.ws.board import Board
from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry, Message
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.metrics import Metrics
from fondaco.infra.together import first_error
from fondaco.market import reads
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    RECORDERS,
    STORED_CHANNEL,
    TICKS_STREAM,
    FeedState,
    Quote,
    Source,
    TickBatch,
    decode_entry,
    decode_stored,
    quote_channel,
)

RETRY_S = 0.5
"""Pause before the bus or the database is tried again."""
TURN_ENTRIES = 200
"""Entries taken in one go before others get a turn: a backlog must not hold up the streams."""

log = structlog.get_logger()

_feed_decoder = msgspec.msgpack.Decoder(FeedState)
_quote_decoder = msgspec.json.Decoder(Quote)
_quotes = quote_channel("")


class Listener:
    """Feeds a board. `run` works until it is cancelled."""

    def __init__(
        self,
        board: Board,
        bus: Bus,
        database: Database,
        metrics: Metrics,
        *,
        candles: int,
        changed: Callable[[], None],
    ) -> None:
        self._board = board
        self._bus = bus
        self._database = database
        self._metrics = metrics
        self._candles = candles
        self._changed = changed
        self._stale = asyncio.Event()

    async def run(self) -> None:
        """Listen, and start over whenever the bus went away."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_loaded())
            while True:
                try:
                    await self._listen()
                except BusUnavailableError as error:
                    log.warning("stream.bus_away", error=str(error))
                except Exception as error:  # a bug of ours: streams start over rather than end for everyone
                    log.exception("stream.listener_failed", error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with (
            self._bus.subscribe(STORED_CHANNEL, FEED_CHANNEL, f"{_quotes}*") as messages,
            self._bus.tail(TICKS_STREAM, RECORDERS) as entries,
        ):
            self._board.restart()
            await self._read_keys()
            self._stale.set()
            await first_error(self._hear(messages), self._follow(entries))

    async def _read_keys(self) -> None:
        """What was said before we listened: the feed, and the last price of each symbol."""
        state = await self._bus.get(FEED_KEY)
        if state is not None:
            self._take(Message(FEED_CHANNEL, state))
        for symbol in self._board.symbols:
            last = await self._bus.get(quote_channel(symbol))
            if last is not None:
                self._take(Message(quote_channel(symbol), last))
        self._changed()

    async def _hear(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._take(message)
            self._changed()

    async def _follow(self, entries: AsyncIterator[Entry]) -> None:
        taken = 0
        async for entry in entries:
            self._enter(entry)
            self._changed()
            taken += 1
            if taken % TURN_ENTRIES == 0:
                await asyncio.sleep(0)

    def _take(self, message: Message) -> None:
        try:
            match message.channel:
                case channel if channel == STORED_CHANNEL:
                    self._board.stored(decode_stored(message.body))
                case channel if channel == FEED_CHANNEL:
                    if self._board.feed(_feed_decoder.decode(message.body)):
                        self._stale.set()
                case _:
                    self._board.quote(_quote_decoder.decode(message.body))
        except msgspec.DecodeError as error:
            log.warning("stream.undecodable_message", channel=message.channel, error=str(error))

    def _enter(self, entry: Entry) -> None:
        try:
            decoded = decode_entry(entry.body)
        except msgspec.DecodeError as error:
            # The recorder quarantines it; here it only must not be shown.
            log.warning("stream.undecodable_entry", entry_id=entry.id, error=str(error))
            return
        ticks = self._board.entry(entry.id, decoded)
        if ticks and isinstance(decoded, TickBatch):
            self._metrics.ticks_seen.labels(decoded.symbol).inc(ticks)

    async def _keep_loaded(self) -> None:
        """Read candles from the database whenever the board may have missed some, until it succeeds."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._load()
            except DatabaseUnavailableError as error:
                log.info("stream.database_away", error=str(error))
                self._stale.set()
                await asyncio.sleep(RETRY_S)

    async def _load(self) -> None:
        async with self._database.transaction() as connection:
            feeds = await reads.current_feeds(connection)
        for feed in feeds:
            self._board.use_stored(feed.symbol, Source(feed.source))
        for symbol, source in self._board.sources.items():
            for timeframe in Timeframe:
                async with self._database.transaction() as connection:
                    found = await reads.latest_candles(connection, source, symbol, timeframe, self._candles)
                self._board.load(source, symbol, timeframe, found)
                self._changed()
