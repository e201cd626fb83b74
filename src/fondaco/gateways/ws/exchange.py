"""The house's own exchange and desk on the stream: which channels there are, what they hold, and what is new on them.

Markets are those that the house has listed, which need not be what the feed brings. Everybody sees the world of the
setting `public_world`; ``demo/`` before a channel's name asks for play money's.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from fondaco.core.events import Event
from fondaco.core.listings import canonical_symbol
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.engine.books import Books, Changes, LiveBook, NewTrades
from fondaco.engine.journal import Mark
from fondaco.engine.live import LiveHouse
from fondaco.engine.live_desk import LiveDesk
from fondaco.gateways.ws.desk_frames import quote_data
from fondaco.gateways.ws.house_frames import (
    BookData,
    HouseSnapshot,
    HouseUpdate,
    TradeItem,
    levels,
    trade_items,
)
from fondaco.gateways.ws.messages import Channel, Kind, StreamError, shown
from fondaco.infra.database import PsycopgConnection

DEMO_PREFIX: Final = "demo/"
DEFAULT_QUOTE: Final = "USDT"
"""The quote of a symbol that names its base alone."""
MARKET_KINDS: Final = frozenset({Kind.BOOK, Kind.TRADES, Kind.QUOTES})


class Exchange:
    """Books, trades and quotes for the stream. It hangs on a `LiveHouse`, behind those, to hear when they have changed.

    Args:
        live: the house's listings.
        books: its books, which hang on ``live`` already,
        desk: and what is known of its desk, which does too.
        public_world: what is shown without a prefix.
        snapshot_levels: levels of each side in a snapshot.
    """

    def __init__(
        self, live: LiveHouse, books: Books, desk: LiveDesk, public_world: World, snapshot_levels: int
    ) -> None:
        self.live = live
        self.books = books
        self.desk = desk
        self.changed: Callable[[], None] = lambda: None
        """Called when something is new."""
        self._public_world = public_world
        self._snapshot_levels = snapshot_levels
        self._began_anew = False
        live.attach(self)

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """The books began anew, so whoever listens must too."""
        del connection, mark
        self._began_anew = True
        self.changed()

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """The books have changed, or may have."""
        del events, mark
        self.changed()

    def market_channel(self, name: str) -> Channel | None:
        """The channel of a market of the house; None when the name is of no such kind. Raises `StreamError`."""
        prefix = DEMO_PREFIX if name.startswith(DEMO_PREFIX) else ""
        kind, colon, spelling = name.removeprefix(prefix).partition(":")
        if not colon or kind not in MARKET_KINDS:
            return None
        if not self.live.ready.is_set():
            raise StreamError("engine_away", "The house's exchange is not there now; try again in a moment.")
        world = self._world(prefix)
        symbol = self._listed(world, spelling)
        if symbol is None:
            raise StreamError("unknown_symbol", f"{shown(spelling)} is not listed in the {world} world.")
        return Channel(Kind(kind), symbol, prefix=prefix)

    def snapshot(self, channel: Channel) -> HouseSnapshot:
        """A book, the last trades or the desk's quote, as of the changes that were taken last."""
        key = self._world(channel.prefix), channel.symbol
        terms, book = self.live.listings[key].terms, self.books.book(*key)
        if channel.kind is Kind.QUOTES:
            quote = self.desk.quotes.get(key)
            return HouseSnapshot(channel.name, self.desk.taken_seq(key), quote_data(quote, terms) if quote else None)
        if channel.kind is Kind.TRADES:
            return HouseSnapshot(channel.name, book.trades_seq, trade_items(book.trades, terms))
        return HouseSnapshot(channel.name, book.levels_seq, self._book_data(book, terms))

    def take_began_anew(self) -> bool:
        """Whether everything began anew since this was last asked."""
        began_anew, self._began_anew = self._began_anew, False
        return began_anew

    def take_updates(self, listened: Collection[Channel]) -> Iterable[tuple[Channel, HouseUpdate]]:
        """What is new on the channels that somebody listens to. Nobody else needs to be told."""
        for changes in self.books.take_changes():
            kind = Kind.TRADES if isinstance(changes, NewTrades) else Kind.BOOK
            world, symbol = changes.key
            for prefix in self._prefixes(world):
                channel = Channel(kind, symbol, prefix=prefix)
                if channel in listened:
                    yield channel, self._update(channel, changes)

        for new in self.desk.take_quotes():
            world, symbol = new.key
            for prefix in self._prefixes(world):
                channel = Channel(Kind.QUOTES, symbol, prefix=prefix)
                if channel in listened:
                    data = quote_data(new.quote, self.live.listings[new.key].terms)
                    yield channel, HouseUpdate(channel.name, new.first_seq, new.seq, data)

    def _update(self, channel: Channel, changes: Changes) -> HouseUpdate:
        terms = self.live.listings[changes.key].terms
        data: BookData | list[TradeItem]
        if isinstance(changes, NewTrades):
            data, dropped = trade_items(changes.trades, terms), changes.dropped
        else:
            data, dropped = BookData(levels(changes.bids, terms), levels(changes.asks, terms)), 0
        return HouseUpdate(channel.name, changes.first_seq, changes.seq, data, dropped)

    def _book_data(self, book: LiveBook, terms: Terms) -> BookData:
        count = self._snapshot_levels
        return BookData(levels(book.bids.best(count), terms), levels(book.asks.best(count), terms))

    def _world(self, prefix: str) -> World:
        return World.DEMO if prefix else self._public_world

    def _prefixes(self, world: World) -> list[str]:
        """The prefixes under which a world is shown: none where it is not public."""
        return [prefix for prefix in ("", DEMO_PREFIX) if self._world(prefix) is world]

    def _listed(self, world: World, spelling: str) -> str | None:
        symbol = canonical_symbol(spelling)
        found = (each for each in (symbol, symbol + DEFAULT_QUOTE) if (world, each) in self.live.listings)
        return next(found, None)
