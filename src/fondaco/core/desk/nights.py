"""Nights: what positions pay for being kept from one day to the next, once for each day."""

from fondaco.core.commands import Rollover
from fondaco.core.desk.desk import NightRun
from fondaco.core.desk.paying import pay_night
from fondaco.core.desk.state import DeskPosition, RolledOver
from fondaco.core.desk.terms import WEEK_DAYS
from fondaco.core.fees import PPM
from fondaco.core.house import DAY_NS, House
from fondaco.core.money import charge
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Refused
from fondaco.core.vocabulary import Direction, MarginMode

LONG = Direction.LONG
_FIRST_WEEKDAY = 3
"""The first day of 1970 was a Thursday; Monday is 0."""


def begin_night(house: House, command: Rollover) -> NightRun | Refused:
    """The work of a night, if it is the next one and its day has ended."""
    paid = house.desk.paid_days.get(command.world)
    if paid is None or command.day != paid + 1 or house.now_ns < (command.day + 1) * DAY_NS:
        return Refused(Refusal.WRONG_DAY)
    house.desk.paid_days[command.world] = command.day
    house.log.emit(RolledOver(command.world, command.day))
    return NightRun(command.world, command.day)


def run_night(house: House, run: NightRun, most: int) -> tuple[int, bool]:
    """Have at most so many positions pay; returns how many were looked at, and whether that is all."""
    ends_ns = (run.day + 1) * DAY_NS
    ids = sorted(each for each in house.desk.positions if each >= run.next_position_id)
    for position_id in ids[:most]:
        position = house.desk.positions[position_id]
        if position.world is run.world and position.opened_ns < ends_ns:
            run.paid += _pays(house, position, run.day)
        run.next_position_id = position_id + 1
    return min(most, len(ids)), len(ids) <= most


def is_triple(day: int, weekday: int) -> bool:
    """Whether a day, counted from 1970, is the one that counts three times."""
    return (day + _FIRST_WEEKDAY) % WEEK_DAYS == weekday


def _pays(house: House, position: DeskPosition, day: int) -> bool:
    """Have a position pay for a night, or be paid; says whether there was anything to pay."""
    book = house.desk.book_of(position)
    assert book.terms is not None
    rate_ppm = book.terms.long_financing_ppm if position.direction is LONG else book.terms.short_financing_ppm
    if not rate_ppm or house.accounts[position.account_id].is_swap_free:
        return False
    days = 3 if is_triple(day, book.terms.triple_weekday) else 1
    # Rounded up: a charge is no less, and what is paid to the client no more, than it comes to.
    due = charge(position.entry_notional * rate_ppm * days, PPM)
    if not due:
        return False
    position.financing += pay_night(house, position, due)
    position.changed_ns = house.now_ns
    house.desk.touch(position)
    if position.mode is MarginMode.ISOLATED:
        book.arm_losses(position)
    return True
