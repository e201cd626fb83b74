"""The naive desk opens: on request, and when an entry is due. A netting account may close something by it first."""

from dataclasses import dataclass

from fondaco.core.commands import OpenPosition
from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, DeskQuote
from fondaco.core.ledger import PostingCode
from fondaco.core.refusals import Refusal
from fondaco.core.replies import PositionOpened, Refused
from fondaco.core.state import Account
from fondaco.core.vocabulary import Closing, LevelKind, MarginMode
from support.naive.desk_asking import (
    MOST_POSITIONS,
    Basis,
    Levels,
    More,
    exposure_reasons,
    has_slipped,
    levels_of,
    leverage_reasons,
    limit_reasons,
    offer_reasons,
    opposing,
    quote_reasons,
    side_reasons,
    slippage_reasons,
    target,
    who,
    written_reasons,
)
from support.naive.desk_closing import close, if_closed
from support.naive.desk_state import INSURANCE, LONG, Desk, up
from support.naive.money import free
from support.naive.state import PPM, Listing, first_of


@dataclass
class Plan:
    """What an open comes to."""

    closes: int
    lots: int
    """Those that are opened."""
    ticks: int
    notional: int
    margin: int
    premium: int
    levels: Levels
    basis: Basis


def open_position(
    desk: Desk, command: OpenPosition, position_id: int, entry: DeskEntry | None = None
) -> PositionOpened | Refused:
    """Open, add or net; ``position_id`` is what a new position shall be called."""
    account, reasons = who(desk, command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    market = desk.listing(account.world, command.symbol)
    if market is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_SYMBOL}) or Refusal.UNKNOWN_SYMBOL)
    quote = desk.quotes.get((market.world, market.symbol))
    reasons |= written_reasons(desk, account, market, command) | standing_reasons(desk, account, market, command)
    reasons |= slippage_reasons(command.expected_price, command.slippage_ppm)
    if not reasons:
        reasons = quote_reasons(desk, quote)
    if not reasons and desk.is_counted_on(account, market.quote) and not desk.are_fresh(account.account_id):
        reasons = {Refusal.STALE_QUOTE}
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    assert quote is not None
    plan, reasons = planned(desk, account, market, command, quote)
    reasons |= market_reasons(desk, account, market, command, plan)
    required, available = plan.margin + plan.premium, room_after(desk, account, market, command, plan)
    if is_short(desk, account, market, command, plan, available):
        reasons.add(Refusal.INSUFFICIENT_MARGIN)
    refusal = first_of(reasons)
    if refusal is Refusal.INSUFFICIENT_MARGIN:
        return Refused(refusal, required, max(0, available))
    if refusal is not None:
        return Refused(refusal)
    return opened(desk, account, market, command, plan, position_id, entry)


def standing_reasons(desk: Desk, account: Account, market: Listing, command: OpenPosition) -> set[Refusal]:
    """What stands in the way among the account's own positions."""
    reasons = set()
    own, against = target(desk, account, command), opposing(desk, account, command)
    dealt = desk.dealt.get((market.world, market.symbol))
    if command.position_id and own is None:
        reasons.add(Refusal.UNKNOWN_POSITION)
    if own is not None:
        wanted = (command.symbol, command.direction, command.mode, command.leverage)
        if (own.symbol, own.direction, own.mode, own.leverage) != wanted:
            reasons.add(Refusal.LEVERAGE_DIFFERS)
        if command.is_guaranteed and not own.is_guaranteed:
            reasons.add(Refusal.LEVERAGE_DIFFERS)
        if own.is_guaranteed and command.stop.kind is LevelKind.NONE:
            reasons.add(Refusal.GUARANTEE_STANDS)
    has_stop = own is not None and own.is_guaranteed
    lots = command.quantity // market.terms.lot
    opens = lots - against.lots if against is not None else lots
    if dealt is not None and 0 < opens < dealt.min_lots:
        reasons.add(Refusal.QUANTITY_TOO_SMALL)
    if against is not None:
        left = -opens
        if dealt is not None and 0 < left < dealt.min_lots:
            reasons.add(Refusal.QUANTITY_TOO_SMALL)
        has_levels = any(each.kind is not LevelKind.KEEP for each in (command.stop, command.take, command.trail))
        if left >= 0 and (has_levels or command.is_guaranteed):
            reasons.add(Refusal.LEVELS_NOT_ALLOWED)
    return reasons | offer_reasons(dealt, command, has_stop=has_stop)


def planned(
    desk: Desk, account: Account, market: Listing, command: OpenPosition, quote: DeskQuote
) -> tuple[Plan, set[Refusal]]:
    """What it would come to, and what is wrong with its price and its levels."""
    buys = command.direction is LONG
    ticks = quote.ask_ticks if buys else quote.bid_ticks
    asked, against = command.quantity // market.terms.lot, opposing(desk, account, command)
    closes = min(asked, against.lots) if against is not None else 0
    lots = asked - closes
    notional = market.cost(ticks, lots)
    margin = up(notional, command.leverage)
    own = target(desk, account, command)
    now = Levels() if own is None else Levels(own.stop_ticks, own.take_ticks, own.trail_ticks)
    basis = Basis(
        is_long=buys,
        lots=lots + (own.lots if own else 0),
        entry=notional + (own.entry_notional if own else 0),
        margin=margin + (own.margin if own else 0),
        step=market.cost(1, 1),
        is_guaranteed=command.is_guaranteed or (own is not None and own.is_guaranteed),
    )
    rate = desk.dealt[market.world, market.symbol].guarantee_ppm if basis.is_guaranteed else 0
    reasons = set()
    if has_slipped(command.expected_price, command.slippage_ppm, ticks * market.terms.tick, buys=buys):
        reasons.add(Refusal.SLIPPAGE)
    if lots:
        levels, wrong = levels_of(market, now, basis, command.stop, command.take, command.trail)
        price, dealt = (quote.bid_ticks if buys else quote.ask_ticks), desk.dealt[market.world, market.symbol]
        reasons |= wrong or side_reasons(dealt, price, basis, now, levels)
    else:
        levels = now
    return Plan(closes, lots, ticks, notional, margin, up(notional * rate, PPM), levels, basis), reasons


def market_reasons(desk: Desk, account: Account, market: Listing, command: OpenPosition, plan: Plan) -> set[Refusal]:
    """What breakers, limits and the desk's own caps say."""
    reasons = set()
    if desk.is_halted(market.world, market.symbol):
        reasons.add(Refusal.BREAKER_ACTIVE)
    if not plan.lots:
        return reasons
    own, against = target(desk, account, command), opposing(desk, account, command)
    stay = len(desk.open.get(account.account_id, [])) - (against is not None and plan.closes == against.lots)
    if own is None and stay >= MOST_POSITIONS:
        reasons.add(Refusal.TOO_MANY_POSITIONS)
    reasons |= leverage_reasons(desk, account, market, command.leverage)
    reasons |= limit_reasons(desk, account, market, More(plan.lots, plan.notional, plan.closes))
    sign = 1 if command.direction is LONG else -1
    return reasons | exposure_reasons(desk, market, sign * (plan.closes + plan.lots))


def room_after(desk: Desk, account: Account, market: Listing, command: OpenPosition, plan: Plan) -> int:
    """What there is for margin and premium, once what is closed before has brought what it brings."""
    against = opposing(desk, account, command)
    after = if_closed(desk, against, plan.closes) if against is not None else desk
    if command.mode is MarginMode.CROSS:
        return after.cross_standing(account).free
    return after.room(account, market.quote)


def is_short(desk: Desk, account: Account, market: Listing, command: OpenPosition, plan: Plan, available: int) -> bool:
    """Whether a rest cannot be paid for."""
    if not plan.lots:
        return False
    if plan.margin + plan.premium > available:
        return True
    against = opposing(desk, account, command)
    after = if_closed(desk, against, plan.closes) if against is not None else desk
    return plan.premium > free(after, account.account_id, market.quote)


def opened(
    desk: Desk,
    account: Account,
    market: Listing,
    command: OpenPosition,
    plan: Plan,
    position_id: int,
    entry: DeskEntry | None,
) -> PositionOpened:
    """Do it."""
    against, own = opposing(desk, account, command), target(desk, account, command)
    result = close(desk, against, plan.closes, Closing.NETTED).result if against is not None else 0
    if not plan.lots:
        position_id = 0
    elif own is None:
        own = begun(desk, account, market, command, position_id)
        own.entry_id = entry.entry_id if entry is not None else 0
    if plan.lots and own is not None:
        position_id = own.position_id
        add(desk, own, plan)
    quantity, closed = plan.lots * market.terms.lot, plan.closes * market.terms.lot
    available = free(desk, account.account_id, market.quote)
    return PositionOpened(position_id, plan.ticks * market.terms.tick, quantity, plan.margin, closed, result, available)


def begun(desk: Desk, account: Account, market: Listing, command: OpenPosition, position_id: int) -> DeskPosition:
    """A position without anything in it."""
    rules = desk.rules_of(market.world)
    known = [each.position_id for each in [*desk.closed, *desk.all_open()]]
    assert position_id > max(known, default=0)
    own = DeskPosition(
        position_id=position_id,
        account_id=account.account_id,
        world=market.world,
        symbol=market.symbol,
        direction=command.direction,
        mode=command.mode,
        leverage=command.leverage,
        opened_ns=desk.now_ns,
        changed_ns=desk.now_ns,
        margin_call_ppm=rules.margin_call_ppm,
        loss_warning_ppm=rules.loss_warning_ppm,
    )
    desk.open.setdefault(account.account_id, []).append(own)
    return own


def add(desk: Desk, own: DeskPosition, plan: Plan) -> None:
    """Put what is opened into a position, and pay the premium."""
    quote, asset = desk.quotes[own.world, own.symbol], desk.market(own.world, own.symbol).quote
    own.lots += plan.lots
    own.entry_notional += plan.notional
    own.margin += plan.margin
    own.opened_lots += plan.lots
    own.opened_notional += plan.notional
    own.premium += plan.premium
    own.is_guaranteed, own.changed_ns = plan.basis.is_guaranteed, desk.now_ns
    desk.post(own.account_id, INSURANCE[own.world], asset, plan.premium, PostingCode.PREMIUM, own.position_id)
    put(desk, own, plan.levels)
    desk.touched.add(own.account_id)
    desk.traded.append((desk.now_ns, own.account_id, asset, plan.notional))
    desk.fills.append(
        DeskFill(
            fill_id=0,
            position_id=own.position_id,
            account_id=own.account_id,
            world=own.world,
            symbol=own.symbol,
            direction=own.direction,
            is_open=True,
            lots=plan.lots,
            price_ticks=plan.ticks,
            notional=plan.notional,
            margin=plan.margin,
            result=0,
            covered=0,
            closing=Closing.NONE,
            stop_out_id=0,
            at=quote.filled_at(desk.now_ns),
        )
    )


def put(desk: Desk, own: DeskPosition, levels: Levels) -> None:
    """Set stops. A trailing stop begins at the price of now, and another distance keeps its mark."""
    own.stop_ticks, own.take_ticks = levels.stop, levels.take
    if not levels.trail:
        desk.marks.pop(own.position_id, None)
    elif not own.trail_ticks:
        quote = desk.quotes[own.world, own.symbol]
        desk.marks[own.position_id] = quote.bid_ticks if own.direction is LONG else quote.ask_ticks
    own.trail_ticks = levels.trail
