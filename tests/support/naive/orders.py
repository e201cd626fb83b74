"""An order's life in the naive house: placed, amended, taken back."""

from collections.abc import Iterable

from fondaco.core.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from fondaco.core.refusals import Refusal
from fondaco.core.replies import OrderAmended, OrderCancelled, OrderPlaced, OrdersCancelled, Refused, Reply
from fondaco.core.state import Order
from fondaco.core.vocabulary import AccountStatus, CloseReason, OrderState, OrderType
from support.naive.asking import (
    STANDING_TIMES,
    acting_reasons,
    is_outside,
    is_outside_band,
    order_reasons,
    price_reasons,
    quantity_reasons,
    taken_by,
)
from support.naive.limits import More, limit_reasons
from support.naive.money import free, hold_of
from support.naive.state import RESTING, STANDING, Listing, Naive, Work, first_of
from support.naive.trading import bound, end, hold_need, needed, settle, wake, walk

LIMITS = {
    Refusal.MAX_OPEN_ORDERS,
    Refusal.MAX_ORDER_VALUE,
    Refusal.MAX_POSITION,
    Refusal.MAX_DAILY_VOLUME,
}


def place(house: Naive, command: PlaceOrder, order_id: int) -> Reply:
    """Accept an order or refuse it."""
    refusal = first_of(order_reasons(house, command))
    if refusal is not None:
        house.alerts += refusal in LIMITS
        return Refused(refusal)
    account = house.account(command.account_id)
    assert account is not None
    market = house.listing(account.world, command.symbol)
    assert market is not None
    order = accepted(house, market, command, order_id)
    house.orders.append(order)
    if order.trigger_ticks:
        if order.type in (OrderType.STOP, OrderType.STOP_LIMIT):
            hold_need(house, market, order)
        return placed(market, order)
    if order.type is OrderType.MARKET:
        ticks, lots = bound(market.terms, order.side, market.last_ticks), taken_by(house, market, command).lots
        order.lots = order.open_lots = lots
    else:
        ticks, lots = order.price_ticks, order.open_lots
        hold_need(house, market, order)
    walked = walk(house, market, order.account_id, order.side, order.self_trade, ticks, lots)
    rests = order.type is OrderType.LIMIT and order.time_in_force in STANDING_TIMES
    wake(house, market, settle(house, market, order, walked, rests=rests))
    return placed(market, order)


def accepted(house: Naive, market: Listing, command: PlaceOrder, order_id: int) -> Order:
    """The row of a new order."""
    terms = market.terms
    lots = command.quantity // terms.lot
    return Order(
        order_id=order_id,
        account_id=command.account_id,
        world=market.world,
        symbol=market.symbol,
        client_order_id=command.client_order_id,
        side=command.side,
        type=command.type,
        time_in_force=command.time_in_force,
        post_only=command.post_only,
        self_trade=command.self_trade,
        lots=lots,
        price_ticks=command.price // terms.tick,
        trigger_ticks=command.trigger_price // terms.tick,
        quote_quantity=command.quote_quantity,
        expires_ns=command.expires_ns,
        maker_ppm=terms.maker_ppm,
        taker_ppm=terms.taker_ppm,
        accepted_seq=house.seq,
        created_ns=house.now_ns,
        state=OrderState.PENDING,
        priority_seq=house.place(),
        updated_ns=house.now_ns,
        open_lots=lots,
    )


def placed(market: Listing, order: Order) -> OrderPlaced:
    """How it stands."""
    filled = order.filled_lots * market.terms.lot
    return OrderPlaced(order.order_id, order.state, filled, order.filled_notional, order.fee)


def amend(house: Naive, command: AmendOrder) -> Reply:
    """Change an order that rests."""
    reasons = acting_reasons(house, house.account(command.account_id))
    order = next((each for each in house.standing(command.account_id) if each.order_id == command.order_id), None)
    if order is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_ORDER}) or Refusal.UNKNOWN_ORDER)
    market = house.market_of(order)
    reasons |= (price_reasons(command.price, market.terms) if command.price else set()) or (
        quantity_reasons(command.quantity, market.terms) if command.quantity else set()
    )
    if order.state not in RESTING:
        reasons.add(Refusal.NOT_AMENDABLE)
    lots = command.quantity // market.terms.lot if command.quantity else order.lots
    ticks = command.price // market.terms.tick if command.price else order.price_ticks
    taken_off = order.lots - order.filled_lots - order.open_lots
    open_lots = lots - order.filled_lots - taken_off
    if open_lots <= 0:
        reasons.add(Refusal.BELOW_FILLED)
    if (lots, ticks) == (order.lots, order.price_ticks):
        reasons.add(Refusal.NOTHING_TO_AMEND)
    is_kept = ticks == order.price_ticks and lots < order.lots
    if not reasons and not is_kept:
        reasons = replacing_reasons(house, market, order, ticks, open_lots)
    refusal = first_of(reasons)
    if refusal is not None:
        house.alerts += refusal in LIMITS
        return Refused(refusal)
    order.lots, order.open_lots, order.price_ticks, order.updated_ns = lots, open_lots, ticks, house.now_ns
    hold_need(house, market, order)
    if not is_kept:
        order.priority_seq = house.place()
        walked = walk(house, market, order.account_id, order.side, order.self_trade, ticks, open_lots)
        wake(house, market, settle(house, market, order, walked, rests=True))
    return OrderAmended(order.order_id, order.state, order.filled_lots * market.terms.lot, is_kept)


def replacing_reasons(house: Naive, market: Listing, order: Order, ticks: int, open_lots: int) -> set[Refusal]:
    """What a new order would be asked, for an order that loses its place."""
    reasons = set()
    account = house.account(order.account_id)
    assert account is not None
    if market.is_closed:
        reasons.add(Refusal.INSTRUMENT_CLOSED)
    if house.is_halted(market.world, market.symbol):
        reasons.add(Refusal.BREAKER_ACTIVE)
    if is_outside_band(market, order.side, ticks, market.last_ticks):
        reasons.add(Refusal.PRICE_OUTSIDE_BAND)
    more, cost = max(0, open_lots - order.open_lots), market.cost(ticks, open_lots)
    reasons |= limit_reasons(house, account, market, More(order.side, more, cost, orders=0))
    hold = hold_of(house, order.order_id)
    assert hold is not None
    if needed(house, market, order, ticks, open_lots) > hold.amount + free(house, order.account_id, hold.asset):
        reasons.add(Refusal.INSUFFICIENT_FUNDS)
    best = house.book(market, order.side.opposite)[:1]
    if order.post_only and best and is_outside(order.side, ticks, best[0].price_ticks):
        reasons.add(Refusal.WOULD_TAKE)
    walked = walk(house, market, order.account_id, order.side, order.self_trade, ticks, open_lots)
    if walked.met > house.most_touched and Refusal.WOULD_TAKE not in reasons:
        reasons.add(Refusal.TOO_MANY_TOUCHED)
    return reasons


def cancel(house: Naive, command: CancelOrder, reason: CloseReason) -> Reply:
    """Take one order back."""
    if house.account(command.account_id) is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    for order in house.standing(command.account_id):
        if order.order_id == command.order_id:
            end(house, order, OrderState.CANCELLED, reason)
            return OrderCancelled(order.order_id, order.open_lots * house.market_of(order).terms.lot)
    return Refused(Refusal.UNKNOWN_ORDER)


def cancel_all(house: Naive, command: CancelAll, reason: CloseReason) -> Reply:
    """Take back all that an account has standing now, or of one symbol."""
    account = house.account(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    if command.symbol and house.listing(account.world, command.symbol) is None:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    orders = [each for each in house.standing(command.account_id) if command.symbol in ("", each.symbol)]
    return take_back(house, orders, reason)


def take_back(house: Naive, orders: Iterable[Order], reason: CloseReason) -> Reply:
    """Take orders back, as many as one command may, unless others are being taken back already."""
    work = Work([each.order_id for each in orders], reason)
    is_first = not house.works
    house.works.append(work)
    count = work_on(house, house.most_touched) if is_first else 0
    return OrdersCancelled(count, goes_on=work in house.works)


def work_on(house: Naive, most: int) -> int:
    """Take back a part of the first work, oldest order first; it is done when none of its orders stands."""
    work = house.works[0]
    standing = [each for each in map(house.order, work.order_ids) if each.state in STANDING]
    for order in standing[:most]:
        end(house, order, OrderState.CANCELLED, work.reason)
    if len(standing) <= most:
        house.works.pop(0)
    return min(len(standing), most)
