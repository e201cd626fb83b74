"""The frames of the dealing desk: positions, entries and fills of an account, how its margin stands, and the quotes.

What a command did is told as it stands, like everything of an account. What follows the quote is another matter:
`margin` frames are worked out on the way out, at a bounded rate, and a newer one takes the place of one that waits.
"""

from collections.abc import Iterable

import msgspec

from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, DeskQuote, MarginWarning, StopOut
from fondaco.core.money import format_atoms
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.domains.positions.api import LevelLine, MarginLine, level_line
from fondaco.engine.live import LiveHouse

MILLISECOND_NS = 1_000_000


class DeskPositionItem(msgspec.Struct, frozen=True, gc=False):
    """A leveraged position as it stands; one whose ``close_reason`` is told has ended."""

    position_id: int
    symbol: str
    direction: str
    mode: str
    leverage: int
    quantity: str
    notional: str
    margin: str
    stop_loss: str | None
    take_profit: str | None
    trailing_distance: str | None
    guaranteed: bool
    realised: str
    covered: str
    financing: str
    premium: str
    opened_ms: int
    updated_ms: int
    close_reason: str | None


class DeskEntryItem(msgspec.Struct, frozen=True, gc=False):
    """An entry as it stands; only a ``pending`` one waits."""

    entry_id: int
    symbol: str
    direction: str
    kind: str
    mode: str
    leverage: int
    price: str
    quantity: str
    stop_loss: LevelLine | None
    take_profit: LevelLine | None
    trailing_stop: LevelLine | None
    guaranteed: bool
    state: str
    reason: str | None
    position_id: int | None
    created_ms: int
    updated_ms: int
    expires_ms: int | None


class DeskFillItem(msgspec.Struct, frozen=True, gc=False):
    """What the desk opened or closed, and the quote that it dealt at."""

    fill_id: int
    position_id: int
    symbol: str
    kind: str
    direction: str
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
    tick_id: int
    received_ms: int


class StopOutItem(msgspec.Struct, frozen=True, gc=False):
    """The receipt of a closing for want of margin."""

    stop_out_id: int
    policy: str
    symbol: str
    bid: str
    ask: str
    equity_before: str
    margin_before: str
    equity_after: str
    margin_after: str
    positions: tuple[int, ...]
    entries: tuple[int, ...]
    insurance_paid: str
    desk_paid: str


class WarningItem(msgspec.Struct, frozen=True, gc=False):
    """A warning that margin runs short: of a position, or of the account where ``position_id`` is null."""

    position_id: int | None
    symbol: str
    equity: str
    margin: str


class QuoteData(msgspec.Struct, frozen=True, gc=False):
    """At what the desk would deal, and when the price that it was made of came in."""

    bid: str
    ask: str
    source: str
    received_ms: int


class PositionMarginItem(msgspec.Struct, frozen=True, gc=False):
    """What a position is worth at the last quote."""

    position_id: int
    symbol: str
    price: str
    unrealised: str
    unrealised_percent: str
    liquidation_price: str | None


class MarginData(msgspec.Struct, frozen=True, gc=False):
    """Every open position at its symbol's last quote; ``account`` is that of a margin account, null for any other."""

    positions: list[PositionMarginItem]
    account: MarginLine | None


class MarginFrame(msgspec.Struct, frozen=True, tag_field="type", tag="margin"):
    """How an account's positions stand, as known after command ``seq``."""

    channel: str
    seq: int
    data: MarginData


def position_items(positions: Iterable[DeskPosition], live: LiveHouse) -> list[DeskPositionItem]:
    """Write positions."""
    return [_position_item(each, _terms(live, each.world, each.symbol)) for each in positions]


def entry_items(entries: Iterable[DeskEntry], live: LiveHouse) -> list[DeskEntryItem]:
    """Write entries."""
    return [_entry_item(each, _terms(live, each.world, each.symbol)) for each in entries]


def fill_items(fills: Iterable[DeskFill], live: LiveHouse) -> list[DeskFillItem]:
    """Write fills."""
    return [_fill_item(each, _terms(live, each.world, each.symbol)) for each in fills]


def stop_out_items(receipts: Iterable[StopOut], live: LiveHouse) -> list[StopOutItem]:
    """Write receipts."""
    return [_stop_out_item(each, _terms(live, each.world, each.symbol)) for each in receipts]


def warning_items(warnings: Iterable[MarginWarning], live: LiveHouse) -> list[WarningItem]:
    """Write warnings."""
    items = []
    for each in warnings:
        scale = _terms(live, each.world, each.symbol).instrument.price_scale
        equity, margin = format_atoms(each.equity, scale), format_atoms(each.margin, scale)
        items.append(WarningItem(each.position_id or None, each.symbol, equity, margin))
    return items


def quote_data(quote: DeskQuote, terms: Terms) -> QuoteData:
    """Write a quote."""
    return QuoteData(
        price(terms, quote.bid_ticks),
        price(terms, quote.ask_ticks),
        quote.source,
        quote.received_ns // MILLISECOND_NS,
    )


def price(terms: Terms, ticks: int) -> str:
    """Write a price."""
    return format_atoms(ticks * terms.tick, terms.instrument.price_scale)


def _price_or_none(terms: Terms, ticks: int) -> str | None:
    return price(terms, ticks) if ticks else None


def _quantity(terms: Terms, lots: int) -> str:
    return format_atoms(lots * terms.lot, terms.instrument.quantity_scale)


def _terms(live: LiveHouse, world: World, symbol: str) -> Terms:
    return live.listings[world, symbol].terms


def _position_item(position: DeskPosition, terms: Terms) -> DeskPositionItem:
    scale = terms.instrument.price_scale
    return DeskPositionItem(
        position.position_id,
        position.symbol,
        position.direction,
        position.mode,
        position.leverage,
        _quantity(terms, position.lots),
        format_atoms(position.entry_notional, scale),
        format_atoms(position.margin, scale),
        _price_or_none(terms, position.stop_ticks),
        _price_or_none(terms, position.take_ticks),
        _price_or_none(terms, position.trail_ticks),
        position.is_guaranteed,
        format_atoms(position.realised, scale),
        format_atoms(position.covered, scale),
        format_atoms(position.financing, scale),
        format_atoms(position.premium, scale),
        position.opened_ns // MILLISECOND_NS,
        position.changed_ns // MILLISECOND_NS,
        position.closing or None,
    )


def _entry_item(entry: DeskEntry, terms: Terms) -> DeskEntryItem:
    return DeskEntryItem(
        entry.entry_id,
        entry.symbol,
        entry.direction,
        entry.kind,
        entry.mode,
        entry.leverage,
        price(terms, entry.trigger_ticks),
        _quantity(terms, entry.lots),
        level_line(entry.stop, terms),
        level_line(entry.take, terms),
        level_line(entry.trail, terms),
        entry.is_guaranteed,
        entry.state,
        entry.reason or None,
        entry.position_id or None,
        entry.created_ns // MILLISECOND_NS,
        entry.updated_ns // MILLISECOND_NS,
        entry.expires_ns // MILLISECOND_NS or None,
    )


def _fill_item(fill: DeskFill, terms: Terms) -> DeskFillItem:
    scale = terms.instrument.price_scale
    return DeskFillItem(
        fill.fill_id,
        fill.position_id,
        fill.symbol,
        "open" if fill.is_open else "close",
        fill.direction,
        _quantity(terms, fill.lots),
        price(terms, fill.price_ticks),
        format_atoms(fill.notional, scale),
        format_atoms(fill.margin, scale),
        format_atoms(fill.result, scale),
        format_atoms(fill.covered, scale),
        fill.closing or None,
        fill.stop_out_id or None,
        price(terms, fill.at.bid_ticks),
        price(terms, fill.at.ask_ticks),
        fill.at.source,
        fill.at.tick_id,
        fill.at.received_ns // MILLISECOND_NS,
    )


def _stop_out_item(receipt: StopOut, terms: Terms) -> StopOutItem:
    scale = terms.instrument.price_scale
    return StopOutItem(
        receipt.stop_out_id,
        receipt.policy,
        receipt.symbol,
        price(terms, receipt.bid_ticks),
        price(terms, receipt.ask_ticks),
        format_atoms(receipt.equity_before, scale),
        format_atoms(receipt.margin_before, scale),
        format_atoms(receipt.equity_after, scale),
        format_atoms(receipt.margin_after, scale),
        receipt.positions,
        receipt.entries,
        format_atoms(receipt.insurance_paid, scale),
        format_atoms(receipt.desk_paid, scale),
    )
