"""The read models of the dealing desk: its terms and quotes, positions, pending entries, fills and receipts.

What `fondaco.engine.projection.tables` says of all read models holds here. Prices are quote atoms per whole base unit,
quantities base atoms, amounts quote atoms, rates millionths. Nothing that merely follows a quote is stored: the views
work it out from `desk_quotes`.

Positions are partitioned by the month of ``opened_at``, entries, fills and receipts by that of ``created_at``: each is
part of its key and never changes, since the event that changes a row brings it along.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.core.vocabulary import (
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    StopOutPolicy,
    World,
)
from fondaco.engine.projection import columns
from fondaco.engine.projection.columns import BY_MONTH, HALF_EMPTY, OWNER, one_of
from fondaco.infra.columns import WordOf
from fondaco.infra.database import Base

CLOSINGS: Final = tuple(each for each in Closing if each)
SAID_LEVELS: Final = (LevelKind.PRICE, LevelKind.AMOUNT, LevelKind.PERCENT)
"""How a level that is there was said; where there is none, the row has none."""
QUOTED: Final = "bid > 0 AND bid <= ask"


class ReceiptPolicy(StrEnum):
    """By which rule positions were closed: a `StopOutPolicy` of a cross account, or an isolated one's margin call."""

    LARGEST_LOSS = StopOutPolicy.LARGEST_LOSS.value
    SMALLEST_STEP = StopOutPolicy.SMALLEST_STEP.value
    CLOSE_ALL = StopOutPolicy.CLOSE_ALL.value
    ISOLATED = "isolated"


class DeskTermsRow(Base):
    """How the desk deals in each instrument."""

    __tablename__ = "desk_terms"
    __table_args__ = (
        one_of("world", World),
        CheckConstraint("0 < min_quantity AND min_quantity <= max_quantity", name="quantities"),
        CheckConstraint("triple_weekday BETWEEN 0 AND 6", name="triple_weekday"),
        {"info": OWNER},
    )

    world: Mapped[World] = columns.world(primary_key=True)
    symbol: Mapped[str] = columns.symbol(primary_key=True)
    is_dealt: Mapped[bool] = mapped_column(Boolean)
    min_quantity: Mapped[int] = columns.number()
    max_quantity: Mapped[int] = columns.number()
    max_net_quantity: Mapped[int | None] = columns.number_or_null()
    long_financing_ppm: Mapped[int] = columns.rate()
    short_financing_ppm: Mapped[int] = columns.rate()
    triple_weekday: Mapped[int | None] = mapped_column(SmallInteger)
    guarantee_ppm: Mapped[int] = columns.rate()
    guarantee_distance_ppm: Mapped[int] = columns.rate()
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeskRulesRow(Base):
    """When the desk warns and closes, for all positions of a world."""

    __tablename__ = "desk_rules"
    __table_args__ = (one_of("world", World), one_of("stop_out_policy", StopOutPolicy), {"info": OWNER})

    world: Mapped[World] = columns.world(primary_key=True)
    max_quote_age_ns: Mapped[int] = columns.number()
    margin_call_ppm: Mapped[int] = columns.rate()
    loss_warning_ppm: Mapped[int] = columns.rate()
    warning_level_ppm: Mapped[int] = columns.rate()
    stop_out_level_ppm: Mapped[int] = columns.rate()
    stop_out_policy: Mapped[StopOutPolicy] = mapped_column(WordOf(StopOutPolicy))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeskQuoteRow(Base):
    """The desk's latest price of each instrument, and what it was made of. Those before it stand in fills alone."""

    __tablename__ = "desk_quotes"
    __table_args__ = (one_of("world", World), CheckConstraint(QUOTED, name="prices"), HALF_EMPTY)

    world: Mapped[World] = columns.world(primary_key=True)
    symbol: Mapped[str] = columns.symbol(primary_key=True)
    bid: Mapped[int] = columns.number()
    ask: Mapped[int] = columns.number()
    received_at: Mapped[datetime]
    source: Mapped[str] = columns.code()
    source_price: Mapped[int] = columns.number()
    tick_id: Mapped[int] = columns.number()
    markup_ppm: Mapped[int] = columns.rate()
    updated_at: Mapped[datetime]


class DeskPositionRow(Base):
    """Leveraged positions and how far each has come, as it stands after command ``seq`` (EXD-20, BBX-43).

    ``quantity``, ``entry_notional``, ``margin`` and ``settled`` are those of what is still open. The average prices are
    quotients, which the view shows: opening is ``opened_notional`` over ``opened_quantity``, closing
    ``closed_notional`` over what was closed. ``margin`` of an isolated position is what its hold sets aside.
    """

    __tablename__ = "desk_positions"
    __table_args__ = (
        one_of("world", World),
        one_of("direction", Direction),
        one_of("mode", MarginMode),
        one_of("close_reason", CLOSINGS),
        CheckConstraint("quantity >= 0 AND (quantity = 0) = (closed_at IS NOT NULL)", name="quantity"),
        Index("idx_desk_positions_open", "account_id", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index("idx_desk_positions_exposed", "world", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index(None, "account_id", "opened_at"),
        {"postgresql_partition_by": "RANGE (opened_at)", "info": OWNER},
    )

    id: Mapped[int] = columns.number(primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    symbol: Mapped[str] = columns.symbol()
    direction: Mapped[Direction] = mapped_column(WordOf(Direction))
    mode: Mapped[MarginMode] = mapped_column(WordOf(MarginMode))
    leverage: Mapped[int] = mapped_column(Integer)
    margin_call_ppm: Mapped[int] = columns.rate()
    loss_warning_ppm: Mapped[int] = columns.rate()
    entry_id: Mapped[int | None] = columns.number_or_null()
    quantity: Mapped[int] = columns.number()
    entry_notional: Mapped[int] = columns.number()
    margin: Mapped[int] = columns.number()
    settled: Mapped[int] = columns.number()
    stop_loss: Mapped[int | None] = columns.number_or_null()
    take_profit: Mapped[int | None] = columns.number_or_null()
    trailing_distance: Mapped[int | None] = columns.number_or_null()
    is_guaranteed: Mapped[bool] = mapped_column(Boolean)
    is_warned: Mapped[bool] = mapped_column(Boolean)
    realised: Mapped[int] = columns.number()
    covered: Mapped[int] = columns.number()
    financing: Mapped[int] = columns.number()
    premium: Mapped[int] = columns.number()
    opened_quantity: Mapped[int] = columns.number()
    opened_notional: Mapped[int] = columns.number()
    closed_notional: Mapped[int] = columns.number()
    close_reason: Mapped[Closing | None] = mapped_column(WordOf(Closing))
    seq: Mapped[int] = columns.number()
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class DeskEntryRow(Base):
    """Opens that wait for a price, and what became of them; ``reason`` says why one ended unfilled.

    Levels are as they were said: a price, an amount in quote atoms, or millionths of the margin (``percent``).
    """

    __tablename__ = "desk_entries"
    __table_args__ = (
        one_of("world", World),
        one_of("direction", Direction),
        one_of("kind", EntryKind),
        one_of("mode", MarginMode),
        one_of("state", EntryState),
        one_of("stop_kind", SAID_LEVELS),
        one_of("take_kind", SAID_LEVELS),
        one_of("trail_kind", SAID_LEVELS),
        CheckConstraint("(state = 'pending') = (closed_at IS NULL)", name="closed_at"),
        Index("idx_desk_entries_open", "account_id", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index(None, "account_id", "created_at"),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    symbol: Mapped[str] = columns.symbol()
    direction: Mapped[Direction] = mapped_column(WordOf(Direction))
    kind: Mapped[EntryKind] = mapped_column(WordOf(EntryKind))
    mode: Mapped[MarginMode] = mapped_column(WordOf(MarginMode))
    leverage: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[int] = columns.number()
    trigger_price: Mapped[int] = columns.number()
    stop_kind: Mapped[LevelKind | None] = mapped_column(WordOf(LevelKind))
    stop_value: Mapped[int | None] = columns.number_or_null()
    take_kind: Mapped[LevelKind | None] = mapped_column(WordOf(LevelKind))
    take_value: Mapped[int | None] = columns.number_or_null()
    trail_kind: Mapped[LevelKind | None] = mapped_column(WordOf(LevelKind))
    trail_value: Mapped[int | None] = columns.number_or_null()
    is_guaranteed: Mapped[bool] = mapped_column(Boolean)
    expires_at: Mapped[datetime | None]
    state: Mapped[EntryState] = mapped_column(WordOf(EntryState))
    reason: Mapped[str | None] = mapped_column(Text)
    position_id: Mapped[int | None] = columns.number_or_null()
    seq: Mapped[int] = columns.number()
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class DeskFillRow(Base):
    """What the desk has opened and closed of positions, at which price, and where that price came from (EXD-25).

    ``margin`` was set aside, or set free; ``result`` is what closing brought, before what was covered of a loss. The
    quote it was dealt at: ``bid`` and ``ask``, made with ``markup_ppm`` of the trade ``tick_id`` of ``source`` at
    ``source_price``, which came in at ``received_at`` and was ``age_ns`` old. A guaranteed stop's price is its own.
    """

    __tablename__ = "desk_fills"
    __table_args__ = (
        one_of("world", World),
        one_of("direction", Direction),
        one_of("close_reason", CLOSINGS),
        CheckConstraint("price > 0 AND quantity > 0 AND notional > 0", name="amounts"),
        CheckConstraint("is_open = (close_reason IS NULL)", name="close_reason_there"),
        CheckConstraint(QUOTED, name="prices"),
        Index(None, "position_id", "created_at"),
        Index(None, "account_id", "created_at"),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    position_id: Mapped[int] = columns.number()
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    symbol: Mapped[str] = columns.symbol()
    direction: Mapped[Direction] = mapped_column(WordOf(Direction))
    is_open: Mapped[bool] = mapped_column(Boolean)
    quantity: Mapped[int] = columns.number()
    price: Mapped[int] = columns.number()
    notional: Mapped[int] = columns.number()
    margin: Mapped[int] = columns.number()
    result: Mapped[int] = columns.number()
    covered: Mapped[int] = columns.number()
    close_reason: Mapped[Closing | None] = mapped_column(WordOf(Closing))
    stop_out_id: Mapped[int | None] = columns.number_or_null()
    bid: Mapped[int] = columns.number()
    ask: Mapped[int] = columns.number()
    source: Mapped[str] = columns.code()
    source_price: Mapped[int] = columns.number()
    tick_id: Mapped[int] = columns.number()
    markup_ppm: Mapped[int] = columns.rate()
    received_at: Mapped[datetime]
    age_ns: Mapped[int] = columns.number()
    seq: Mapped[int] = columns.number()


class StopOutRow(Base):
    """Receipts of closings for want of margin: how things stood before and after, and who paid what was missing.

    ``symbol``, ``bid`` and ``ask`` are the quote that set it off. ``positions`` and ``entries`` list, in their order,
    what was closed, wholly or in part, and what was cancelled; each closing is a fill with this receipt's id.
    """

    __tablename__ = "stop_outs"
    __table_args__ = (
        one_of("world", World),
        one_of("policy", ReceiptPolicy),
        CheckConstraint("insurance_paid >= 0 AND desk_paid >= 0", name="paid"),
        Index(None, "account_id", "created_at"),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    policy: Mapped[ReceiptPolicy] = mapped_column(WordOf(ReceiptPolicy))
    symbol: Mapped[str] = columns.symbol()
    bid: Mapped[int] = columns.number()
    ask: Mapped[int] = columns.number()
    equity_before: Mapped[int] = columns.number()
    margin_before: Mapped[int] = columns.number()
    equity_after: Mapped[int] = columns.number()
    margin_after: Mapped[int] = columns.number()
    positions: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    entries: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    insurance_paid: Mapped[int] = columns.number()
    desk_paid: Mapped[int] = columns.number()
    seq: Mapped[int] = columns.number()


class DeskRolloverRow(Base):
    """The days (UTC) after which positions of a world have paid for the night, and since when they do so."""

    __tablename__ = "desk_rollovers"
    __table_args__ = (one_of("world", World), {"info": OWNER})

    world: Mapped[World] = columns.world(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    created_at: Mapped[datetime]
