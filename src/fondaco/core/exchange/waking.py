"""What a trade sets off: orders whose trigger it reached, and the automatic breaker.

Orders fire after the matching of the current command, breadth-first: those that an earlier price reached come before
those of a later one, and what they trade at may wake others, who stand in line behind them. A command wakes at most
`MAX_TOUCHED`; who is left goes on ahead of the next command.
"""

from fondaco.core.book.vocabulary import SELL, Outcome
from fondaco.core.events import RiskAlert
from fondaco.core.exchange.market import MAX_TOUCHED, Market
from fondaco.core.exchange.matching import send, settle
from fondaco.core.house import BREAKER_ENDS, House
from fondaco.core.ledger import HoldReason
from fondaco.core.state import Breaker, Order
from fondaco.core.vocabulary import CloseReason, OrderState, OrderType, Severity


def wake(house: House, market: Market, prices: list[int]) -> None:
    """Fire whoever waited for these prices, and whoever waits for what that leads to."""
    is_busy = bool(house.fired)
    _traded(house, market, prices)
    if house.fired and not is_busy:
        fire(house, MAX_TOUCHED)


def fire(house: House, most: int) -> int:
    """Send at most so many fired orders on their way; returns how many were."""
    count = 0
    while house.fired and count < most:
        order = house.orders.get(house.fired.popleft())
        count += 1
        if order is not None:  # or it was cancelled while it stood in line
            market = house.market_of(order)
            _traded(house, market, _send_fired(house, market, order))
    return count


def _traded(house: House, market: Market, prices: list[int]) -> None:
    """Put who was reached in line, by crossing, trigger price, priority; and halt what moved too far."""
    if market.triggers.waiting:
        for price in prices:
            house.fired.extend(order.order_id for order in market.triggers.reached(price))
    if not market.terms.breaker_move_ppm:
        return
    for price in prices:
        if market.is_halted_by(price, house.now_ns):
            _halt(house, market, price)


def _send_fired(house: House, market: Market, order: Order) -> list[int]:
    """A fired order becomes what it waited to be: a limit order, or one that takes what the band allows.

    A market that was closed while it stood in line takes it no more.
    """
    if market.is_closed:
        house.end_order(order, OrderState.CANCELLED, CloseReason.INSTRUMENT_CLOSED)
        return []
    order.priority_seq = house.new_id()
    is_limit = order.type is OrderType.STOP_LIMIT
    limit_ticks = order.price_ticks if is_limit else market.bound_ticks(order.side, order.trigger_ticks)
    if order.type in (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS) and not _hold_what_is_there(house, market, order):
        house.end_order(order, OrderState.REJECTED, CloseReason.NOTHING_TO_SELL)
        return []
    placed = send(house, market, order, limit_ticks, order.open_lots, rests=is_limit)
    if placed.outcome is Outcome.TOO_MANY:
        house.end_order(order, OrderState.REJECTED, CloseReason.TOO_MANY_TOUCHED)
        return []
    return settle(house, market, order, placed, limit_ticks)


def _hold_what_is_there(house: House, market: Market, order: Order) -> bool:
    """A reduce-only order sells no more than its account has free; says whether that is anything."""
    assert order.side is SELL
    terms = market.terms
    balance = house.ledger.balance(order.account_id, terms.instrument.base.code)
    lots = min(order.open_lots, balance.available // terms.lot)
    if not lots:
        return False
    order.lots = order.open_lots = lots
    house.ledger.place_hold(order.order_id, balance, lots * terms.lot, HoldReason.ORDER)
    return True


def _halt(house: House, market: Market, price_ticks: int) -> None:
    """Switch the automatic breaker on: prices have moved too far too fast. The next window begins here."""
    world, symbol = market.terms.world, market.terms.instrument.symbol
    market.anchor_ticks, market.anchor_ns = price_ticks, house.now_ns
    if (world, symbol) in house.breakers:
        return
    until_ns = house.now_ns + market.terms.breaker_pause_ns
    breaker = Breaker(house.new_id(), world, symbol, "The price moved too far.", "", house.now_ns, until_ns)
    house.breakers[world, symbol] = breaker
    house.remind(until_ns, BREAKER_ENDS, breaker.breaker_id)
    house.log.emit(breaker)
    message = f"{symbol} ({world}) is halted: its price moved by more than {market.terms.breaker_move_ppm} ppm."
    house.log.emit(RiskAlert(house.new_id(), Severity.HIGH, "breaker", message, f"symbol:{symbol}"))
