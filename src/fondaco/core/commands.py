"""Everything that the engine can be told to do: one frozen struct per command.

A command is journaled as it was given and replayed for ever after, so a struct only ever gains fields with defaults,
at its end; a changed meaning is a new type. Commands carry ids and staff reasons, never personal data.

Amounts are atoms of their asset, prices quote atoms per whole base unit, quantities base atoms, times nanoseconds since
1970 in whole microseconds. 0 or an empty text stands for "not given".
"""

from typing import TypeAlias

import msgspec

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.desk.state import KEEP, Level, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.messages import Message
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    Direction,
    EntryKind,
    LimitName,
    LimitScope,
    MarginMode,
    OrderType,
    PositionMode,
    TimeInForce,
    UserStatus,
    World,
)

HOUSE = 0
"""The account under which the house itself submits commands."""


class AccountCommand(Message, frozen=True):
    """A command that an account gives for itself, or the house for it. All others are the house's own."""

    account_id: int


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
    position_mode: PositionMode = PositionMode.HEDGING


class SetAccountStatus(Message, frozen=True, tag="set_account_status"):
    """Freeze an account, let it act again, or close it for good."""

    account_id: int
    status: AccountStatus


class ResetDemo(AccountCommand, frozen=True, tag="reset_demo"):
    """Close a demo account with all that it has and open a fresh one in its place."""

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


class RequestWithdrawal(AccountCommand, frozen=True, tag="request_withdrawal"):
    """Set money aside that shall go out."""

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


class Transfer(AccountCommand, frozen=True, tag="transfer"):
    """Move money between two accounts of one user, in one world."""

    to_account_id: int
    asset: str
    amount: int


class PlaceOrder(AccountCommand, frozen=True, tag="place_order"):
    """Buy or sell. The account says in which world."""

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


class CancelOrder(AccountCommand, frozen=True, tag="cancel_order"):
    """Take an order back."""

    order_id: int


class CancelAll(AccountCommand, frozen=True, tag="cancel_all"):
    """Take back every order of an account, or those of one symbol."""

    symbol: str = ""


class AmendOrder(AccountCommand, frozen=True, tag="amend_order"):
    """Change price or whole quantity of a resting order. Only lowering the quantity keeps its place in the queue."""

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


class SetDeskTerms(Message, frozen=True, tag="set_desk_terms"):
    """Say how the desk deals in an instrument."""

    terms: DeskTerms


class SetDeskRules(Message, frozen=True, tag="set_desk_rules"):
    """Say when the desk warns and closes."""

    rules: DeskRules


class SetSwapFree(Message, frozen=True, tag="set_swap_free"):
    """Let an account keep positions overnight at no cost, or no longer."""

    account_id: int
    is_swap_free: bool


class FundInsurance(Message, frozen=True, tag="fund_insurance"):
    """Put money of the house's own into a world's insurance fund."""

    world: World
    asset: str
    amount: int
    note: str = ""


class SetQuote(Message, frozen=True, tag="set_quote"):
    """The desk's price has changed: the real extremes that it passed, in their order, and last what it is now.

    It is not remembered: sent again it changes nothing, and an older one is refused.
    """

    world: World
    symbol: str
    source: str
    markup_ppm: int
    quotes: tuple[Quote, ...]


class OpenPosition(AccountCommand, frozen=True, tag="open_position"):
    """Bet on a price, at the desk's quote."""

    symbol: str
    direction: Direction
    quantity: int
    leverage: int
    mode: MarginMode = MarginMode.ISOLATED
    stop: Level = KEEP
    take: Level = KEEP
    trail: Level = KEEP
    is_guaranteed: bool = False
    expected_price: int = 0
    """With it, an open at a price that is worse by more than ``slippage_ppm`` is refused."""
    slippage_ppm: int = 0
    position_id: int = 0
    """A position to add to."""


class ClosePosition(AccountCommand, frozen=True, tag="close_position"):
    """Close a position, or a part of it, at the desk's quote."""

    position_id: int
    quantity: int = 0
    """0: all of it."""
    expected_price: int = 0
    slippage_ppm: int = 0


class ModifyPosition(AccountCommand, frozen=True, tag="modify_position"):
    """Set, move or remove a position's stops."""

    position_id: int
    stop: Level = KEEP
    take: Level = KEEP
    trail: Level = KEEP


class PlaceEntry(AccountCommand, frozen=True, tag="place_entry"):
    """Open a position when the desk's quote comes to a price: a better one than now (limit) or a worse (stop)."""

    symbol: str
    direction: Direction
    kind: EntryKind
    price: int
    quantity: int
    leverage: int
    mode: MarginMode = MarginMode.ISOLATED
    stop: Level = KEEP
    take: Level = KEEP
    trail: Level = KEEP
    is_guaranteed: bool = False
    expires_ns: int = 0


class CancelEntry(AccountCommand, frozen=True, tag="cancel_entry"):
    """Take a pending entry back."""

    entry_id: int


class Rollover(Message, frozen=True, tag="rollover"):
    """Have every position of a world pay for the night after a day, counted from 1970, that has ended."""

    world: World
    day: int


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
    | SetDeskTerms
    | SetDeskRules
    | SetSwapFree
    | FundInsurance
    | SetQuote
    | OpenPosition
    | ClosePosition
    | ModifyPosition
    | PlaceEntry
    | CancelEntry
    | Rollover
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
