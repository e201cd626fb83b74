"""Everything that the machine has in memory, and how its parts find each other.

Plain state: who is who, what is listed, what stands. The rules stand in the modules that work on it. What can be
derived (an account's orders, a book's handles) is derived when a snapshot is loaded.
"""

import heapq
from collections import deque
from typing import Final

import msgspec

from fondaco.core.desk.desk import Desk
from fondaco.core.eventlog import EventLog
from fondaco.core.exchange.market import Market
from fondaco.core.ledger import MAX_TOTAL, Ledger
from fondaco.core.refusals import Refusal
from fondaco.core.state import (
    DESK_ACCOUNT,
    FIRST_ID,
    MAY_OWE,
    OUTSIDE_ACCOUNT,
    Account,
    Breaker,
    Limit,
    Order,
    Position,
    User,
)
from fondaco.core.vocabulary import AccountStatus, CloseReason, LimitName, LimitScope, OrderState, UserStatus, World

MAX_ACCOUNTS_PER_USER: Final = 1_000
DAY_NS: Final = 86_400_000_000_000

BREAKER_ENDS, ORDER_EXPIRES, ENTRY_EXPIRES = 0, 1, 2
"""Kinds of what can fall due, in the order in which they are done at one moment."""
LEAST_DUE: Final = 1_024
"""Reminders that are never looked through for those that have ended."""

_ACTIVE: Final = AccountStatus.ACTIVE
_ACTIVE_USER: Final = UserStatus.ACTIVE

LimitKey = tuple[World, LimitScope, str, LimitName, str]


class Work(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Orders still to be taken back: an account's, a symbol's, or both; none younger than ``last_order_id``."""

    account_id: int
    world: World
    symbol: str
    last_order_id: int
    reason: CloseReason


class House:
    """The state of one machine."""

    __slots__ = (
        "accounts",
        "accounts_of",
        "assets",
        "breakers",
        "clear_due_at",
        "client_ids",
        "client_ids_by_age",
        "desk",
        "due",
        "fired",
        "forgotten_seq",
        "ledger",
        "limits",
        "log",
        "markets",
        "next_id",
        "now_ns",
        "orders",
        "orders_of",
        "rules_version",
        "seq",
        "touched_positions",
        "users",
        "work_ids",
        "works",
    )

    def __init__(self) -> None:
        self.log = EventLog()
        self.ledger = Ledger(self.log)
        for account_id in MAY_OWE:
            self.ledger.allow_negative(account_id)
        self.desk = Desk()
        self.seq = 0
        self.now_ns = 0
        self.rules_version = 1
        self.next_id = FIRST_ID
        self.users: dict[str, User] = {}
        self.accounts: dict[int, Account] = {}
        self.accounts_of: dict[str, list[int]] = {}
        self.assets: dict[str, int] = {}
        self.markets: dict[tuple[World, str], Market] = {}
        self.orders: dict[int, Order] = {}
        """Every order that has not ended."""
        self.orders_of: dict[int, dict[int, Order]] = {}
        self.client_ids: dict[tuple[int, str], int] = {}
        """Which order an account gave an id of its own: while it is open, and as long as its command is remembered."""
        self.client_ids_by_age: deque[tuple[int, int, str]] = deque()
        """Number of the command, account and id, oldest first."""
        self.forgotten_seq = 0
        """Commands up to this one are no longer remembered."""
        self.limits: dict[LimitKey, Limit] = {}
        self.breakers: dict[tuple[World, str], Breaker] = {}
        self.due: list[tuple[int, int, int]] = []
        """A heap of moment, kind and id. What is no longer true when it falls due is passed over."""
        self.clear_due_at = LEAST_DUE
        self.fired: deque[int] = deque()
        """Orders whose trigger was reached and that have not been sent yet."""
        self.works: deque[Work] = deque()
        self.work_ids: list[int] | None = None
        """Orders that the first of the works has yet to take back, youngest first; found anew when it is None."""
        self.touched_positions: dict[int, Position] = {}

    def new_id(self) -> int:
        """The next id for whatever needs one."""
        self.next_id += 1
        return self.next_id - 1

    @property
    def last_id(self) -> int:
        """The id that was given last."""
        return self.next_id - 1

    def remind(self, at_ns: int, kind: int, id_: int) -> None:
        """Have something fall due. Most of what is due long after has ended by then, so it is cleared out at times."""
        heapq.heappush(self.due, (at_ns, kind, id_))
        if len(self.due) >= self.clear_due_at:
            self.due = [entry for entry in self.due if self._may_be_due(entry[1], entry[2])]
            heapq.heapify(self.due)
            self.clear_due_at = 2 * len(self.due) + LEAST_DUE

    def _may_be_due(self, kind: int, id_: int) -> bool:
        return kind == BREAKER_ENDS or id_ in (self.orders if kind == ORDER_EXPIRES else self.desk.entries)

    def has_room(self, world: World, asset: str, amount: int) -> bool:
        """Whether so much more may come in, or be won at the desk, without any balance ever leaving `MAX_TOTAL`.

        Nobody can have more than what has come in and what the desk has lost and could still lose.
        """
        came_in = -self.ledger.balance(OUTSIDE_ACCOUNT[world], asset).total
        won = self.ledger.balance(DESK_ACCOUNT[world], asset).total
        could_lose = self.desk.reserves.get((world, asset), 0)
        return came_in + max(0, could_lose - won) + amount <= MAX_TOTAL

    def acting_account(self, account_id: int) -> Account | Refusal:
        """An account that may act, or why it may not: place an order, withdraw, transfer (BHC-22)."""
        account = self.accounts.get(account_id)
        if account is None:
            return Refusal.UNKNOWN_ACCOUNT
        is_active = self.users[account.user_id].status is _ACTIVE_USER
        if is_active and account.status is _ACTIVE:
            return account
        if account.status is AccountStatus.CLOSED:
            return Refusal.ACCOUNT_CLOSED
        return Refusal.ACCOUNT_FROZEN if is_active else Refusal.USER_SUSPENDED

    def market_of(self, order: Order) -> Market:
        """The market of an order."""
        return self.markets[order.world, order.symbol]

    def reference_ticks(self, market: Market) -> int:
        """The price that orders are measured by: of the last trade, else the middle of the desk's quote, else 0."""
        return market.last_ticks or self.desk.mid_ticks(market.terms)

    def is_halted(self, world: World, symbol: str) -> bool:
        """Whether a breaker refuses new orders of a symbol (BHC-63)."""
        return (world, symbol) in self.breakers or (world, "") in self.breakers

    def add_order(self, order: Order) -> None:
        """Take an order in."""
        self.orders[order.order_id] = order
        own = self.orders_of.get(order.account_id)
        if own is None:
            own = self.orders_of[order.account_id] = {}
        own[order.order_id] = order
        if order.client_order_id:
            self.client_ids[order.account_id, order.client_order_id] = order.order_id
            self.client_ids_by_age.append((order.accepted_seq, order.account_id, order.client_order_id))
        if order.expires_ns:
            self.remind(order.expires_ns, ORDER_EXPIRES, order.order_id)

    def end_order(self, order: Order, state: OrderState, reason: CloseReason) -> None:
        """Let an order go. It no longer rests or waits; what it still held goes back to its owner."""
        order_id = order.order_id
        order.state = state
        order.close_reason = reason
        order.updated_ns = self.now_ns
        hold = self.ledger.holds.get(order_id)
        if hold is not None:
            self.ledger.release(hold)
        del self.orders[order_id]
        del self.orders_of[order.account_id][order_id]
        if order.client_order_id and order.accepted_seq <= self.forgotten_seq:
            del self.client_ids[order.account_id, order.client_order_id]
        self.log.emit_row(order)

    def tell(self) -> None:
        """Say what has become of everything that the command has changed and not said yet."""
        self.ledger.tell()
        for position in self.touched_positions.values():
            self.log.emit_row(position)
        self.touched_positions.clear()
        desk_positions = self.desk.touched_positions
        if desk_positions:
            for desk_position in desk_positions.values():
                self.log.emit_row(desk_position)
            desk_positions.clear()

    def forget_until(self, seq: int) -> None:
        """Commands up to this one are no longer remembered, so ids of orders that ended may be used again."""
        self.forgotten_seq = seq
        ages = self.client_ids_by_age
        while ages and ages[0][0] <= seq:
            _, account_id, client_order_id = ages.popleft()
            if self.client_ids[account_id, client_order_id] not in self.orders:
                del self.client_ids[account_id, client_order_id]
