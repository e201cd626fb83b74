"""What may be asked of the engine's memory from outside: one frozen struct per question.

A look passes through the sequencer like a command and is answered with its batch, once that is on disk: who has sent a
command and then looks, sees what it did. It has no number and is not journaled. The answers are
made in `fondaco.engine.looking`.
"""

from typing import TypeAlias

from fondaco.core.commands import PlaceOrder
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


Query: TypeAlias = LookAtAccount | LookAtOrder | CheckOrder


class AccountSeen(Message, frozen=True, tag="account_seen"):
    """An account after command ``seq``: balances by asset, orders and positions that have not ended, oldest first."""

    seq: int
    balances: list[BalanceChanged]
    orders: list[Order]
    positions: list[Position]


class OrderSeen(Message, frozen=True, tag="order_seen"):
    """An order after command ``seq``; None when it has ended, is another account's, or never was."""

    seq: int
    order: Order | None


class OrderChecked(Message, frozen=True, tag="order_checked"):
    """Why an order would have been refused after command ``seq``, or None."""

    seq: int
    refusal: Refusal | None


Seen: TypeAlias = AccountSeen | OrderSeen | OrderChecked
