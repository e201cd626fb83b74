"""What is asked and answered, as JSON: one frozen struct each, shared by the HTTP API and the streams.

Amounts are decimal text, never JSON numbers: a client's float would bend them. Unknown fields are refused, since a
misspelt one would be an order that says something else. A field that is null counts as left out.
"""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from fondaco.core.money import INT64_MAX, MAX_DIGITS
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderState,
    OrderType,
    PositionMode,
    TimeInForce,
    World,
)
from fondaco.domains.identity.api import UserState
from fondaco.engine.projection.tables import OrderSide, SelfTradePolicy

MAX_BATCH_ORDERS: Final = 100
"""Orders that one request may place."""


def decimal(description: str, *examples: str) -> Any:  # noqa: ANN401 - what msgspec takes
    """A decimal as text. Its pattern is only documented here: `fondaco.domains.trading.amounts` says what is wrong."""
    pattern = {"pattern": r"^[0-9]+(\.[0-9]+)?$"}
    return Meta(max_length=MAX_DIGITS, description=description, examples=list(examples), extra_json_schema=pattern)


Id: TypeAlias = Annotated[int, Meta(ge=1, le=INT64_MAX)]
Symbol: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=40, description="BTCUSDT; also read: BTC/USDT, btcusdt, btc for the USDT pair.")
]
Price: TypeAlias = Annotated[str, decimal("Quote units for one base unit, a multiple of the tick.", "61837.63")]
Quantity: TypeAlias = Annotated[str, decimal("Base units, a multiple of the lot.", "0.015")]
Amount: TypeAlias = Annotated[str, decimal("Units of the asset.", "250")]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True, description="ISO-8601 with its zone.")]
AssetCode: TypeAlias = Annotated[str, Meta(min_length=1, max_length=20, description="Such as USDT.")]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a client says."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the engine answered: the number of the command, and whether it had been done before under the same key."""

    seq: int
    duplicate: bool


class NewOrder(Asked, frozen=True):
    """Buy or sell. Which fields each type of order needs stands in docs/orders.md."""

    account_id: Id
    symbol: Symbol
    side: OrderSide
    type: OrderType
    quantity: Quantity | None = None
    price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_price: Price | None = None
    quote_quantity: (
        Annotated[str, decimal("Of a market order, instead of a quantity: spend or get so much.", "250")] | None
    ) = None
    post_only: bool = False
    self_trade: SelfTradePolicy = SelfTradePolicy.EXPIRE_TAKER
    client_order_id: Annotated[str, Meta(max_length=64)] | None = None
    expires_at: Moment | None = None


class NewOrders(Asked, frozen=True):
    """Orders that are placed one after the other. Each stands by itself: that one is refused does not stop the next."""

    orders: Annotated[list[NewOrder], Meta(min_length=1, max_length=MAX_BATCH_ORDERS)]


class OrderChange(Asked, frozen=True):
    """A new price, a new whole quantity, or both. Only lowering the quantity keeps the order's place in the queue."""

    account_id: Id
    symbol: Symbol
    price: Price | None = None
    quantity: Quantity | None = None


class PlacedOrder(Answered, frozen=True):
    """An order that was accepted, as it stood when the command was done."""

    order_id: int
    account_id: int
    symbol: str
    client_order_id: str | None
    state: OrderState
    filled: str
    filled_notional: str
    fee: str


class OrderVerdict(msgspec.Struct, frozen=True):
    """Whether an order would be accepted after command ``seq``; ``code`` and ``detail`` say why not."""

    seq: int
    accepted: bool
    code: str | None
    detail: str | None


class AmendedOrder(Answered, frozen=True):
    """An order that was changed, as it stood when the command was done."""

    order_id: int
    state: OrderState
    filled: str
    kept_place: bool


class CancelledOrder(Answered, frozen=True):
    """An order that was taken back. What had been filled stays so."""

    order_id: int


class CancelledOrders(Answered, frozen=True):
    """How many orders were taken back at once; when it ``goes_on``, the rest follows right after."""

    cancelled: int
    goes_on: bool


class NewAccount(Asked, frozen=True):
    """An account to open. Users open demo accounts for themselves, operators any account for anybody."""

    world: World = World.DEMO
    currency: AssetCode = "USDT"
    kind: AccountKind = AccountKind.SPOT
    position_mode: PositionMode = PositionMode.HEDGING
    user_id: Annotated[str, Meta(max_length=64)] | None = None


class OpenedAccount(Answered, frozen=True):
    """The account that was opened."""

    account_id: int


class NewDeposit(Asked, frozen=True):
    """Money that came in from outside."""

    asset: AssetCode
    amount: Amount
    note: Annotated[str, Meta(max_length=200)] | None = None


class NewTransfer(Asked, frozen=True):
    """Money that moves to another account of the same user, in the same world."""

    to_account_id: Id
    asset: AssetCode
    amount: Amount


class AccountStatusChange(Asked, frozen=True):
    """Freeze an account, let it act again, or close it for good."""

    status: AccountStatus


class UserStatusChange(Asked, frozen=True):
    """Keep a user out, or let it in again."""

    status: UserState


class NewLimit(Asked, frozen=True):
    """A cap, or null to lift it.

    ``subject`` is the id of the account or the user, the symbol, or empty for the platform. ``about`` is the quote
    asset of a value or a volume, the symbol of a position or a leverage, or empty for a count.
    """

    world: World
    scope: LimitScope
    name: LimitName
    subject: Annotated[str, Meta(max_length=64)] = ""
    about: Annotated[str, Meta(max_length=40)] = ""
    value: Annotated[str, decimal("Units of what the limit is about, or a count.", "50000")] | None = None


class NewBreaker(Asked, frozen=True):
    """A halt of new orders: of a symbol, or of a whole world when none is named; until lifted, or until a moment."""

    world: World
    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    symbol: Symbol | None = None
    until: Moment | None = None
