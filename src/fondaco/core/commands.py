"""Everything that the engine can be told to do: one frozen struct per command.

A command is journaled as it was given and replayed for ever after, so a struct only ever gains fields with defaults,
at its end; a changed meaning is a new type. Commands carry ids and staff reasons, never personal data.

Amounts are atoms of their asset, prices quote atoms per whole base unit, quantities base atoms, times nanoseconds since
1970 in whole microseconds. 0 or an empty text stands for "not given".
"""

from typing import TypeAlias

import msgspec

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.messages import Message
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderType,
    TimeInForce,
    UserStatus,
    World,
)

HOUSE = 0
"""The account under which the house itself submits commands."""


class AdmitUser(Message, frozen=True, tag="admit_user"):
    """Let a user in. ``user_id`` is the id of the row in ``users``."""

    user_id: str


class SetUserStatus(Message, frozen=True, tag="set_user_status"):
    """Suspend a user, or let it act again."""

    user_id: str
    status: UserStatus


class OpenAccount(Message, frozen=True, tag="open_account"):
    """Open an account of a user; a demo one may begin with ``grant`` atoms of play money in its currency."""

    user_id: str
    world: World
    currency: str
    kind: AccountKind = AccountKind.SPOT
    grant: int = 0


class SetAccountStatus(Message, frozen=True, tag="set_account_status"):
    """Freeze an account, let it act again, or close it for good."""

    account_id: int
    status: AccountStatus


class ResetDemo(Message, frozen=True, tag="reset_demo"):
    """Close a demo account with all that it has and open a fresh one in its place."""

    account_id: int
    grant: int


class ListAsset(Message, frozen=True, tag="list_asset"):
    """Make an asset known, with the decimal places of one atom."""

    code: str
    scale: int


class ListInstrument(Message, frozen=True, tag="list_instrument"):
    """Open a market."""

    terms: Terms


class CloseInstrument(Message, frozen=True, tag="close_instrument"):
    """End a market: no new orders, and all that stand are cancelled."""

    world: World
    symbol: str


class Deposit(Message, frozen=True, tag="deposit"):
    """Money came in from outside. The house alone says so."""

    account_id: int
    asset: str
    amount: int
    note: str = ""


class RequestWithdrawal(Message, frozen=True, tag="request_withdrawal"):
    """Set money aside that shall go out."""

    account_id: int
    asset: str
    amount: int


class SettleWithdrawal(Message, frozen=True, tag="settle_withdrawal"):
    """The money that a withdrawal set aside has gone out."""

    hold_id: int


class PlaceHold(Message, frozen=True, tag="place_hold"):
    """Set money aside for a reason of the house's."""

    account_id: int
    asset: str
    amount: int
    note: str


class ReleaseHold(Message, frozen=True, tag="release_hold"):
    """Give back what a withdrawal or the house set aside."""

    hold_id: int


class Transfer(Message, frozen=True, tag="transfer"):
    """Move money between two accounts of one user, in one world."""

    from_account_id: int
    to_account_id: int
    asset: str
    amount: int


class PlaceOrder(Message, frozen=True, tag="place_order"):
    """Buy or sell. The account says in which world."""

    account_id: int
    symbol: str
    side: Side
    type: OrderType
    quantity: int = 0
    price: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_price: int = 0
    quote_quantity: int = 0
    """Of a market order, instead of a quantity: spend or get so much, the fee of a buy included."""
    post_only: bool = False
    self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER
    client_order_id: str = ""
    expires_ns: int = 0


class CancelOrder(Message, frozen=True, tag="cancel_order"):
    """Take an order back."""

    account_id: int
    order_id: int


class CancelAll(Message, frozen=True, tag="cancel_all"):
    """Take back every order of an account, or those of one symbol."""

    account_id: int
    symbol: str = ""


class AmendOrder(Message, frozen=True, tag="amend_order"):
    """Change price or whole quantity of a resting order. Only lowering the quantity keeps its place in the queue."""

    account_id: int
    order_id: int
    quantity: int = 0
    price: int = 0


class SetLimit(Message, frozen=True, tag="set_limit"):
    """Cap something, or lift the cap when ``value`` is None.

    ``subject`` is the account's or user's id or the symbol, empty for the platform. ``about`` is the quote asset of a
    value or a volume, the symbol of a position; empty for a count. ``value`` is in atoms, or a count.
    """

    world: World
    scope: LimitScope
    subject: str
    name: LimitName
    about: str
    value: int | None


class TripBreaker(Message, frozen=True, tag="trip_breaker"):
    """Halt new orders of a symbol, or of all of a world when ``symbol`` is empty, until lifted or ``until_ns``."""

    world: World
    symbol: str
    reason: str
    by: str
    until_ns: int = 0


class LiftBreaker(Message, frozen=True, tag="lift_breaker"):
    """Let new orders in again."""

    world: World
    symbol: str


class SetRules(Message, frozen=True, tag="set_rules"):
    """From here on the rules of this version hold."""

    version: int


class Tick(Message, frozen=True, tag="tick"):
    """Nothing but time has passed: do what has fallen due."""


Command: TypeAlias = (
    AdmitUser
    | SetUserStatus
    | OpenAccount
    | SetAccountStatus
    | ResetDemo
    | ListAsset
    | ListInstrument
    | CloseInstrument
    | Deposit
    | RequestWithdrawal
    | SettleWithdrawal
    | PlaceHold
    | ReleaseHold
    | Transfer
    | PlaceOrder
    | CancelOrder
    | CancelAll
    | AmendOrder
    | SetLimit
    | TripBreaker
    | LiftBreaker
    | SetRules
    | Tick
)


class Submission(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command on its way: who sends it, under which id, and until when it is worth doing.

    Args:
        account_id: whose command id this is; `HOUSE` for the house's own.
        command_id: the sender's; the same one again gets the same answer and does nothing.
        not_after_ns: a command whose turn comes later is refused.
        body: the `Command`, encoded once: journaled as it is, and told apart from another by its digest.
    """

    account_id: int
    command_id: str
    not_after_ns: int
    body: msgspec.Raw


encode_command = msgspec.msgpack.Encoder().encode
decode_command = msgspec.msgpack.Decoder(Command).decode
