"""An order meets the book: what the book says is settled, fill by fill, in the ledger and on both orders.

By the time an order comes here everything has been asked; from the book's answer on it must succeed.

Who pays what: the base goes from seller to buyer, the notional from buyer to seller, each fee from its payer to the
house. A taker's fee is posted before a maker's rebate, which is paid out of it.
"""

from typing import Final

from fondaco.core.book.vocabulary import BUY, Fill, Meeting, Outcome, Placed
from fondaco.core.events import Trade
from fondaco.core.exchange.market import Market, need_of
from fondaco.core.fees import fee_of_fill
from fondaco.core.house import DAY_NS, House
from fondaco.core.ledger import Hold, PostingCode
from fondaco.core.positions import bought, sold
from fondaco.core.refusals import Refusal
from fondaco.core.risk import count_volume
from fondaco.core.state import FEE_ACCOUNT, Order
from fondaco.core.vocabulary import CloseReason, OrderState

# Members have names of their own here: looking one up in its enum costs 0.1 µs, and an order does so often.
_MET: Final = Meeting.TRADE
_RESTED: Final = Outcome.RESTED
_PARTIALLY_FILLED: Final = OrderState.PARTIALLY_FILLED
_OPEN: Final = OrderState.OPEN
_FILLED: Final = OrderState.FILLED
_TRADE_CODE: Final = PostingCode.TRADE
_FEE_CODE: Final = PostingCode.FEE
_NO_REASON: Final = CloseReason.NONE

REFUSED_BY_BOOK: Final = {
    Outcome.WOULD_TAKE: Refusal.WOULD_TAKE,
    Outcome.TOO_MANY: Refusal.TOO_MANY_TOUCHED,
}
"""Answers of the book that have changed nothing, and what a command is told then."""


def send(
    house: House, market: Market, order: Order, price_ticks: int, lots: int, *, rests: bool, makes_only: bool = False
) -> Placed:
    """Send an order to the book. An outcome in `REFUSED_BY_BOOK` has changed nothing."""
    owner = market.owner_of(order.account_id, house.accounts[order.account_id].user_number)
    return market.book.place(
        order.order_id,
        order.side,
        price_ticks,
        lots,
        owner=owner,
        self_trade=order.self_trade,
        rests=rests,
        makes_only=makes_only,
    )


def settle(house: House, market: Market, order: Order, placed: Placed, limit_ticks: int) -> list[int]:
    """Do what the book said: pay, count, end what is filled; the order rests, or has ended too.

    Args:
        house: all of it.
        market: of the order.
        order: the taker, with its hold in place unless it is a market order.
        placed: the book's answer.
        limit_ticks: the price up to which a hold was made.

    Returns:
        The prices of its trades, in their order.
    """
    prices: list[int] = []
    for fill in placed.fills:
        maker = house.orders[fill.maker_id]
        if fill.meeting is _MET:
            _trade(house, market, order, maker, fill)
            prices.append(fill.price)
        elif fill.meeting is Meeting.DECREMENTED:
            order.open_lots -= fill.lots
            maker.open_lots -= fill.lots
            maker.updated_ns = house.now_ns
        else:
            maker.open_lots = 0
        _maker_after(house, market, maker, fill)
    if placed.outcome is _RESTED:
        market.handles[order.order_id] = placed.handle
    _taker_after(house, market, order, placed, limit_ticks)
    if prices:
        market.last_ticks = prices[-1]
    return prices


def lower_hold_to_need(house: House, market: Market, order: Order, price_ticks: int) -> None:
    """Give back what an order's hold has too much for what is still open."""
    hold = house.ledger.holds.get(order.order_id)
    if hold is None:
        return
    need = need_of(market, order, price_ticks, order.open_lots)
    assert hold.amount >= need
    if hold.amount > need:
        house.ledger.lower_hold(hold, hold.amount - need)


def _trade(house: House, market: Market, taker: Order, maker: Order, fill: Fill) -> None:
    lots, terms = fill.lots, market.terms
    notional = fill.price * lots * market.step
    taker_fee, taker.fee_carry = fee_of_fill(notional, taker.taker_ppm, taker.fee_carry)
    maker_fee, maker.fee_carry = fee_of_fill(notional, maker.maker_ppm, maker.fee_carry)
    _count_fill(taker, lots, notional, taker_fee, house.now_ns)
    _count_fill(maker, lots, notional, maker_fee, house.now_ns)
    if taker.side is BUY:
        buyer, seller, buy_fee, sell_fee = taker, maker, taker_fee, maker_fee
    else:
        buyer, seller, buy_fee, sell_fee = maker, taker, maker_fee, taker_fee
    market.trade_id += 1
    symbol = terms.instrument.symbol
    _pay(house, market, buyer, seller, lots, notional)
    _pay_fee(house, market, taker, taker_fee)
    _pay_fee(house, market, maker, maker_fee)
    bought(house, market, buyer.account_id, lots, notional)
    realised = sold(house, market, seller.account_id, lots, fill.price)
    today, quote = house.now_ns // DAY_NS, terms.instrument.quote.code
    count_volume(house.accounts[buyer.account_id], today, quote, notional)
    count_volume(house.accounts[seller.account_id], today, quote, notional)
    house.log.emit(
        Trade(
            market.trade_id,
            terms.world,
            symbol,
            fill.price,
            lots,
            notional,
            buyer.order_id,
            seller.order_id,
            buyer.account_id,
            seller.account_id,
            buy_fee,
            sell_fee,
            taker.side,
            realised,
        )
    )


def _count_fill(order: Order, lots: int, notional: int, fee: int, now_ns: int) -> None:
    order.open_lots -= lots
    order.filled_lots += lots
    order.filled_notional += notional
    order.fee += fee
    order.state = _PARTIALLY_FILLED
    order.updated_ns = now_ns


def _pay(house: House, market: Market, buyer: Order, seller: Order, lots: int, notional: int) -> None:
    """Notional one way, base the other."""
    ledger, instrument, trade_id = house.ledger, market.terms.instrument, market.trade_id
    quote, base, symbol = instrument.quote.code, instrument.base.code, instrument.symbol
    into = ledger.balance(seller.account_id, quote)
    hold = ledger.holds.get(buyer.order_id)
    if hold is None:
        ledger.post(ledger.balance(buyer.account_id, quote), into, notional, _TRADE_CODE, trade_id, symbol)
    else:
        ledger.pay_from_hold(hold, into, notional, _TRADE_CODE, trade_id, symbol)
    into = ledger.balance(buyer.account_id, base)
    amount = lots * market.terms.lot
    hold = ledger.holds.get(seller.order_id)
    if hold is None:
        ledger.post(ledger.balance(seller.account_id, base), into, amount, _TRADE_CODE, trade_id, symbol)
    else:
        ledger.pay_from_hold(hold, into, amount, _TRADE_CODE, trade_id, symbol)


def _pay_fee(house: House, market: Market, order: Order, fee: int) -> None:
    """A fee to the house, or a rebate from it. A buy's hold has its fee in it; a seller pays out of the proceeds."""
    if not fee:
        return
    ledger, terms = house.ledger, market.terms
    quote, symbol = terms.instrument.quote.code, terms.instrument.symbol
    earned = ledger.balance(FEE_ACCOUNT[terms.world], quote)
    if fee < 0:
        own = ledger.balance(order.account_id, quote)
        ledger.post(earned, own, -fee, _FEE_CODE, market.trade_id, symbol)
        return
    hold: Hold | None = ledger.holds.get(order.order_id) if order.side is BUY else None
    if hold is None:
        own = ledger.balance(order.account_id, quote)
        ledger.post(own, earned, fee, _FEE_CODE, market.trade_id, symbol)
    else:
        ledger.pay_from_hold(hold, earned, fee, _FEE_CODE, market.trade_id, symbol)


def _maker_after(house: House, market: Market, maker: Order, fill: Fill) -> None:
    """A maker has been met: it goes on resting with a smaller hold, or has ended."""
    if fill.maker_left:
        lower_hold_to_need(house, market, maker, maker.price_ticks)
        house.log.emit_row(maker)
        return
    del market.handles[maker.order_id]
    _end_used_up(house, maker)


def _taker_after(house: House, market: Market, order: Order, placed: Placed, limit_ticks: int) -> None:
    """The order itself: filled, resting, or ended with something left."""
    if placed.outcome is _RESTED:
        if not order.filled_lots:
            order.state = _OPEN
        if placed.fills:
            lower_hold_to_need(house, market, order, limit_ticks)
        order.updated_ns = house.now_ns
        house.log.emit_row(order)
    elif placed.outcome is Outcome.EXPIRED:
        house.end_order(order, OrderState.EXPIRED, CloseReason.SELF_TRADE)
    elif order.open_lots:
        house.end_order(order, OrderState.EXPIRED, CloseReason.IMMEDIATE_REST)
    else:
        _end_used_up(house, order)


def _end_used_up(house: House, order: Order) -> None:
    """Nothing of an order is left: all of it was filled, or self-trade prevention took some."""
    if order.filled_lots == order.lots:
        house.end_order(order, _FILLED, _NO_REASON)
    else:
        house.end_order(order, OrderState.EXPIRED, CloseReason.SELF_TRADE)
