"""From shapes to the desk's commands: text straight to atoms, levels as they are said.

What the edge can tell without the engine it refuses by the engine's own name.
"""

from typing import Final

from msgspec import UNSET, UnsetType

from fondaco.core.commands import ClosePosition, ModifyPosition, OpenPosition, PlaceEntry
from fondaco.core.desk.state import KEEP, NO_LEVEL, Level
from fondaco.core.refusals import Refusal
from fondaco.core.terms import MAX_LEVERAGE, Terms
from fondaco.core.vocabulary import LevelKind
from fondaco.domains.positions.shapes import NewEntry, NewLevel, NewPosition, PositionChange, PositionClosing
from fondaco.domains.trading.api import RefusedError, moment_ns, positive_atoms

PERCENT_SCALE: Final = 4
"""Decimal places of a percentage: 0.0001 % is a millionth."""
NOT_GIVEN: Final = 0


def open_command(position: NewPosition, terms: Terms) -> OpenPosition:
    """The command that an open comes to. Raises `BadAmountError`, `RefusedError`."""
    return OpenPosition(
        position.account_id,
        terms.instrument.symbol,
        position.direction,
        positive_atoms("quantity", position.quantity, terms.instrument.quantity_scale),
        leverage(position.leverage),
        position.mode,
        _level("stop_loss", position.stop_loss, terms),
        _level("take_profit", position.take_profit, terms),
        _level("trailing_stop", position.trailing_stop, terms),
        position.guaranteed,
        _price("expected_price", position.expected_price, terms),
        position.slippage_ppm,
        position.position_id or NOT_GIVEN,
    )


def close_command(account_id: int, position_id: int, closing: PositionClosing, terms: Terms) -> ClosePosition:
    """The command that a close comes to. Raises `BadAmountError`."""
    quantity = closing.quantity
    return ClosePosition(
        account_id,
        position_id,
        NOT_GIVEN if quantity is None else positive_atoms("quantity", quantity, terms.instrument.quantity_scale),
        _price("expected_price", closing.expected_price, terms),
        closing.slippage_ppm,
    )


def modify_command(account_id: int, position_id: int, change: PositionChange, terms: Terms) -> ModifyPosition:
    """The command that a change comes to. Raises `BadAmountError`."""
    return ModifyPosition(
        account_id,
        position_id,
        _changed("stop_loss", change.stop_loss, terms),
        _changed("take_profit", change.take_profit, terms),
        _changed("trailing_stop", change.trailing_stop, terms),
    )


def entry_command(entry: NewEntry, terms: Terms) -> PlaceEntry:
    """The command that a pending entry comes to. Raises `BadAmountError`, `RefusedError`."""
    return PlaceEntry(
        entry.account_id,
        terms.instrument.symbol,
        entry.direction,
        entry.kind,
        _price("price", entry.price, terms),
        positive_atoms("quantity", entry.quantity, terms.instrument.quantity_scale),
        leverage(entry.leverage),
        entry.mode,
        _level("stop_loss", entry.stop_loss, terms),
        _level("take_profit", entry.take_profit, terms),
        _level("trailing_stop", entry.trailing_stop, terms),
        entry.guaranteed,
        moment_ns(entry.expires_at),
    )


def leverage(number: int) -> int:
    """A leverage that a command can carry. Raises `RefusedError`: what the house never takes need not be asked."""
    if not 1 <= number <= MAX_LEVERAGE:
        raise RefusedError(Refusal.LEVERAGE_OUT_OF_RANGE)
    return number


def _changed(field: str, level: NewLevel | UnsetType | None, terms: Terms) -> Level:
    if level is None:
        return NO_LEVEL
    return KEEP if isinstance(level, UnsetType) else _level(field, level, terms)


def _level(field: str, level: NewLevel | None, terms: Terms) -> Level:
    if level is None:
        return KEEP
    scale = terms.instrument.price_scale
    if level.price is not UNSET:
        return Level(LevelKind.PRICE, positive_atoms(f"{field}.price", level.price, scale))
    if level.amount is not UNSET:
        return Level(LevelKind.AMOUNT, positive_atoms(f"{field}.amount", level.amount, scale))
    assert level.percent is not UNSET, "a level says one of the three"
    return Level(LevelKind.PERCENT, positive_atoms(f"{field}.percent", level.percent, PERCENT_SCALE))


def _price(field: str, text: str | None, terms: Terms) -> int:
    return NOT_GIVEN if text is None else positive_atoms(field, text, terms.instrument.price_scale)
