"""Every reason against what somebody wants of the naive desk, all at once; the list of refusals says which is told."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from fondaco.core.commands import OpenPosition, PlaceEntry
from fondaco.core.desk.state import DeskPosition, DeskQuote, Level
from fondaco.core.desk.terms import DeskTerms
from fondaco.core.refusals import Refusal
from fondaco.core.state import Account, Limit
from fondaco.core.vocabulary import (
    AccountKind,
    LevelKind,
    LimitName,
    LimitScope,
    PositionMode,
)
from support.naive.asking import acting_reasons, quantity_reasons
from support.naive.desk_state import CROSS, LONG, Desk, down, up
from support.naive.limits import traded_today as traded_in_books
from support.naive.state import DAY_NS, PPM, Listing

MOST_POSITIONS, MOST_ENTRIES = 200, 200
MOST_LEVERAGE = 100
UNSAID = (LevelKind.KEEP, LevelKind.NONE)


@dataclass
class Levels:
    """Where a position's stops stand, in ticks; 0 for none."""

    stop: int = 0
    take: int = 0
    trail: int = 0


@dataclass
class Basis:
    """What levels are worked out from: a position as it is after what is asked."""

    is_long: bool
    lots: int
    entry: int
    margin: int
    step: int
    is_guaranteed: bool


def opposing(desk: Desk, account: Account, command: OpenPosition) -> DeskPosition | None:
    """The position of a netting account that an open goes against."""
    found = one_of(desk, account, command)
    return found if found is not None and found.direction is not command.direction else None


def one_of(desk: Desk, account: Account, command: OpenPosition) -> DeskPosition | None:
    """The one position that a netting account has of a symbol in a mode."""
    if account.position_mode is not PositionMode.NETTING or command.position_id:
        return None
    mine = desk.open.get(account.account_id, [])
    return next((each for each in mine if (each.symbol, each.mode) == (command.symbol, command.mode)), None)


def target(desk: Desk, account: Account, command: OpenPosition) -> DeskPosition | None:
    """The position that an open would add to."""
    if command.position_id:
        return desk.position(account.account_id, command.position_id)
    found = one_of(desk, account, command)
    return found if found is not None and found.direction is command.direction else None


def written_reasons(desk: Desk, account: Account, market: Listing, command: OpenPosition | PlaceEntry) -> set[Refusal]:
    """What is wrong with an open or an entry as it is written."""
    dealt = desk.dealt.get((market.world, market.symbol))
    reasons = set()
    if market.is_closed:
        reasons.add(Refusal.INSTRUMENT_CLOSED)
    if isinstance(command, OpenPosition) and command.expected_price < 0:
        reasons.add(Refusal.PRICE_NOT_POSITIVE)
    wrong = quantity_reasons(command.quantity, market.terms)
    lots = command.quantity // market.terms.lot
    if not wrong and dealt is not None and lots > dealt.max_lots:
        wrong = {Refusal.QUANTITY_TOO_LARGE}
    if dealt is None or not dealt.is_dealt:
        reasons.add(Refusal.NOT_DEALT)
    if command.mode is CROSS:
        if account.kind is not AccountKind.MARGIN:
            reasons.add(Refusal.MARGIN_ACCOUNT_NEEDED)
        if account.currency != market.quote:
            reasons.add(Refusal.WRONG_CURRENCY)
    if not 1 <= command.leverage <= MOST_LEVERAGE:
        reasons.add(Refusal.LEVERAGE_OUT_OF_RANGE)
    return reasons | wrong


def offer_reasons(dealt: DeskTerms | None, command: OpenPosition | PlaceEntry, *, has_stop: bool) -> set[Refusal]:
    """Whether the guarantee that is asked for can be had."""
    if not command.is_guaranteed:
        return set()
    has_stop = has_stop if command.stop.kind is LevelKind.KEEP else command.stop.kind is not LevelKind.NONE
    is_offered = has_stop and dealt is not None and dealt.guarantee_ppm > 0
    return set() if is_offered else {Refusal.GUARANTEE_NOT_OFFERED}


def slippage_reasons(expected: int, slippage_ppm: int) -> set[Refusal]:
    """Whether a slippage makes sense."""
    is_right = (slippage_ppm == 0 or expected != 0) and 0 <= slippage_ppm <= PPM
    return set() if is_right else {Refusal.SLIPPAGE_OUT_OF_RANGE}


def has_slipped(expected: int, slippage_ppm: int, price: int, *, buys: bool) -> bool:
    """Whether a price is too much worse than it was expected to be."""
    if not expected:
        return False
    if buys:
        return price * PPM > expected * (PPM + slippage_ppm)
    return price * PPM < expected * (PPM - slippage_ppm)


def quote_reasons(desk: Desk, quote: DeskQuote | None) -> set[Refusal]:
    """Why nobody deals at a quote."""
    if quote is None:
        return {Refusal.NO_QUOTE}
    return set() if desk.is_fresh(quote) else {Refusal.STALE_QUOTE}


def said(level: Level, market: Listing) -> set[Refusal]:
    """What is wrong with a level as it is said, whatever it is about."""
    if level.kind in UNSAID:
        return set()
    is_price = level.kind is LevelKind.PRICE
    is_bad = level.value <= 0 or (is_price and level.value % market.terms.tick)
    is_bad = is_bad or (is_price and level.value // market.terms.tick > market.terms.max_price_ticks)
    return {Refusal.BAD_LEVEL} if is_bad else set()


def levels_of(
    market: Listing, now: Levels, basis: Basis, stop: Level, take: Level, trail: Level
) -> tuple[Levels, set[Refusal]]:
    """Where the levels would stand, or that one of them cannot."""
    reasons = said(stop, market) | said(take, market) | said(trail, market)
    if reasons:
        return now, reasons
    low, high = (down, up) if basis.is_long else (up, down)
    sign = 1 if basis.is_long else -1
    a_tick = basis.lots * basis.step

    def amount(level: Level) -> int:
        return level.value if level.kind is LevelKind.AMOUNT else up(basis.margin * level.value, PPM)

    def placed(level: Level, before: int, worked_out: int) -> int:
        if level.kind is LevelKind.KEEP:
            return before
        if level.kind is LevelKind.NONE:
            return 0
        return level.value // market.terms.tick if level.kind is LevelKind.PRICE else worked_out

    found = Levels(
        placed(stop, now.stop, low(basis.entry - sign * amount(stop), a_tick)),
        placed(take, now.take, high(basis.entry + sign * amount(take), a_tick)),
        placed(trail, now.trail, up(amount(trail), a_tick)),
    )
    for level, ticks in ((stop, found.stop), (take, found.take), (trail, found.trail)):
        if level.kind not in UNSAID and not 0 < ticks <= market.terms.max_price_ticks:
            reasons.add(Refusal.BAD_LEVEL)
    return found, reasons


def side_reasons(dealt: DeskTerms, price: int, basis: Basis, now: Levels, found: Levels) -> set[Refusal]:
    """Whether levels that are new lie where the price is not yet."""
    reasons = set()
    if found.stop and found.stop != now.stop:
        if found.stop >= price if basis.is_long else found.stop <= price:
            reasons.add(Refusal.STOP_WRONG_SIDE)
        distance = Fraction(dealt.guarantee_distance_ppm, PPM)
        if basis.is_guaranteed and Fraction(abs(price - found.stop), price) < distance:
            reasons.add(Refusal.GUARANTEE_TOO_NEAR)
    is_new = found.take and found.take != now.take
    if is_new and (found.take <= price if basis.is_long else found.take >= price):
        reasons.add(Refusal.TAKE_WRONG_SIDE)
    return reasons


@dataclass
class More:
    """What an open would add: lots and their worth, and the lots of the symbol that it closes before."""

    lots: int
    worth: int
    closes: int


def limit_reasons(desk: Desk, account: Account, market: Listing, more: More) -> set[Refusal]:
    """Which limit but that of leverage is in the way, the narrowest first."""
    order = (LimitName.MAX_ORDER_VALUE, LimitName.MAX_POSITION, LimitName.MAX_DAILY_VOLUME)
    return broken_limit(desk, account, market, order, lambda own, limit: is_broken(desk, market, own, limit, more))


def leverage_reasons(desk: Desk, account: Account, market: Listing, leverage: int) -> set[Refusal]:
    """Whether the instrument or a limit is in the way of so much leverage."""
    if leverage > market.terms.max_leverage:
        return {Refusal.MAX_LEVERAGE}

    def is_above(_own: list[int], limit: Limit) -> bool:
        assert limit.value is not None
        return limit.about == market.symbol and leverage > limit.value

    return broken_limit(desk, account, market, (LimitName.MAX_LEVERAGE,), is_above)


def broken_limit(
    desk: Desk,
    account: Account,
    market: Listing,
    order: tuple[LimitName, ...],
    is_broken: Callable[[list[int], Limit], bool],
) -> set[Refusal]:
    """The first limit of these names that is broken, the narrowest scope before the others."""
    own = [account.account_id]
    users = [
        each.account_id for each in desk.accounts if (each.user_id, each.world) == (account.user_id, account.world)
    ]
    subjects = [
        (LimitScope.ACCOUNT, str(account.account_id), own),
        (LimitScope.USER, account.user_id, users),
        (LimitScope.SYMBOL, market.symbol, own),
        (LimitScope.PLATFORM, "", own),
    ]
    for scope, subject, accounts in subjects:
        for name in order:
            key = (market.world, scope, subject, name)
            limits = [each for each in desk.limits if (each.world, each.scope, each.subject, each.name) == key]
            if any(is_broken(accounts, each) for each in limits):
                return {Refusal(name.value)}
    return set()


def is_broken(desk: Desk, market: Listing, accounts: list[int], limit: Limit, more: More) -> bool:
    """Whether an open would take these accounts beyond a limit."""
    assert limit.value is not None
    if limit.name is LimitName.MAX_POSITION:
        if limit.about != market.symbol:
            return False
        has = sum(each.lots for own in accounts for each in desk.open.get(own, []) if each.symbol == market.symbol)
        return (has - more.closes + more.lots) * market.terms.lot > limit.value
    if limit.about != market.quote:
        return False
    if limit.name is LimitName.MAX_ORDER_VALUE:
        return more.worth > limit.value
    return more.worth + sum(traded_today(desk, each, market.quote) for each in accounts) > limit.value


def traded_today(desk: Desk, account_id: int, quote: str) -> int:
    """What an account has dealt for on this day."""
    today = desk.now_ns // DAY_NS
    return traded_in_books(desk, account_id, quote) + sum(
        worth for at_ns, who, asset, worth in desk.traded if (at_ns // DAY_NS, who, asset) == (today, account_id, quote)
    )


def exposure_reasons(desk: Desk, market: Listing, lots: int) -> set[Refusal]:
    """Whether so many lots, short ones negative, would leave the desk with too much on one side."""
    dealt = desk.dealt[market.world, market.symbol]
    before = sum(
        each.lots if each.direction is LONG else -each.lots for each in desk.open_in(market.world, market.symbol)
    )
    after = abs(before + lots)
    is_more = dealt.max_net_lots and after > dealt.max_net_lots and after > abs(before)
    return {Refusal.MAX_EXPOSURE} if is_more else set()


def who(desk: Desk, account_id: int) -> tuple[Account | None, set[Refusal]]:
    """An account, and why it may not act."""
    account = desk.account(account_id)
    return account, acting_reasons(desk, account)
