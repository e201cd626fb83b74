"""What the naive house decides about itself."""

from fondaco.core.commands import (
    CloseInstrument,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    SetLimit,
    SetRules,
    TripBreaker,
)
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, Refused, Reply
from fondaco.core.state import Breaker, Limit
from fondaco.core.terms import terms_refusal
from fondaco.core.vocabulary import CloseReason, LimitName, LimitScope, World
from support.naive.asking import text_reasons
from support.naive.orders import take_back
from support.naive.state import Listing, Naive, first_of

CODE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
RULES = 1


def list_asset(house: Naive, command: ListAsset) -> Reply:
    """An asset."""
    reasons = set()
    if not is_code(command.code, 20):
        reasons.add(Refusal.BAD_TEXT)
    if command.code in house.assets:
        reasons.add(Refusal.ASSET_EXISTS)
    if command.scale not in range(19):
        reasons.add(Refusal.BAD_SCALE)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    house.assets[command.code] = command.scale
    return DONE


def list_instrument(house: Naive, command: ListInstrument) -> Reply:
    """A market. What terms are good is shown by tests of their own."""
    terms, instrument = command.terms, command.terms.instrument
    reasons = {each for each in [terms_refusal(terms)] if each}
    if not is_code(instrument.symbol, 40):
        reasons.add(Refusal.BAD_TEXT)
    if house.listing(terms.world, instrument.symbol):
        reasons.add(Refusal.INSTRUMENT_EXISTS)
    if any(house.assets.get(each.code) != each.scale for each in (instrument.base, instrument.quote)):
        reasons.add(Refusal.ASSET_MISMATCH)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    house.listings.append(Listing(terms))
    return DONE


def is_code(text: str, longest: int) -> bool:
    """Whether it is capital letters and digits."""
    return 0 < len(text) <= longest and set(text) <= CODE


def close_instrument(house: Naive, command: CloseInstrument) -> Reply:
    """No more trading, and all that stands is taken back."""
    market = house.listing(command.world, command.symbol)
    if market is None:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    if market.is_closed:
        return Refused(Refusal.INSTRUMENT_CLOSED)
    market.is_closed = True
    orders = [each for each in house.standing() if house.market_of(each) is market]
    return take_back(house, orders, CloseReason.INSTRUMENT_CLOSED)


def set_limit(house: Naive, command: SetLimit) -> Reply:
    """Cap something or lift the cap."""
    key = (command.world, command.scope, command.subject, command.name, command.about)
    others = [each for each in house.limits if key != (each.world, each.scope, each.subject, each.name, each.about)]
    if command.value is None:
        if len(others) == len(house.limits):
            return Refused(Refusal.UNKNOWN_LIMIT)
        house.limits = others
        return DONE
    if command.value < 0 or not (names_whom(house, command) and names_what(house, command)):
        return Refused(Refusal.BAD_LIMIT)
    house.limits = [*others, Limit(*key, command.value)]
    return DONE


def names_whom(house: Naive, command: SetLimit) -> bool:
    """Whether whom it covers exists."""
    subject = command.subject
    return {
        LimitScope.ACCOUNT: subject in [str(each.account_id) for each in house.accounts],
        LimitScope.USER: house.user(subject) is not None,
        LimitScope.SYMBOL: house.listing(command.world, subject) is not None,
        LimitScope.PLATFORM: not subject,
    }[command.scope]


def names_what(house: Naive, command: SetLimit) -> bool:
    """Whether what it is about exists."""
    about = command.about
    return {
        LimitName.MAX_OPEN_ORDERS: not about,
        LimitName.MAX_ORDER_VALUE: about in house.assets,
        LimitName.MAX_DAILY_VOLUME: about in house.assets,
        LimitName.MAX_POSITION: house.listing(command.world, about) is not None,
        LimitName.MAX_LEVERAGE: house.listing(command.world, about) is not None,
    }[command.name]


def trip_breaker(house: Naive, command: TripBreaker) -> Reply:
    """Halt; one that holds is replaced."""
    reasons = text_reasons(command.reason, 200) | text_reasons(command.by, 200)
    if command.symbol and house.listing(command.world, command.symbol) is None:
        reasons.add(Refusal.UNKNOWN_SYMBOL)
    if command.until_ns and command.until_ns <= house.now_ns:
        reasons.add(Refusal.EXPIRY_PASSED)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    lift(house, command.world, command.symbol)
    house.breakers.append(
        Breaker(0, command.world, command.symbol, command.reason, command.by, house.now_ns, command.until_ns)
    )
    return DONE


def lift_breaker(house: Naive, command: LiftBreaker) -> Reply:
    """Go on."""
    return DONE if lift(house, command.world, command.symbol) else Refused(Refusal.UNKNOWN_BREAKER)


def lift(house: Naive, world: World, symbol: str) -> bool:
    """Whether there was one."""
    others = [each for each in house.breakers if (each.world, each.symbol) != (world, symbol)]
    was_there = len(others) < len(house.breakers)
    house.breakers = others
    return was_there


def set_rules(house: Naive, command: SetRules) -> Reply:
    """Newer rules."""
    if not house.rules_version < command.version <= RULES:
        return Refused(Refusal.UNKNOWN_RULES)
    house.rules_version = command.version
    return DONE
