"""Pending entries: opens that wait for a price, and hold nothing while they wait."""

from typing import Final

from fondaco.core.commands import CancelEntry, PlaceEntry
from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.closing import fresh_quote
from fondaco.core.desk.levels import Stake, Stops, Wanted, is_too_near, side_refusal, stops_of
from fondaco.core.desk.opening import Place, Request, carry_out, find_place, ready
from fondaco.core.desk.state import DeskEntry, DeskQuote
from fondaco.core.desk.valuing import opening_ticks
from fondaco.core.exchange.writing import price_refusal
from fondaco.core.house import ENTRY_EXPIRES, House
from fondaco.core.money import charge
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, EntryPlaced, Refused, Reply
from fondaco.core.vocabulary import Direction, EntryKind, EntryState

LONG = Direction.LONG
MAX_ENTRIES: Final = 200
"""Pending entries of one account."""
BY_OWNER: Final = "cancelled_by_owner"
BY_HOUSE: Final = "cancelled_by_house"
BY_STOP_OUT: Final = "stop_out"
TIME_PASSED: Final = "time_passed"


def place_entry(house: House, command: PlaceEntry) -> Reply:
    """Let an open wait for its price."""
    found = _price_refusal(house, command)
    if found is not None:
        return Refused(found)
    place = find_place(house, _request_of(command), is_now=False)
    if isinstance(place, Refusal):
        return Refused(place)
    refusal = _waiting_refusal(house, command, place)
    if refusal is not None:
        return Refused(refusal)
    entry = _entry(house, command, place.book)
    house.desk.add_entry(entry)
    if entry.expires_ns:
        house.remind(entry.expires_ns, ENTRY_EXPIRES, entry.entry_id)
    house.log.emit_row(entry)
    return EntryPlaced(entry.entry_id)


def cancel_entry(house: House, command: CancelEntry, reason: str) -> Reply:
    """Take a pending entry back. Another account's looks missing; one that may not act may still do so."""
    if command.account_id not in house.accounts:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    entry = house.desk.entries_of.get(command.account_id, {}).get(command.entry_id)
    if entry is None:
        return Refused(Refusal.UNKNOWN_ENTRY)
    end_entry(house, entry, EntryState.CANCELLED, reason)
    return DONE


def end_entry(house: House, entry: DeskEntry, state: EntryState, reason: str, position_id: int = 0) -> None:
    """Let an entry go."""
    entry.state, entry.reason, entry.position_id = state, reason, position_id
    entry.updated_ns = house.now_ns
    house.desk.remove_entry(entry)
    house.log.emit_row(entry)


def enter(house: House, entry: DeskEntry) -> None:
    """An entry's price has been reached: it becomes a position, or is rejected for what stands against it."""
    request = Request(
        entry.account_id,
        entry.symbol,
        entry.direction,
        entry.lots * house.desk.book_of(entry).listed.lot,
        entry.leverage,
        entry.mode,
        Wanted(entry.stop, entry.take, entry.trail),
        entry.is_guaranteed,
        entry_id=entry.entry_id,
    )
    plan = ready(house, request)
    if isinstance(plan, Refused):
        end_entry(house, entry, EntryState.REJECTED, plan.code.value)
        return
    opened = carry_out(house, request, plan)
    end_entry(house, entry, EntryState.FILLED, "", opened.position_id)


def is_due(direction: Direction, kind: EntryKind, trigger_ticks: int, quote: DeskQuote) -> bool:
    """Whether the price of an open has come to an entry's: down to a long limit or a short stop, up to the others."""
    ticks = opening_ticks(direction, quote)
    falls = (direction is LONG) == (kind is EntryKind.LIMIT)
    return ticks <= trigger_ticks if falls else ticks >= trigger_ticks


def _price_refusal(house: House, command: PlaceEntry) -> Refusal | None:
    """What is wrong with an entry's expiry or price, unless something that comes before is."""
    account = house.acting_account(command.account_id)
    market = None if isinstance(account, Refusal) else house.markets.get((account.world, command.symbol))
    if market is None or market.is_closed:
        return None
    if command.expires_ns and command.expires_ns <= house.now_ns:
        return Refusal.EXPIRY_PASSED
    return price_refusal(command.price, market.terms)


def _request_of(command: PlaceEntry) -> Request:
    return Request(
        command.account_id,
        command.symbol,
        command.direction,
        command.quantity,
        command.leverage,
        command.mode,
        Wanted(command.stop, command.take, command.trail),
        command.is_guaranteed,
    )


def _waiting_refusal(house: House, command: PlaceEntry, place: Place) -> Refusal | None:
    """What stands against an entry now: its stops, a breaker, its price being reached already, too many others."""
    book = place.book
    quote = fresh_quote(house, book)
    if isinstance(quote, Refusal):
        return quote
    trigger, lots = command.price // book.listed.tick, command.quantity // book.listed.lot
    notional = trigger * lots * book.step
    stake = Stake(command.direction, lots, notional, charge(notional, command.leverage))
    stops = stops_of(book, stake, Wanted(command.stop, command.take, command.trail), Stops())
    if isinstance(stops, Refusal):
        return stops
    refusal = side_refusal(command.direction, stops, Stops(), trigger)
    if refusal is not None:
        return refusal
    if command.is_guaranteed and is_too_near(book, stops.stop_ticks, trigger):
        return Refusal.GUARANTEE_TOO_NEAR
    return _market_refusal(house, command, book, quote)


def _market_refusal(house: House, command: PlaceEntry, book: DealingBook, quote: DeskQuote) -> Refusal | None:
    trigger = command.price // book.listed.tick
    if house.breakers and house.is_halted(book.listed.world, command.symbol):
        return Refusal.BREAKER_ACTIVE
    if is_due(command.direction, command.kind, trigger, quote):
        return Refusal.WOULD_TRIGGER_NOW
    if len(house.desk.entries_of.get(command.account_id, ())) >= MAX_ENTRIES:
        return Refusal.TOO_MANY_ENTRIES
    return Refusal.MAX_LEVERAGE if command.leverage > book.listed.max_leverage else None


def _entry(house: House, command: PlaceEntry, book: DealingBook) -> DeskEntry:
    return DeskEntry(
        house.new_id(),
        command.account_id,
        book.listed.world,
        command.symbol,
        command.direction,
        command.kind,
        command.mode,
        command.leverage,
        command.quantity // book.listed.lot,
        command.price // book.listed.tick,
        command.stop,
        command.take,
        command.trail,
        command.is_guaranteed,
        command.expires_ns,
        house.now_ns,
        house.now_ns,
    )
