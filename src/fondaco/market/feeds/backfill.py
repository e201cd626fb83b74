"""Fills the gaps of a live feed: what the stream lost is fetched by trade id and sent the way every trade goes.

The recorder finds the gaps and closes them; this only reads the ledger, asks the exchange for the missing ids and puts
what it gets on the ticks stream, marked as back-fill so that nobody takes it for news. It keeps nothing in memory:
killed at any moment, it begins again with what the ledger says is missing. What it tried, when, and what came in the
way is written into the ledger, for people.

An id that the exchange's own list passes over does not exist, and is counted as *absent*. It is believed only when the
list goes on beyond the gap; a list that ends inside it may merely be late.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from fondaco.core.listings import Catalogue, Instrument
from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeder import entries_of, until_taken
from fondaco.market.feeds.binance_rest import HistoryError
from fondaco.market.feeds.port import Read
from fondaco.market.gap_filling import Attempt, IdRange, OpenGap, due_gaps, missing_ranges, note_attempt
from fondaco.market.messages import TICKS_STREAM, Refused, Source, Tick, TickBatch, encode_entry
from fondaco.market.normalise import PrintText, refuse, to_tick
from fondaco.wire.binance import PastTrade

log = structlog.get_logger()

MAX_GAPS_PER_ROUND = 20
"""Gaps worked on before the ledger is read again, so that a new one does not wait for all the old ones."""
POLL_S = 2.0
"""Between two looks into the ledger."""

TOO_LARGE = "too_large"
NOT_LISTED_YET = "not_listed_yet"


class PastTrades(Protocol):
    """Whoever has old trades."""

    async def page(self, symbol: str, from_id: int) -> list[PastTrade]:
        """The oldest trades with at least this id, in order of id; empty when there are none. Raises `HistoryError`."""
        ...


class _Fetched(NamedTuple):
    """What came of one range of ids."""

    usable: int
    is_complete: bool
    """The exchange's list went on beyond the range, so what it did not have does not exist."""


class Backfiller:
    """Works on the gaps of one source until it is cancelled."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        catalogue: Catalogue,
        history: PastTrades,
        settings: MarketSettings,
        *,
        clock_us: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._bus = bus
        self._catalogue = catalogue
        self._history = history
        self._max_trades = settings.backfill_max_trades
        self._min_age_us = round(settings.backfill_after_s * 1_000_000)
        self._clock_us = clock_us
        self._sleep = sleep

    async def run(self) -> None:
        """Look for gaps and fill them, without end."""
        while True:
            try:
                await self.work_once()
            except DatabaseUnavailableError as error:
                log.info("backfill.waits_for_database", error=str(error))
            await self._sleep(POLL_S)

    async def work_once(self) -> int:
        """Work on the newest gaps that are due; returns how many those were. Raises `DatabaseUnavailableError`."""
        async with self._database.transaction() as connection:
            gaps = await due_gaps(
                connection,
                Source.BINANCE,
                self._catalogue.symbols,
                now_us=self._clock_us(),
                limit=MAX_GAPS_PER_ROUND,
                min_age_us=self._min_age_us,
            )
        for gap in gaps:
            attempt = await self._attempt(gap)
            async with self._database.transaction() as connection:
                await note_attempt(connection, gap, attempt, now_us=self._clock_us())
            log.info(
                "backfill.attempted",
                symbol=gap.symbol,
                after=gap.after,
                before=gap.before,
                missing=gap.missing,
                absent=attempt.absent,
                problem=attempt.problem,
            )
        return len(gaps)

    async def _attempt(self, gap: OpenGap) -> Attempt:
        if gap.missing > self._max_trades:
            return Attempt(TOO_LARGE, 0)
        async with self._database.transaction() as connection:
            ranges = await missing_ranges(connection, gap)
        absent, problem = 0, None
        try:
            for each in ranges:
                fetched = await self._fetch(self._catalogue.by_symbol[gap.symbol], each)
                if fetched.is_complete:
                    absent += each.last - each.first + 1 - fetched.usable
                else:
                    problem = NOT_LISTED_YET
        except HistoryError as error:
            problem = error.problem.value
        return Attempt(problem, absent)

    async def _fetch(self, instrument: Instrument, wanted: IdRange) -> _Fetched:
        """Fetch a range page by page, each on its way to the tables before the next one is asked for."""
        usable, next_id = 0, wanted.first
        while next_id <= wanted.last:
            page = await self._history.page(instrument.symbol, next_id)
            if not page or page[0].trade_id < next_id:
                return _Fetched(usable, is_complete=False)
            usable += await self._send(instrument, [each for each in page if each.trade_id <= wanted.last])
            next_id = page[-1].trade_id + 1
        return _Fetched(usable, is_complete=True)

    async def _send(self, instrument: Instrument, trades: list[PastTrade]) -> int:
        """Put trades on the ticks stream; returns how many were fit to be stored."""
        received_us = self._clock_us()
        found = [normalise(each, instrument, received_us=received_us) for each in trades]
        ticks = tuple(each for each in found if isinstance(each, Tick))
        refused = tuple(each for each in found if isinstance(each, Refused))
        batch = TickBatch(Source.BINANCE, instrument.symbol, ticks, is_backfill=True)
        for entry in entries_of(Read((batch,), refused)):
            await until_taken(partial(self._bus.append, TICKS_STREAM, encode_entry(entry)))
        return len(ticks)


def normalise(trade: PastTrade, instrument: Instrument, *, received_us: int) -> Tick | Refused:
    """Turn an old trade into a tick, or refuse it with the reason."""
    text = PrintText(trade.trade_id, trade.time_ms * 1000, trade.price, trade.quantity, trade.buyer_is_maker)
    tick = to_tick(text, instrument, received_us=received_us)
    if isinstance(tick, Tick):
        return tick
    raw = repr(trade).encode()
    return refuse(raw, tick, source=Source.BINANCE, symbol=instrument.symbol, received_us=received_us)
