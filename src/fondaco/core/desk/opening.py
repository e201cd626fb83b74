"""Opening positions: may it be, given the desk, the quote and the account, and what becomes of it.

An open on request and one that waited for its price are the same: `ready` asks everything, in the order of
`fondaco.core.refusals.Refusal`, and `carry_out` must then succeed. In a netting account an open against what stands
closes that first, and the rest is asked about as things will be then.
"""

from typing import Final, NamedTuple

import msgspec

from fondaco.core.commands import OpenPosition
from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.closing import close, fresh_quote, is_bad_slippage, is_slipped, leaves_too_little
from fondaco.core.desk.levels import Stake, Stops, Wanted, is_too_near, side_refusal, stops_of
from fondaco.core.desk.limits import Caps, Increase, exposure_refusal, leverage_refusal, limit_refusal
from fondaco.core.desk.paying import pay_premium
from fondaco.core.desk.standing import free_of
from fondaco.core.desk.state import DeskFill, DeskPosition
from fondaco.core.desk.valuing import closing_ticks, market_ticks, opening_ticks, parts_of, result_of
from fondaco.core.exchange.market import Market
from fondaco.core.exchange.writing import quantity_refusal
from fondaco.core.fees import PPM
from fondaco.core.house import DAY_NS, House
from fondaco.core.ledger import HoldReason
from fondaco.core.money import charge
from fondaco.core.refusals import Refusal
from fondaco.core.replies import PositionOpened, Refused, Reply
from fondaco.core.risk import capped, count_volume, would_be_capped
from fondaco.core.state import Account
from fondaco.core.terms import MAX_LEVERAGE
from fondaco.core.vocabulary import AccountKind, Closing, Direction, MarginMode, PositionMode

LONG = Direction.LONG
SHORT = Direction.SHORT
ISOLATED = MarginMode.ISOLATED
CROSS = MarginMode.CROSS
MAX_POSITIONS: Final = 200
"""Open positions of one account."""


class Request(NamedTuple):
    """What shall be opened, whether somebody asks for it now or an entry has come to its price."""

    account_id: int
    symbol: str
    direction: Direction
    quantity: int
    leverage: int
    mode: MarginMode
    wanted: Wanted
    is_guaranteed: bool
    position_id: int = 0
    expected_price: int = 0
    slippage_ppm: int = 0
    entry_id: int = 0


class Place(NamedTuple):
    """Where it shall be opened, and what stands there already."""

    account: Account
    market: Market
    book: DealingBook
    target: DeskPosition | None
    """What it adds to,"""
    against: DeskPosition | None
    """or what it closes first."""


class Plan(NamedTuple):
    """An open that nothing stands against. Lots are those to be opened, the others those to be closed first."""

    place: Place
    ticks: int
    lots: int
    closed_lots: int
    margin: int
    premium: int
    stops: Stops

    @property
    def notional(self) -> int:
        """Quote atoms that what is opened costs."""
        return self.ticks * self.lots * self.place.book.step


def open_position(house: House, command: OpenPosition) -> Reply:
    """Open a position, or add to one, at the desk's quote."""
    request = _request(command)
    plan = ready(house, request)
    return plan if isinstance(plan, Refused) else carry_out(house, request, plan)


def check(house: House, command: OpenPosition) -> tuple[Plan, DeskPosition | None] | Refused:
    """What `open_position` would come to now, and the position as it would be then. Nothing changes.

    Returns:
        The plan and a position of no one's, None where all of it would go into closing; or why it would be refused.
    """
    request = _request(command)
    plan = ready(house, request, would_be_capped)
    if isinstance(plan, Refused):
        return plan
    if not plan.lots:
        return plan, None
    target = plan.place.target
    position = msgspec.structs.replace(target) if target else _new_position(house, request, plan.place.account, 0)
    _grow(position, plan)
    position.is_guaranteed = position.is_guaranteed or request.is_guaranteed
    position.stop_ticks, position.take_ticks, position.trail_ticks = plan.stops
    return plan, position


def ready(house: House, request: Request, caps: Caps = capped) -> Plan | Refused:
    """What an open would come to now, or why it may not be; nothing changes, but ``caps`` may alert staff."""
    place = find_place(house, request)
    if isinstance(place, Refusal):
        return Refused(place)
    refusal = _target_refusal(request, place)
    if refusal is not None:
        return Refused(refusal)
    quote = fresh_quote(house, place.book)
    if isinstance(quote, Refusal):
        return Refused(quote)
    free = free_of(house, place.account.account_id, place.book.listed.instrument.quote.code)
    if isinstance(free, Refusal):
        return Refused(free)
    listed, ticks = place.book.listed, opening_ticks(request.direction, quote)
    if is_slipped(listed, ticks, request.expected_price, request.slippage_ppm, is_buy=request.direction is LONG):
        return Refused(Refusal.SLIPPAGE)
    plan = _planned(request, place, ticks)
    if isinstance(plan, Refusal):
        return Refused(plan)
    if house.breakers and house.is_halted(place.account.world, request.symbol):
        return Refused(Refusal.BREAKER_ACTIVE)
    refusal = _taking_refusal(house, request, plan, caps) if plan.lots else None
    if refusal is not None:
        return Refused(refusal)
    return _paid_for(house, request, plan, free)


def find_place(house: House, request: Request, *, is_now: bool = True) -> Place | Refusal:
    """Where a request belongs, or why it is no request. What stands counts only for one that shall open now."""
    account = house.acting_account(request.account_id)
    if isinstance(account, Refusal):
        return account
    market = house.markets.get((account.world, request.symbol))
    if market is None:
        return Refusal.UNKNOWN_SYMBOL
    if market.is_closed:
        return Refusal.INSTRUMENT_CLOSED
    if request.expected_price < 0:
        return Refusal.PRICE_NOT_POSITIVE
    refusal = quantity_refusal(request.quantity, market.terms)
    if refusal is not None:
        return refusal
    book = house.desk.books.get((account.world, request.symbol))
    if book is not None and book.terms is not None and request.quantity // market.terms.lot > book.terms.max_lots:
        return Refusal.QUANTITY_TOO_LARGE
    if book is None or book.terms is None or not book.terms.is_dealt:
        return Refusal.NOT_DEALT
    refusal = _writing_refusal(request, account, market)
    if refusal is not None:
        return refusal
    standing = _standing_of(house, account, request) if is_now else (None, None)
    place = Place(account, market, book, *standing)
    return _size_refusal(request, place) or place


def _writing_refusal(request: Request, account: Account, market: Market) -> Refusal | None:
    if request.mode is CROSS:
        if account.kind is not AccountKind.MARGIN:
            return Refusal.MARGIN_ACCOUNT_NEEDED
        if market.terms.instrument.quote.code != account.currency:
            return Refusal.WRONG_CURRENCY
    return None if 1 <= request.leverage <= MAX_LEVERAGE else Refusal.LEVERAGE_OUT_OF_RANGE


def _standing_of(house: House, account: Account, request: Request) -> tuple[DeskPosition | None, DeskPosition | None]:
    """The position that a request adds to, and the one that it closes first: at most one of the two."""
    own = house.desk.positions_of.get(account.account_id, {})
    if request.position_id:
        return own.get(request.position_id), None
    if account.position_mode is not PositionMode.NETTING:
        return None, None
    for position in house.desk.positions_in(account.account_id):
        if position.symbol == request.symbol and position.mode is request.mode:
            return (position, None) if position.direction is request.direction else (None, position)
    return None, None


def _size_refusal(request: Request, place: Place) -> Refusal | None:
    """Quantities that are too small, and what else is wrong with the request by itself."""
    assert place.book.terms is not None
    lots, closed = _split(request, place)
    leaves_crumb = place.against is not None and leaves_too_little(place.book, place.against, closed)
    if 0 < lots < place.book.terms.min_lots or leaves_crumb:
        return Refusal.QUANTITY_TOO_SMALL
    if is_bad_slippage(request.expected_price, request.slippage_ppm):
        return Refusal.SLIPPAGE_OUT_OF_RANGE
    has_stop = request.wanted.has_stop or (place.target is not None and place.target.is_guaranteed)
    if request.is_guaranteed and not (has_stop and place.book.terms.guarantee_ppm):
        return Refusal.GUARANTEE_NOT_OFFERED
    return None


def _target_refusal(request: Request, place: Place) -> Refusal | None:
    """Why it does not fit to what stands, if so."""
    target = place.target
    if request.position_id and target is None:
        return Refusal.UNKNOWN_POSITION
    if target is not None:
        wanted = (request.symbol, request.direction, request.mode, request.leverage)
        if (target.symbol, target.direction, target.mode, target.leverage) != wanted:
            return Refusal.LEVERAGE_DIFFERS
        if request.is_guaranteed and not target.is_guaranteed:
            return Refusal.LEVERAGE_DIFFERS
    only_closes = place.against is not None and not _split(request, place)[0]
    if only_closes and not (request.wanted.is_nothing and not request.is_guaranteed):
        return Refusal.LEVELS_NOT_ALLOWED
    return _guarantee_refusal(request, target)


def _guarantee_refusal(request: Request, target: DeskPosition | None) -> Refusal | None:
    """A guaranteed stop that stands cannot be removed by adding to its position."""
    is_standing = target is not None and target.is_guaranteed
    removes = request.wanted.stop.kind == "none"
    return Refusal.GUARANTEE_STANDS if is_standing and removes else None


def _planned(request: Request, place: Place, ticks: int) -> Plan | Refusal:
    """The open with its margin, premium and stops at a price."""
    book, target = place.book, place.target
    lots, closed_lots = _split(request, place)
    if not lots:
        return Plan(place, ticks, 0, closed_lots, 0, 0, Stops())
    notional = ticks * lots * book.step
    margin = charge(notional, request.leverage)
    is_guaranteed = request.is_guaranteed or (target is not None and target.is_guaranteed)
    stake, current = Stake(request.direction, lots, notional, margin), Stops()
    if target is not None:
        stake = Stake(request.direction, lots + target.lots, notional + target.entry_notional, margin + target.margin)
        current = Stops(target.stop_ticks, target.take_ticks, target.trail_ticks)
    stops = stops_of(book, stake, request.wanted, current)
    if isinstance(stops, Refusal):
        return stops
    assert book.quote is not None
    now_ticks = market_ticks(request.direction, book.quote)
    refusal = side_refusal(request.direction, stops, current, now_ticks)
    if refusal is not None:
        return refusal
    if is_guaranteed and stops.stop_ticks != current.stop_ticks and is_too_near(book, stops.stop_ticks, now_ticks):
        return Refusal.GUARANTEE_TOO_NEAR
    assert book.terms is not None
    premium = charge(notional * book.terms.guarantee_ppm, PPM) if is_guaranteed else 0
    return Plan(place, ticks, lots, closed_lots, margin, premium, stops)


def _taking_refusal(house: House, request: Request, plan: Plan, caps: Caps) -> Refusal | None:
    """Why limits or the desk take no more, if so."""
    account, market, book, target, against = plan.place
    increase = Increase(plan.lots, plan.closed_lots, plan.notional, request.leverage)
    refusal = limit_refusal(house, market, account, increase, caps)
    if refusal is not None:
        return refusal
    frees_one = against is not None and plan.closed_lots == against.lots
    standing = len(house.desk.positions_of.get(account.account_id, ()))
    if target is None and not frees_one and standing >= MAX_POSITIONS:
        return Refusal.TOO_MANY_POSITIONS
    refusal = leverage_refusal(house, market, account, increase, caps)
    return refusal or exposure_refusal(house, book, request.direction, plan.lots, plan.closed_lots)


def _paid_for(house: House, request: Request, plan: Plan, free: int) -> Plan | Refused:
    """The plan, if what is free covers it, counting what closing sets free and brings."""
    if not plan.lots:
        return plan
    account, _, book, _, against = plan.place
    cash = house.ledger.balance(account.account_id, book.listed.instrument.quote.code).available
    if against is not None:
        assert book.quote is not None
        parts = parts_of(against, plan.closed_lots)
        value = closing_ticks(against, book.quote) * plan.closed_lots * book.step
        result = result_of(against.direction, value, parts)
        if against.mode is ISOLATED:
            gained = parts.margin + max(result, -parts.margin)
            free, cash = free + gained, cash + gained
        else:
            # What it brings was part of equity already; what it sets free was not.
            free, cash = free + parts.margin, max(0, cash + result)
    required = plan.margin + plan.premium
    if request.mode is ISOLATED:
        free = min(free, cash)
    if required > free or plan.premium > cash:
        return Refused(Refusal.INSUFFICIENT_MARGIN, required, max(0, free))
    return plan


def _request(command: OpenPosition) -> Request:
    return Request(
        command.account_id,
        command.symbol,
        command.direction,
        command.quantity,
        command.leverage,
        command.mode,
        Wanted(command.stop, command.take, command.trail),
        command.is_guaranteed,
        command.position_id,
        command.expected_price,
        command.slippage_ppm,
    )


def carry_out(house: House, request: Request, plan: Plan) -> PositionOpened:
    """Do what `ready` has found possible."""
    place, closed_quantity, result = plan.place, 0, 0
    listed = place.book.listed
    if place.against is not None:
        closed = close(house, place.book, place.against, plan.closed_lots, Closing.NETTED)
        closed_quantity, result = plan.closed_lots * listed.lot, closed.result
    position_id = _opened(house, request, plan) if plan.lots else 0
    available = house.ledger.balance(place.account.account_id, listed.instrument.quote.code).available
    return PositionOpened(
        position_id,
        plan.ticks * listed.tick,
        plan.lots * listed.lot,
        plan.margin,
        closed_quantity,
        result,
        available,
    )


def _opened(house: House, request: Request, plan: Plan) -> int:
    """The position that is new, or has grown."""
    desk, account, book = house.desk, plan.place.account, plan.place.book
    position, notional = plan.place.target, plan.notional
    if position is None:
        position = _new_position(house, request, account, house.new_id())
        _grow(position, plan)
        desk.add_position(position)
    else:
        _grow(position, plan)
        desk.count_lots(position, plan.lots)
    position.changed_ns = house.now_ns
    if position.mode is ISOLATED:
        _set_aside(house, position, plan.margin, book.listed.instrument.quote.code)
    pay_premium(house, position, plan.premium)
    position.is_guaranteed = position.is_guaranteed or request.is_guaranteed
    set_stops(book, position, plan.stops)
    desk.touch(position)
    count_volume(account, house.now_ns // DAY_NS, book.listed.instrument.quote.code, notional)
    _tell(house, position, plan)
    return position.position_id


def _grow(position: DeskPosition, plan: Plan) -> None:
    """Add what is opened to a position's numbers."""
    position.lots += plan.lots
    position.entry_notional += plan.notional
    position.margin += plan.margin
    position.opened_lots += plan.lots
    position.opened_notional += plan.notional


def set_stops(book: DealingBook, position: DeskPosition, stops: Stops) -> None:
    """Give a position its stops and let them wait; also what else it waits for, which may have moved with its size."""
    changed_trail = position.trail_ticks != stops.trail_ticks
    position.stop_ticks, position.take_ticks, position.trail_ticks = stops
    book.arm_losses(position)
    book.arm_take(position)
    if changed_trail:
        book.arm_trail(position)


def _new_position(house: House, request: Request, account: Account, position_id: int) -> DeskPosition:
    rules = house.desk.rules_of(account.world)
    return DeskPosition(
        position_id,
        account.account_id,
        account.world,
        request.symbol,
        request.direction,
        request.mode,
        request.leverage,
        house.now_ns,
        house.now_ns,
        rules.margin_call_ppm,
        rules.loss_warning_ppm,
        entry_id=request.entry_id,
    )


def _set_aside(house: House, position: DeskPosition, margin: int, asset: str) -> None:
    hold = house.ledger.holds.get(position.position_id)
    if hold is None:
        balance = house.ledger.balance(position.account_id, asset)
        house.ledger.place_hold(position.position_id, balance, margin, HoldReason.MARGIN)
    else:
        house.ledger.raise_hold(hold, margin)


def _split(request: Request, place: Place) -> tuple[int, int]:
    """Lots to open, and lots to close first."""
    lots = request.quantity // place.book.listed.lot
    closed = min(lots, place.against.lots) if place.against is not None else 0
    return lots - closed, closed


def _tell(house: House, position: DeskPosition, plan: Plan) -> None:
    quote = plan.place.book.quote
    assert quote is not None
    house.log.emit(
        DeskFill(
            house.new_id(),
            position.position_id,
            position.account_id,
            position.world,
            position.symbol,
            position.direction,
            is_open=True,
            lots=plan.lots,
            price_ticks=plan.ticks,
            notional=plan.ticks * plan.lots * plan.place.book.step,
            margin=plan.margin,
            result=0,
            covered=0,
            closing=Closing.NONE,
            stop_out_id=0,
            at=quote.filled_at(house.now_ns),
        )
    )
