"""What the house decides about itself: listings, limits, breakers, rules."""

from typing import Final

from fondaco.core.commands import (
    CloseInstrument,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    SetLimit,
    SetRules,
    TripBreaker,
)
from fondaco.core.desk import running
from fondaco.core.desk.desk import CloseRun
from fondaco.core.events import AssetListed, InstrumentClosed, InstrumentListed, RulesSet
from fondaco.core.exchange.ending import begin
from fondaco.core.exchange.market import Market
from fondaco.core.house import BREAKER_ENDS, House, Work
from fondaco.core.money import MAX_SCALE
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, OrdersCancelled, Refused, Reply
from fondaco.core.state import Breaker, Limit
from fondaco.core.terms import terms_refusal
from fondaco.core.texts import MAX_CODE, MAX_NOTE, MAX_SYMBOL, is_text
from fondaco.core.vocabulary import CloseReason, LimitName, LimitScope, World

NEWEST_RULES: Final = 1
"""The newest version of the rules that this code knows."""


def list_asset(house: House, command: ListAsset) -> Reply:
    """Make an asset known."""
    if not _is_code(command.code, MAX_CODE):
        return Refused(Refusal.BAD_TEXT)
    if command.code in house.assets:
        return Refused(Refusal.ASSET_EXISTS)
    if not 0 <= command.scale <= MAX_SCALE:
        return Refused(Refusal.BAD_SCALE)
    house.assets[command.code] = command.scale
    house.log.emit(AssetListed(command.code, command.scale))
    return DONE


def list_instrument(house: House, command: ListInstrument) -> Reply:
    """Open a market."""
    terms = command.terms
    instrument = terms.instrument
    if not _is_code(instrument.symbol, MAX_SYMBOL):
        return Refused(Refusal.BAD_TEXT)
    refusal = terms_refusal(terms)
    if refusal is Refusal.BAD_SCALE:
        return Refused(refusal)
    if (terms.world, instrument.symbol) in house.markets:
        return Refused(Refusal.INSTRUMENT_EXISTS)
    if any(house.assets.get(each.code) != each.scale for each in (instrument.base, instrument.quote)):
        return Refused(Refusal.ASSET_MISMATCH)
    if refusal is not None:
        return Refused(refusal)
    house.markets[terms.world, instrument.symbol] = Market(terms)
    house.log.emit(InstrumentListed(terms))
    return DONE


def close_instrument(house: House, command: CloseInstrument) -> Reply:
    """End a market: take back all orders that stand there, and close what the desk has in it."""
    market = house.markets.get((command.world, command.symbol))
    if market is None:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    if market.is_closed:
        return Refused(Refusal.INSTRUMENT_CLOSED)
    market.is_closed = True
    house.log.emit(InstrumentClosed(command.world, command.symbol))
    work = Work(0, command.world, command.symbol, house.last_id, CloseReason.INSTRUMENT_CLOSED)
    count = begin(house, work)
    book = house.desk.books.get((command.world, command.symbol))
    if book is not None:
        book.is_closed = True
        running.begin(house, CloseRun(command.world, command.symbol))
    return OrdersCancelled(count, goes_on=bool(house.works) and house.works[-1] is work)


def set_limit(house: House, command: SetLimit) -> Reply:
    """Cap something, or lift the cap."""
    key = (command.world, command.scope, command.subject, command.name, command.about)
    if command.value is None:
        if key not in house.limits:
            return Refused(Refusal.UNKNOWN_LIMIT)
        del house.limits[key]
    else:
        if not _is_limit(house, command):
            return Refused(Refusal.BAD_LIMIT)
        house.limits[key] = Limit(*key, command.value)
    house.log.emit(Limit(*key, command.value))
    return DONE


def trip_breaker(house: House, command: TripBreaker) -> Reply:
    """Halt new orders (BHC-62). One that holds already is replaced."""
    if not (is_text(command.reason, MAX_NOTE) and is_text(command.by, MAX_NOTE)):
        return Refused(Refusal.BAD_TEXT)
    if command.symbol and (command.world, command.symbol) not in house.markets:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    if command.until_ns and command.until_ns <= house.now_ns:
        return Refused(Refusal.EXPIRY_PASSED)
    lift(house, command.world, command.symbol)
    breaker = Breaker(
        house.new_id(), command.world, command.symbol, command.reason, command.by, house.now_ns, command.until_ns
    )
    house.breakers[command.world, command.symbol] = breaker
    if breaker.until_ns:
        house.remind(breaker.until_ns, BREAKER_ENDS, breaker.breaker_id)
    house.log.emit(breaker)
    return DONE


def lift_breaker(house: House, command: LiftBreaker) -> Reply:
    """Let new orders in again."""
    return DONE if lift(house, command.world, command.symbol) else Refused(Refusal.UNKNOWN_BREAKER)


def lift(house: House, world: World, symbol: str) -> bool:
    """End the breaker of a symbol or a world; says whether there was one."""
    breaker = house.breakers.pop((world, symbol), None)
    if breaker is None:
        return False
    ended = Breaker(
        breaker.breaker_id,
        world,
        symbol,
        breaker.reason,
        breaker.by,
        breaker.since_ns,
        breaker.until_ns,
        house.now_ns,
    )
    house.log.emit(ended)
    return True


def set_rules(house: House, command: SetRules) -> Reply:
    """Newer rules hold from here on."""
    if not house.rules_version < command.version <= NEWEST_RULES:
        return Refused(Refusal.UNKNOWN_RULES)
    house.rules_version = command.version
    house.log.emit(RulesSet(command.version))
    return DONE


def _is_code(text: str, longest: int) -> bool:
    """Whether a code has capital letters and digits alone, as codes and symbols do."""
    return 0 < len(text) <= longest and text.isascii() and text.isalnum() and text == text.upper()


def _is_limit(house: House, command: SetLimit) -> bool:
    """Whether a limit says whom it covers and what it is about."""
    if command.value is None or command.value < 0:
        return False
    if command.name is LimitName.MAX_OPEN_ORDERS:
        is_about = command.about == ""
    elif command.name in (LimitName.MAX_POSITION, LimitName.MAX_LEVERAGE):
        is_about = (command.world, command.about) in house.markets
    else:
        is_about = command.about in house.assets
    subject = command.subject
    if command.scope is LimitScope.ACCOUNT:
        return is_about and subject in map(str, house.accounts)
    if command.scope is LimitScope.USER:
        return is_about and subject in house.users
    if command.scope is LimitScope.SYMBOL:
        return is_about and (command.world, subject) in house.markets
    return is_about and subject == ""
