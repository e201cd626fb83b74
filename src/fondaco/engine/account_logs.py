"""What happens to the accounts that somebody listens to, command by command, kept a while for those who come back.

Events of accounts that nobody has asked for cost one look into a dictionary. What one command did to one account is an
`Effect`: rows as they stood after it, and every trade. Effects carry the number of their command, so that whoever holds
the account as it was after command N goes on with those above N and neither misses one nor has one twice.

Invariants:
    A log has every effect after ``since_seq``, up to ``seq``.
    All logs together hold at most `KEPT_EFFECTS`; the oldest give way.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Final

from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, MarginWarning, StopOut
from fondaco.core.events import Began, Event, Trade
from fondaco.core.ledger import BalanceChanged
from fondaco.core.state import Order, Position
from fondaco.engine.journal import Mark
from fondaco.infra.database import PsycopgConnection

KEPT_EFFECTS: Final = 200_000
"""Effects that are kept for those who come back, of all accounts together."""
MAX_IDLE_LOGS: Final = 1_000
"""Accounts whose last listener has left and whose effects are gathered on; the one left longest ago is let go."""


class Effect:
    """What one command did to one account: rows in their last state, every trade, fill, receipt and warning."""

    __slots__ = (
        *("balances", "entries", "fills", "holdings", "now_ns", "orders", "positions", "seq", "stop_outs", "trades"),
        "warnings",
    )

    def __init__(self, seq: int, now_ns: int) -> None:
        self.seq = seq
        self.now_ns = now_ns
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.balances: list[BalanceChanged] = []
        self.holdings: list[Position] = []
        self.positions: dict[int, DeskPosition] = {}
        self.entries: dict[int, DeskEntry] = {}
        self.fills: list[DeskFill] = []
        self.stop_outs: list[StopOut] = []
        self.warnings: list[MarginWarning] = []


class AccountLog:
    """The effects on one account."""

    __slots__ = ("account_id", "effects", "listeners", "new", "seq", "since_seq")

    def __init__(self, account_id: int, seq: int) -> None:
        self.account_id = account_id
        self.since_seq = seq
        self.seq = seq
        """The last command of the batch with the newest effect."""
        self.effects: deque[Effect] = deque()
        self.new: list[Effect] = []
        """Those that have not been taken yet."""
        self.listeners = 0

    def after(self, seq: int) -> list[Effect] | None:
        """Every effect after a command, oldest first; None when some of them are no longer kept."""
        if seq < self.since_seq:
            return None
        found = list(takewhile(lambda each: each.seq > seq, reversed(self.effects)))
        found.reverse()
        return found


class AccountLogs:
    """The logs of the accounts that somebody listens to: a `fondaco.engine.live.Part`."""

    def __init__(self, *, kept_effects: int = KEPT_EFFECTS) -> None:
        self.seq = 0
        """The last command that is known of."""
        self._kept_effects = kept_effects
        self._logs: dict[int, AccountLog] = {}
        self._idle: dict[int, None] = {}
        self._order: deque[AccountLog] = deque()
        """The log of each effect that is kept, oldest first."""
        self._news: dict[AccountLog, None] = {}
        self._now: tuple[int, int] = (0, 0)
        self._told: Final[dict[type, Callable[[Any], None]]] = {
            Began: self._hear_began,
            Order: self._hear_order,
            Trade: self._hear_trade,
            BalanceChanged: self._hear_balance,
            Position: self._hear_holding,
            DeskPosition: self._hear_position,
            DeskEntry: self._hear_entry,
            DeskFill: self._hear_fill,
            StopOut: self._hear_stop_out,
            MarginWarning: self._hear_warning,
        }

    def follow(self, account_id: int) -> AccountLog:
        """The log of an account, from now on if it is new. Each call is to be followed by a `leave`."""
        log = self._logs.get(account_id)
        if log is None:
            log = self._logs[account_id] = AccountLog(account_id, self.seq)
        self._idle.pop(account_id, None)
        log.listeners += 1
        return log

    def leave(self, account_id: int) -> None:
        """Listen no more. The log is kept for a while."""
        log = self._logs[account_id]
        log.listeners -= 1
        if log.listeners == 0:
            self._idle[account_id] = None
            if len(self._idle) > MAX_IDLE_LOGS:
                oldest = next(iter(self._idle))
                del self._idle[oldest]
                del self._logs[oldest]

    def take_news(self) -> list[tuple[AccountLog, list[Effect]]]:
        """The logs with new effects, and those effects."""
        news, self._news = self._news, {}
        taken = [(log, log.new) for log in news]
        for log in news:
            log.new = []
        return taken

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin anew: what happened before this is not told, and stands in the tables."""
        del connection
        self.seq = mark.seq
        self._order.clear()
        self._news.clear()
        for log in self._logs.values():
            log.effects.clear()
            log.new = []
            log.since_seq = log.seq = self.seq

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the events of a batch."""
        self.seq = mark.seq
        if not self._logs:
            return
        told = self._told
        for event in events:
            tell = told.get(type(event))
            if tell is not None:
                tell(event)
        for log in self._news:
            log.seq = mark.seq

    def _hear_began(self, event: Began) -> None:
        self._now = event.seq, event.now_ns

    def _hear_order(self, order: Order) -> None:
        if (log := self._logs.get(order.account_id)) is not None:
            self._effect(log).orders[order.order_id] = order

    def _hear_trade(self, trade: Trade) -> None:
        for account_id in {trade.buy_account_id, trade.sell_account_id}:
            if (log := self._logs.get(account_id)) is not None:
                self._effect(log).trades.append(trade)

    def _hear_balance(self, balance: BalanceChanged) -> None:
        if (log := self._logs.get(balance.account_id)) is not None:
            self._effect(log).balances.append(balance)

    def _hear_holding(self, holding: Position) -> None:
        if (log := self._logs.get(holding.account_id)) is not None:
            self._effect(log).holdings.append(holding)

    def _hear_position(self, position: DeskPosition) -> None:
        if (log := self._logs.get(position.account_id)) is not None:
            self._effect(log).positions[position.position_id] = position

    def _hear_entry(self, entry: DeskEntry) -> None:
        if (log := self._logs.get(entry.account_id)) is not None:
            self._effect(log).entries[entry.entry_id] = entry

    def _hear_fill(self, fill: DeskFill) -> None:
        if (log := self._logs.get(fill.account_id)) is not None:
            self._effect(log).fills.append(fill)

    def _hear_stop_out(self, receipt: StopOut) -> None:
        if (log := self._logs.get(receipt.account_id)) is not None:
            self._effect(log).stop_outs.append(receipt)

    def _hear_warning(self, warning: MarginWarning) -> None:
        if (log := self._logs.get(warning.account_id)) is not None:
            self._effect(log).warnings.append(warning)

    def _effect(self, log: AccountLog) -> Effect:
        """What the present command does to an account, so far."""
        seq, now_ns = self._now
        if log.new and log.new[-1].seq == seq:
            return log.new[-1]
        effect = Effect(seq, now_ns)
        log.effects.append(effect)
        log.new.append(effect)
        self._news[log] = None
        self._order.append(log)
        if len(self._order) > self._kept_effects:
            oldest = self._order.popleft()
            if oldest.effects:
                oldest.since_seq = oldest.effects.popleft().seq
        return effect
