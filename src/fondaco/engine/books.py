"""The order books as the edge sees them: what rests at each price, and who traded last, kept from the engine's events.

An engine that were asked for its book with every glance would do little else. Its events say of each order how it
stands, so whoever remembers what an order had in the book can take that out and put in what it has now. The books begin
with the tables and are kept up by the events, like everything in `fondaco.engine.live`.

What has changed gathers until it is taken (`Books.take_changes`), as levels, each in its newest state: a price that was
left and taken again is one level, and a hundred orders at one price are one too.

Invariants:
    After each command, levels are what the engine's own book has: the same prices, lots and numbers of orders.
    The changes of a market begin at the command after those that were taken before.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest, nsmallest
from typing import Any, Final, NamedTuple, TypeAlias

from fondaco.core.book.vocabulary import BUY, Depth, Side
from fondaco.core.events import Began, Event, Trade
from fondaco.core.state import Order
from fondaco.core.vocabulary import OrderState, World
from fondaco.engine.journal import Mark
from fondaco.infra.database import PsycopgConnection

KEPT_TRADES: Final = 50
"""Trades of each market that are remembered."""
MAX_NEW_TRADES: Final = 5_000
"""Trades of a market that wait to be taken; more push the oldest out."""

_OPEN: Final = OrderState.OPEN
_PARTIALLY_FILLED: Final = OrderState.PARTIALLY_FILLED

_RESTING: Final = """
    SELECT o.id, o.world, o.symbol, o.side = 'buy', o.price / p.tick, o.open_quantity / p.lot
    FROM orders o JOIN trading_pairs p USING (world, symbol)
    WHERE o.closed_at IS NULL AND o.state <> 'pending'
"""
"""What rests. An order that waits for its price, or in line after it came, is pending; nothing else stays out."""
_TRADES: Final = """
    SELECT p.world, p.symbol, t.id, floor(extract(epoch FROM t.created_at) * 1000)::bigint,
           t.price / p.tick, t.quantity / p.lot, t.taker_side = 'buy'
    FROM trading_pairs p, LATERAL (
        SELECT * FROM trades WHERE world = p.world AND symbol = p.symbol ORDER BY id DESC LIMIT %s
    ) t
    ORDER BY t.id
"""

MarketKey: TypeAlias = tuple[World, str]


class Print(NamedTuple):
    """A trade as everybody may see it: nothing tells who it was."""

    trade_id: int
    time_ms: int
    price_ticks: int
    lots: int
    taker: Side


class LevelChanges(NamedTuple):
    """What commands ``first_seq`` to ``seq`` did to a book: levels as they stand now, one of no lots is gone."""

    key: MarketKey
    first_seq: int
    seq: int
    bids: list[Depth]
    asks: list[Depth]


class NewTrades(NamedTuple):
    """The trades of commands ``first_seq`` to ``seq``, oldest first."""

    key: MarketKey
    first_seq: int
    seq: int
    trades: list[Print]
    dropped: int
    """Trades that were pushed out before anybody took them."""


Changes: TypeAlias = LevelChanges | NewTrades


class Ladder:
    """One side of a book: by price, the lots that rest there and in how many orders."""

    __slots__ = ("changed", "levels", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.levels: dict[int, list[int]] = {}
        self.changed: set[int] = set()

    def add(self, price_ticks: int, lots: int) -> None:
        """An order came to this price."""
        self.changed.add(price_ticks)
        level = self.levels.get(price_ticks)
        if level is None:
            self.levels[price_ticks] = [lots, 1]
        else:
            level[0] += lots
            level[1] += 1

    def remove(self, price_ticks: int, lots: int) -> None:
        """An order left this price."""
        self.changed.add(price_ticks)
        level = self.levels[price_ticks]
        if level[1] == 1:
            del self.levels[price_ticks]
        else:
            level[0] -= lots
            level[1] -= 1

    def best(self, count: int) -> list[Depth]:
        """The best levels, best first."""
        prices = nlargest(count, self.levels) if self.side is BUY else nsmallest(count, self.levels)
        return [self._level(price) for price in prices]

    def take_changed(self) -> list[Depth]:
        """The levels that have changed since this was last asked, by price."""
        taken = [self._level(price) for price in sorted(self.changed)]
        self.changed.clear()
        return taken

    def _level(self, price_ticks: int) -> Depth:
        lots, orders = self.levels.get(price_ticks, (0, 0))
        return Depth(price_ticks, lots, orders)


class LiveBook:
    """One market: both sides of its book, and its last trades."""

    __slots__ = ("asks", "bids", "dropped", "key", "levels_seq", "new_trades", "trades", "trades_seq")

    def __init__(self, key: MarketKey, seq: int) -> None:
        self.key = key
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self.levels_seq = self.trades_seq = seq
        """The end of the changes that were taken last."""
        self.trades: deque[Print] = deque(maxlen=KEPT_TRADES)
        """The last trades that have been taken, oldest first."""
        self.new_trades: deque[Print] = deque(maxlen=MAX_NEW_TRADES)
        self.dropped = 0

    def take(self, seq: int) -> Iterable[Changes]:
        """What has changed up to a command since this was last asked."""
        bids, asks = self.bids.take_changed(), self.asks.take_changed()
        if bids or asks:
            yield LevelChanges(self.key, self.levels_seq + 1, seq, bids, asks)
            self.levels_seq = seq
        if self.new_trades:
            trades = list(self.new_trades)
            self.trades.extend(trades)
            yield NewTrades(self.key, self.trades_seq + 1, seq, trades, self.dropped)
            self.trades_seq, self.dropped = seq, 0
            self.new_trades.clear()


class Books:
    """Every market of the house: a `fondaco.engine.live.Part`."""

    def __init__(self) -> None:
        self.seq = 0
        """The last command that the books know of."""
        self._books: dict[MarketKey, LiveBook] = {}
        self._changed: dict[LiveBook, None] = {}
        self._resting: dict[int, tuple[Ladder, int, int]] = {}
        self._now_ms = 0
        self._told: Final[dict[type, Callable[[Any], None]]] = {
            Began: self._hear_began,
            Order: self._hear_order,
            Trade: self._hear_trade,
        }

    def book(self, world: World, symbol: str) -> LiveBook:
        """The book of a market, an empty one where nothing has happened yet. Ask for listed markets only."""
        key = world, symbol
        book = self._books.get(key)
        if book is None:
            book = self._books[key] = LiveBook(key, self.seq)
        return book

    def take_changes(self) -> list[Changes]:
        """What has changed since this was last asked, market by market."""
        changed, self._changed = self._changed, {}
        return [changes for book in changed for changes in book.take(self.seq)]

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin anew with the tables."""
        resting = await (await connection.execute(_RESTING)).fetchall()
        trades = await (await connection.execute(_TRADES, (KEPT_TRADES,))).fetchall()
        self.seq = mark.seq
        self._books, self._changed, self._resting = {}, {}, {}
        for order_id, world, symbol, is_bid, ticks, lots in resting:
            book = self.book(World(world), symbol)
            self._rest(order_id, book.bids if is_bid else book.asks, ticks, lots)
        for world, symbol, trade_id, time_ms, ticks, lots, is_buy in trades:
            taker = Side.BUY if is_buy else Side.SELL
            self.book(World(world), symbol).trades.append(Print(trade_id, time_ms, ticks, lots, taker))
        for book in self._books.values():
            book.bids.changed.clear()
            book.asks.changed.clear()

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the events of a batch."""
        self.tell(events)
        self.seq = mark.seq

    def tell(self, events: Iterable[Event]) -> None:
        """Take events in their order."""
        told = self._told
        for event in events:
            tell = told.get(type(event))
            if tell is not None:
                tell(event)

    def _hear_began(self, event: Began) -> None:
        self._now_ms = event.now_ns // 1_000_000

    def _hear_order(self, order: Order) -> None:
        """Take out what the order had in the book, and put in what it has now."""
        before = self._resting.pop(order.order_id, None)
        state = order.state
        rests = state is _OPEN or state is _PARTIALLY_FILLED
        if before is None and not rests:
            return
        book = self.book(order.world, order.symbol)
        self._changed[book] = None
        if before is not None:
            before[0].remove(before[1], before[2])
        if rests:
            ladder = book.bids if order.side is BUY else book.asks
            self._rest(order.order_id, ladder, order.price_ticks, order.open_lots)

    def _rest(self, order_id: int, ladder: Ladder, price_ticks: int, lots: int) -> None:
        self._resting[order_id] = ladder, price_ticks, lots
        ladder.add(price_ticks, lots)

    def _hear_trade(self, trade: Trade) -> None:
        book = self.book(trade.world, trade.symbol)
        self._changed[book] = None
        if len(book.new_trades) == MAX_NEW_TRADES:
            book.dropped += 1
        book.new_trades.append(Print(trade.trade_id, self._now_ms, trade.price_ticks, trade.lots, trade.taker))
