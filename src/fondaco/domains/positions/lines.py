"""What is told of positions, entries, fills and receipts: one struct for each, decimals and times as text."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from fondaco.core.desk.state import DeskEntry, DeskPosition, Level
from fondaco.core.money import charge, format_atoms
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import LevelKind
from fondaco.domains.positions.amounts import PERCENT_SCALE
from fondaco.domains.positions.valuation import Worth, percent
from fondaco.infra.rows import iso

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PositionLine(msgspec.Struct, frozen=True, gc=False):
    """A leveraged position and how far it has come.

    `price`, at which it would be closed, `unrealized_pnl`, its percentage of the margin and `liquidation_price` follow
    the desk's quote, which came in at `quoted_at`: null once it is closed, and while there is no quote.
    `realized_percent` is of the margin that what was closed had been opened with, null while all is open (BBX-44).
    """

    position_id: int
    account_id: int
    symbol: str
    direction: str
    mode: str
    leverage: int
    status: str
    quantity: str
    entry_price: str | None
    notional: str
    margin: str
    stop_loss: str | None
    take_profit: str | None
    trailing_distance: str | None
    guaranteed: bool
    price: str | None
    unrealized_pnl: str | None
    unrealized_percent: str | None
    liquidation_price: str | None
    quoted_at: str | None
    realized_pnl: str
    realized_percent: str | None
    covered: str
    financing: str
    premium: str
    pnl_currency: str
    opened_quantity: str
    opened_price: str
    closed_price: str | None
    close_reason: str | None
    entry_id: int | None
    opened_at: str
    updated_at: str
    closed_at: str | None


class FillLine(msgspec.Struct, frozen=True, gc=False):
    """What the desk opened or closed of a position, and the quote that it dealt at."""

    fill_id: int
    kind: str
    """``open`` or ``close``."""
    quantity: str
    price: str
    notional: str
    margin: str
    result: str
    covered: str
    close_reason: str | None
    stop_out_id: int | None
    bid: str
    ask: str
    source: str
    source_price: str
    tick_id: int
    markup_ppm: int
    received_at: str
    age_ms: int
    created_at: str


class LevelLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A level as it was said."""

    price: str | None = None
    amount: str | None = None
    percent: str | None = None


class PendingEntryLine(msgspec.Struct, frozen=True, gc=False):
    """An entry that waits for a price, or has ended; `reason` says why it ended unfilled."""

    entry_id: int
    account_id: int
    symbol: str
    direction: str
    kind: str
    mode: str
    leverage: int
    state: str
    price: str
    quantity: str
    stop_loss: LevelLine | None
    take_profit: LevelLine | None
    trailing_stop: LevelLine | None
    guaranteed: bool
    reason: str | None
    position_id: int | None
    created_at: str
    updated_at: str
    expires_at: str | None


class StopOutLine(msgspec.Struct, frozen=True, gc=False):
    """The receipt of a closing for want of margin: how things stood before and after, and who paid what was short."""

    stop_out_id: int
    account_id: int
    policy: str
    symbol: str
    bid: str
    ask: str
    currency: str
    equity_before: str
    margin_before: str
    equity_after: str
    margin_after: str
    positions: list[int]
    entries: list[int]
    insurance_paid: str
    desk_paid: str
    created_at: str


def position_line(position: DeskPosition, terms: Terms, worth: Worth | None) -> PositionLine:
    """Write a position."""
    scale, quantity_scale = terms.instrument.price_scale, terms.instrument.quantity_scale

    def price(ticks: int | None) -> str | None:
        return format_atoms(ticks * terms.tick, scale) if ticks else None

    def money(atoms: int) -> str:
        return format_atoms(atoms, scale)

    opened = _average(position.opened_notional, position.opened_lots, terms)
    assert opened is not None, "a position has been opened"
    return PositionLine(
        position_id=position.position_id,
        account_id=position.account_id,
        symbol=position.symbol,
        direction=position.direction,
        mode=position.mode,
        leverage=position.leverage,
        status=position.state,
        quantity=format_atoms(position.lots * terms.lot, quantity_scale),
        entry_price=_average(position.entry_notional, position.lots, terms),
        notional=money(position.entry_notional),
        margin=money(position.margin),
        stop_loss=price(position.stop_ticks),
        take_profit=price(position.take_ticks),
        trailing_distance=price(position.trail_ticks),
        guaranteed=position.is_guaranteed,
        price=price(worth.ticks) if worth else None,
        unrealized_pnl=money(worth.unrealised) if worth else None,
        unrealized_percent=percent(worth.unrealised, position.margin) if worth else None,
        liquidation_price=price(worth.liquidation_ticks) if worth else None,
        quoted_at=moment(worth.quote.received_ns) if worth else None,
        realized_pnl=money(position.realised),
        realized_percent=_realized_percent(position),
        covered=money(position.covered),
        financing=money(position.financing),
        premium=money(position.premium),
        pnl_currency=terms.instrument.quote.code,
        opened_quantity=format_atoms(position.opened_lots * terms.lot, quantity_scale),
        opened_price=opened,
        closed_price=_average(position.closed_notional, position.opened_lots - position.lots, terms),
        close_reason=position.closing or None,
        entry_id=position.entry_id or None,
        opened_at=iso(time_of(position.opened_ns)),
        updated_at=iso(time_of(position.changed_ns)),
        closed_at=moment(position.closed_ns),
    )


def entry_line(entry: DeskEntry, terms: Terms) -> PendingEntryLine:
    """Write a pending entry."""
    scale = terms.instrument.price_scale
    return PendingEntryLine(
        entry_id=entry.entry_id,
        account_id=entry.account_id,
        symbol=entry.symbol,
        direction=entry.direction,
        kind=entry.kind,
        mode=entry.mode,
        leverage=entry.leverage,
        state=entry.state,
        price=format_atoms(entry.trigger_ticks * terms.tick, scale),
        quantity=format_atoms(entry.lots * terms.lot, terms.instrument.quantity_scale),
        stop_loss=level_line(entry.stop, terms),
        take_profit=level_line(entry.take, terms),
        trailing_stop=level_line(entry.trail, terms),
        guaranteed=entry.is_guaranteed,
        reason=entry.reason or None,
        position_id=entry.position_id or None,
        created_at=iso(time_of(entry.created_ns)),
        updated_at=iso(time_of(entry.updated_ns)),
        expires_at=moment(entry.expires_ns),
    )


def time_of(time_ns: int) -> datetime:
    """A moment of the engine's, which are whole microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1_000)


def moment(time_ns: int) -> str | None:
    """A moment as text; None for none."""
    return iso(time_of(time_ns)) if time_ns else None


def _realized_percent(position: DeskPosition) -> str | None:
    closed_lots = position.opened_lots - position.lots
    if not closed_lots:
        return None
    margin = charge(position.opened_notional * closed_lots, position.opened_lots * position.leverage)
    return percent(position.realised, margin)


def _average(notional: int, lots: int, terms: Terms) -> str | None:
    """The average price of so many lots, to the nearest atom; None of none."""
    if not lots:
        return None
    whole = lots * terms.step_notional
    return format_atoms((2 * notional * terms.tick + whole) // (2 * whole), terms.instrument.price_scale)


def level_line(level: Level, terms: Terms) -> LevelLine | None:
    """Write a level as it was said; None for none."""
    scale = terms.instrument.price_scale
    match level.kind:
        case LevelKind.PRICE:
            return LevelLine(price=format_atoms(level.value, scale))
        case LevelKind.AMOUNT:
            return LevelLine(amount=format_atoms(level.value, scale))
        case LevelKind.PERCENT:
            return LevelLine(percent=format_atoms(level.value, PERCENT_SCALE))
        case _:
            return None
