"""What the engine answers: one frozen struct per kind of answer. A repeated command gets the same again."""

from typing import TypeAlias

import msgspec

from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import OrderState


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done", gc=False):
    """It was done, and there is nothing to add."""


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused", gc=False):
    """It was not done, and nothing has changed."""

    code: Refusal


class AccountOpened(msgspec.Struct, frozen=True, array_like=True, tag="account_opened", gc=False):
    """The account that was opened."""

    account_id: int


class HoldPlaced(msgspec.Struct, frozen=True, array_like=True, tag="hold_placed", gc=False):
    """The hold under which money was set aside."""

    hold_id: int


class OrderPlaced(msgspec.Struct, frozen=True, array_like=True, tag="order_placed", gc=False):
    """An order that was accepted, as it stood when the command was done. Amounts are atoms."""

    order_id: int
    state: OrderState
    filled: int
    filled_notional: int
    fee: int


class OrderCancelled(msgspec.Struct, frozen=True, array_like=True, tag="order_cancelled", gc=False):
    """An order that was taken back, and the base atoms that were still open."""

    order_id: int
    left: int


class OrdersCancelled(msgspec.Struct, frozen=True, array_like=True, tag="orders_cancelled", gc=False):
    """How many orders were taken back at once, and whether more follow right after."""

    count: int
    goes_on: bool


class OrderAmended(msgspec.Struct, frozen=True, array_like=True, tag="order_amended", gc=False):
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
