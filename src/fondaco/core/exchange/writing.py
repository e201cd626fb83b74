"""Is an order written properly? Which fields each type needs, and numbers that the instrument can trade at.

Nothing here looks at the market or at anyone's money.
"""

from typing import Final, NamedTuple

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import PlaceOrder
from fondaco.core.refusals import Refusal
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderType, TimeInForce

MAX_CLIENT_ORDER_ID: Final = 64


class Shape(NamedTuple):
    """What an order of a type has to say."""

    has_price: bool
    has_trigger: bool
    times: frozenset[TimeInForce]
    sells_only: bool = False


_STANDING = frozenset({TimeInForce.GTC, TimeInForce.GTD})
_AT_ONCE = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})
"""A market order never rests, so GTC means no more than "as usual" there."""

SHAPES: Final = {
    OrderType.MARKET: Shape(has_price=False, has_trigger=False, times=_AT_ONCE),
    OrderType.LIMIT: Shape(has_price=True, has_trigger=False, times=frozenset(TimeInForce)),
    OrderType.STOP: Shape(has_price=False, has_trigger=True, times=_STANDING),
    OrderType.STOP_LIMIT: Shape(has_price=True, has_trigger=True, times=_STANDING),
    OrderType.TAKE_PROFIT: Shape(has_price=False, has_trigger=True, times=_STANDING, sells_only=True),
    OrderType.STOP_LOSS: Shape(has_price=False, has_trigger=True, times=_STANDING, sells_only=True),
}


def writing_refusal(command: PlaceOrder, terms: Terms, now_ns: int) -> Refusal | None:
    """Why an order cannot be what it says, if so."""
    shape = SHAPES[command.type]
    return (
        _fields_refusal(command, shape)
        or _times_refusal(command, shape, now_ns)
        or (price_refusal(command.price, terms) if shape.has_price else None)
        or (price_refusal(command.trigger_price, terms) if shape.has_trigger else None)
        or (_quote_refusal(command) if command.quote_quantity else quantity_refusal(command.quantity, terms))
    )


def price_refusal(price: int, terms: Terms) -> Refusal | None:
    """Why nothing can trade at this price, if so."""
    if price <= 0:
        return Refusal.PRICE_NOT_POSITIVE
    ticks, rest = divmod(price, terms.tick)
    if rest:
        return Refusal.BAD_TICK
    return Refusal.PRICE_TOO_HIGH if ticks > terms.max_price_ticks else None


def quantity_refusal(quantity: int, terms: Terms) -> Refusal | None:
    """Why no order can have this quantity, if so."""
    if quantity <= 0:
        return Refusal.QUANTITY_NOT_POSITIVE
    lots, rest = divmod(quantity, terms.lot)
    if rest:
        return Refusal.BAD_LOT
    return Refusal.QUANTITY_TOO_LARGE if lots > terms.max_order_lots else None


def _fields_refusal(command: PlaceOrder, shape: Shape) -> Refusal | None:
    if (command.price != 0) != shape.has_price:
        return Refusal.PRICE_NEEDED if shape.has_price else Refusal.PRICE_NOT_ALLOWED
    if (command.trigger_price != 0) != shape.has_trigger:
        return Refusal.TRIGGER_NEEDED if shape.has_trigger else Refusal.TRIGGER_NOT_ALLOWED
    if command.quote_quantity and (command.quantity or command.type is not OrderType.MARKET):
        return Refusal.QUANTITY_OR_QUOTE
    return None


def _times_refusal(command: PlaceOrder, shape: Shape, now_ns: int) -> Refusal | None:
    time_in_force = command.time_in_force
    if time_in_force not in shape.times:
        return Refusal.TIME_IN_FORCE_NOT_ALLOWED
    if command.post_only and (command.type is not OrderType.LIMIT or time_in_force not in _STANDING):
        return Refusal.POST_ONLY_NOT_ALLOWED
    if shape.sells_only and command.side is not Side.SELL:
        return Refusal.SELL_ONLY
    if command.self_trade is SelfTrade.ALLOW:
        return Refusal.SELF_TRADE_NOT_PREVENTED
    if time_in_force is not TimeInForce.GTD:
        return Refusal.EXPIRY_NOT_ALLOWED if command.expires_ns else None
    if not command.expires_ns:
        return Refusal.EXPIRY_NEEDED
    return Refusal.EXPIRY_PASSED if command.expires_ns <= now_ns else None


def _quote_refusal(command: PlaceOrder) -> Refusal | None:
    return Refusal.QUANTITY_NOT_POSITIVE if command.quote_quantity < 0 else None
