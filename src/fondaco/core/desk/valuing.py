"""What leveraged positions are worth at a quote, and at which price something falls due: formulas only.

They are those of docs/desk.md, shared by the engine, which closes by them, and by whoever shows them. Amounts are quote
atoms, prices ticks, quantities lots; ``step`` is `fondaco.core.terms.Terms.step_notional`, what one lot costs for each
tick of its price.
"""

from collections.abc import Iterable
from typing import NamedTuple

from fondaco.core.desk.state import DeskPosition, DeskQuote
from fondaco.core.fees import PPM
from fondaco.core.money import charge, pay_out
from fondaco.core.vocabulary import Direction

LONG = Direction.LONG
SHORT = Direction.SHORT


class Parts(NamedTuple):
    """What a part of a position takes with it when it is closed."""

    entry: int
    margin: int
    settled: int


class Standing(NamedTuple):
    """How a cross account stands."""

    equity: int
    """What it would have if everything were closed now."""
    used: int
    """The margins of its cross positions."""

    @property
    def free(self) -> int:
        """What is left for further margin; below zero when there is too little."""
        return self.equity - self.used

    @property
    def level_ppm(self) -> int | None:
        """Equity in millionths of the margin, rounded down; None while nothing is used."""
        return pay_out(self.equity * PPM, self.used) if self.used else None

    def is_at(self, level_ppm: int) -> bool:
        """Whether the margin level has come down to so much."""
        return self.used > 0 and self.equity * PPM <= self.used * level_ppm


def opening_ticks(direction: Direction, quote: DeskQuote) -> int:
    """The price at which a position opens."""
    return quote.ask_ticks if direction is LONG else quote.bid_ticks


def market_ticks(direction: Direction, quote: DeskQuote) -> int:
    """The price at which a position closes, guarantees apart."""
    return quote.bid_ticks if direction is LONG else quote.ask_ticks


def closing_ticks(position: DeskPosition, quote: DeskQuote) -> int:
    """The price at which a position closes: a guaranteed stop that was passed holds."""
    ticks = market_ticks(position.direction, quote)
    if not position.is_guaranteed:
        return ticks
    return max(ticks, position.stop_ticks) if position.direction is LONG else min(ticks, position.stop_ticks)


def parts_of(position: DeskPosition, lots: int) -> Parts:
    """What so many lots take with them: rounded against the client, and the last of them take the remainder."""
    if lots == position.lots:
        return Parts(position.entry_notional, position.margin, position.settled)
    divide = charge if position.direction is LONG else pay_out
    return Parts(
        divide(position.entry_notional * lots, position.lots),
        pay_out(position.margin * lots, position.lots),
        charge(position.settled * lots, position.lots),
    )


def result_of(direction: Direction, value: int, parts: Parts) -> int:
    """What closing so much at a value brings."""
    change = value - parts.entry if direction is LONG else parts.entry - value
    return change - parts.settled


def unrealised(position: DeskPosition, ticks: int, step: int) -> int:
    """What closing all of a position at a price would bring."""
    value = ticks * position.lots * step
    change = value - position.entry_notional if position.direction is LONG else position.entry_notional - value
    return change - position.settled


def losing_ticks(position: DeskPosition, loss: int, step: int) -> int:
    """The first price at which a position's result is ``-loss`` or worse; not positive: never, for a long."""
    per_tick = position.lots * step
    if position.direction is LONG:
        return pay_out(position.entry_notional + position.settled - loss, per_tick)
    return charge(position.entry_notional - position.settled + loss, per_tick)


def margin_call_ticks(position: DeskPosition, step: int) -> int:
    """The first price at which the loss is the part of the margin at which an isolated position is closed."""
    return losing_ticks(position, charge(position.margin * position.margin_call_ppm, PPM), step)


def warning_ticks(position: DeskPosition, step: int) -> int:
    """The first price at which the owner of an isolated position is warned."""
    return losing_ticks(position, charge(position.margin * position.loss_warning_ppm, PPM), step)


def standing(cash: int, positions: Iterable[tuple[DeskPosition, int, int]]) -> Standing:
    """How an account stands with so much cash and these cross positions, each with its closing price and step."""
    equity, used = cash, 0
    for position, ticks, step in positions:
        equity += unrealised(position, ticks, step)
        used += position.margin
    return Standing(equity, used)
