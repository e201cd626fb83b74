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
    required: int = 0
    """Quote atoms that were needed, when there was not enough margin,"""
    available: int = 0
    """and those that there were."""


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


class PositionOpened(Message, frozen=True, tag="position_opened"):
    """What an open came to. Of a netting account it may have closed lots of the other direction first."""

    position_id: int
    """0 when all of it went into closing."""
    price: int
    """Quote atoms per whole base unit."""
    quantity: int
    """Base atoms that were opened."""
    margin: int
    closed: int
    """Base atoms of the other direction that were closed, and"""
    result: int
    """what that brought."""
    available: int
    """What the account has free afterwards, in quote atoms."""


class PositionClosed(Message, frozen=True, tag="position_closed"):
    """What a close came to. Amounts are quote atoms, quantities base atoms."""

    position_id: int
    price: int
    quantity: int
    left: int
    result: int
    margin: int
    """What was set free."""
    available: int


class PositionModified(Message, frozen=True, tag="position_modified"):
    """The stops of a position as prices; 0 for none. ``trail`` is the distance."""

    position_id: int
    stop: int
    take: int
    trail: int


class EntryPlaced(Message, frozen=True, tag="entry_placed"):
    """The pending entry that was placed."""

    entry_id: int


class NightPaid(Message, frozen=True, tag="night_paid"):
    """How many positions have paid for the night, and whether more follow right after."""

    count: int
    goes_on: bool


Reply: TypeAlias = (
    Done
    | Refused
    | AccountOpened
    | HoldPlaced
    | OrderPlaced
    | OrderCancelled
    | OrdersCancelled
    | OrderAmended
    | PositionOpened
    | PositionClosed
    | PositionModified
    | EntryPlaced
    | NightPaid
)

DONE = Done()


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reply on its way back: the number of the command that it answers, and whether that one had come before."""

    seq: int
    is_duplicate: bool
    reply: Reply
