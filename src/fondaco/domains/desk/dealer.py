"""Makes the desk's quotes: hears the feed's trades, believes them or not, and tells the engine bid and ask.

Every symbol of the chosen feed is heard once and quoted in each world of the settings. For each market at most one
submission is under way, so that nothing waits in line: while the engine is slow or away the path goes on, and when it
is back the newest price is told. A dealer holds no right that another process of the house has not, and keeps nothing:
a second one changes nothing but the number of submissions, and a new one begins with the next trade.

Invariants:
    What is submitted was heard from the feed that readers see, no longer ago than ``desk.max_tick_age_ms``.
    Receipts of a market never go back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from time import monotonic_ns
from typing import Final, NamedTuple

import msgspec
import structlog

from fondaco.core.commands import HOUSE, SetQuote
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import DeskRules
from fondaco.core.listings import Catalogue
from fondaco.core.replies import Refused
from fondaco.core.vocabulary import World
from fondaco.domains.desk.conflation import Conflation, Offer, Passed
from fondaco.domains.desk.filters import Dropped, Limits, OffMarket, is_stale
from fondaco.domains.desk.pricing import Grid, Markup, Spread, Widening, markup_ppm, prices_of, spread_of, widened
from fondaco.domains.desk.view import DeskView
from fondaco.domains.desk.volatility import Volatility
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.infra.bus.port import Bus, BusUnavailableError, Entry, Message
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from fondaco.infra.metrics import DEALER_KEY, DealerMetrics
from fondaco.infra.settings import DeskSettings
from fondaco.infra.together import first_error
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    RECORDERS,
    TICKS_STREAM,
    FeedState,
    Source,
    Tick,
    TickBatch,
    decode_entry,
)

log = structlog.get_logger()

RETRY_S: Final = 0.5
"""Before bus or engine are tried again, and before a market whose quote was refused is quoted again."""
REPORT_S: Final = 1.0
"""Between two reports of the metrics."""
VALID_NS: Final = 1_000_000_000
"""How long a submission is worth doing: a newer price has come by then."""
ANSWER_S: Final = 2.0
"""How long an answer is waited for. What comes later is no longer known."""
TURN_ENTRIES: Final = 200
"""Entries taken in one go before others get a turn."""
NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
REFRESHES: Final = 3
"""An unchanged price is told so often within the age that a quote may have."""
NO_ANSWER: Final = "no_answer"
"""The code of a submission that was not answered in time, or by an engine that ended."""

_decode_feed = msgspec.msgpack.Decoder(FeedState).decode


class Clocks(NamedTuple):
    """Two clocks: one that never goes back, for the pace of submissions, and that of the wall, for ages."""

    steady_ns: Callable[[], int]
    wall_us: Callable[[], int]


CLOCKS: Final = Clocks(monotonic_ns, now_us)


class Outside:
    """The outside price of one symbol: from which feed it comes, and what of it is believed."""

    def __init__(self, settings: DeskSettings) -> None:
        limits = Limits(settings.off_market_ppm, settings.off_market_window, settings.off_market_run)
        self._off_market = OffMarket(limits)
        self._max_age_us = settings.max_tick_age_ms * US_PER_MS
        self._newest: Tick | None = None
        self.volatility = Volatility(settings.volatility_window_s)
        self.source: Source | None = None

    def change(self, source: Source) -> bool:
        """Hear this feed; says whether that is a change."""
        if source is self.source:
            return False
        self.source, self._newest = source, None
        self._off_market.forget()
        self.volatility.forget()
        return True

    def take(self, tick: Tick, now_us: int) -> Dropped | None:
        """Look at a trade; returns why it is not quoted, None if it is."""
        newest = self._newest
        if newest is not None and (tick.received_us, tick.trade_id) <= (newest.received_us, newest.trade_id):
            return Dropped.OUT_OF_ORDER
        self._newest = tick
        if is_stale(tick.received_us, now_us, self._max_age_us):
            return Dropped.STALE
        if self._off_market.is_off(tick.price):
            return Dropped.OFF_MARKET
        self.volatility.take(tick.price, tick.received_us)
        return None


class Market:
    """A symbol in one world."""

    def __init__(self, world: World, symbol: str, outside: Outside, submit_ms: int) -> None:
        self.world = world
        self.symbol = symbol
        self.outside = outside
        self.path = Conflation(submit_ms * NS_PER_MS)
        self.has_news = asyncio.Event()
        self.trouble = ""
        """Why the last submission was not taken; told when it changes."""


class Dealer:
    """Quotes every symbol of the catalogue that is listed, that the desk has terms for, and that the feed brings.

    Args:
        engine: where quotes go.
        database: where the engine's tables are.
        bus: where the feed's trades are.
        catalogue: the symbols to listen to.
        settings: how quotes are made.
        markups: of each symbol of the catalogue.
        clocks: what the time is.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        bus: Bus,
        catalogue: Catalogue,
        settings: DeskSettings,
        markups: Mapping[str, Markup],
        clocks: Clocks = CLOCKS,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._settings = settings
        self._markups = markups
        self._clock_ns, self._clock_us = clocks
        self.metrics = DealerMetrics()
        self._view = DeskView()
        self._live = LiveHouse(engine, database, [self._view])
        self._outsides = {symbol: Outside(settings) for symbol in catalogue.symbols}
        self._markets = {
            symbol: [Market(World(world), symbol, outside, settings.submit_ms) for world in settings.worlds]
            for symbol, outside in self._outsides.items()
        }
        self._widening = Widening(settings.widen_ppm, settings.widen_at_ppm)
        self._life = new_id().hex
        self._numbers = count(1)

    async def run(self) -> None:
        """Quote until cancelled. It may be cut off anywhere."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live.run())
            group.create_task(self._listen())
            group.create_task(self._report())
            for markets in self._markets.values():
                for market in markets:
                    group.create_task(self._deal(market))

    async def _listen(self) -> None:
        """Hear the feed, and start over whenever the bus went away. What was missed meanwhile is past."""
        while True:
            try:
                async with (
                    self._bus.subscribe(FEED_CHANNEL) as messages,
                    self._bus.tail(TICKS_STREAM, RECORDERS) as entries,
                ):
                    self._take_state(await self._bus.get(FEED_KEY))
                    await first_error(self._hear(messages), self._follow(entries))
            except BusUnavailableError as error:
                log.info("dealer.waits_for_bus", error=str(error))
            await asyncio.sleep(RETRY_S)

    async def _hear(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._take_state(message.body)

    def _take_state(self, body: bytes | None) -> None:
        """Hear those symbols from this feed that it brings. Another feed is another market."""
        if body is None:
            return
        try:
            state = _decode_feed(body)
        except msgspec.DecodeError as error:
            log.warning("dealer.bad_feed_state", error=str(error))
            return
        for symbol in state.symbols:
            outside = self._outsides.get(symbol)
            if outside is not None and outside.change(state.source):
                log.info("dealer.hears", symbol=symbol, source=state.source.value)
                for market in self._markets[symbol]:
                    market.path.forget()

    async def _follow(self, entries: AsyncIterator[Entry]) -> None:
        taken = 0
        async for entry in entries:
            self._take_entry(entry)
            taken += 1
            if taken % TURN_ENTRIES == 0:
                await asyncio.sleep(0)

    def _take_entry(self, entry: Entry) -> None:
        try:
            batch = decode_entry(entry.body)
        except msgspec.DecodeError:
            return  # the recorder puts it away, with the reason
        if not isinstance(batch, TickBatch) or batch.is_backfill or batch.is_history:
            return
        outside = self._outsides.get(batch.symbol)
        if outside is not None and outside.source is batch.source:
            for tick in batch.ticks:
                self._take(batch.symbol, outside, tick)

    def _take(self, symbol: str, outside: Outside, tick: Tick) -> None:
        why = outside.take(tick, self._clock_us())
        if why is not None:
            self._drop(symbol, why, tick)
            return
        for market in self._markets[symbol]:
            market.path.take(Passed(tick.price, tick.received_us, tick.trade_id))
            market.has_news.set()

    def _drop(self, symbol: str, why: Dropped, tick: Tick) -> None:
        self.metrics.dropped.labels(symbol, why.value).inc()
        if why is Dropped.OFF_MARKET:  # of the others there may be thousands, and they are nobody's doing
            log.warning("dealer.off_market", symbol=symbol, price=tick.price, trade_id=tick.trade_id)

    async def _deal(self, market: Market) -> None:
        """Quote one market."""
        while True:
            await market.has_news.wait()
            wait_ns = market.path.due_ns - self._clock_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / NS_PER_S)
                continue  # a sleep may end a little early
            market.has_news.clear()
            trouble = await self._quote(market)
            if trouble and trouble != market.trouble:
                log.info("dealer.not_taken", world=market.world, symbol=market.symbol, why=trouble)
            market.trouble = trouble
            if trouble:
                market.path.lost()
                self.metrics.refused.labels(market.world, market.symbol, trouble).inc()
                await asyncio.sleep(RETRY_S)
                market.has_news.set()

    async def _quote(self, market: Market) -> str:
        """Tell the engine what there is to tell; returns why it was not taken, empty if it was or there is nothing."""
        command, offers = self._command(market)
        if command is None:
            return ""
        not_after_ns = self._clock_us() * NS_PER_US + VALID_NS
        command_id = f"dealer-{self._life}-{next(self._numbers)}"
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._engine.submit(HOUSE, command, command_id=command_id, not_after_ns=not_after_ns)
        except OverloadedError as error:
            return error.why.value
        except (OutcomeUnknownError, TimeoutError):
            return NO_ANSWER
        if isinstance(answer.reply, Refused):
            return answer.reply.code.value
        received_us = offers[-1].passed.received_us
        labels = (market.world, market.symbol)
        self.metrics.quotes.labels(*labels).inc()
        self.metrics.age_seconds.labels(*labels).observe(max(0, self._clock_us() - received_us) / US_PER_S)
        self.metrics.last_received.labels(*labels).set(received_us / US_PER_S)
        return ""

    def _command(self, market: Market) -> tuple[SetQuote | None, tuple[Offer, ...]]:
        """What there is to tell of a market, and what it was made of."""
        key = market.world, market.symbol
        listed, terms = self._live.terms(*key), self._view.terms.get(key)
        newest, source = market.path.newest, market.outside.source
        if listed is None or terms is None or newest is None or source is None:
            return None, ()
        if is_stale(newest.received_us, self._clock_us(), self._settings.max_tick_age_ms * US_PER_MS):
            return None, ()
        grid = Grid(listed.tick, listed.max_price_ticks * listed.tick)
        spread = self._spread(market, terms.max_net_lots)
        if prices_of(newest.price, spread, grid) is None:
            self.metrics.dropped.labels(market.symbol, Dropped.OUT_OF_RANGE.value).inc()
            return None, ()
        rules = self._view.rules.get(market.world) or DeskRules(market.world)
        refresh_ns = rules.max_quote_age_ns // REFRESHES
        offers = market.path.offers(spread, grid, now_ns=self._clock_ns(), refresh_ns=refresh_ns)
        if not offers:
            return None, ()
        quotes = tuple(map(_quote_of, offers))
        markup = markup_ppm(newest.price, spread)
        return SetQuote(market.world, market.symbol, source.value, markup, quotes), offers

    def _spread(self, market: Market, max_net_lots: int) -> Spread:
        spread = spread_of(self._markups[market.symbol], market.outside.volatility.realised_ppm)
        net_lots = self._view.exposure_of(market.world, market.symbol).net_lots
        return widened(spread, self._widening, net_lots, max_net_lots)

    async def _report(self) -> None:
        """Leave the metrics where the serving process finds them."""
        while True:
            try:
                await self._bus.set(DEALER_KEY, self.metrics.exposition())
            except BusUnavailableError as error:
                log.debug("dealer.not_reported", error=str(error))
            await asyncio.sleep(REPORT_S)


def _quote_of(offer: Offer) -> Quote:
    """An offer as the engine takes it."""
    passed = offer.passed
    return Quote(offer.prices.bid, offer.prices.ask, passed.received_us * NS_PER_US, passed.price, passed.tick_id)
