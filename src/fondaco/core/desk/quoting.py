"""A quote comes in, and what it sets off: see "What a quote sets off" in docs/desk.md.

Most set off nothing, and four comparisons say so. One that does becomes a *run*, which goes through its phases in order
and can stop after any close and go on ahead of the next command: what is due follows from levels and the quote, not
from how far the run has come.
"""

from collections.abc import Callable
from typing import Final

from fondaco.core.commands import SetQuote
from fondaco.core.desk.accounts import look
from fondaco.core.desk.book import ASK_FALLS, ASK_RISES, BID_FALLS, BID_RISES, DealingBook
from fondaco.core.desk.closing import close
from fondaco.core.desk.desk import QuoteRun
from fondaco.core.desk.entries import enter
from fondaco.core.desk.state import DeskPosition, DeskQuote, MarginWarning, Quote, StopOut
from fondaco.core.desk.valuing import margin_call_ticks, market_ticks, unrealised
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, Refused, Reply
from fondaco.core.texts import MAX_ID, is_text
from fondaco.core.vocabulary import Closing, Direction, EntryKind, MarginMode

LONG = Direction.LONG
SHORT = Direction.SHORT
ISOLATED = MarginMode.ISOLATED
MAX_QUOTES: Final = 3
"""A low, a high and the last."""
MAX_AHEAD_NS: Final = 1_000_000_000
"""How far a quote's receipt may lie ahead of the engine's clock, which stands still between commands."""


def set_quote(house: House, command: SetQuote) -> Reply:
    """Take a new quote, and do what it sets off."""
    book = house.desk.books.get((command.world, command.symbol))
    if book is None:
        is_listed = (command.world, command.symbol) in house.markets
        return Refused(Refusal.NOT_DEALT if is_listed else Refusal.UNKNOWN_SYMBOL)
    if book.is_closed:
        return Refused(Refusal.INSTRUMENT_CLOSED)
    quotes = _read(command, book)
    if quotes is None:
        return Refused(Refusal.BAD_QUOTE)
    if house.now_ns - quotes[-1].received_ns > house.desk.rules_of(command.world).max_quote_age_ns:
        return Refused(Refusal.STALE_QUOTE)
    last_ns = book.newest_ns
    for quote in quotes:
        if quote.received_ns < last_ns or quote.received_ns > house.now_ns + MAX_AHEAD_NS:
            return Refused(Refusal.QUOTE_OUT_OF_ORDER)
        last_ns = quote.received_ns
    book.newest_ns = last_ns
    for quote in quotes:
        _take(house, book, quote)
    house.log.emit(quotes[-1])
    return DONE


def _read(command: SetQuote, book: DealingBook) -> list[DeskQuote] | None:
    """The quotes in ticks; None when they are not what quotes must be."""
    if not 1 <= len(command.quotes) <= MAX_QUOTES or not is_text(command.source, MAX_ID) or command.markup_ppm < 0:
        return None
    found: list[DeskQuote] = []
    for quote in command.quotes:
        bid_ticks, bid_rest = divmod(quote.bid, book.listed.tick)
        ask_ticks, ask_rest = divmod(quote.ask, book.listed.tick)
        if bid_rest or ask_rest or not 0 < bid_ticks <= ask_ticks <= book.listed.max_price_ticks:
            return None
        found.append(_in_ticks(command, quote, bid_ticks, ask_ticks))
    return found


def _in_ticks(command: SetQuote, quote: Quote, bid_ticks: int, ask_ticks: int) -> DeskQuote:
    return DeskQuote(
        command.world,
        command.symbol,
        bid_ticks,
        ask_ticks,
        quote.received_ns,
        command.source,
        quote.source_price,
        quote.tick_id,
        command.markup_ppm,
    )


def _take(house: House, book: DealingBook, quote: DeskQuote) -> None:
    """Apply a quote, or have it wait until those before it are done."""
    bid, ask = quote.bid_ticks, quote.ask_ticks
    if not house.desk.runs and book.bid_low < bid < book.bid_high and book.ask_low < ask < book.ask_high:
        book.quote = quote
        return
    house.desk.runs.append(QuoteRun(quote))


def run_quote(house: House, run: QuoteRun, most: int) -> tuple[int, bool]:
    """Go on with a quote; returns how much of ``most`` that took, and whether it is done with."""
    book = house.desk.books[run.quote.world, run.quote.symbol]
    if run.phase == 0:
        book.quote = run.quote
        book.trails[LONG].see(run.quote.bid_ticks)
        book.trails[SHORT].see(run.quote.ask_ticks)
        run.phase = 1
    left = most
    while run.phase <= len(_PHASES):
        left = _PHASES[run.phase - 1](house, book, run, left)
        if left <= 0:
            return most, False
        run.phase += 1
    _watch_again(house, book)
    book.settle_bounds()
    return most - left, True


def _watch_again(house: House, book: DealingBook) -> None:
    """Have the accounts that a quote has touched looked at with the next one, which may be of the same command.

    An entry that has become a position puts more at stake than their wake-ups were placed for.
    """
    symbol = book.listed.instrument.symbol
    for account_id in sorted(house.desk.touched_accounts):
        cross = house.desk.cross.get(account_id)
        if cross is not None and any(each.symbol == symbol for each in cross.positions.values()):
            book.look_at(account_id)


def _look_at_accounts(house: House, book: DealingBook, run: QuoteRun, left: int) -> int:
    """Cross accounts whose wake-ups this quote has reached, by id."""
    assert book.quote is not None
    if run.accounts is None:
        found = set(book.due_accounts)
        book.due_accounts.clear()
        prices = {BID_FALLS: book.quote.bid_ticks, BID_RISES: book.quote.bid_ticks}
        prices |= {ASK_FALLS: book.quote.ask_ticks, ASK_RISES: book.quote.ask_ticks}
        for slot, price in prices.items():
            watch = book.wakes[slot]
            while watch.is_reached(price):
                found.update(watch.take(watch.next_ticks))
        run.accounts = sorted(found, reverse=True)
    while run.accounts and left > 0:
        cross = house.desk.cross.get(run.accounts.pop())
        left -= 1 if cross is None else max(1, look(house, cross, book))
    return left


def _lose(direction: Direction) -> Callable[[House, DealingBook, QuoteRun, int], int]:
    def phase(house: House, book: DealingBook, run: QuoteRun, left: int) -> int:
        """Positions that have lost too much, or whose owners should know, by crossing and id."""
        price = market_ticks(direction, run.quote)
        losses, trails = book.losses[direction], book.trails[direction]
        while left > 0:
            levels = [each for each in (losses.next_ticks, trails.next_ticks) if _is_passed(direction, each, price)]
            if not levels:
                break
            level = max(levels) if direction is LONG else min(levels)
            ids = sorted({*losses.take(level), *(trails.take(level) if trails.next_ticks == level else ())})
            for position_id in ids:
                position = house.desk.positions[position_id]
                if left > 0:
                    left -= _lost(house, book, position)
                else:
                    _wait_again(book, position, level)
        return left

    return phase


def _win(direction: Direction) -> Callable[[House, DealingBook, QuoteRun, int], int]:
    def phase(house: House, book: DealingBook, run: QuoteRun, left: int) -> int:
        """Positions that have won what they should, by crossing and id."""
        price, watch = market_ticks(direction, run.quote), book.takes[direction]
        while left > 0 and watch.is_reached(price):
            for position_id in watch.take(watch.next_ticks):
                position = house.desk.positions[position_id]
                if left > 0:
                    close(house, book, position, position.lots, Closing.TAKE_PROFIT)
                    left -= 1
                else:
                    book.arm_take(position)
        return left

    return phase


def _enter(direction: Direction, kind: EntryKind) -> Callable[[House, DealingBook, QuoteRun, int], int]:
    def phase(house: House, book: DealingBook, run: QuoteRun, left: int) -> int:
        """Entries whose price has come, by crossing and id."""
        price = run.quote.ask_ticks if direction is LONG else run.quote.bid_ticks
        watch = book.entry_watches[direction, kind]
        while left > 0 and watch.is_reached(price):
            for entry_id in watch.take(watch.next_ticks):
                entry = house.desk.entries[entry_id]
                if left > 0:
                    enter(house, entry)
                    left -= 1
                else:
                    book.arm_entry(entry)
        return left

    return phase


_PHASES: Final = (
    _look_at_accounts,
    _lose(LONG),
    _lose(SHORT),
    _win(LONG),
    _win(SHORT),
    _enter(LONG, EntryKind.LIMIT),
    _enter(LONG, EntryKind.STOP),
    _enter(SHORT, EntryKind.LIMIT),
    _enter(SHORT, EntryKind.STOP),
)


def _is_passed(direction: Direction, level: int, price: int) -> bool:
    if level <= 0:
        return False
    return price <= level if direction is LONG else price >= level


def _wait_again(book: DealingBook, position: DeskPosition, level: int) -> None:
    """What was taken out of the watches goes back."""
    book.arm_losses(position)
    if position.trail_ticks and position.position_id not in book.trails[position.direction]:
        book.arm_trail_again(position, level)


def _lost(house: House, book: DealingBook, position: DeskPosition) -> int:
    """Close a position whose level was reached, for the first reason that holds, or warn its owner."""
    assert book.quote is not None
    price = market_ticks(position.direction, book.quote)
    has_stopped = _is_passed(position.direction, position.stop_ticks, price)
    trailed = position.trail_ticks and position.position_id not in book.trails[position.direction]
    if position.is_guaranteed and has_stopped:
        closing = Closing.STOP_LOSS
    elif position.mode is ISOLATED and _is_passed(position.direction, margin_call_ticks(position, book.step), price):
        closing = Closing.MARGIN_CALL
    elif has_stopped:
        closing = Closing.STOP_LOSS
    elif trailed or _is_passed(position.direction, book.trail_level(position), price):
        closing = Closing.TRAILING_STOP
    else:
        _warn(house, book, position, price)
        return 1
    receipt_id = house.new_id() if closing is Closing.MARGIN_CALL else 0
    before = (position.margin + unrealised(position, price, book.step), position.margin)
    closed = close(house, book, position, position.lots, closing, receipt_id)
    if receipt_id:
        cover = closed.cover
        house.log.emit(
            StopOut(
                receipt_id,
                position.account_id,
                position.world,
                ISOLATED.value,
                position.symbol,
                book.quote.bid_ticks,
                book.quote.ask_ticks,
                *before,
                0,
                0,
                (position.position_id,),
                (),
                cover.insurance,
                cover.desk,
            )
        )
    return 1


def _warn(house: House, book: DealingBook, position: DeskPosition, price: int) -> None:
    position.is_warned = True
    house.desk.touched_positions[position.position_id] = position
    equity = position.margin + unrealised(position, price, book.step)
    house.log.emit(
        MarginWarning(
            position.account_id, position.world, position.position_id, position.symbol, equity, position.margin
        )
    )
    book.arm_losses(position)
