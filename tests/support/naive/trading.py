"""How orders meet in the naive house: walking the book, settling, waking, halting.

Written from docs/orders.md, sentence by sentence.
"""

from typing import NamedTuple

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.events import Trade
from fondaco.core.ledger import HoldReason
from fondaco.core.state import Breaker, Order
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import CloseReason, OrderState, OrderType, SelfTradeScope
from support.naive.limits import position
from support.naive.money import free, hold_exactly, move
from support.naive.state import FEES, PPM, STANDING, WAITING, Hold, Listing, Naive, rounded_up

REDUCING = (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS)


class Met(NamedTuple):
    """A meeting with an order that rests."""

    maker: Order
    lots: int
    is_trade: bool
    is_decrement: bool = False


class Walked(NamedTuple):
    """All the meetings that an order would have."""

    meetings: list[Met]
    left: int
    """Lots that were neither traded nor taken off."""
    is_stopped: bool
    """Whether self-trade prevention ended the order."""
    met: int
    """Orders that it would touch, the one before which it was stopped included."""

    @property
    def lots(self) -> int:
        """What would be traded."""
        return sum(each.lots for each in self.meetings if each.is_trade)

    def cost(self, market: Listing) -> int:
        """What that would come to."""
        return sum(market.cost(each.maker.price_ticks, each.lots) for each in self.meetings if each.is_trade)


def bound(terms: Terms, side: Side, from_ticks: int) -> int:
    """The last price inside the band."""
    if side is Side.BUY:
        return min(from_ticks * (PPM + terms.band_ppm) // PPM, terms.max_price_ticks)
    return max(rounded_up(from_ticks * (PPM - terms.band_ppm), PPM), 1)


def crosses(side: Side, limit_ticks: int, maker_ticks: int) -> bool:
    """Whether a price is good enough."""
    return maker_ticks <= limit_ticks if side is Side.BUY else maker_ticks >= limit_ticks


def walk(
    house: Naive, market: Listing, account_id: int, side: Side, mode: SelfTrade, limit_ticks: int, lots: int
) -> Walked:
    """Whom an order would meet. Changes nothing."""
    meetings = []
    for maker in house.book(market, side.opposite):
        if not lots or not crosses(side, limit_ticks, maker.price_ticks):
            break
        if not is_same_owner(house, market, account_id, maker.account_id):
            taken = min(lots, maker.open_lots)
            meetings.append(Met(maker, taken, is_trade=True))
            lots -= taken
        elif mode is SelfTrade.EXPIRE_TAKER:
            return Walked(meetings, lots, is_stopped=True, met=len(meetings) + 1)
        elif mode is SelfTrade.DECREMENT:
            taken = min(lots, maker.open_lots)
            meetings.append(Met(maker, taken, is_trade=False, is_decrement=True))
            lots -= taken
        else:
            meetings.append(Met(maker, maker.open_lots, is_trade=False))
            if mode is SelfTrade.EXPIRE_BOTH:
                return Walked(meetings, lots, is_stopped=True, met=len(meetings))
    return Walked(meetings, lots, is_stopped=False, met=len(meetings))


def is_same_owner(house: Naive, market: Listing, one: int, other: int) -> bool:
    """Whether two accounts' orders may not meet here."""
    if market.terms.self_trade_scope is SelfTradeScope.ACCOUNT:
        return one == other
    owners = {each.account_id: each.user_id for each in house.accounts}
    return owners[one] == owners[other]


def settle(house: Naive, market: Listing, order: Order, walked: Walked, *, rests: bool) -> list[int]:
    """Do what the walk found; returns the prices of its trades in their order."""
    prices = []
    is_decremented = False
    for met in walked.meetings:
        if met.is_trade:
            trade(house, market, order, met.maker, met.lots)
            prices.append(met.maker.price_ticks)
        elif met.is_decrement:
            is_decremented = True
            order.open_lots -= met.lots
            met.maker.open_lots -= met.lots
            met.maker.updated_ns = house.now_ns
            if met.maker.open_lots:
                hold_need(house, market, met.maker)
            else:
                end(house, met.maker, OrderState.EXPIRED, CloseReason.SELF_TRADE)
        else:
            end(house, met.maker, OrderState.EXPIRED, CloseReason.SELF_TRADE)
    order.updated_ns = house.now_ns
    if walked.is_stopped or (is_decremented and not walked.left):
        end(house, order, OrderState.EXPIRED, CloseReason.SELF_TRADE)
    elif not walked.left:
        end(house, order, OrderState.FILLED, CloseReason.NONE)
    elif rests:
        order.state = OrderState.PARTIALLY_FILLED if order.filled_lots else OrderState.OPEN
        hold_need(house, market, order)
    else:
        end(house, order, OrderState.EXPIRED, CloseReason.IMMEDIATE_REST)
    return prices


def trade(house: Naive, market: Listing, taker: Order, maker: Order, lots: int) -> None:
    """Two orders meet at the maker's price."""
    buy, sell = (taker, maker) if taker.side is Side.BUY else (maker, taker)
    cost = market.cost(maker.price_ticks, lots)
    # The holds step aside, everything is paid out of what is free, and what is still needed is held again.
    for order in (taker, maker):
        house.holds = [each for each in house.holds if each.hold_id != order.order_id]
    move(house, sell.account_id, buy.account_id, market.base, lots * market.terms.lot)
    move(house, buy.account_id, sell.account_id, market.quote, cost)
    fees = {}
    for order, rate in ((taker, taker.taker_ppm), (maker, maker.maker_ppm)):
        fees[order.order_id] = fee = charge(house, order, cost * rate)
        move(house, order.account_id, FEES[market.world], market.quote, fee)
        order.filled_lots += lots
        order.filled_notional += cost
        order.open_lots -= lots
        order.updated_ns = house.now_ns
    market.last_ticks = maker.price_ticks
    had, paid, _ = position(house, sell.account_id, market)
    sold = min(lots, had)
    earned = market.cost(maker.price_ticks, sold) - rounded_up(paid * sold, had) if had else 0
    number = 1 + sum((each.world, each.symbol) == (market.world, market.symbol) for _, each in house.trades)
    done = Trade(
        number, market.world, market.symbol, maker.price_ticks, lots, cost, buy.order_id, sell.order_id,
        buy.account_id, sell.account_id, fees[buy.order_id], fees[sell.order_id], taker.side, earned,
    )  # fmt: skip
    house.trades.append((house.now_ns, done))
    if taker.type is not OrderType.MARKET and taker.open_lots:
        hold_need(house, market, taker)
    if not maker.open_lots:
        is_whole = maker.filled_lots == maker.lots
        state = OrderState.FILLED if is_whole else OrderState.EXPIRED
        end(house, maker, state, CloseReason.NONE if is_whole else CloseReason.SELF_TRADE)
    else:
        maker.state = OrderState.PARTIALLY_FILLED
        hold_need(house, market, maker)


def charge(house: Naive, order: Order, millionths: int) -> int:
    """A fill's fee: what all of the order's fills cost together, rounded up once, less what was paid before."""
    house.exact_fees[order.order_id] = house.exact_fees.get(order.order_id, 0) + millionths
    exact = house.exact_fees[order.order_id]
    fee = rounded_up(exact, PPM) - order.fee
    order.fee += fee
    order.fee_carry = order.fee * PPM - exact
    return fee


def needed(house: Naive, market: Listing, order: Order, ticks: int, lots: int) -> int:
    """What an order must hold to buy or sell so many lots at worst at this price."""
    if order.side is Side.SELL:
        return lots * market.terms.lot
    cost = market.cost(ticks, lots)
    exact = house.exact_fees.get(order.order_id, 0) + cost * max(order.maker_ppm, order.taker_ppm)
    return cost + max(0, rounded_up(exact, PPM) - order.fee)


def needed_anew(market: Listing, side: Side, ticks: int, lots: int) -> int:
    """What a new order must hold."""
    if side is Side.SELL:
        return lots * market.terms.lot
    cost = market.cost(ticks, lots)
    return cost + rounded_up(cost * max(market.terms.maker_ppm, market.terms.taker_ppm), PPM)


def worst_ticks(market: Listing, order: Order) -> int:
    """The worst price that an order may trade at."""
    return order.price_ticks or bound(market.terms, order.side, order.trigger_ticks)


def hold_need(house: Naive, market: Listing, order: Order) -> None:
    """Hold what an order needs for what is still open of it."""
    asset = market.quote if order.side is Side.BUY else market.base
    amount = needed(house, market, order, worst_ticks(market, order), order.open_lots)
    hold_exactly(house, Hold(order.order_id, order.account_id, asset, amount, HoldReason.ORDER))


def end(house: Naive, order: Order, state: OrderState, reason: CloseReason) -> None:
    """An order is over; what it held is free."""
    order.state, order.close_reason, order.updated_ns = state, reason, house.now_ns
    house.holds = [each for each in house.holds if each.hold_id != order.order_id]


def is_reached(side: Side, kind: OrderType, trigger_ticks: int, last_ticks: int) -> bool:
    """Whether an order with a trigger fires at this price."""
    if kind is OrderType.TAKE_PROFIT or (kind is not OrderType.STOP_LOSS and side is Side.BUY):
        return last_ticks >= trigger_ticks
    return last_ticks <= trigger_ticks


def cross(house: Naive, market: Listing, prices: list[int]) -> None:
    """Put in line who waits for these prices."""
    for price in prices:
        reached = [
            each
            for each in house.orders
            if each.state in WAITING
            and (each.world, each.symbol) == (market.world, market.symbol)
            and each.order_id not in house.in_line
            and is_reached(each.side, each.type, each.trigger_ticks, price)
        ]
        reached.sort(key=lambda each: (each.trigger_ticks, each.priority_seq))
        house.in_line += [each.order_id for each in reached]


def wake(house: Naive, market: Listing, prices: list[int]) -> None:
    """After a command's matching: who was waiting for this. Those in line since before go first, with the next one."""
    was_empty = not house.in_line
    cross(house, market, prices)
    halt(house, market, prices)
    if was_empty:
        fire(house)


def fire(house: Naive) -> int:
    """Send who stands in line, and who is put in line by that; returns how many."""
    count = 0
    while house.in_line and count < house.most_touched:
        order = house.order(house.in_line.pop(0))
        count += 1
        if order.state in STANDING:  # an order that was cancelled keeps its place in line
            market = house.market_of(order)
            prices = send_fired(house, market, order)
            cross(house, market, prices)
            halt(house, market, prices)
    return count


def send_fired(house: Naive, market: Listing, order: Order) -> list[int]:
    """A triggered order becomes what it waited to be, unless its market was closed while it stood in line."""
    if market.is_closed:
        end(house, order, OrderState.CANCELLED, CloseReason.INSTRUMENT_CLOSED)
        return []
    order.priority_seq = house.place()
    if order.type in REDUCING:
        lots = min(order.open_lots, free(house, order.account_id, market.base) // market.terms.lot)
        if not lots:
            end(house, order, OrderState.REJECTED, CloseReason.NOTHING_TO_SELL)
            return []
        order.lots = order.open_lots = lots
        hold_need(house, market, order)
    ticks = worst_ticks(market, order)
    walked = walk(house, market, order.account_id, order.side, order.self_trade, ticks, order.open_lots)
    if walked.met > house.most_touched:
        end(house, order, OrderState.REJECTED, CloseReason.TOO_MANY_TOUCHED)
        return []
    return settle(house, market, order, walked, rests=order.type is OrderType.STOP_LIMIT)


def halt(house: Naive, market: Listing, prices: list[int]) -> None:
    """The automatic breaker: the first trade after a window begins the next, and a later one may have gone too far."""
    terms = market.terms
    if not terms.breaker_move_ppm:
        return
    for price in prices:
        if not market.window_ticks or house.now_ns >= market.window_ns + terms.breaker_window_ns:
            market.window_ticks, market.window_ns = price, house.now_ns
        elif abs(price - market.window_ticks) * PPM > market.window_ticks * terms.breaker_move_ppm:
            market.window_ticks, market.window_ns = price, house.now_ns
            if any((each.world, each.symbol) == (market.world, market.symbol) for each in house.breakers):
                continue
            until_ns = house.now_ns + terms.breaker_pause_ns
            house.breakers.append(
                Breaker(0, market.world, market.symbol, "The price moved too far.", "", house.now_ns, until_ns)
            )
            house.alerts += 1
