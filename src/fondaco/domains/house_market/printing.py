"""Turns the trades of the house's books into ticks, so that recorder and candles treat them as they do any market's.

Trades come by the engine's stream and go onto the bus's stream of ticks, in order. When this begins, and whenever the
engine's stream starts over, what is missing in between is read from the engine's table of trades.

Invariants:
    A tick follows from its trade alone: the same id, moment, price and quantity whoever makes it, and however often.
    What is stored is never left out: a tick that comes a second time vanishes at its primary key.
    The worlds are sources of their own, so play money never mixes with real.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import structlog

from fondaco.core.book.vocabulary import Side
from fondaco.core.events import Began, InstrumentListed, Trade, decode_events
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.domains.house_market.missing import Span, Standing, missing, standings
from fondaco.engine.journal import Committed, Mark
from fondaco.engine.port import Engine, StartOver
from fondaco.engine.projection.projection import read_watermark
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database, DatabaseUnavailableError, PsycopgConnection
from fondaco.market.feeder import MAX_TICKS_PER_ENTRY, entries_of, until_taken
from fondaco.market.feeds.port import Read
from fondaco.market.messages import TICKS_STREAM, Source, Tick, TickBatch, encode_entry

log = structlog.get_logger()

RETRY_S: Final = 0.1
"""Between two looks at an engine or at tables that are not there, or not far enough."""
SOURCES: Final = MappingProxyType({World.TRADING: Source.HOUSE, World.DEMO: Source.HOUSE_DEMO})
"""What the trades of each world are called. Nothing trades in the external world: it mirrors."""

_WORLDS: Final = [world.value for world in SOURCES]
_REPEATABLE: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_PAIRS: Final = "SELECT world, symbol, tick, lot FROM trading_pairs WHERE world = ANY(%s) ORDER BY world, symbol"
_TRADES: Final = """
SELECT id, (extract(epoch FROM created_at) * 1000000)::int8, price, quantity, taker_side = 'sell' FROM trades
WHERE world = %s AND symbol = %s AND id > %s AND id < %s ORDER BY id LIMIT %s
"""

Market: TypeAlias = tuple[World, str]


class Steps(NamedTuple):
    """What a market counts in: quote atoms a tick, base atoms a lot."""

    tick: int
    lot: int


class Printer:
    """Carries every trade of the house to the bus.

    Args:
        engine: whose trades these are.
        database: where its tables are, and the stored ticks.
        bus: where the ticks go.
        clock_us: when a tick was received.
    """

    def __init__(self, engine: Engine, database: Database, bus: Bus, *, clock_us: Callable[[], int] = now_us) -> None:
        self._engine = engine
        self._database = database
        self._bus = bus
        self._clock_us = clock_us
        self._steps: dict[Market, Steps] = {}
        self._sent: dict[Market, int] = {}
        """The newest trade of each market that went onto the bus, which keeps it until it is stored."""

    async def run(self) -> None:
        """Print until cancelled. While engine, tables or bus are away, this waits."""
        while True:
            async for told in self._engine.follow():
                if isinstance(told, StartOver):
                    await self._catch_up(told.mark)
                else:
                    await self._print(told)
            await asyncio.sleep(RETRY_S)  # that engine leads no longer

    async def _print(self, batch: Committed) -> None:
        """Send the trades of one batch."""
        moment_us = 0
        prints: dict[Market, list[Tick]] = {}
        for event in decode_events(batch.events):
            match event:
                case Began(_, now_ns):
                    moment_us = now_ns // 1_000
                case InstrumentListed(terms):
                    self._list(terms)
                case Trade() if (event.world, event.symbol) in self._steps:
                    market = event.world, event.symbol
                    tick = self._tick(event, self._steps[market], moment_us)
                    if tick.trade_id > self._sent[market]:
                        assert tick.trade_id == self._sent[market] + 1, "the ids of trades have no gap"
                        self._sent[market] = tick.trade_id
                        prints.setdefault(market, []).append(tick)
        for market, ticks in prints.items():
            await self._send(market, ticks, is_backfill=False)

    def _list(self, terms: Terms) -> None:
        market = terms.world, terms.instrument.symbol
        if terms.world in SOURCES:
            self._steps[market] = Steps(terms.tick, terms.lot)
            self._sent.setdefault(market, 0)

    def _tick(self, trade: Trade, steps: Steps, moment_us: int) -> Tick:
        return Tick(
            trade.trade_id,
            moment_us,
            trade.price_ticks * steps.tick,
            trade.lots * steps.lot,
            trade.taker is Side.SELL,
            self._clock_us(),
        )

    async def _catch_up(self, mark: Mark) -> None:
        """Send all trades up to this place that nobody has sent yet, or that were lost before they were stored."""
        while True:
            try:
                async with self._database.driver_transaction() as connection:
                    await connection.execute(_REPEATABLE)
                    if await _has_come_to(connection, mark):
                        stored = await standings(connection)
                        pairs = await (await connection.execute(_PAIRS, (_WORLDS,))).fetchall()
                        break
            except DatabaseUnavailableError as error:
                log.info("house_market.waits_for_database", error=str(error))
            await asyncio.sleep(RETRY_S)
        for world, symbol, tick, lot in pairs:
            market = World(world), symbol
            self._steps[market] = Steps(tick, lot)
            standing = stored.get((SOURCES[market[0]], symbol), Standing())
            await self._fill(market, self._unsent(market, standing))
        log.info("house_market.caught_up", seq=mark.seq, markets=len(pairs))

    def _unsent(self, market: Market, standing: Standing) -> list[Span]:
        """What this process has not sent; of what it has, the bus lets nothing go before it is stored."""
        sent = self._sent.get(market)
        return missing(standing) if sent is None else [Span(sent)]

    async def _fill(self, market: Market, spans: Iterable[Span]) -> None:
        for span in spans:
            self._sent[market] = max(self._sent.get(market, 0), span.after)
            async for ticks in self._trades(market, span):
                await self._send(market, ticks, is_backfill=True)
                self._sent[market] = max(self._sent[market], ticks[-1].trade_id)

    async def _trades(self, market: Market, span: Span) -> AsyncIterator[list[Tick]]:
        """The trades of a span, page by page."""
        after = span.after
        while True:
            try:
                async with self._database.driver_transaction() as connection:
                    wanted = (*market, after, span.before, MAX_TICKS_PER_ENTRY)
                    rows = await (await connection.execute(_TRADES, wanted)).fetchall()
            except DatabaseUnavailableError as error:
                log.info("house_market.waits_for_database", error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            if not rows:
                return
            received_us = self._clock_us()
            yield [
                Tick(id_, time_us, price, quantity, is_sold, received_us)
                for id_, time_us, price, quantity, is_sold in rows
            ]
            after = rows[-1][0]

    async def _send(self, market: Market, ticks: Iterable[Tick], *, is_backfill: bool) -> None:
        """Put ticks onto the bus, however long that takes."""
        world, symbol = market
        read = Read((TickBatch(SOURCES[world], symbol, tuple(ticks), is_backfill),))
        for entry in entries_of(read):
            await until_taken(partial(self._bus.append, TICKS_STREAM, encode_entry(entry)))


async def _has_come_to(connection: PsycopgConnection, mark: Mark) -> bool:
    return (await read_watermark(connection)).batch_no >= mark.batch_no
