"""Cross accounts as prices move: when each is looked at, when its owner is warned, and when it is stopped out.

An account is looked at when a price comes to one of its *wake-ups*. These are so placed that nothing can be due while
all prices stay inside: what it could lose (or, once warned, win back) before anything happens is shared out equally
among its exposed sides. A wake-up that turns out to be early places them anew, closer; so an account is looked at a
number of times that grows with the logarithm of the way to its stop-out, and not at all while prices stand still.

What is decided depends on the state alone, never on where the wake-ups were.
"""

from typing import Final, NamedTuple

from fondaco.core.desk.book import ASK_FALLS, ASK_RISES, BID_FALLS, BID_RISES, DealingBook
from fondaco.core.desk.closing import Closed, close, is_fresh
from fondaco.core.desk.desk import CrossAccount
from fondaco.core.desk.entries import BY_STOP_OUT, end_entry
from fondaco.core.desk.paying import NO_COVER
from fondaco.core.desk.standing import standing_of
from fondaco.core.desk.state import DeskPosition, MarginWarning, StopOut
from fondaco.core.desk.terms import DeskRules
from fondaco.core.desk.valuing import Standing, closing_ticks, unrealised
from fondaco.core.fees import PPM
from fondaco.core.house import House
from fondaco.core.money import charge, pay_out
from fondaco.core.vocabulary import Closing, Direction, EntryState, StopOutPolicy

LONG = Direction.LONG
CALM_AGAIN_PPM: Final = 100_000
"""How far above the warning's margin level an account must come before it is warned another time."""


_SLOTS: Final = {
    (Direction.LONG, True): BID_RISES,
    (Direction.LONG, False): BID_FALLS,
    (Direction.SHORT, True): ASK_RISES,
    (Direction.SHORT, False): ASK_FALLS,
}


class Exposure(NamedTuple):
    """One side of one instrument that an account's equity hangs on."""

    book: DealingBook
    direction: Direction
    lots: int


def look(house: House, cross: CrossAccount, book: DealingBook | None) -> int:
    """Look at an account: stop it out if that is due, warn its owner if that is, and place its wake-ups.

    Args:
        house: the house.
        cross: the account.
        book: whose quote is being applied; None between quotes, when nothing is closed.

    Returns:
        How many closes that took.
    """
    rules = house.desk.rules_of(cross.world)
    standing, closes = standing_of(house, cross), 0
    if book is not None and standing.is_at(rules.stop_out_level_ppm):
        closes = _stop_out(house, cross, book, rules, standing)
        standing = standing_of(house, cross)
    _warn(house, cross, rules, standing)
    if cross.positions:
        _arm(house, cross, rules, standing)
    else:
        del house.desk.cross[cross.account_id]
    return closes


def look_at_touched(house: House) -> None:
    """Look at every account whose money or cross positions this command has touched; nothing is closed by that."""
    desk = house.desk
    touched = desk.touched_accounts
    touched.update(account_id for account_id in house.ledger.touched_accounts if account_id in desk.cross)
    for account_id in sorted(touched):
        cross = desk.cross.get(account_id)
        if cross is not None:
            look(house, cross, None)
    touched.clear()


def _warn(house: House, cross: CrossAccount, rules: DeskRules, standing: Standing) -> None:
    if cross.is_warned:
        cross.is_warned = standing.is_at(rules.warning_level_ppm + CALM_AGAIN_PPM)
    elif standing.is_at(rules.warning_level_ppm):
        cross.is_warned = True
        warning = MarginWarning(cross.account_id, cross.world, 0, "", standing.equity, standing.used)
        house.log.emit(warning)


def _arm(house: House, cross: CrossAccount, rules: DeskRules, standing: Standing) -> None:
    """Place the wake-ups anew. One that is due already is looked at with the next quote of any of its symbols."""
    exposures = _exposures(house, cross)
    cross.wakes.clear()
    if standing.is_at(rules.stop_out_level_ppm):
        for exposure in exposures:
            exposure.book.look_at(cross.account_id)
        return
    level = rules.stop_out_level_ppm if cross.is_warned else rules.warning_level_ppm
    # The least loss that brings the level about, of which each side may take its share but for the last atom.
    room = charge(standing.equity * PPM - standing.used * level, PPM)
    share = (room - 1) // len(exposures)
    gain = pay_out(standing.used * (rules.warning_level_ppm + CALM_AGAIN_PPM) - standing.equity * PPM, PPM) + 1
    for exposure in exposures:
        _wake(cross, exposure, share, is_gain=False)
        if cross.is_warned:
            _wake(cross, exposure, (gain - 1) // len(exposures), is_gain=True)


def _wake(cross: CrossAccount, exposure: Exposure, share: int, *, is_gain: bool) -> None:
    """Be woken by the first price of an exposure that takes, or gives, more than a share of what there is."""
    book, direction, lots = exposure
    assert book.quote is not None
    distance = share // (lots * book.step) + 1
    is_rise = (direction is LONG) == is_gain
    now_ticks = book.quote.bid_ticks if direction is LONG else book.quote.ask_ticks
    ticks = now_ticks + distance if is_rise else now_ticks - distance
    if not 0 < ticks <= book.listed.max_price_ticks:
        return
    slot = _SLOTS[direction, is_rise]
    cross.wakes[book.listed.instrument.symbol, slot] = ticks
    book.wake(cross.account_id, slot, ticks)


def _exposures(house: House, cross: CrossAccount) -> list[Exposure]:
    """Lots by instrument and direction, in the order of the oldest position of each."""
    lots: dict[tuple[str, Direction], int] = {}
    for position_id in sorted(cross.positions):
        position = cross.positions[position_id]
        key = (position.symbol, position.direction)
        lots[key] = lots.get(key, 0) + position.lots
    books = house.desk.books
    return [Exposure(books[cross.world, symbol], direction, count) for (symbol, direction), count in lots.items()]


def _stop_out(house: House, cross: CrossAccount, book: DealingBook, rules: DeskRules, before: Standing) -> int:
    """Close what the policy says, and leave a receipt; returns how many closes that took.

    Nothing is closed at a price that is too old: what that leaves open stays due until a newer one comes.
    """
    if not _closable(house, cross):
        return 0
    receipt_id = house.new_id()
    entries = house.desk.entries_in(cross.account_id)
    for entry in entries:
        end_entry(house, entry, EntryState.CANCELLED, BY_STOP_OUT)
    closed = _closes(house, cross, rules, receipt_id)
    assert book.quote is not None
    after, cover = standing_of(house, cross), NO_COVER
    for _, each in closed:
        cover += each.cover
    house.log.emit(
        StopOut(
            receipt_id,
            cross.account_id,
            cross.world,
            rules.stop_out_policy.value,
            book.listed.instrument.symbol,
            book.quote.bid_ticks,
            book.quote.ask_ticks,
            before.equity,
            before.used,
            after.equity,
            after.used,
            tuple(position_id for position_id, _ in closed),
            tuple(each.entry_id for each in entries),
            cover.insurance,
            cover.desk,
        )
    )
    return len(closed)


def _closes(house: House, cross: CrossAccount, rules: DeskRules, receipt_id: int) -> list[tuple[int, Closed]]:
    """Close by the policy until the stop-out is no longer due, or nothing is left that can be closed."""
    made: list[tuple[int, Closed]] = []
    is_whole = rules.stop_out_policy is StopOutPolicy.CLOSE_ALL
    while closable := _closable(house, cross):
        standing = standing_of(house, cross)
        if not is_whole and not standing.is_at(rules.stop_out_level_ppm):
            break
        position, lots = _next(house, rules, standing, closable)
        book = house.desk.book_of(position)
        made.append((position.position_id, close(house, book, position, lots, Closing.STOP_OUT, receipt_id)))
    return made


def _next(house: House, rules: DeskRules, standing: Standing, closable: list[DeskPosition]) -> tuple[DeskPosition, int]:
    """Which position the policy closes now, and how many lots of it."""
    if rules.stop_out_policy is StopOutPolicy.CLOSE_ALL:
        return closable[0], closable[0].lots
    if rules.stop_out_policy is StopOutPolicy.LARGEST_LOSS:
        worst = min(closable, key=lambda each: (_unrealised(house, each), each.position_id))
        return worst, worst.lots
    largest = min(closable, key=lambda each: (-each.margin, each.position_id))
    return largest, _fewest_lots(house, rules, standing, largest)


def _fewest_lots(house: House, rules: DeskRules, standing: Standing, position: DeskPosition) -> int:
    """The smallest number of whole steps whose closing sets enough margin free; all lots when there is none.

    Closing at the quote at which a position is valued leaves equity as it is, so only the margin counts; what is set
    free grows with the lots, and the fewest are found by halving.
    """
    terms = house.desk.book_of(position).terms
    assert terms is not None
    step = terms.min_lots
    too_few, enough = 0, position.lots // step + 1
    while enough - too_few > 1:
        steps = (too_few + enough) // 2
        freed = pay_out(position.margin * steps * step, position.lots)
        if Standing(standing.equity, standing.used - freed).is_at(rules.stop_out_level_ppm):
            too_few = steps
        else:
            enough = steps
    lots = enough * step
    return lots if lots <= position.lots - terms.min_lots else position.lots


def _closable(house: House, cross: CrossAccount) -> list[DeskPosition]:
    """Cross positions whose own quote is fresh, by id."""
    positions = (cross.positions[position_id] for position_id in sorted(cross.positions))
    return [each for each in positions if is_fresh(house, house.desk.book_of(each))]


def _unrealised(house: House, position: DeskPosition) -> int:
    book = house.desk.book_of(position)
    assert book.quote is not None
    return unrealised(position, closing_ticks(position, book.quote), book.step)
