"""The terms on which an instrument trades: its steps, its limits and its rates.

A price is a whole number of *ticks*, a quantity a whole number of *lots*. Terms are accepted only if a tick times a lot
is a whole number of quote atoms, so a notional is exact and never rounded; and only if nothing that the book adds up
can leave 64 bits. Tick, lot and scales never change: other steps are other terms, listed anew.
"""

from typing import Final

import msgspec

from fondaco.core.book.vocabulary import MAX_NOTIONAL, MAX_PRICE_TICKS
from fondaco.core.fees import PPM
from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.listings import Instrument
from fondaco.core.money import MAX_SCALE
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import SelfTradeScope, World

MAX_RATE_PPM: Final = 100_000
"""A tenth of the notional: more is a slip of the unit."""
MAX_LEVERAGE: Final = 100
MAX_OPEN_ORDERS: Final = 2**31


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How an instrument trades in one world."""

    world: World
    instrument: Instrument
    tick: int
    """Quote atoms per whole base unit."""
    lot: int
    """Base atoms."""
    max_price_ticks: int
    max_order_lots: int
    max_open_orders: int = 1_000_000
    """Orders that rest in the book at most."""
    maker_ppm: int = 0
    """Rate of who rested, of the notional; negative pays a rebate."""
    taker_ppm: int = 0
    band_ppm: int = 100_000
    """How far from the reference price an order may trade."""
    max_leverage: int = 1
    breaker_move_ppm: int = 0
    """A move of the last price by more than this within a window halts new orders; 0: none."""
    breaker_window_ns: int = 0
    breaker_pause_ns: int = 0
    self_trade_scope: SelfTradeScope = SelfTradeScope.USER

    @property
    def step_notional(self) -> int:
        """Quote atoms that one lot costs for each tick of its price. Exact."""
        return self.tick * self.lot // int(10**self.instrument.base.scale)

    def notional(self, price_ticks: int, lots: int) -> int:
        """Quote atoms that so many lots cost at a price. Exact."""
        return price_ticks * lots * self.step_notional

    def ticks(self, price: int) -> int | None:
        """A price in ticks; None when it is no multiple."""
        ticks, rest = divmod(price, self.tick)
        return None if rest else ticks

    def lots(self, quantity: int) -> int | None:
        """A quantity in lots; None when it is no multiple."""
        lots, rest = divmod(quantity, self.lot)
        return None if rest else lots


def terms_refusal(terms: Terms) -> Refusal | None:
    """Why these terms cannot be listed, if so."""
    return _instrument_refusal(terms) or _limits_refusal(terms) or _rates_refusal(terms)


def _instrument_refusal(terms: Terms) -> Refusal | None:
    base, quote = terms.instrument.base, terms.instrument.quote
    if not (0 <= base.scale <= MAX_SCALE and 0 <= quote.scale <= MAX_SCALE):
        return Refusal.BAD_SCALE
    if base.code == quote.code:
        return Refusal.SAME_ASSET
    if terms.tick <= 0:
        return Refusal.BAD_TICK_SIZE
    if terms.lot <= 0:
        return Refusal.BAD_LOT_SIZE
    return Refusal.NOTIONAL_NOT_WHOLE if terms.tick * terms.lot % 10**base.scale else None


def _limits_refusal(terms: Terms) -> Refusal | None:
    if not 0 < terms.max_price_ticks <= MAX_PRICE_TICKS or terms.max_price_ticks * terms.tick > MAX_TOTAL:
        return Refusal.BAD_PRICE_LIMIT
    if terms.max_order_lots <= 0 or terms.max_order_lots * terms.lot > MAX_TOTAL:
        return Refusal.BAD_QUANTITY_LIMIT
    if not 0 < terms.max_open_orders <= MAX_OPEN_ORDERS or terms.max_open_orders * terms.max_order_lots >= MAX_NOTIONAL:
        return Refusal.BAD_ORDER_LIMIT
    most_ticks_and_lots = terms.max_price_ticks * terms.max_order_lots
    if most_ticks_and_lots >= MAX_NOTIONAL or most_ticks_and_lots * terms.step_notional > MAX_TOTAL:
        return Refusal.NOTIONAL_LIMIT
    return None


def _rates_refusal(terms: Terms) -> Refusal | None:
    # A rebate to the maker is paid out of the taker's fee, never by the house.
    if not (0 <= terms.taker_ppm <= MAX_RATE_PPM and -terms.taker_ppm <= terms.maker_ppm <= MAX_RATE_PPM):
        return Refusal.BAD_RATE
    if not 0 < terms.band_ppm <= PPM:
        return Refusal.BAD_BAND
    if not 1 <= terms.max_leverage <= MAX_LEVERAGE:
        return Refusal.BAD_LEVERAGE
    breaker = (terms.breaker_move_ppm, terms.breaker_window_ns, terms.breaker_pause_ns)
    if any(breaker) and min(breaker) <= 0:
        return Refusal.BAD_BREAKER
    return None
