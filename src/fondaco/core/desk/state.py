"""What the desk remembers: quotes, positions, pending entries. Plain rows, dumped into a snapshot as they are.

Nothing that merely follows a quote stands here: what a position has gained or lost, an account's margin level and the
price at which it would be closed are computed when somebody asks (`fondaco.core.desk.valuing`).
"""

import msgspec

from fondaco.core.messages import Message, Row
from fondaco.core.vocabulary import (
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    PositionState,
    World,
)


class Quote(Message, frozen=True, tag="quote"):
    """At what the desk would deal, and where that comes from. Prices are quote atoms per whole base unit."""

    bid: int
    ask: int
    received_ns: int
    """When the price that it was made of came in."""
    source_price: int
    tick_id: int
    """Of the outside trade."""


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stop loss, a take profit or a trailing distance as it was said: see `fondaco.core.vocabulary.LevelKind`."""

    kind: LevelKind = LevelKind.KEEP
    value: int = 0


KEEP = Level()
NO_LEVEL = Level(LevelKind.NONE)


class DeskPosition(Row, tag="desk_position"):
    """A leveraged bet. Amounts are quote atoms, prices ticks, quantities lots; what was closed is no longer in them."""

    position_id: int
    account_id: int
    world: World
    symbol: str
    direction: Direction
    mode: MarginMode
    leverage: int
    opened_ns: int
    changed_ns: int
    margin_call_ppm: int
    loss_warning_ppm: int
    lots: int = 0
    entry_notional: int = 0
    margin: int = 0
    settled: int = 0
    """Gains that were paid out ahead of closing, to cover other losses of the account."""
    stop_ticks: int = 0
    """0 for none, as with the other two."""
    take_ticks: int = 0
    trail_ticks: int = 0
    """How far the trailing stop stays behind the best price since it was set."""
    is_guaranteed: bool = False
    is_warned: bool = False
    realised: int = 0
    """What closing (and paying out ahead) has brought so far, before what was covered."""
    covered: int = 0
    """Losses that the client did not have to bear."""
    financing: int = 0
    premium: int = 0
    opened_lots: int = 0
    """All that was ever opened, at"""
    opened_notional: int = 0
    closed_notional: int = 0
    """What all that was closed was worth then."""
    state: PositionState = PositionState.OPEN
    closing: Closing = Closing.NONE
    closed_ns: int = 0
    entry_id: int = 0
    """The pending entry that became it."""


class DeskEntry(Row, tag="desk_entry"):
    """An open that waits for a price. It holds nothing; whether its owner can pay is asked when it is due."""

    entry_id: int
    account_id: int
    world: World
    symbol: str
    direction: Direction
    kind: EntryKind
    mode: MarginMode
    leverage: int
    lots: int
    trigger_ticks: int
    stop: Level
    take: Level
    trail: Level
    is_guaranteed: bool
    expires_ns: int
    created_ns: int
    updated_ns: int
    state: EntryState = EntryState.PENDING
    reason: str = ""
    """Why it ended unfilled: a refusal's code, or who took it back."""
    position_id: int = 0


class FilledAt(Message, frozen=True, tag="filled_at"):
    """The quote at which the desk dealt (provenance). Prices are ticks but the source's, which is quote atoms."""

    bid_ticks: int
    ask_ticks: int
    source: str
    source_price: int
    tick_id: int
    markup_ppm: int
    received_ns: int
    age_ns: int


class DeskQuote(Message, frozen=True, tag="desk_quote"):
    """The desk's price of an instrument, from here on."""

    world: World
    symbol: str
    bid_ticks: int
    ask_ticks: int
    received_ns: int
    source: str
    source_price: int
    tick_id: int
    markup_ppm: int

    def filled_at(self, now_ns: int) -> FilledAt:
        """This quote as the provenance of a fill at a moment."""
        return FilledAt(
            self.bid_ticks,
            self.ask_ticks,
            self.source,
            self.source_price,
            self.tick_id,
            self.markup_ppm,
            self.received_ns,
            max(0, now_ns - self.received_ns),
        )


class DeskFill(Message, frozen=True, tag="desk_fill"):
    """The desk has opened or closed so much of a position, at its quote."""

    fill_id: int
    position_id: int
    account_id: int
    world: World
    symbol: str
    direction: Direction
    is_open: bool
    lots: int
    price_ticks: int
    notional: int
    margin: int
    """What was set aside for it, or set free."""
    result: int
    """What closing it brought, before what was covered; 0 for an open."""
    covered: int
    closing: Closing
    stop_out_id: int
    """The receipt that it belongs to, if it was closed for want of margin."""
    at: FilledAt


class StopOut(Message, frozen=True, tag="stop_out"):
    """The receipt of a closing for want of margin: how things stood before and after. Amounts are quote atoms."""

    stop_out_id: int
    account_id: int
    world: World
    policy: str
    """Of `StopOutPolicy`; ``isolated`` for the margin call of an isolated position."""
    symbol: str
    """Whose quote set it off,"""
    bid_ticks: int
    """and that quote."""
    ask_ticks: int
    equity_before: int
    margin_before: int
    equity_after: int
    margin_after: int
    positions: tuple[int, ...]
    """Those that were closed, wholly or in part, in their order."""
    entries: tuple[int, ...]
    """Pending entries that were cancelled."""
    insurance_paid: int
    desk_paid: int


class MarginWarning(Message, frozen=True, tag="margin_warning"):
    """An owner should look: a position has lost much of its margin, or an account's margin level is low."""

    account_id: int
    world: World
    position_id: int
    """0 when it is about the account."""
    symbol: str
    equity: int
    margin: int


class RolledOver(Message, frozen=True, tag="rolled_over"):
    """Positions of a world have paid for the night after this day, or begin to. ``day`` is counted from 1970."""

    world: World
    day: int
