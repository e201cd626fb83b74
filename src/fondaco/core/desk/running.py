"""Work of the desk that is too large for one command: it goes on ahead of other commands until it is done."""

from collections.abc import Callable
from typing import Any, Final

from fondaco.core.commands import Rollover, SetQuote
from fondaco.core.desk.accounts import look
from fondaco.core.desk.closing import close
from fondaco.core.desk.desk import CloseRun, LookRun, NightRun, QuoteRun, Run
from fondaco.core.desk.entries import end_entry
from fondaco.core.desk.nights import begin_night, run_night
from fondaco.core.desk.quoting import run_quote, set_quote
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.house import House
from fondaco.core.replies import NightPaid, Refused, Reply
from fondaco.core.vocabulary import Closing, EntryState

MAX_CLOSED: Final = 10_000
"""Closes that one command may do; of other work, a command does `MAX_TOUCHED`."""
_COST: Final = MAX_CLOSED // MAX_TOUCHED


def quote(house: House, command: SetQuote) -> Reply:
    """Take a quote, and do what it sets off as far as one command may."""
    reply = set_quote(house, command)
    if house.desk.runs:
        go_on(house)
    return reply


def rollover(house: House, command: Rollover) -> Reply:
    """Begin a night, and do a first part of it."""
    run = begin_night(house, command)
    if isinstance(run, Refused):
        return run
    is_done = begin(house, run)
    return NightPaid(run.paid, goes_on=not is_done)


def begin(house: House, run: Run) -> bool:
    """Take work on, and do a first part of it unless other work stands before it; says whether it is done with."""
    house.desk.runs.append(run)
    if house.desk.runs[0] is run:
        go_on(house)
    return all(each is not run for each in house.desk.runs)


def go_on(house: House) -> None:
    """Do as much of the work that stands first as one command may."""
    runs, left = house.desk.runs, MAX_CLOSED
    while runs and left > 0:
        run = runs[0]
        cost = 1 if type(run) is QuoteRun else _COST
        took, is_done = _RUNNERS[type(run)](house, run, -(-left // cost))
        left -= took * cost
        if is_done:
            runs.popleft()


def _run_close(house: House, run: CloseRun, most: int) -> tuple[int, bool]:
    """End what stands in an instrument that is no longer traded, at the last quote that there was."""
    desk = house.desk
    book = desk.books[run.world, run.symbol]
    entries = sorted(each.entry_id for each in desk.entries.values() if desk.book_of(each) is book)
    positions = sorted(each.position_id for each in desk.positions.values() if desk.book_of(each) is book)
    for entry_id in entries[:most]:
        end_entry(house, desk.entries[entry_id], EntryState.CANCELLED, Closing.INSTRUMENT_CLOSED.value)
    left = max(0, most - len(entries))
    for position_id in positions[:left]:
        position = desk.positions[position_id]
        close(house, book, position, position.lots, Closing.INSTRUMENT_CLOSED)
    book.settle_bounds()
    count = len(entries) + len(positions)
    return min(most, count), count <= most


def _run_look(house: House, run: LookRun, most: int) -> tuple[int, bool]:
    """Look at cross accounts under rules that have changed."""
    ids = sorted(each for each in house.desk.cross if each >= run.next_account_id)
    for account_id in ids[:most]:
        cross = house.desk.cross[account_id]
        if cross.world is run.world:
            look(house, cross, None)
        run.next_account_id = account_id + 1
    return min(most, len(ids)), len(ids) <= most


_RUNNERS: Final[dict[type, Callable[[House, Any, int], tuple[int, bool]]]] = {
    QuoteRun: run_quote,
    NightRun: run_night,
    CloseRun: _run_close,
    LookRun: _run_look,
}
