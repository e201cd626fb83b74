"""What is told of accounts, orders, trades and holdings: one struct for a row of each, decimals and times as text."""

from typing import Literal

import msgspec


class AccountLine(msgspec.Struct, frozen=True, gc=False):
    """An account: whose it is, in which world, and whether it may act."""

    id: int
    user_id: str
    world: str
    kind: str
    currency: str
    status: str
    position_mode: str
    swap_free: bool
    created_at: str


class BalanceLine(msgspec.Struct, frozen=True, gc=False):
    """What an account has of an asset: free, set aside, and both."""

    asset: str
    available: str
    held: str
    total: str
    updated_at: str


class EntryLine(msgspec.Struct, frozen=True, gc=False):
    """One half of a posting, as it changed this account; the balance is the total after it."""

    id: int
    account_id: int
    asset: str
    type: str
    amount: str
    balance_after: str
    reason: str
    reference_id: int
    symbol: str | None
    created_at: str


class OrderLine(msgspec.Struct, frozen=True, gc=False):
    """An order and how far it has come."""

    order_id: int
    account_id: int
    symbol: str
    client_order_id: str | None
    side: str
    type: str
    state: str
    time_in_force: str
    post_only: bool
    price: str | None
    trigger_price: str | None
    quantity: str
    quote_quantity: str | None
    open_quantity: str
    filled: str
    average_price: str | None
    fee: str
    fee_currency: str
    close_reason: str | None
    created_at: str
    updated_at: str
    expires_at: str | None
    filled_at: str | None
    closed_at: str | None


class TradeLine(msgspec.Struct, frozen=True, gc=False):
    """A trade from the side of one of its two orders. Ids count up for each symbol."""

    trade_id: int
    account_id: int
    symbol: str
    order_id: int
    side: Literal["buy", "sell"]
    is_taker: bool
    price: str
    quantity: str
    total: str
    fee: str
    fee_currency: str
    realized_pnl: str | None
    """What a sale earned, fees apart; null for a purchase."""
    created_at: str


class HoldingLine(msgspec.Struct, frozen=True, gc=False):
    """What was bought and not sold again, at what cost, and what it has earned and would earn at the last price."""

    id: int
    account_id: int
    symbol: str
    side: str
    status: str
    quantity: str
    cost: str
    average_entry_price: str | None
    realized_pnl: str
    unrealized_pnl: str | None
    pnl_currency: str
    opened_at: str
    updated_at: str
    closed_at: str | None
