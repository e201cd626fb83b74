"""What the naive house remembers: plain lists, nothing derived, nothing indexed.

What can be worked out is worked out whenever it is asked for: a position is all of an account's trades added up again,
what is held is the sum of the holds, the book is the open orders sorted. So there is nothing that could be forgotten to
be kept up.
"""

from dataclasses import dataclass, field

from fondaco.core.book.vocabulary import Side
from fondaco.core.events import Trade
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Reply
from fondaco.core.state import Account, Breaker, Limit, Order, User
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import CloseReason, OrderState, World

DAY_NS = 86_400_000_000_000
PPM = 1_000_000
LARGEST = 2**62
"""No total goes beyond this on either side of zero."""
OUTSIDE = {World.TRADING: 1, World.DEMO: 3, World.EXTERNAL: 5}
FEES = {World.TRADING: 2, World.DEMO: 4, World.EXTERNAL: 6}

WAITING = {OrderState.PENDING}
RESTING = {OrderState.OPEN, OrderState.PARTIALLY_FILLED}
STANDING = WAITING | RESTING

REFUSALS = list(Refusal)


@dataclass
class Hold:
    """A part of a balance that is spoken for. An order's hold has the order's id."""

    hold_id: int
    account_id: int
    asset: str
    amount: int
    reason: str
    note: str = ""


@dataclass
class Listing:
    """One market but for its orders."""

    terms: Terms
    last_ticks: int = 0
    is_closed: bool = False
    window_ticks: int = 0
    window_ns: int = 0

    @property
    def world(self) -> World:
        """Where it is."""
        return self.terms.world

    @property
    def symbol(self) -> str:
        """What it is called."""
        return self.terms.instrument.symbol

    @property
    def base(self) -> str:
        """What is bought and sold."""
        return self.terms.instrument.base.code

    @property
    def quote(self) -> str:
        """What it is paid in."""
        return self.terms.instrument.quote.code

    def cost(self, ticks: int, lots: int) -> int:
        """Quote atoms, worked out from the units and not from steps."""
        price, quantity = ticks * self.terms.tick, lots * self.terms.lot
        cost, rest = divmod(price * quantity, int(10**self.terms.instrument.base.scale))
        assert rest == 0
        return cost


@dataclass
class Work:
    """Orders that a command has yet to take back."""

    order_ids: list[int]
    reason: CloseReason


@dataclass
class Told:
    """A command that was answered."""

    account_id: int
    command_id: str
    body: bytes
    seq: int
    applied_ns: int
    not_after_ns: int
    reply: Reply


@dataclass
class Naive:
    """The state of the naive house."""

    most_touched: int
    least_told: int
    most_told: int
    seq: int = 0
    now_ns: int = 0
    rules_version: int = 1
    next_place: int = 1
    users: list[User] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    assets: dict[str, int] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    totals: dict[tuple[int, str], int] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    """Every order that was ever accepted, oldest first."""
    exact_fees: dict[int, int] = field(default_factory=dict)
    """Per order, the fees of its fills in millionths of an atom, added up without any rounding."""
    trades: list[tuple[int, Trade]] = field(default_factory=list)
    """Every trade with its moment."""
    limits: list[Limit] = field(default_factory=list)
    breakers: list[Breaker] = field(default_factory=list)
    in_line: list[int] = field(default_factory=list)
    """Orders whose trigger was reached and that have not been sent."""
    works: list[Work] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    forgotten_seq: int = 0
    alerts: int = 0

    def margins(self, account_id: int, asset: str) -> int:  # noqa: ARG002 - for a house that has a desk
        """What is held for leveraged positions."""
        return 0

    def kept_reasons(self, account_id: int, asset: str, amount: int) -> set[Refusal]:  # noqa: ARG002 - the same
        """Why so much must stay in an account for the sake of its leveraged positions."""
        return set()

    def stands_in(self, account_id: int) -> bool:  # noqa: ARG002 - the same
        """Whether anything leveraged stands in an account's name."""
        return False

    def user(self, user_id: str) -> User | None:
        """A user."""
        return next((each for each in self.users if each.user_id == user_id), None)

    def account(self, account_id: int) -> Account | None:
        """An account of somebody's."""
        return next((each for each in self.accounts if each.account_id == account_id), None)

    def listing(self, world: World, symbol: str) -> Listing | None:
        """A market."""
        return next((each for each in self.listings if (each.world, each.symbol) == (world, symbol)), None)

    def order(self, order_id: int) -> Order:
        """An order, ended or not."""
        return next(each for each in self.orders if each.order_id == order_id)

    def market_of(self, order: Order) -> Listing:
        """Where an order is."""
        found = self.listing(order.world, order.symbol)
        assert found is not None
        return found

    def standing(self, account_id: int | None = None) -> list[Order]:
        """Orders that have not ended, oldest first."""
        return [each for each in self.orders if each.state in STANDING and account_id in (None, each.account_id)]

    def book(self, market: Listing, side: Side) -> list[Order]:
        """Who rests on a side, in the order in which it would be served."""
        found = [
            each
            for each in self.orders
            if each.state in RESTING and (each.world, each.symbol, each.side) == (market.world, market.symbol, side)
        ]
        worse = 1 if side is Side.SELL else -1
        return sorted(found, key=lambda each: (worse * each.price_ticks, each.priority_seq))

    def place(self) -> int:
        """A new place in the queue, behind all others."""
        self.next_place += 1
        return self.next_place - 1

    def is_halted(self, world: World, symbol: str) -> bool:
        """Whether a breaker holds, of the symbol or the world."""
        return any(each.world is world and each.symbol in ("", symbol) for each in self.breakers)


def first_of(reasons: set[Refusal]) -> Refusal | None:
    """The reason that stands first in the list of all."""
    return min(reasons, key=REFUSALS.index, default=None)


def rounded_up(dividend: int, divisor: int) -> int:
    """The whole number at or above a fraction."""
    return -(-dividend // divisor)
