"""The words of a book, shared by the kernel and its slow twin.

A book knows nothing of money: it has prices in ticks, quantities in lots, and orders that are numbers. Bids and asks
that rest never cross. Among orders of one price the one that came first is served first.
"""

from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

MAX_PRICE_TICKS: Final = 2**31 - 1
"""The highest price that a book can be made for: two billion ticks."""
MAX_NOTIONAL: Final = 2**62
"""A book's highest price times the lots of an order stays below this, so that no sum in the kernel can wrap."""
NO_ORDER: Final = -1
"""The handle of an order that does not rest."""
NOBODY: Final = 0
"""The owner of an order that may trade with any other."""


class Side(IntEnum):
    """Which half of the book an order belongs to."""

    BUY = 0
    SELL = 1

    @property
    def opposite(self) -> "Side":
        """The half that it trades with."""
        return SELL if self is BUY else BUY


BUY: Final = Side.BUY
SELL: Final = Side.SELL
"""Names of their own: looking a member up in its enum costs 0.1 µs in Python 3.11, and an order does so often."""


class SelfTrade(IntEnum):
    """What happens when both orders of a match have one owner."""

    ALLOW = 0
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4


class Outcome(IntEnum):
    """What became of an order that was sent to the book."""

    DONE = 0
    """Filled as far as it goes; what is left did not rest."""
    RESTED = 1
    """What is left rests, under the handle that was given."""
    EXPIRED = 2
    """Self-trade prevention ended it; what is left did not rest."""
    WOULD_TAKE = 3
    """It was to make, not to take, and would have taken. Nothing has changed."""
    TOO_MANY = 4
    """It would meet more orders than one command may touch. Nothing has changed."""


class Meeting(IntEnum):
    """How an order met one that rested."""

    TRADE = 0
    MAKER_EXPIRED = 1
    """Self-trade prevention took the resting order out; the lots are what it still had."""
    DECREMENTED = 2
    """Self-trade prevention took these lots off both."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One meeting with a resting order."""

    maker_id: int
    price: int
    lots: int
    maker_left: int
    """Lots of the maker that still rest; at 0 it has left the book."""
    meeting: Meeting


class Placed(msgspec.Struct, frozen=True, gc=False):
    """The answer to an order."""

    outcome: Outcome
    handle: int
    left: int
    """Lots that were neither filled nor decremented."""
    fills: tuple[Fill, ...]


class Walk(NamedTuple):
    """What an order would get, without getting it."""

    lots: int
    notional: int
    """Ticks times lots."""
    worst_price: int
    """The last price that it would reach; 0 when there is nothing to get."""
    met: int
    """How many resting orders it would meet."""


class Resting(NamedTuple):
    """An order that rests, as it is dumped and loaded."""

    order_id: int
    owner: int
    side: Side
    price: int
    lots: int


class Depth(NamedTuple):
    """One price level."""

    price: int
    lots: int
    orders: int
