"""The read models of people, money and the exchange; those of the desk stand in `desk_tables`, all in `read_models`.

What the engine's events have come to, for people and queries. Nothing is recovered from them.

They have no foreign key and no database default, and only the indexes that queries need: taken literally, the source
systems' indexes and keys more than halve the projector. `fondaco doctor` checks the references instead.

Amounts are atoms of their asset, prices quote atoms per whole base unit; the views ``v_…`` of the migration show them
as decimals. Every row says its ``world`` or its account does, so that play money never enters a sum of real money.

``orders``, ``trades``, ``balance_holds`` and ``ledger_entries`` are partitioned by the month of ``created_at``, which
is therefore part of their keys. It never changes: a trade's and an entry's is the time of their command, an order's
comes with it, a hold for an order has its order's and one for a margin its position's, so that whoever changes a row
knows where it lies.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.core.ledger import HoldReason, PostingCode
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    CloseReason,
    Direction,
    LimitName,
    LimitScope,
    OrderState,
    OrderType,
    PositionMode,
    SelfTradeScope,
    Severity,
    TimeInForce,
    World,
)
from fondaco.engine.projection import columns
from fondaco.engine.projection.columns import BY_MONTH, HALF_EMPTY, OWNER, one_of
from fondaco.infra.columns import SymbolCode, WordOf
from fondaco.infra.database import Base

CLOSED_REASONS = tuple(each for each in CloseReason if each)


class OrderSide(StrEnum):
    """`fondaco.core.book.vocabulary.Side`, in words."""

    BUY = "buy"
    SELL = "sell"


class EntryType(StrEnum):
    """Which half of a posting an entry is (BHC-43)."""

    DEBIT = "debit"
    CREDIT = "credit"


class SelfTradePolicy(StrEnum):
    """`fondaco.core.book.vocabulary.SelfTrade`, in words."""

    ALLOW = "allow"
    EXPIRE_TAKER = "expire_taker"
    EXPIRE_MAKER = "expire_maker"
    EXPIRE_BOTH = "expire_both"
    DECREMENT = "decrement"


class AssetRow(Base):
    """What can be counted: each asset's code and the decimal places of one atom."""

    __tablename__ = "assets"
    __table_args__ = (CheckConstraint("scale BETWEEN 0 AND 18", name="scale"), {"info": OWNER})

    code: Mapped[str] = columns.code(primary_key=True)
    scale: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]


class ExchangeRow(Base):
    """Where trading takes place. The house's own exchange is ``house``; its address is a setting."""

    __tablename__ = "exchanges"
    __table_args__ = ({"info": OWNER},)

    name: Mapped[str] = columns.code(primary_key=True)
    api_url: Mapped[str | None] = mapped_column(Text)
    websocket_url: Mapped[str | None] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime]


class TradingPairRow(Base):
    """The markets, with the terms on which each trades. Steps and scales never change."""

    __tablename__ = "trading_pairs"
    __table_args__ = (
        one_of("world", World),
        one_of("self_trade_scope", SelfTradeScope),
        CheckConstraint("tick > 0 AND lot > 0", name="steps"),
        {"info": OWNER},
    )

    world: Mapped[World] = columns.world(primary_key=True)
    symbol: Mapped[str] = columns.symbol(primary_key=True)
    exchange: Mapped[str] = columns.code()
    base: Mapped[str] = columns.code()
    quote: Mapped[str] = columns.code()
    base_scale: Mapped[int] = mapped_column(SmallInteger)
    quote_scale: Mapped[int] = mapped_column(SmallInteger)
    tick: Mapped[int] = columns.number()
    lot: Mapped[int] = columns.number()
    max_price: Mapped[int] = columns.number()
    max_quantity: Mapped[int] = columns.number()
    max_open_orders: Mapped[int] = columns.number()
    maker_ppm: Mapped[int] = columns.rate()
    taker_ppm: Mapped[int] = columns.rate()
    band_ppm: Mapped[int] = columns.rate()
    max_leverage: Mapped[int] = mapped_column(Integer)
    breaker_move_ppm: Mapped[int] = columns.rate()
    breaker_window_ns: Mapped[int] = columns.number()
    breaker_pause_ns: Mapped[int] = columns.number()
    self_trade_scope: Mapped[SelfTradeScope] = mapped_column(WordOf(SelfTradeScope))
    active: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AccountRow(Base):
    """Accounts of users; those below 1,000 are the house's own and the outside world's, and stand in no row."""

    __tablename__ = "accounts"
    __table_args__ = (
        one_of("world", World),
        one_of("kind", AccountKind),
        one_of("status", AccountStatus),
        one_of("position_mode", PositionMode),
        Index(None, "user_id"),
        {"info": OWNER},
    )

    id: Mapped[int] = columns.number(primary_key=True)
    user_id: Mapped[str] = mapped_column(Text(collation="C"))
    world: Mapped[World] = columns.world()
    kind: Mapped[AccountKind] = mapped_column(WordOf(AccountKind))
    currency: Mapped[str] = columns.code()
    status: Mapped[AccountStatus] = mapped_column(WordOf(AccountStatus))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    position_mode: Mapped[PositionMode] = mapped_column(WordOf(PositionMode))
    is_swap_free: Mapped[bool] = mapped_column(Boolean)


class BalanceRow(Base):
    """What each account has of each asset: free (``available``) and set aside (``held``) (BHC-40)."""

    __tablename__ = "balances"
    __table_args__ = (CheckConstraint("held >= 0", name="held"), HALF_EMPTY)

    account_id: Mapped[int] = columns.number(primary_key=True)
    asset: Mapped[str] = columns.code(primary_key=True)
    available: Mapped[int] = columns.number()
    held: Mapped[int] = columns.number()
    updated_at: Mapped[datetime]


class BalanceHoldRow(Base):
    """What each part set aside is for, and how much of it is left (BHC-41).

    A hold for an order has the order's id and its ``created_at``, one for a margin the position's id and its
    ``opened_at``.
    """

    __tablename__ = "balance_holds"
    __table_args__ = (
        one_of("reason", HoldReason),
        CheckConstraint("amount >= 0 AND (amount = 0) = (released_at IS NOT NULL)", name="amount"),
        Index("idx_balance_holds_open", "account_id", "asset", postgresql_where=text("released_at IS NULL")),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    asset: Mapped[str] = columns.code()
    amount: Mapped[int] = columns.number()
    reason: Mapped[HoldReason] = mapped_column(WordOf(HoldReason))
    note: Mapped[str | None] = mapped_column(Text)
    released_at: Mapped[datetime | None]


class LedgerEntryRow(Base):
    """Each posting twice, as the debit of one balance and the credit of another; never changed (BHC-43, 44).

    ``reference`` is the trade of ``symbol`` for trades and fees, the position for what the desk pays and takes, the
    hold for a withdrawal, the account for a grant, and the command's number for everything else. ``id`` is twice the
    posting's number, and one more for the credit.
    ``balance_after`` is the total, held and free.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        one_of("type", EntryType),
        one_of("reason", PostingCode),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "account_id", "created_at"),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    asset: Mapped[str] = columns.code()
    type: Mapped[EntryType] = mapped_column(WordOf(EntryType))
    amount: Mapped[int] = columns.number()
    balance_after: Mapped[int] = columns.number()
    reason: Mapped[PostingCode] = mapped_column(WordOf(PostingCode))
    reference: Mapped[int] = columns.number()
    symbol: Mapped[str | None] = mapped_column(SymbolCode())


class OrderRow(Base):
    """Orders and how far each has come, as it stands after command ``seq``; refused ones leave no row (BHC-33)."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("world", World),
        one_of("side", OrderSide),
        one_of("type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("self_trade", SelfTradePolicy),
        one_of("state", OrderState),
        one_of("close_reason", CLOSED_REASONS),
        CheckConstraint("filled_quantity BETWEEN 0 AND quantity", name="filled_quantity"),
        Index("idx_orders_open", "account_id", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index(None, "account_id", "created_at"),
        BY_MONTH,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    symbol: Mapped[str] = columns.symbol()
    client_order_id: Mapped[str | None] = mapped_column(Text(collation="C"))
    side: Mapped[OrderSide] = mapped_column(WordOf(OrderSide))
    type: Mapped[OrderType] = mapped_column(WordOf(OrderType))
    time_in_force: Mapped[TimeInForce] = mapped_column(WordOf(TimeInForce))
    post_only: Mapped[bool] = mapped_column(Boolean)
    self_trade: Mapped[SelfTradePolicy] = mapped_column(WordOf(SelfTradePolicy))
    trigger_price: Mapped[int | None] = columns.number_or_null()
    quote_quantity: Mapped[int | None] = columns.number_or_null()
    expires_at: Mapped[datetime | None]
    maker_ppm: Mapped[int] = columns.rate()
    taker_ppm: Mapped[int] = columns.rate()
    accepted_seq: Mapped[int] = columns.number()
    price: Mapped[int | None] = columns.number_or_null()
    quantity: Mapped[int] = columns.number()
    open_quantity: Mapped[int] = columns.number()
    filled_quantity: Mapped[int] = columns.number()
    filled_notional: Mapped[int] = columns.number()
    fee: Mapped[int] = columns.number()
    priority_seq: Mapped[int] = columns.number()
    seq: Mapped[int] = columns.number()
    updated_at: Mapped[datetime]
    state: Mapped[OrderState] = mapped_column(WordOf(OrderState))
    close_reason: Mapped[CloseReason | None] = mapped_column(WordOf(CloseReason))
    filled_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class TradeRow(Base):
    """Meetings of a buy and a sell order, each side's fee, and what the seller earned (BHC-35); ids have no gap."""

    __tablename__ = "trades"
    __table_args__ = (
        one_of("world", World),
        one_of("taker_side", OrderSide),
        CheckConstraint("price > 0 AND quantity > 0 AND notional > 0", name="amounts"),
        Index(None, "buyer_account_id", "created_at"),
        Index(None, "seller_account_id", "created_at"),
        BY_MONTH,
    )

    world: Mapped[World] = columns.world(primary_key=True)
    symbol: Mapped[str] = columns.symbol(primary_key=True)
    id: Mapped[int] = columns.number(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    price: Mapped[int] = columns.number()
    quantity: Mapped[int] = columns.number()
    notional: Mapped[int] = columns.number()
    buy_order_id: Mapped[int] = columns.number()
    sell_order_id: Mapped[int] = columns.number()
    buyer_account_id: Mapped[int] = columns.number()
    seller_account_id: Mapped[int] = columns.number()
    buyer_fee: Mapped[int] = columns.number()
    seller_fee: Mapped[int] = columns.number()
    seller_realised: Mapped[int] = columns.number()
    taker_side: Mapped[OrderSide] = mapped_column(WordOf(OrderSide))
    seq: Mapped[int] = columns.number()


class PositionRow(Base):
    """What accounts have bought and not sold again, at what cost, and what selling it earned (BHC-37): always long."""

    __tablename__ = "positions"
    __table_args__ = (
        one_of("world", World),
        one_of("direction", Direction),
        CheckConstraint("quantity >= 0 AND (quantity = 0) = (closed_at IS NOT NULL)", name="quantity"),
        Index("idx_positions_open", "account_id", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index(None, "account_id", "opened_at"),
        HALF_EMPTY,
    )

    id: Mapped[int] = columns.number(primary_key=True)
    account_id: Mapped[int] = columns.number()
    world: Mapped[World] = columns.world()
    symbol: Mapped[str] = columns.symbol()
    direction: Mapped[Direction] = mapped_column(WordOf(Direction))
    quantity: Mapped[int] = columns.number()
    cost: Mapped[int] = columns.number()
    realised: Mapped[int] = columns.number()
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class RiskLimitRow(Base):
    """Caps on accounts, users, symbols or the whole platform; one that was lifted has no value (BHC-60)."""

    __tablename__ = "risk_limits"
    __table_args__ = (
        one_of("world", World),
        one_of("scope", LimitScope),
        one_of("name", LimitName),
        CheckConstraint("value >= 0", name="value"),
        {"info": OWNER},
    )

    world: Mapped[World] = columns.world(primary_key=True)
    scope: Mapped[LimitScope] = mapped_column(WordOf(LimitScope), primary_key=True)
    subject: Mapped[str] = columns.code(primary_key=True)
    name: Mapped[LimitName] = mapped_column(WordOf(LimitName), primary_key=True)
    about: Mapped[str] = columns.code(primary_key=True)
    value: Mapped[int | None] = columns.number_or_null()
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CircuitBreakerRow(Base):
    """Halts of new orders, of one symbol or, without one, of a whole world (BHC-62)."""

    __tablename__ = "circuit_breakers"
    __table_args__ = (
        one_of("world", World),
        Index("idx_circuit_breakers_active", "world", "symbol", postgresql_where=text("deactivated_at IS NULL")),
        {"info": OWNER},
    )

    id: Mapped[int] = columns.number(primary_key=True)
    world: Mapped[World] = columns.world()
    symbol: Mapped[str | None] = mapped_column(SymbolCode())
    reason: Mapped[str] = mapped_column(Text)
    activated_by: Mapped[str | None] = mapped_column(Text)
    activated_at: Mapped[datetime]
    until: Mapped[datetime | None]
    deactivated_at: Mapped[datetime | None]


class RiskAlertRow(Base):
    """Warnings for staff (BHC-64). Acknowledging one is staff's own act: the one thing here that no journal tells."""

    __tablename__ = "risk_alerts"
    __table_args__ = (
        one_of("severity", Severity),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged"),
        Index("idx_risk_alerts_open", "created_at", postgresql_where=text("acknowledged_at IS NULL")),
        {"info": OWNER},
    )

    id: Mapped[int] = columns.number(primary_key=True)
    severity: Mapped[Severity] = mapped_column(WordOf(Severity))
    kind: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    entity_type: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
