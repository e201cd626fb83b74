"""Stops as they are said, made into prices, and held against the quote.

The formulas and their rounding stand in docs/desk.md: a stop loss is the first price at which the position has lost so
much, a take profit the first at which it has won so much.
"""

from collections.abc import Callable
from typing import NamedTuple

from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.state import Level
from fondaco.core.fees import PPM
from fondaco.core.money import charge, pay_out
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import Direction, LevelKind

LONG = Direction.LONG


class Stake(NamedTuple):
    """What a position is, or will be, as far as its stops are concerned."""

    direction: Direction
    lots: int
    entry_notional: int
    margin: int


class Wanted(NamedTuple):
    """The stops that somebody asks for."""

    stop: Level
    take: Level
    trail: Level

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is said at all."""
        return all(each.kind is LevelKind.KEEP for each in self)

    @property
    def has_stop(self) -> bool:
        """Whether a stop loss is asked for."""
        return self.stop.kind not in (LevelKind.KEEP, LevelKind.NONE)


class Stops(NamedTuple):
    """Stops as prices; 0 for none. The trailing one is a distance."""

    stop_ticks: int = 0
    take_ticks: int = 0
    trail_ticks: int = 0


def stops_of(book: DealingBook, stake: Stake, wanted: Wanted, current: Stops) -> Stops | Refusal:
    """What is asked for as prices; what is kept stays as it is now.

    Returns:
        The stops, or `Refusal.BAD_LEVEL`.
    """
    stop = _price(book, stake, wanted.stop, current.stop_ticks, is_loss=True)
    take = _price(book, stake, wanted.take, current.take_ticks, is_loss=False)
    trail = _distance(book, stake, wanted.trail, current.trail_ticks)
    if stop is None or take is None or trail is None:
        return Refusal.BAD_LEVEL
    return Stops(stop, take, trail)


def side_refusal(direction: Direction, stops: Stops, current: Stops, price_ticks: int) -> Refusal | None:
    """Why stops that are new would be reached at once, if so.

    Args:
        direction: of the position.
        stops: as they shall be.
        current: as they are; one that stays is not asked about.
        price_ticks: at which the position would be closed now.
    """
    is_long = direction is LONG
    stop, take = stops.stop_ticks, stops.take_ticks
    if stop and stop != current.stop_ticks and (stop >= price_ticks if is_long else stop <= price_ticks):
        return Refusal.STOP_WRONG_SIDE
    if take and take != current.take_ticks and (take <= price_ticks if is_long else take >= price_ticks):
        return Refusal.TAKE_WRONG_SIDE
    return None


def is_too_near(book: DealingBook, stop_ticks: int, price_ticks: int) -> bool:
    """Whether a guaranteed stop is closer to the price than the desk offers."""
    assert book.terms is not None
    return abs(price_ticks - stop_ticks) * PPM < price_ticks * book.terms.guarantee_distance_ppm


def _price(book: DealingBook, stake: Stake, level: Level, current_ticks: int, *, is_loss: bool) -> int | None:
    """A stop or a target as a price; None when it is none."""

    def reckoned() -> int:
        amount, per_tick = _amount(stake, level), stake.lots * book.step
        # A long loses and a short wins where the price is lower.
        if (stake.direction is LONG) == is_loss:
            return pay_out(stake.entry_notional - amount, per_tick)
        return charge(stake.entry_notional + amount, per_tick)

    return _resolved(book, level, current_ticks, reckoned)


def _distance(book: DealingBook, stake: Stake, level: Level, current_ticks: int) -> int | None:
    """A trailing distance in ticks; None when it is none."""
    return _resolved(book, level, current_ticks, lambda: charge(_amount(stake, level), stake.lots * book.step))


def _resolved(book: DealingBook, level: Level, current_ticks: int, reckoned: Callable[[], int]) -> int | None:
    if level.kind is LevelKind.KEEP:
        return current_ticks
    if level.kind is LevelKind.NONE:
        return 0
    if level.value <= 0:
        return None
    ticks, rest = divmod(level.value, book.listed.tick) if level.kind is LevelKind.PRICE else (reckoned(), 0)
    return ticks if not rest and 0 < ticks <= book.listed.max_price_ticks else None


def _amount(stake: Stake, level: Level) -> int:
    """Quote atoms that a level is about."""
    return level.value if level.kind is LevelKind.AMOUNT else charge(stake.margin * level.value, PPM)
