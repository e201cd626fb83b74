"""What is asked of the desk and answered, as JSON: one frozen struct each.

What `fondaco.domains.trading.shapes` says of amounts and unknown fields holds here. Where something is changed, a stop
that is left out stays as it is, and null takes it away.
"""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fondaco.core.fees import PPM
from fondaco.core.terms import MAX_LEVERAGE
from fondaco.core.vocabulary import Direction, EntryKind, MarginMode
from fondaco.domains.trading.api import Amount, Answered, Asked, Id, Moment, Price, Quantity, Symbol, decimal

ONE_OF_THREE: Final = "Give one of `price`, `amount` and `percent`."
LEVEL_SCHEMA: Final = {"NewLevel": {"minProperties": 1, "maxProperties": 1}}
"""The same for the document."""

Leverage: TypeAlias = Annotated[
    int,
    Meta(
        description="A whole number; how many times the margin the position is worth.",
        examples=[10],
        extra_json_schema={"minimum": 1, "maximum": MAX_LEVERAGE},
    ),
]
"""Its bounds are only documented here: the engine's own word is `leverage_out_of_range`."""
Slippage: TypeAlias = Annotated[
    int, Meta(ge=0, le=PPM, description="How much worse the price may be, in millionths of `expected_price`.")
]
Percent: TypeAlias = Annotated[str, decimal("Percent of the position's margin, to four decimal places.", "25")]


class NewLevel(Asked, frozen=True):
    """A stop loss, a take profit or a trailing distance: a price, an amount of money, or a part of the margin."""

    price: Price | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    percent: Percent | UnsetType = UNSET

    def __post_init__(self) -> None:
        if sum(each is not UNSET for each in (self.price, self.amount, self.percent)) != 1:
            raise ValueError(ONE_OF_THREE)


class NewPosition(Asked, frozen=True):
    """A bet on a price, at the desk's quote. `position_id` names a position to add to."""

    account_id: Id
    symbol: Symbol
    direction: Direction
    quantity: Quantity
    leverage: Leverage
    mode: MarginMode = MarginMode.ISOLATED
    stop_loss: NewLevel | None = None
    take_profit: NewLevel | None = None
    trailing_stop: NewLevel | None = None
    guaranteed: bool = False
    expected_price: Price | None = None
    slippage_ppm: Slippage = 0
    position_id: Id | None = None


class PositionClosing(Asked, frozen=True):
    """How much of a position to close; all of it where no quantity is given."""

    quantity: Quantity | None = None
    expected_price: Price | None = None
    slippage_ppm: Slippage = 0


class PositionChange(Asked, frozen=True):
    """New stops of a position: one that is left out stays, null takes it away."""

    stop_loss: NewLevel | UnsetType | None = UNSET
    take_profit: NewLevel | UnsetType | None = UNSET
    trailing_stop: NewLevel | UnsetType | None = UNSET


class NewEntry(Asked, frozen=True):
    """A position to be opened when the desk's quote comes to a price."""

    account_id: Id
    symbol: Symbol
    direction: Direction
    kind: EntryKind
    price: Price
    quantity: Quantity
    leverage: Leverage
    mode: MarginMode = MarginMode.ISOLATED
    stop_loss: NewLevel | None = None
    take_profit: NewLevel | None = None
    trailing_stop: NewLevel | None = None
    guaranteed: bool = False
    expires_at: Moment | None = None


class OpenedPosition(Answered, frozen=True):
    """What an open came to. In a netting account it may have `closed` lots of the other direction first."""

    position_id: int | None
    """Null when all of it went into closing."""
    account_id: int
    symbol: str
    direction: Direction
    price: str
    quantity: str
    margin: str
    closed: str
    result: str
    available: str


class ClosedPosition(Answered, frozen=True):
    """What a close came to: `left` is still open, `margin` was set free, `available` is what the account has then."""

    position_id: int
    price: str
    quantity: str
    left: str
    result: str
    margin: str
    available: str


class ChangedPosition(Answered, frozen=True):
    """The stops of a position as prices, the trailing one as its distance; null where there is none."""

    position_id: int
    stop_loss: str | None
    take_profit: str | None
    trailing_distance: str | None


class PlacedEntry(Answered, frozen=True):
    """The pending entry that was placed."""

    entry_id: int


class CancelledEntry(Answered, frozen=True):
    """The pending entry that was taken back."""

    entry_id: int


class PositionVerdict(msgspec.Struct, frozen=True):
    """Whether a position could be opened after command ``seq``, and what it would cost, or why not.

    `liquidation_price` is that of the position as it would be then. Where margin is short, `required` and `available`
    say how much.
    """

    seq: int
    accepted: bool
    code: str | None = None
    detail: str | None = None
    price: str | None = None
    notional: str | None = None
    margin: str | None = None
    premium: str | None = None
    liquidation_price: str | None = None
    required: str | None = None
    available: str | None = None
