"""Every reason against an order, all at once; which of them is told follows from the list in `fondaco.core.refusals`.

Nothing returns early but where a question has no sense without the answer before it.
"""

from typing import NamedTuple

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import PlaceOrder
from fondaco.core.refusals import Refusal
from fondaco.core.state import Account
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    OrderType,
    TimeInForce,
    UserStatus,
)
from support.naive.limits import More, limit_reasons
from support.naive.money import free
from support.naive.state import PPM, Listing, Naive, rounded_up
from support.naive.trading import bound, is_reached, needed_anew, walk

PRICED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
TRIGGERED = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS)
REDUCING = (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS)
STANDING_TIMES = (TimeInForce.GTC, TimeInForce.GTD)


class Taking(NamedTuple):
    """What a market order would do: lots to send, and what they would come to."""

    lots: int
    got: int
    cost: int
    met: int


def text_reasons(text: str, longest: int, *, may_be_empty: bool = False) -> set[Refusal]:
    """Why a text cannot stand in the journal."""
    is_good = len(text) <= longest and text.isprintable() and (bool(text) or may_be_empty)
    return set() if is_good else {Refusal.BAD_TEXT}


def acting_reasons(house: Naive, account: Account | None) -> set[Refusal]:
    """Why an account may not act."""
    if account is None:
        return {Refusal.UNKNOWN_ACCOUNT}
    reasons = set()
    if account.status is AccountStatus.CLOSED:
        reasons.add(Refusal.ACCOUNT_CLOSED)
    if account.status is AccountStatus.FROZEN:
        reasons.add(Refusal.ACCOUNT_FROZEN)
    user = house.user(account.user_id)
    if user is None or user.status is UserStatus.SUSPENDED:
        reasons.add(Refusal.USER_SUSPENDED)
    return reasons


def order_reasons(house: Naive, command: PlaceOrder) -> set[Refusal]:
    """Why an order is not accepted."""
    reasons = text_reasons(command.client_order_id, 64, may_be_empty=True)
    account = house.account(command.account_id)
    reasons |= acting_reasons(house, account)
    if account is None:
        return reasons
    market = house.listing(account.world, command.symbol)
    if account.kind is not AccountKind.SPOT:
        reasons.add(Refusal.SPOT_ACCOUNT_NEEDED)
    if market is None:
        return reasons | {Refusal.UNKNOWN_SYMBOL}
    if market.is_closed:
        reasons.add(Refusal.INSTRUMENT_CLOSED)
    reasons |= field_reasons(command) | time_reasons(command, house.now_ns) | number_reasons(command, market.terms)
    return reasons or market_reasons(house, account, market, command)


def field_reasons(command: PlaceOrder) -> set[Refusal]:
    """What an order of a type needs and has not, or has and cannot have."""
    reasons = set()
    if command.type in PRICED and not command.price:
        reasons.add(Refusal.PRICE_NEEDED)
    if command.type not in PRICED and command.price:
        reasons.add(Refusal.PRICE_NOT_ALLOWED)
    if command.type in TRIGGERED and not command.trigger_price:
        reasons.add(Refusal.TRIGGER_NEEDED)
    if command.type not in TRIGGERED and command.trigger_price:
        reasons.add(Refusal.TRIGGER_NOT_ALLOWED)
    if command.quote_quantity and (command.quantity or command.type is not OrderType.MARKET):
        reasons.add(Refusal.QUANTITY_OR_QUOTE)
    if command.type in REDUCING and command.side is Side.BUY:
        reasons.add(Refusal.SELL_ONLY)
    if command.self_trade is SelfTrade.ALLOW:
        reasons.add(Refusal.SELF_TRADE_NOT_PREVENTED)
    return reasons


def time_reasons(command: PlaceOrder, now_ns: int) -> set[Refusal]:
    """How long it may stand."""
    reasons = set()
    time = command.time_in_force
    if command.type is OrderType.MARKET and time is TimeInForce.GTD:
        reasons.add(Refusal.TIME_IN_FORCE_NOT_ALLOWED)
    if command.type in TRIGGERED and time not in STANDING_TIMES:
        reasons.add(Refusal.TIME_IN_FORCE_NOT_ALLOWED)
    if command.post_only and (command.type is not OrderType.LIMIT or time not in STANDING_TIMES):
        reasons.add(Refusal.POST_ONLY_NOT_ALLOWED)
    if time is TimeInForce.GTD and not command.expires_ns:
        reasons.add(Refusal.EXPIRY_NEEDED)
    if time is not TimeInForce.GTD and command.expires_ns:
        reasons.add(Refusal.EXPIRY_NOT_ALLOWED)
    if time is TimeInForce.GTD and command.expires_ns <= now_ns:
        reasons.add(Refusal.EXPIRY_PASSED)
    return reasons


def number_reasons(command: PlaceOrder, terms: Terms) -> set[Refusal]:
    """Numbers that nothing can trade at: price, trigger, quantity, asked in that order."""
    questions = []
    if command.type in PRICED:
        questions.append(price_reasons(command.price, terms))
    if command.type in TRIGGERED:
        questions.append(price_reasons(command.trigger_price, terms))
    if not command.quote_quantity:
        questions.append(quantity_reasons(command.quantity, terms))
    elif command.quote_quantity < 0:
        questions.append({Refusal.QUANTITY_NOT_POSITIVE})
    return next((each for each in questions if each), set())


def price_reasons(price: int, terms: Terms) -> set[Refusal]:
    """Why nothing trades at a price."""
    if price <= 0:
        return {Refusal.PRICE_NOT_POSITIVE}
    reasons = set()
    if price % terms.tick:
        reasons.add(Refusal.BAD_TICK)
    if price // terms.tick > terms.max_price_ticks:
        reasons.add(Refusal.PRICE_TOO_HIGH)
    return reasons


def quantity_reasons(quantity: int, terms: Terms) -> set[Refusal]:
    """Why nothing has a quantity."""
    if quantity <= 0:
        return {Refusal.QUANTITY_NOT_POSITIVE}
    reasons = set()
    if quantity % terms.lot:
        reasons.add(Refusal.BAD_LOT)
    if quantity // terms.lot > terms.max_order_lots:
        reasons.add(Refusal.QUANTITY_TOO_LARGE)
    return reasons


def market_reasons(house: Naive, account: Account, market: Listing, command: PlaceOrder) -> set[Refusal]:
    """What the market, the limits and the account's money say to an order that is written properly."""
    reasons = set()
    if house.is_halted(market.world, market.symbol):
        reasons.add(Refusal.BREAKER_ACTIVE)
    if command.client_order_id and is_taken(house, command.account_id, command.client_order_id):
        reasons.add(Refusal.DUPLICATE_CLIENT_ORDER_ID)
    if command.type is OrderType.MARKET:
        if not market.last_ticks:
            reasons.add(Refusal.NO_REFERENCE_PRICE)
        return reasons or taking_reasons(house, account, market, command)
    return reasons | standing_reasons(house, account, market, command)


def standing_reasons(house: Naive, account: Account, market: Listing, command: PlaceOrder) -> set[Refusal]:
    """The same, of an order that rests or waits, or could."""
    reasons = set()
    price, trigger = command.price // market.terms.tick, command.trigger_price // market.terms.tick
    lots = command.quantity // market.terms.lot
    if trigger and market.last_ticks and is_reached(command.side, command.type, trigger, market.last_ticks):
        reasons.add(Refusal.WOULD_TRIGGER_NOW)
    stands = [
        each for each in house.standing() if house.market_of(each) is market and each.order_id not in house.in_line
    ]
    if command.time_in_force in STANDING_TIMES and len(stands) >= market.terms.max_open_orders:
        reasons.add(Refusal.BOOK_FULL)
    worst = price or bound(market.terms, command.side, trigger)
    reasons |= limit_reasons(house, account, market, More(command.side, lots, market.cost(worst, lots), orders=1))
    if command.type not in REDUCING:
        asset = market.quote if command.side is Side.BUY else market.base
        if needed_anew(market, command.side, worst, lots) > free(house, account.account_id, asset):
            reasons.add(Refusal.INSUFFICIENT_FUNDS)
    if command.type is OrderType.STOP_LIMIT and is_outside_band(market, command.side, price, trigger):
        reasons.add(Refusal.PRICE_OUTSIDE_BAND)
    if command.type is OrderType.LIMIT:
        if is_outside_band(market, command.side, price, market.last_ticks):
            reasons.add(Refusal.PRICE_OUTSIDE_BAND)
        reasons |= meeting_reasons(house, market, command, price, lots)
    return reasons


def meeting_reasons(house: Naive, market: Listing, command: PlaceOrder, price: int, lots: int) -> set[Refusal]:
    """What a limit order would meet."""
    walked = walk(house, market, command.account_id, command.side, command.self_trade, price, lots)
    reasons = set()
    best = house.book(market, command.side.opposite)[:1]
    if command.post_only and best and is_outside(command.side, price, best[0].price_ticks):
        return {Refusal.WOULD_TAKE}
    if command.time_in_force is TimeInForce.FOK and walked.lots < lots:
        reasons.add(Refusal.NOT_FILLABLE)
    if walked.met > house.most_touched:
        reasons.add(Refusal.TOO_MANY_TOUCHED)
    return reasons


def is_outside(side: Side, ticks: int, other_ticks: int) -> bool:
    """Whether an order would take from one at the other price."""
    return other_ticks <= ticks if side is Side.BUY else other_ticks >= ticks


def is_outside_band(market: Listing, side: Side, ticks: int, from_ticks: int) -> bool:
    """Whether a price is too far beyond another, on the side where it would take."""
    if not from_ticks:
        return False
    band = market.terms.band_ppm
    if side is Side.BUY:
        return ticks * PPM > from_ticks * (PPM + band)
    return ticks * PPM < from_ticks * (PPM - band)


def is_taken(house: Naive, account_id: int, client_order_id: str) -> bool:
    """Whether an order that stands, or one whose command is remembered, has this id of its account's."""
    return any(
        (each.account_id, each.client_order_id) == (account_id, client_order_id)
        and (each in house.standing() or each.accepted_seq > house.forgotten_seq)
        for each in house.orders
    )


def taking_reasons(house: Naive, account: Account, market: Listing, command: PlaceOrder) -> set[Refusal]:
    """What a market order would get, and whether that can be paid."""
    reasons = set()
    taking = taken_by(house, market, command)
    if not taking.got and command.quote_quantity and offered(house, market, command):
        return {Refusal.QUANTITY_NOT_POSITIVE}
    if not taking.got:
        reasons.add(Refusal.NO_LIQUIDITY)
    if command.time_in_force is TimeInForce.FOK and taking.got < taking.lots:
        reasons.add(Refusal.NOT_FILLABLE)
    reasons |= limit_reasons(house, account, market, More(command.side, taking.got, taking.cost, orders=1))
    if command.side is Side.BUY:
        price = taking.cost + rounded_up(taking.cost * market.terms.taker_ppm, PPM)
        if price > free(house, account.account_id, market.quote):
            reasons.add(Refusal.INSUFFICIENT_FUNDS)
    elif taking.got * market.terms.lot > free(house, account.account_id, market.base):
        reasons.add(Refusal.INSUFFICIENT_FUNDS)
    if taking.met > house.most_touched:
        reasons.add(Refusal.TOO_MANY_TOUCHED)
    return reasons


def offered(house: Naive, market: Listing, command: PlaceOrder) -> int:
    """Lots that a market order could get."""
    ticks, lots = bound(market.terms, command.side, market.last_ticks), market.terms.max_order_lots
    return walk(house, market, command.account_id, command.side, command.self_trade, ticks, lots).lots


def taken_by(house: Naive, market: Listing, command: PlaceOrder) -> Taking:
    """What a market order takes; one by quote quantity tries every number of lots, from the largest."""
    ticks = bound(market.terms, command.side, market.last_ticks)

    def taking(lots: int) -> Taking:
        walked = walk(house, market, command.account_id, command.side, command.self_trade, ticks, lots)
        return Taking(lots, walked.lots, walked.cost(market), walked.met)

    if not command.quote_quantity:
        return taking(command.quantity // market.terms.lot)
    rate = market.terms.taker_ppm if command.side is Side.BUY else 0
    for lots in range(market.terms.max_order_lots, 0, -1):
        found = taking(lots)
        if found.got == lots and found.cost + rounded_up(found.cost * rate, PPM) <= command.quote_quantity:
            return found
    return Taking(0, 0, 0, 0)
