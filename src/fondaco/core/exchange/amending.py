"""Changing an order that rests: only lowering its quantity keeps its place in the queue.

An order that loses its place is sent to the book anew, under its own id, and may trade at once. The new one goes in
before the old one comes out: they stand on one side and do not meet, and a refusal of the book changes nothing.
"""

from fondaco.core.commands import AmendOrder
from fondaco.core.exchange.market import Market, need_of
from fondaco.core.exchange.matching import REFUSED_BY_BOOK, lower_hold_to_need, send, settle
from fondaco.core.exchange.waking import wake
from fondaco.core.exchange.writing import price_refusal, quantity_refusal
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.replies import OrderAmended, Refused, Reply
from fondaco.core.risk import Increase, limit_refusal
from fondaco.core.state import Order


def amend(house: House, command: AmendOrder) -> Reply:
    """Change price or whole quantity of an order, or say why not."""
    account = house.acting_account(command.account_id)
    if isinstance(account, Refusal):
        return Refused(account)
    order = house.orders.get(command.order_id)
    if order is None or order.account_id != command.account_id:
        return Refused(Refusal.UNKNOWN_ORDER)
    market = house.market_of(order)
    refusal = _numbers_refusal(market, command)
    if refusal is not None:
        return Refused(refusal)
    if order.order_id not in market.handles:
        return Refused(Refusal.NOT_AMENDABLE)
    lots = command.quantity // market.terms.lot or order.lots
    ticks = command.price // market.terms.tick or order.price_ticks
    if lots <= order.filled_lots:
        return Refused(Refusal.BELOW_FILLED)
    if (lots, ticks) == (order.lots, order.price_ticks):
        return Refused(Refusal.NOTHING_TO_AMEND)
    # What self-trade prevention has taken off an order stays off.
    open_lots = order.open_lots + lots - order.lots
    if open_lots <= 0:
        return Refused(Refusal.BELOW_FILLED)
    if ticks == order.price_ticks and lots < order.lots:
        return _lower(house, market, order, lots, open_lots)
    return _replace(house, market, order, lots, open_lots, ticks)


def _numbers_refusal(market: Market, command: AmendOrder) -> Refusal | None:
    refusal = price_refusal(command.price, market.terms) if command.price else None
    if refusal is None and command.quantity:
        refusal = quantity_refusal(command.quantity, market.terms)
    return refusal


def _lower(house: House, market: Market, order: Order, lots: int, open_lots: int) -> Reply:
    is_lowered = market.book.reduce(market.handles[order.order_id], open_lots)
    assert is_lowered
    order.lots, order.open_lots = lots, open_lots
    order.updated_ns = house.now_ns
    lower_hold_to_need(house, market, order, order.price_ticks)
    house.log.emit_row(order)
    return _amended(market, order, kept_place=True)


def _replace(house: House, market: Market, order: Order, lots: int, open_lots: int, ticks: int) -> Reply:
    refusal = _replacing_refusal(house, market, order, open_lots, ticks)
    if refusal is not None:
        return Refused(refusal)
    hold = house.ledger.holds[order.order_id]
    more = need_of(market, order, ticks, open_lots) - hold.amount
    if more > hold.balance.available:
        return Refused(Refusal.INSUFFICIENT_FUNDS)
    placed = send(house, market, order, ticks, open_lots, rests=True, makes_only=order.post_only)
    if placed.outcome in REFUSED_BY_BOOK:
        return Refused(REFUSED_BY_BOOK[placed.outcome])
    market.book.cancel(market.handles.pop(order.order_id))
    if more > 0:
        house.ledger.raise_hold(hold, more)
    elif more < 0:
        house.ledger.lower_hold(hold, -more)
    order.lots, order.open_lots, order.price_ticks = lots, open_lots, ticks
    order.priority_seq = house.new_id()
    prices = settle(house, market, order, placed, ticks)
    if prices:
        wake(house, market, prices)
    return _amended(market, order, kept_place=False)


def _replacing_refusal(house: House, market: Market, order: Order, open_lots: int, ticks: int) -> Refusal | None:
    """The questions that a new order would be asked."""
    if market.is_closed:
        return Refusal.INSTRUMENT_CLOSED
    if house.breakers and house.is_halted(order.world, order.symbol):
        return Refusal.BREAKER_ACTIVE
    if market.is_outside_band(order.side, ticks, house.reference_ticks(market)):
        return Refusal.PRICE_OUTSIDE_BAND
    account = house.accounts[order.account_id]
    more = max(0, open_lots - order.open_lots)
    notional = ticks * open_lots * market.step
    refusal = limit_refusal(house, market, account, Increase(order.side, more, notional, orders=0))
    if refusal is None and order.post_only and market.would_take(order.side, ticks):
        return Refusal.WOULD_TAKE
    return refusal


def _amended(market: Market, order: Order, *, kept_place: bool) -> OrderAmended:
    return OrderAmended(order.order_id, order.state, order.filled_lots * market.terms.lot, kept_place)
