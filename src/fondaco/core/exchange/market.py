"""One market: the book of an instrument in one world, and what goes with it."""

from typing import Final

from fondaco.core.book.book import Book
from fondaco.core.book.vocabulary import BUY, Side
from fondaco.core.exchange.triggers import Triggers
from fondaco.core.fees import PPM, most_fee
from fondaco.core.state import Order, Position
from fondaco.core.terms import Terms

MAX_TOUCHED: Final = 1_000
"""Orders that one order may meet; and that one command may wake, cancel or expire before the rest is left for later."""


class Market:
    """Terms, book and what the book does not know.

    Invariant: ``handles`` has exactly the orders that rest in the book, ``triggers`` those that wait for a price.
    """

    __slots__ = (
        "anchor_ns",
        "anchor_ticks",
        "book",
        "handles",
        "is_closed",
        "last_ticks",
        "positions",
        "step",
        "terms",
        "trade_id",
        "triggers",
    )

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.step = terms.step_notional
        self.book = Book(terms.max_price_ticks, max_touched=MAX_TOUCHED)
        self.handles: dict[int, int] = {}
        self.triggers = Triggers()
        self.positions: dict[int, Position] = {}
        self.last_ticks = 0
        """Price of the last trade; 0 before the first."""
        self.trade_id = 0
        self.is_closed = False
        self.anchor_ticks = 0
        """Price at the beginning of the automatic breaker's window, which began at ``anchor_ns``."""
        self.anchor_ns = 0

    @property
    def live_orders(self) -> int:
        """Orders that rest or wait."""
        return len(self.handles) + len(self.triggers.waiting)

    def owner_of(self, account_id: int, user_number: int) -> int:
        """Whose orders may not meet each other here."""
        return user_number if self.terms.self_trade_scope == "user" else account_id

    def bound_ticks(self, side: Side, from_ticks: int) -> int:
        """The worst price that an order without one may trade at, the band away from a price. Rounded to be inside."""
        band = self.terms.band_ppm
        if side is BUY:
            return min(from_ticks * (PPM + band) // PPM, self.terms.max_price_ticks)
        return max(-(-from_ticks * (PPM - band) // PPM), 1)

    def is_outside_band(self, side: Side, price_ticks: int, from_ticks: int) -> bool:
        """Whether an order of this price could trade too far from another. One that is far on its own side only waits.

        Args:
            side: of the order.
            price_ticks: the worst at which it may trade.
            from_ticks: the price from which the band is measured; with 0 there is no band.
        """
        if not from_ticks:
            return False
        band = self.terms.band_ppm
        if side is BUY:
            return price_ticks * PPM > from_ticks * (PPM + band)
        return price_ticks * PPM < from_ticks * (PPM - band)

    def would_take(self, side: Side, price_ticks: int) -> bool:
        """Whether an order of this price would trade at once."""
        best = self.book.best(side.opposite)
        if not best:
            return False
        return best <= price_ticks if side is BUY else best >= price_ticks

    def is_halted_by(self, price_ticks: int, now_ns: int) -> bool:
        """Whether a trade moved the price too far within the window; begins a new window when one is over.

        The windows stand side by side, as a clock's hours do, so a move is measured from where its window began.
        """
        terms = self.terms
        if not terms.breaker_move_ppm:
            return False
        if not self.anchor_ticks or now_ns - self.anchor_ns >= terms.breaker_window_ns:
            self.anchor_ticks, self.anchor_ns = price_ticks, now_ns
            return False
        return abs(price_ticks - self.anchor_ticks) * PPM > self.anchor_ticks * terms.breaker_move_ppm


def need_of(market: Market, order: Order, price_ticks: int, lots: int) -> int:
    """What an order must hold for so many lots: a sell the base, a buy their cost and the most that its fee can be."""
    if order.side is not BUY:
        return lots * market.terms.lot
    cost = price_ticks * lots * market.step
    rate = max(order.maker_ppm, order.taker_ppm)
    return cost + most_fee(cost, rate, order.fee_carry)
