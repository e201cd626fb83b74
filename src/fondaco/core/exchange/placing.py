"""A new order: may it be, given the market and the account, and if so, what becomes of it at once.

Everything is asked first, in the order of `fondaco.core.refusals.Refusal`. The book's own answer is the last question:
an order that would take when it must not, or would meet too many, has changed nothing there. Then the order exists.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from fondaco.core.book.vocabulary import BUY, Walk
from fondaco.core.commands import PlaceOrder
from fondaco.core.exchange.market import MAX_TOUCHED, Market, need_of
from fondaco.core.exchange.matching import REFUSED_BY_BOOK, send, settle
from fondaco.core.exchange.triggers import is_reached
from fondaco.core.exchange.waking import wake
from fondaco.core.exchange.writing import MAX_CLIENT_ORDER_ID, SHAPES, writing_refusal
from fondaco.core.fees import most_fee
from fondaco.core.house import House
from fondaco.core.ledger import Balance, HoldReason
from fondaco.core.refusals import Refusal
from fondaco.core.replies import OrderPlaced, Refused, Reply
from fondaco.core.risk import Increase, limit_refusal, reached_limit
from fondaco.core.state import Account, Order
from fondaco.core.texts import is_text
from fondaco.core.vocabulary import AccountKind, OrderState, OrderType, TimeInForce

# Members have names of their own here: looking one up in its enum costs 0.1 µs, and an order does so often.
_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_FOK: Final = TimeInForce.FOK
_GTC: Final = TimeInForce.GTC
_GTD: Final = TimeInForce.GTD
_OPEN: Final = OrderState.OPEN
_SPOT: Final = AccountKind.SPOT
_FOR_ORDER: Final = HoldReason.ORDER

_RESTING_TIMES: Final = (_GTC, _GTD)


Capped: TypeAlias = Callable[[House, Market, Account, Increase], Refusal | None]
"""Says why limits forbid so much more."""


class Ready(NamedTuple):
    """An order that nothing stands against, as long as the book takes it."""

    order: Order
    balance: Balance
    """What it is paid from,"""
    need: int
    """and how much of it must be free."""


def place(house: House, command: PlaceOrder) -> Reply:
    """Accept an order and do what it can do at once, or say why not."""
    found = _find(house, command)
    if isinstance(found, Refusal):
        return Refused(found)
    account, market = found
    if command.type is _LIMIT:
        return _place_limit(house, market, account, command)
    if command.type is _MARKET:
        return _place_market(house, market, account, command)
    return _place_waiting(house, market, account, command)


def check(house: House, command: PlaceOrder) -> Refusal | None:
    """Why `place` would refuse an order now, if it would. Nothing changes, and nobody is alerted."""
    found = _find(house, command)
    if isinstance(found, Refusal):
        return found
    account, market = found
    ready = _READY.get(command.type, _ready_waiting)(house, market, account, command, reached_limit)
    if isinstance(ready, Refusal):
        return ready
    order = ready.order
    if order.state is OrderState.PENDING:
        return None
    bound = order.price_ticks or market.bound_ticks(order.side, house.reference_ticks(market))
    is_too_much = _walk(market, account, command, bound, order.lots).met > MAX_TOUCHED
    return Refusal.TOO_MANY_TOUCHED if is_too_much else None


def _find(house: House, command: PlaceOrder) -> tuple[Account, Market] | Refusal:
    """Who orders where, or what stands against it whatever the order is."""
    if command.client_order_id and not is_text(command.client_order_id, MAX_CLIENT_ORDER_ID):
        return Refusal.BAD_TEXT
    account = house.acting_account(command.account_id)
    if isinstance(account, Refusal):
        return account
    market = house.markets.get((account.world, command.symbol))
    if market is None:
        return Refusal.UNKNOWN_SYMBOL
    return _market_refusal(house, market, account, command) or (account, market)


def _market_refusal(house: House, market: Market, account: Account, command: PlaceOrder) -> Refusal | None:
    if market.is_closed:
        return Refusal.INSTRUMENT_CLOSED
    if account.kind is not _SPOT:
        return Refusal.SPOT_ACCOUNT_NEEDED
    refusal = writing_refusal(command, market.terms, house.now_ns)
    if refusal is not None:
        return refusal
    if house.breakers and house.is_halted(account.world, command.symbol):
        return Refusal.BREAKER_ACTIVE
    if command.client_order_id and (account.account_id, command.client_order_id) in house.client_ids:
        return Refusal.DUPLICATE_CLIENT_ORDER_ID
    return None


def _place_limit(house: House, market: Market, account: Account, command: PlaceOrder) -> Reply:
    ready = _ready_limit(house, market, account, command, limit_refusal)
    if isinstance(ready, Refusal):
        return Refused(ready)
    order, balance, need = ready
    ticks, rests = order.price_ticks, command.time_in_force in _RESTING_TIMES
    placed = send(house, market, order, ticks, order.lots, rests=rests, makes_only=command.post_only)
    if placed.outcome in REFUSED_BY_BOOK:
        return Refused(REFUSED_BY_BOOK[placed.outcome])
    house.new_id()
    house.add_order(order)
    house.ledger.place_hold(order.order_id, balance, need, _FOR_ORDER)
    prices = settle(house, market, order, placed, ticks)
    if prices:
        wake(house, market, prices)
    return _placed(market, order)


def _ready_limit(
    house: House, market: Market, account: Account, command: PlaceOrder, capped: Capped
) -> Ready | Refusal:
    terms = market.terms
    ticks, lots = command.price // terms.tick, command.quantity // terms.lot
    rests = command.time_in_force in _RESTING_TIMES
    if market.is_outside_band(command.side, ticks, house.reference_ticks(market)):
        return Refusal.PRICE_OUTSIDE_BAND
    refusal = capped(house, market, account, Increase(command.side, lots, ticks * lots * market.step))
    if refusal is not None:
        return refusal
    if rests and market.live_orders >= terms.max_open_orders:
        return Refusal.BOOK_FULL
    if command.post_only and market.would_take(command.side, ticks):
        return Refusal.WOULD_TAKE
    if command.time_in_force is _FOK and _walk(market, account, command, ticks, lots).lots < lots:
        return Refusal.NOT_FILLABLE
    order = _order(house, market, command, lots, ticks, _OPEN)
    balance, need = _need(house, market, order, ticks)
    if balance.available < need:
        return Refusal.INSUFFICIENT_FUNDS
    return Ready(order, balance, need)


def _place_market(house: House, market: Market, account: Account, command: PlaceOrder) -> Reply:
    ready = _ready_market(house, market, account, command, limit_refusal)
    if isinstance(ready, Refusal):
        return Refused(ready)
    order = ready.order
    bound = market.bound_ticks(order.side, house.reference_ticks(market))
    placed = send(house, market, order, bound, order.lots, rests=False)
    if placed.outcome in REFUSED_BY_BOOK:
        return Refused(REFUSED_BY_BOOK[placed.outcome])
    house.new_id()
    house.add_order(order)
    prices = settle(house, market, order, placed, 0)
    wake(house, market, prices)
    return _placed(market, order)


def _ready_market(
    house: House, market: Market, account: Account, command: PlaceOrder, capped: Capped
) -> Ready | Refusal:
    """A market order makes no hold: one walk of the book says what it will get, and what that costs."""
    side, terms = command.side, market.terms
    reference = house.reference_ticks(market)
    if not reference:
        return Refusal.NO_REFERENCE_PRICE
    bound = market.bound_ticks(side, reference)
    if command.quote_quantity:
        lots = _lots_for(market, account, command, bound)
        if not lots and _walk(market, account, command, bound, terms.max_order_lots).lots:
            return Refusal.QUANTITY_NOT_POSITIVE
    else:
        lots = command.quantity // terms.lot
    walk = _walk(market, account, command, bound, lots)
    refusal = capped(house, market, account, Increase(side, walk.lots, walk.notional * market.step))
    if refusal is not None:
        return refusal
    if not walk.lots:
        return Refusal.NO_LIQUIDITY
    if command.time_in_force is _FOK and walk.lots < lots:
        return Refusal.NOT_FILLABLE
    if side is BUY:
        cost = walk.notional * market.step
        need, asset = cost + most_fee(cost, terms.taker_ppm, 0), terms.instrument.quote.code
    else:
        need, asset = walk.lots * terms.lot, terms.instrument.base.code
    balance = house.ledger.balance(account.account_id, asset)
    if balance.available < need:
        return Refusal.INSUFFICIENT_FUNDS
    return Ready(_order(house, market, command, lots, 0, _OPEN), balance, need)


def _place_waiting(house: House, market: Market, account: Account, command: PlaceOrder) -> Reply:
    """An order that waits for its trigger; it holds what it will need then, unless it only sells what is there."""
    ready = _ready_waiting(house, market, account, command, limit_refusal)
    if isinstance(ready, Refusal):
        return Refused(ready)
    order, balance, need = ready
    house.new_id()
    house.add_order(order)
    if need:
        house.ledger.place_hold(order.order_id, balance, need, _FOR_ORDER)
    market.triggers.add(order)
    house.log.emit_row(order)
    return _placed(market, order)


def _ready_waiting(
    house: House, market: Market, account: Account, command: PlaceOrder, capped: Capped
) -> Ready | Refusal:
    terms, side = market.terms, command.side
    trigger, lots = command.trigger_price // terms.tick, command.quantity // terms.lot
    price = command.price // terms.tick
    limit_ticks = price or market.bound_ticks(side, trigger)
    if price and market.is_outside_band(side, price, trigger):
        return Refusal.PRICE_OUTSIDE_BAND
    if market.last_ticks and is_reached(side, command.type, trigger, market.last_ticks):
        return Refusal.WOULD_TRIGGER_NOW
    refusal = capped(house, market, account, Increase(side, lots, limit_ticks * lots * market.step))
    if refusal is not None:
        return refusal
    if market.live_orders >= terms.max_open_orders:
        return Refusal.BOOK_FULL
    order = _order(house, market, command, lots, price, OrderState.PENDING)
    order.trigger_ticks = trigger
    balance, need = _need(house, market, order, limit_ticks)
    if SHAPES[command.type].sells_only:
        need = 0
    return Ready(order, balance, need) if balance.available >= need else Refusal.INSUFFICIENT_FUNDS


def _order(house: House, market: Market, command: PlaceOrder, lots: int, price_ticks: int, state: OrderState) -> Order:
    terms, id_, now_ns = market.terms, house.next_id, house.now_ns
    return Order(
        id_,
        command.account_id,
        terms.world,
        command.symbol,
        command.client_order_id,
        command.side,
        command.type,
        command.time_in_force,
        command.post_only,
        command.self_trade,
        lots,
        price_ticks,
        0,
        command.quote_quantity,
        command.expires_ns,
        terms.maker_ppm,
        terms.taker_ppm,
        house.seq,
        now_ns,
        state,
        id_,
        now_ns,
        lots,
    )


def _need(house: House, market: Market, order: Order, limit_ticks: int) -> tuple[Balance, int]:
    """The balance that an order holds of, and how much."""
    instrument = market.terms.instrument
    asset = instrument.quote if order.side is BUY else instrument.base
    balance = house.ledger.balance(order.account_id, asset.code)
    return balance, need_of(market, order, limit_ticks, order.open_lots)


def _walk(market: Market, account: Account, command: PlaceOrder, price_ticks: int, lots: int) -> Walk:
    """What an order would get up to a price."""
    owner = market.owner_of(account.account_id, account.user_number)
    return market.book.walk(command.side, price_ticks, lots, owner=owner, self_trade=command.self_trade)


def _lots_for(market: Market, account: Account, command: PlaceOrder, bound_ticks: int) -> int:
    """The most lots that a market order's quote quantity buys, its fee included, or has to sell.

    What so many lots cost only grows with their number, so it is found by halving.
    """
    terms, is_buy = market.terms, command.side is BUY
    enough, too_many = 0, terms.max_order_lots + 1
    while too_many - enough > 1:
        lots = (enough + too_many) // 2
        walk = _walk(market, account, command, bound_ticks, lots)
        cost = walk.notional * market.step
        if is_buy:
            cost += most_fee(cost, terms.taker_ppm, 0)
        if walk.lots == lots and cost <= command.quote_quantity:
            enough = lots
        else:
            too_many = lots
    return enough


def _placed(market: Market, order: Order) -> OrderPlaced:
    filled = order.filled_lots * market.terms.lot
    return OrderPlaced(order.order_id, order.state, filled, order.filled_notional, order.fee)


_READY: Final = {_LIMIT: _ready_limit, _MARKET: _ready_market}
