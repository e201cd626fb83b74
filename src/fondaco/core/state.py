"""What the engine remembers: plain rows, each of which is dumped into a snapshot as it is.

`Order` and `Position` are events too: whoever follows the engine is handed the row as it stood. Prices are ticks and
quantities lots of the instrument's `Terms`; amounts of money are atoms; times nanoseconds since 1970.
"""

from typing import Final

import msgspec

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.messages import Message, Row
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    CloseReason,
    LimitName,
    LimitScope,
    OrderState,
    OrderType,
    PositionMode,
    TimeInForce,
    UserStatus,
    World,
)

FIRST_ID: Final = 1_000
"""Ids of accounts, orders, holds, positions, alerts and breakers are drawn from one counter that begins here."""
OUTSIDE_ACCOUNT: Final = {World.TRADING: 1, World.DEMO: 3, World.EXTERNAL: 5}
"""Where what comes in comes from: each world's account for everything that is not the house's."""
FEE_ACCOUNT: Final = {World.TRADING: 2, World.DEMO: 4, World.EXTERNAL: 6}
"""What the house has earned."""
DESK_ACCOUNT: Final = {World.TRADING: 7, World.DEMO: 8, World.EXTERNAL: 9}
"""The other side of every leveraged position: what clients lose it wins. It may owe."""
INSURANCE_ACCOUNT: Final = {World.TRADING: 10, World.DEMO: 11, World.EXTERNAL: 12}
"""Pays first for what a client loses beyond what it has."""
MAY_OWE: Final = (*OUTSIDE_ACCOUNT.values(), *DESK_ACCOUNT.values())
"""Accounts whose balances may be below zero."""

NEXT_STATES: Final = {
    OrderState.PENDING: {
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
    },
    OrderState.OPEN: {OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED},
    OrderState.PARTIALLY_FILLED: {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED},
    OrderState.FILLED: set[OrderState](),
    OrderState.CANCELLED: set[OrderState](),
    OrderState.REJECTED: set[OrderState](),
    OrderState.EXPIRED: set[OrderState](),
}
"""Every step that an order may take. A partly filled one stays so with each further part."""
ENDED: Final = frozenset(state for state, following in NEXT_STATES.items() if not following)


class User(Row, tag="user"):
    """Who may own accounts. ``number`` stands for the user in books, where only numbers fit."""

    user_id: str
    number: int
    status: UserStatus


class Account(Row, tag="account"):
    """Who may have balances. The house's own belong to nobody."""

    account_id: int
    user_id: str
    user_number: int
    world: World
    kind: AccountKind
    currency: str
    status: AccountStatus
    volume_day: int = 0
    """The day, counted from 1970, that `day_volumes` belong to."""
    day_volumes: dict[str, int] = msgspec.field(default_factory=dict)
    """Per quote asset, what was traded on that day."""
    position_mode: PositionMode = PositionMode.HEDGING
    is_swap_free: bool = False
    """Whether its positions are kept overnight at no cost."""


class Order(Row, tag="order"):
    """An instruction and how far it has come (BHC-33)."""

    order_id: int
    account_id: int
    world: World
    symbol: str
    client_order_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    self_trade: SelfTrade
    lots: int
    """Of a market order by quote quantity, those that it came to."""
    price_ticks: int
    """0 for an order without a price."""
    trigger_ticks: int
    quote_quantity: int
    expires_ns: int
    maker_ppm: int
    taker_ppm: int
    accepted_seq: int
    created_ns: int
    state: OrderState
    priority_seq: int
    updated_ns: int
    open_lots: int = 0
    filled_lots: int = 0
    filled_notional: int = 0
    fee: int = 0
    fee_carry: int = 0
    close_reason: CloseReason = CloseReason.NONE


class Position(Row, tag="position"):
    """What an account has bought of a symbol and not sold again, at what cost, and what it has earned (BHC-37)."""

    position_id: int
    account_id: int
    world: World
    symbol: str
    opened_ns: int
    changed_ns: int
    lots: int = 0
    cost: int = 0
    """Quote atoms that these lots cost, fees apart."""
    realised: int = 0
    """Quote atoms earned by what was sold, fees apart."""
    closed_ns: int = 0


class Limit(Message, frozen=True, tag="limit"):
    """A cap on something, as `fondaco.core.commands.SetLimit` says it; with ``value`` None it has been lifted."""

    world: World
    scope: LimitScope
    subject: str
    name: LimitName
    about: str
    value: int | None


class Breaker(Message, frozen=True, tag="breaker"):
    """A halt of new orders; ``lifted_ns`` is 0 while it holds (BHC-62)."""

    breaker_id: int
    world: World
    symbol: str
    reason: str
    by: str
    """Who switched it on; empty when the market itself did."""
    since_ns: int
    until_ns: int
    lifted_ns: int = 0
