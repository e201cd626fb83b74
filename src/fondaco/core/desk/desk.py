"""Everything that the desk has in memory, and how its parts find each other.

Plain state, as `fondaco.core.house.House` is, which has it as its ``desk``. Rows are dumped; what can be derived (who
waits for which price, what an account answers for together, how much the desk could still have to pay) is derived on
loading; but not when accounts are looked at, which counts to what one command may do.
"""

from collections import deque
from typing import Final, TypeAlias

import msgspec

from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.state import DeskEntry, DeskPosition, DeskQuote
from fondaco.core.desk.terms import DeskRules
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Direction, MarginMode, World

LONG: Final = Direction.LONG
_CROSS: Final = MarginMode.CROSS
BookKey: TypeAlias = tuple[World, str]
Slot: TypeAlias = tuple[str, int]
"""Symbol and side of a wake-up price."""


class QuoteRun(msgspec.Struct, array_like=True, tag="quote"):
    """A quote that is being applied, and how far that has come."""

    quote: DeskQuote
    phase: int = 0
    accounts: list[int] | None = None
    """Cross accounts still to be looked at, the last first."""


class NightRun(msgspec.Struct, array_like=True, tag="night"):
    """Positions still to pay for a night: those from this id on that were opened before the day ended."""

    world: World
    day: int
    next_position_id: int = 0
    paid: int = 0
    """How many have paid so far."""


class CloseRun(msgspec.Struct, array_like=True, tag="close"):
    """Positions and entries of an instrument that is no longer traded, still to be closed."""

    world: World
    symbol: str


class LookRun(msgspec.Struct, array_like=True, tag="look"):
    """Cross accounts of a world still to be looked at under new rules, from this id on."""

    world: World
    next_account_id: int = 0


Run: TypeAlias = QuoteRun | NightRun | CloseRun | LookRun


class CrossAccount(msgspec.Struct, gc=False):
    """An account that answers for its cross positions with all that it has."""

    account_id: int
    world: World
    currency: str
    is_warned: bool = False
    positions: dict[int, DeskPosition] = msgspec.field(default_factory=dict)
    """Its cross positions, by id."""
    wakes: dict[Slot, int] = msgspec.field(default_factory=dict)
    """The prices at which it is looked at."""


class Desk:
    """The state of the desk in all worlds."""

    __slots__ = (
        "books",
        "cross",
        "entries",
        "entries_of",
        "paid_days",
        "positions",
        "positions_of",
        "reserves",
        "rules",
        "runs",
        "touched_accounts",
        "touched_positions",
    )

    def __init__(self) -> None:
        self.books: dict[BookKey, DealingBook] = {}
        self.rules: dict[World, DeskRules] = {}
        self.positions: dict[int, DeskPosition] = {}
        """Every open position."""
        self.positions_of: dict[int, dict[int, DeskPosition]] = {}
        self.entries: dict[int, DeskEntry] = {}
        """Every pending entry."""
        self.entries_of: dict[int, dict[int, DeskEntry]] = {}
        self.cross: dict[int, CrossAccount] = {}
        """Accounts with cross positions."""
        self.paid_days: dict[World, int] = {}
        """The last day for whose night positions have paid, or begun to."""
        self.reserves: dict[tuple[World, str], int] = {}
        """What open positions could win at most, by asset."""
        self.runs: deque[Run] = deque()
        """Work that is not finished, the first of it going on ahead of other commands."""
        self.touched_positions: dict[int, DeskPosition] = {}
        self.touched_accounts: set[int] = set()
        """Cross accounts to be looked at when the command is done."""

    def rules_of(self, world: World) -> DeskRules:
        """The rules of a world: those that were set, or as they are from the start."""
        return self.rules.get(world) or DeskRules(world)

    def book_of(self, it: DeskPosition | DeskEntry) -> DealingBook:
        """The book of a position or an entry."""
        return self.books[it.world, it.symbol]

    def open_book(self, listed: Terms) -> DealingBook:
        """The book of an instrument, made when it is the first time."""
        key = (listed.world, listed.instrument.symbol)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = DealingBook(listed, self.positions, self.entries, self._is_woken)
        return book

    def mid_ticks(self, listed: Terms) -> int:
        """The middle of an instrument's quote, rounded down; 0 without one."""
        book = self.books.get((listed.world, listed.instrument.symbol))
        return 0 if book is None or book.quote is None else (book.quote.bid_ticks + book.quote.ask_ticks) // 2

    def add_position(self, position: DeskPosition) -> None:
        """Take a position in, with all its lots. It waits for nothing yet."""
        self.positions[position.position_id] = position
        self.positions_of.setdefault(position.account_id, {})[position.position_id] = position
        if position.mode is _CROSS:
            cross = self.cross.get(position.account_id)
            if cross is None:
                quote = self.book_of(position).listed.instrument.quote
                cross = CrossAccount(position.account_id, position.world, quote.code)
                self.cross[position.account_id] = cross
            cross.positions[position.position_id] = position
        self.count_lots(position, position.lots)

    def remove_position(self, position: DeskPosition) -> None:
        """Let a position go that has no lots left."""
        del self.positions[position.position_id]
        del self.positions_of[position.account_id][position.position_id]
        if position.mode is _CROSS:
            del self.cross[position.account_id].positions[position.position_id]
        self.book_of(position).forget(position)

    def count_lots(self, position: DeskPosition, lots: int) -> None:
        """Count lots that were opened, or closed when they are negative, to what all hold and could win."""
        book = self.book_of(position)
        if position.direction is LONG:
            book.long_lots += lots
        else:
            book.short_lots += lots
        key = (position.world, book.listed.instrument.quote.code)
        self.reserves[key] = self.reserves.get(key, 0) + most_gain(book, lots)

    def touch(self, position: DeskPosition) -> None:
        """Have a position told when the command is done, and its account looked at if it answers for it."""
        self.touched_positions[position.position_id] = position
        if position.mode is _CROSS:
            self.touched_accounts.add(position.account_id)

    def add_entry(self, entry: DeskEntry) -> None:
        """Take a pending entry in and let it wait."""
        self.entries[entry.entry_id] = entry
        self.entries_of.setdefault(entry.account_id, {})[entry.entry_id] = entry
        self.book_of(entry).arm_entry(entry)

    def remove_entry(self, entry: DeskEntry) -> None:
        """Let an entry go that has ended."""
        del self.entries[entry.entry_id]
        del self.entries_of[entry.account_id][entry.entry_id]

    def positions_in(self, account_id: int) -> list[DeskPosition]:
        """An account's open positions, by id."""
        own = self.positions_of.get(account_id, {})
        return [own[position_id] for position_id in sorted(own)]

    def entries_in(self, account_id: int) -> list[DeskEntry]:
        """An account's pending entries, by id."""
        own = self.entries_of.get(account_id, {})
        return [own[entry_id] for entry_id in sorted(own)]

    def _is_woken(self, account_id: int, book: DealingBook, slot: int, ticks: int) -> bool:
        cross = self.cross.get(account_id)
        return cross is not None and cross.wakes.get((book.listed.instrument.symbol, slot)) == ticks


def most_gain(book: DealingBook, lots: int) -> int:
    """What so many lots could win at the most extreme of prices: no more than their notional at the highest."""
    return book.listed.max_price_ticks * lots * book.step
