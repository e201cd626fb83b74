"""What the engine answers: one frozen struct per kind of answer. A repeated command gets the same again."""

from typing import TypeAlias

import msgspec

from fondaco.core.messages import Message
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import OrderState


class Done(Message, frozen=True, tag="done"):
    """It was done, and there is nothing to add."""


class Refused(Message, frozen=True, tag="refused"):
    """It was not done, and nothing has changed."""

    code: Refusal


class AccountOpened(Message, frozen=True, tag="account_opened"):
    """The account that was opened."""

    account_id: int


class HoldPlaced(Message, frozen=True, tag="hold_placed"):
    """The hold under which money was set aside."""

    hold_id: int


class OrderPlaced(Message, frozen=True, tag="order_placed"):
    """An order that was accepted, as it stood when the command was done. Amounts are atoms."""

    order_id: int
    state: OrderState
    filled: int
    filled_notional: int
    fee: int


class OrderCancelled(Message, frozen=True, tag="order_cancelled"):
    """An order that was taken back, and the base atoms that were still open."""

    order_id: int
    left: int


class OrdersCancelled(Message, frozen=True, tag="orders_cancelled"):
    """How many orders were taken back at once, and whether more follow right after."""

    count: int
    goes_on: bool


class OrderAmended(Message, frozen=True, tag="order_amended"):
    """An order that was changed, as it stood when the command was done."""

    order_id: int
    state: OrderState
    filled: int
    kept_place: bool


Reply: TypeAlias = (
    Done | Refused | AccountOpened | HoldPlaced | OrderPlaced | OrderCancelled | OrdersCancelled | OrderAmended
)

DONE = Done()


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reply on its way back: the number of the command that it answers, and whether that one had come before."""

    seq: int
    is_duplicate: bool
    reply: Reply
