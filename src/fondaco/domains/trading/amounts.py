"""From shapes to commands: text straight to atoms, words to the engine's own, moments to nanoseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import AmendOrder, PlaceOrder
from fondaco.core.money import AmountProblem, parse_atoms, parse_positive_atoms
from fondaco.core.terms import Terms
from fondaco.domains.trading.errors import BadAmountError
from fondaco.domains.trading.shapes import NewOrder, OrderChange
from fondaco.engine.projection.tables import OrderSide, SelfTradePolicy

SIDES: Final = {OrderSide.BUY: Side.BUY, OrderSide.SELL: Side.SELL}
POLICIES: Final = {each: SelfTrade[each.name] for each in SelfTradePolicy}
NOT_GIVEN: Final = 0
"""How a command says so of an amount or a moment."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def place_command(order: NewOrder, terms: Terms) -> PlaceOrder:
    """The command that an order comes to. Raises `BadAmountError`."""
    price_scale, quantity_scale = terms.instrument.price_scale, terms.instrument.quantity_scale
    return PlaceOrder(
        order.account_id,
        terms.instrument.symbol,
        SIDES[order.side],
        order.type,
        _given("quantity", order.quantity, quantity_scale),
        _given("price", order.price, price_scale),
        order.time_in_force,
        _given("trigger_price", order.trigger_price, price_scale),
        _given("quote_quantity", order.quote_quantity, price_scale),
        order.post_only,
        POLICIES[order.self_trade],
        order.client_order_id or "",
        moment_ns(order.expires_at),
    )


def amend_command(order_id: int, change: OrderChange, terms: Terms) -> AmendOrder:
    """The command that a change comes to. Raises `BadAmountError`."""
    return AmendOrder(
        change.account_id,
        order_id,
        _given("quantity", change.quantity, terms.instrument.quantity_scale),
        _given("price", change.price, terms.instrument.price_scale),
    )


def positive_atoms(field: str, text: str, scale: int) -> int:
    """Read an amount that must be above zero. Raises `BadAmountError`."""
    return _checked(field, text, scale, parse_positive_atoms(text, scale))


def atoms(field: str, text: str, scale: int) -> int:
    """Read an amount of either sign. Raises `BadAmountError`."""
    return _checked(field, text, scale, parse_atoms(text, scale))


def moment_ns(moment: datetime | None) -> int:
    """A moment as the engine counts it: whole microseconds, in nanoseconds since 1970."""
    return NOT_GIVEN if moment is None else (moment - _EPOCH) // _MICROSECOND * 1_000


def _given(field: str, text: str | None, scale: int) -> int:
    return NOT_GIVEN if text is None else positive_atoms(field, text, scale)


def _checked(field: str, text: str, scale: int, found: int | AmountProblem) -> int:
    if isinstance(found, AmountProblem):
        raise BadAmountError(field, text, found, scale)
    return found
