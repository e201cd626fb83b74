"""Taking orders back: one, or all of an account or a market.

A command takes back at most `MAX_TOUCHED`. Larger work keeps a cursor and goes on ahead of the next command, so that
no command is slow and none comes between.
"""

from fondaco.core.commands import CancelAll, CancelOrder
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.house import House, Work
from fondaco.core.refusals import Refusal
from fondaco.core.replies import OrderCancelled, OrdersCancelled, Refused, Reply
from fondaco.core.state import Order
from fondaco.core.vocabulary import AccountStatus, CloseReason, OrderState


def cancel(house: House, command: CancelOrder, reason: CloseReason) -> Reply:
    """Take an order back. Another account's looks missing."""
    if command.account_id not in house.accounts:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    order = house.orders.get(command.order_id)
    if order is None or order.account_id != command.account_id:
        return Refused(Refusal.UNKNOWN_ORDER)
    market = house.market_of(order)
    left = order.open_lots * market.terms.lot
    take_back(house, order, OrderState.CANCELLED, reason)
    return OrderCancelled(order.order_id, left)


def cancel_all(house: House, command: CancelAll, reason: CloseReason) -> Reply:
    """Take back every order of an account that stands now, or those of one symbol."""
    account = house.accounts.get(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    if command.symbol and (account.world, command.symbol) not in house.markets:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    work = Work(account.account_id, account.world, command.symbol, house.last_id, reason)
    count = begin(house, work)
    return OrdersCancelled(count, goes_on=bool(house.works) and house.works[-1] is work)


def begin(house: House, work: Work) -> int:
    """Do a first part of larger work, unless other work stands before it; returns how many orders were taken back."""
    house.works.append(work)
    return work_on(house, MAX_TOUCHED) if house.works[0] is work else 0


def work_on(house: House, most: int) -> int:
    """Take back at most so many orders of the work that stands first; it leaves the line when none is left."""
    work = house.works[0]
    ids = house.work_ids
    if ids is None:
        ids = house.work_ids = _ids_of(house, work)
    count = 0
    while ids and count < most:
        order = house.orders.get(ids.pop())
        if order is not None:  # or it has ended since: by a command that came in between, or filled
            take_back(house, order, OrderState.CANCELLED, work.reason)
            count += 1
    if not any(each in house.orders for each in ids):
        house.works.popleft()
        house.work_ids = None
    return count


def take_back(house: House, order: Order, state: OrderState, reason: CloseReason) -> None:
    """Take an order out of the book or out of waiting, and end it."""
    market = house.market_of(order)
    handle = market.handles.pop(order.order_id, None)
    if handle is not None:
        lots = market.book.cancel(handle)
        assert lots == order.open_lots
    elif order.order_id in market.triggers:
        market.triggers.remove(order)
    house.end_order(order, state, reason)


def _ids_of(house: House, work: Work) -> list[int]:
    """The orders that the work is about, youngest first: they are taken from the end."""
    orders = house.orders_of.get(work.account_id, {}) if work.account_id else house.orders
    found = [
        each.order_id
        for each in orders.values()
        if each.world is work.world and (not work.symbol or each.symbol == work.symbol)
    ]
    return sorted((each for each in found if each <= work.last_order_id), reverse=True)
