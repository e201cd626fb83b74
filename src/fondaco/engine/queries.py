"""What may be asked of the engine's memory from outside: one frozen struct per question.

A look passes through the sequencer like a command and is answered with its batch, once that is on disk: who has sent a
command and then looks, sees what it did. It has no number and is not journaled. The answers are
made in `fondaco.engine.looking`.
"""

from typing import TypeAlias

from fondaco.core.commands import OpenPosition, PlaceOrder
from fondaco.core.desk.state import DeskEntry, DeskPosition
from fondaco.core.ledger import BalanceChanged
from fondaco.core.messages import Message
from fondaco.core.refusals import Refusal
from fondaco.core.state import Order, Position


class LookAtAccount(Message, frozen=True, tag="look_at_account"):
    """What an account has and has standing."""

    account_id: int


class LookAtOrder(Message, frozen=True, tag="look_at_order"):
    """An order of an account."""

    account_id: int
    order_id: int


class CheckOrder(Message, frozen=True, tag="check_order"):
    """Whether an order would be accepted now."""

    order: PlaceOrder


class CheckPosition(Message, frozen=True, tag="check_position"):
    """Whether a leveraged position could be opened now, and what it would cost."""

    position: OpenPosition


Query: TypeAlias = LookAtAccount | LookAtOrder | CheckOrder | CheckPosition


class AccountSeen(Message, frozen=True, tag="account_seen"):
    """An account after command ``seq``: balances by asset, and all that has not ended, oldest first."""

    seq: int
    balances: list[BalanceChanged]
    orders: list[Order]
    positions: list[Position]
    """What it has bought and not sold again."""
    leveraged: list[DeskPosition]
    entries: list[DeskEntry]


class OrderSeen(Message, frozen=True, tag="order_seen"):
    """An order after command ``seq``; None when it has ended, is another account's, or never was."""

    seq: int
    order: Order | None


class OrderChecked(Message, frozen=True, tag="order_checked"):
    """Why an order would have been refused after command ``seq``, or None."""

    seq: int
    refusal: Refusal | None


class PositionChecked(Message, frozen=True, tag="position_checked"):
    """Why a position would have been refused after command ``seq``, or what it would have cost, in quote atoms.

    ``required`` and ``available`` are told where margin was short.
    """

    seq: int
    refusal: Refusal | None
    required: int = 0
    available: int = 0
    ticks: int = 0
    notional: int = 0
    margin: int = 0
    premium: int = 0
    position: DeskPosition | None = None
    """The position as it would have been; None where all would have gone into closing."""


Seen: TypeAlias = AccountSeen | OrderSeen | OrderChecked | PositionChecked
