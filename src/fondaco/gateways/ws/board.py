"""The live board: what the market looks like this moment, one per serving process.

It is told three things and knows nothing of buses and databases: entries of the ticks stream (`entry`), commits
(`stored`) and candles read from the database (`load`). They may come in any order and overlap: a commit may be heard of
before the entry that it names. Once all have been heard, the candles equal those that the database holds.

Readers see one source per symbol. Sources of other feeds are folded too while their entries pass, so that a change of
the feed finds its ticks counted whichever message came first. The house's own trades pass by: they are no feed's.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from fondaco.core.candles import Candle, Timeframe, merge
from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import format_atoms
from fondaco.gateways.ws.messages import FEED, CandleItem, Channel, Data, FeedItem, Kind, PriceItem, TickItem
from fondaco.gateways.ws.series import Series, fold_few
from fondaco.market.messages import (
    HOUSE_SOURCES,
    FeedState,
    Quote,
    Source,
    Stored,
    StoredCandle,
    StreamEntry,
    Tick,
    TickBatch,
)

TAPE = 50
"""Trade prints in the snapshot of a ticks channel."""
MAX_PENDING_ENTRIES = 100_000
"""Entries that may wait for their commit. While the database is away for longer, sums of the oldest are given up: live
candles then count them until the next commit of their minute, which brings the truth."""
MAX_EARLY_IDS = 100_000
"""Commits heard of before their entries; the oldest are let go."""

MarketKey: TypeAlias = tuple[Source, str]


class Change(NamedTuple):
    """New data of a channel. ``dropped`` ticks did not fit in."""

    channel: Channel
    data: Data
    dropped: int


class Market:
    """One symbol of one source: candles of each timeframe, and the tape.

    What ticks come to is gathered by minute and spread over the nine timeframes only when somebody looks: many entries
    come between two looks.
    """

    def __init__(self, instrument: Instrument, *, keep_candles: int, max_ticks: int) -> None:
        self.instrument = instrument
        self._series = {timeframe: Series(timeframe, keep_candles) for timeframe in Timeframe}
        self._fresh: dict[int, Candle] = {}
        self._given_up: dict[int, Candle] = {}
        self._max_ticks = max_ticks
        self._new_ticks: deque[Tick] = deque(maxlen=max_ticks)
        self._dropped = 0
        self.tape: deque[Tick] = deque(maxlen=TAPE)

    def series(self, timeframe: Timeframe) -> Series:
        """The candles of a timeframe, as they stand now."""
        self._spread()
        return self._series[timeframe]

    def show(self, ticks: Collection[Tick]) -> None:
        """Put ticks on the tape; more than fit between two flushes push the oldest out."""
        self._dropped += max(0, len(self._new_ticks) + len(ticks) - self._max_ticks)
        self._new_ticks.extend(ticks)

    def take_new_ticks(self) -> tuple[list[Tick], int]:
        """Hand out what is new on the tape, and how many ticks were pushed out."""
        taken, dropped = list(self._new_ticks), self._dropped
        self.tape.extend(taken)
        self._new_ticks.clear()
        self._dropped = 0
        return taken, dropped

    def add(self, ticks: Collection[Tick]) -> Mapping[int, Candle]:
        """Fold ticks on their way into the candles; returns what to `take_back` once they are committed."""
        minutes = fold_few(ticks)
        for minute_us, candle in minutes.items():
            _merge_into(self._fresh, minute_us, candle)
        return minutes

    def take_back(self, minutes: Mapping[int, Candle]) -> None:
        """Take committed ticks out of the pending part."""
        self._spread()
        for minute_us, candle in minutes.items():
            for series in self._series.values():
                series.take_back(minute_us, candle)

    def give_up(self, minutes: Mapping[int, Candle]) -> None:
        """Let go of ticks whose commit is long in coming; their sums stay until a commit of their minute."""
        for minute_us, candle in minutes.items():
            _merge_into(self._given_up, minute_us, candle)

    def commit(self, timeframe: Timeframe, open_time_us: int, candle: Candle) -> None:
        """Take a committed candle."""
        self._series[timeframe].commit(open_time_us, candle)
        if timeframe is Timeframe.M1 and (given_up := self._given_up.pop(open_time_us, None)) is not None:
            self.take_back({open_time_us: given_up})

    def forget_pending(self) -> None:
        """Go back to what has been committed, with an empty tape."""
        self.tape.clear()
        self._new_ticks.clear()
        self._fresh.clear()
        self._given_up.clear()
        for series in self._series.values():
            series.forget_pending()

    def _spread(self) -> None:
        for minute_us, candle in self._fresh.items():
            for series in self._series.values():
                series.add(minute_us, candle)
        self._fresh.clear()


class Board:
    """The markets that readers see."""

    def __init__(self, catalogue: Catalogue, *, keep_candles: int, max_ticks: int, clock_us: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._keep_candles = keep_candles
        self._max_ticks = max_ticks
        self._clock_us = clock_us
        self._markets: dict[MarketKey, Market] = {}
        self._sources: dict[str, Source] = {}
        self._feed: FeedState | None = None
        self._quotes: dict[str, Quote] = {}
        self._news: set[Channel] = set()
        self._resets: set[Channel] = set()
        self._pending: dict[str, tuple[Market, Mapping[int, Candle]] | None] = {}
        self._early: dict[str, None] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that may be shown."""
        return self._catalogue.symbols

    def entry(self, entry_id: str, entry: StreamEntry) -> int:
        """Take an entry of the ticks stream, once; returns how many ticks it brought."""
        ticks = entry.ticks if isinstance(entry, TickBatch) else ()
        market = self._show(entry) if isinstance(entry, TickBatch) and ticks else None
        if entry_id in self._early:
            del self._early[entry_id]
        else:
            self._await_commit(entry_id, None if market is None else (market, market.add(ticks)))
        return 0 if market is None else len(ticks)

    def stored(self, stored: Stored) -> None:
        """Take a commit: its candles replace the committed ones, its entries are pending no more."""
        for each in stored.candles:
            market = self._market(each.source, each.symbol)
            if market is not None:
                market.commit(each.timeframe, each.open_time_us, each.candle)
        committed: dict[Market, dict[int, Candle]] = {}
        for entry_id in stored.entry_ids:
            if entry_id not in self._pending:
                self._early[entry_id] = None
            elif (added := self._pending.pop(entry_id)) is not None:
                market, minutes = added
                for minute_us, candle in minutes.items():
                    _merge_into(committed.setdefault(market, {}), minute_us, candle)
        for market, minutes in committed.items():
            market.take_back(minutes)
        while len(self._early) > MAX_EARLY_IDS:
            del self._early[next(iter(self._early))]

    def load(self, source: Source, symbol: str, timeframe: Timeframe, candles: Iterable[StoredCandle]) -> None:
        """Take the newest candles of the database; whoever listens gets a new snapshot."""
        market = self._market(source, symbol)
        if market is not None:
            market.series(timeframe).load({each.open_time_us: each.candle for each in candles})
            self._resets.add(Channel(Kind.CANDLES, symbol, timeframe))

    def restart(self) -> None:
        """Forget what was pending: the stream is about to bring everything again that has not been committed."""
        self._pending.clear()
        self._early.clear()
        for (source, symbol), market in self._markets.items():
            market.forget_pending()
            if self._sources.get(symbol) is source:
                self._reset(symbol)

    def feed(self, state: FeedState) -> bool:
        """Take the feed's state; says whether a symbol changed its source."""
        if state != self._feed:
            self._feed = state
            self._news.add(FEED)
        return sum(self.use(symbol, state.source) for symbol in state.symbols) > 0

    def use(self, symbol: str, source: Source) -> bool:
        """Show a symbol's readers this source; says whether that is a change."""
        before = self._sources.get(symbol)
        if before is source or self._market(source, symbol) is None:
            return False
        self._sources[symbol] = source
        if before is not None:
            self._markets.pop((before, symbol), None)
        self._quotes.pop(symbol, None)
        self._reset(symbol)
        return True

    def use_stored(self, symbol: str, source: Source) -> None:
        """Show the source that the database names, unless the running feed brings the symbol."""
        if self._feed is None or symbol not in self._feed.symbols:
            self.use(symbol, source)

    def quote(self, quote: Quote) -> None:
        """Take a quoted price."""
        if self._quotes.get(quote.symbol) != quote:
            self._quotes[quote.symbol] = quote
            self._news.add(Channel(Kind.PRICES, quote.symbol))

    @property
    def sources(self) -> Mapping[str, Source]:
        """The source that readers of each symbol see now."""
        return dict(self._sources)

    def source_of(self, channel: Channel) -> Source | None:
        """The source of a channel's data."""
        if channel.kind is Kind.FEED:
            return self._feed.source if self._feed else None
        return self._sources.get(channel.symbol)

    def changes(self, listened: Collection[Channel]) -> list[Change]:
        """What is new on the channels that somebody listens to. What nobody listens to is settled without a word."""
        now_us = self._clock_us()
        changes: list[Change] = []
        for symbol, source in self._sources.items():
            market = self._markets.get((source, symbol))
            if market is not None:
                changes += self._market_changes(market, symbol, listened, now_us)
        changes += [Change(each, self.snapshot(each), 0) for each in self._news if each in listened]
        self._news.clear()
        return changes

    def take_resets(self) -> set[Channel]:
        """Channels whose listeners need a new snapshot."""
        taken, self._resets = self._resets, set()
        return taken

    def snapshot(self, channel: Channel) -> Data:
        """The whole state of a channel."""
        match channel.kind:
            case Kind.FEED:
                return _feed_item(self._feed) if self._feed else None
            case Kind.PRICES:
                quote = self._quotes.get(channel.symbol)
                return _price_item(quote) if quote else None
        market = self._shown(channel.symbol)
        if market is None:
            return []
        if channel.timeframe is None:
            return _tick_items(market.instrument, market.tape)
        bars = market.series(channel.timeframe).newest(self._clock_us())
        return _candle_items(market.instrument, bars)

    def _market_changes(
        self, market: Market, symbol: str, listened: Collection[Channel], now_us: int
    ) -> Iterable[Change]:
        ticks, dropped = market.take_new_ticks()
        channel = Channel(Kind.TICKS, symbol)
        if ticks and channel in listened:
            yield Change(channel, _tick_items(market.instrument, ticks), dropped)
        for timeframe in Timeframe:
            series, channel = market.series(timeframe), Channel(Kind.CANDLES, symbol, timeframe)
            if channel not in listened:
                series.settle()
            elif bars := series.changes(now_us):
                yield Change(channel, _candle_items(market.instrument, bars), 0)

    def _show(self, batch: TickBatch) -> Market | None:
        """Put a batch on the tape of its market, if it is news and of a listed symbol; returns the market."""
        market = self._market(batch.source, batch.symbol)
        if market is not None:
            if not batch.is_backfill:
                market.show(batch.ticks)
            if batch.symbol not in self._sources:
                self.use(batch.symbol, batch.source)
        return market

    def _shown(self, symbol: str) -> Market | None:
        source = self._sources.get(symbol)
        return None if source is None else self._markets.get((source, symbol))

    def _market(self, source: Source, symbol: str) -> Market | None:
        """The market of a series, made when it is new; None for a symbol that the house does not list, or shows not."""
        key = (source, symbol)
        if key not in self._markets:
            instrument = self._catalogue.by_symbol.get(symbol)
            if instrument is None or source in HOUSE_SOURCES:
                return None
            self._markets[key] = Market(instrument, keep_candles=self._keep_candles, max_ticks=self._max_ticks)
        return self._markets[key]

    def _await_commit(self, entry_id: str, added: tuple[Market, Mapping[int, Candle]] | None) -> None:
        self._pending[entry_id] = added
        if len(self._pending) > MAX_PENDING_ENTRIES:
            oldest = self._pending.pop(next(iter(self._pending)))
            if oldest is not None:
                market, minutes = oldest
                market.give_up(minutes)

    def _reset(self, symbol: str) -> None:
        self._resets.add(Channel(Kind.TICKS, symbol))
        self._resets.add(Channel(Kind.PRICES, symbol))
        self._resets.update(Channel(Kind.CANDLES, symbol, timeframe) for timeframe in Timeframe)


def _merge_into(candles: dict[int, Candle], key: int, candle: Candle) -> None:
    known = candles.get(key)
    candles[key] = candle if known is None else merge(known, candle)


def _tick_items(instrument: Instrument, ticks: Iterable[Tick]) -> list[TickItem]:
    price_scale, quantity_scale = instrument.price_scale, instrument.quantity_scale
    return [
        TickItem(
            tick.trade_id,
            tick.time_us // 1000,
            format_atoms(tick.price, price_scale),
            format_atoms(tick.quantity, quantity_scale),
            "sell" if tick.buyer_is_maker else "buy",
        )
        for tick in ticks
    ]


def _candle_items(instrument: Instrument, bars: Iterable[tuple[int, Candle, bool]]) -> list[CandleItem]:
    price, quantity = 10**instrument.price_scale, 10**instrument.quantity_scale
    return [
        CandleItem(
            open_time_us // 1_000_000,
            candle.open / price,
            candle.high / price,
            candle.low / price,
            candle.close / price,
            candle.volume / quantity,
            candle.trades,
            is_over,
        )
        for open_time_us, candle, is_over in bars
    ]


def _price_item(quote: Quote) -> PriceItem:
    return PriceItem(quote.symbol, quote.original_price, quote.bid_price, quote.ask_price, quote.timestamp)


def _feed_item(state: FeedState) -> FeedItem:
    return FeedItem(state.source, state.label, state.symbols, state.connected, state.since_us // 1000)
