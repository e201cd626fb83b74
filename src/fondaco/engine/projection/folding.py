"""Folds a run of batches into what is to be written: each row once, as it stands at the end of the run.

Postings, trades, alerts, fills, receipts and nights are facts and all appear. What is folded is the same however the
run is cut into batches and the batches into runs: a row's last state comes with its last event, and the moment it first
appeared is kept by whoever has the row already.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from fondaco.core.desk.state import (
    DeskEntry,
    DeskFill,
    DeskPosition,
    DeskQuote,
    MarginWarning,
    RolledOver,
    StopOut,
)
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.events import (
    AssetListed,
    Began,
    InstrumentClosed,
    InstrumentListed,
    RiskAlert,
    Trade,
    decode_events,
)
from fondaco.core.ledger import BalanceChanged, HoldChanged, Posting
from fondaco.core.state import Account, Breaker, Limit, Order, Position
from fondaco.core.vocabulary import LimitName, LimitScope, World
from fondaco.engine.journal import Committed

EventT = TypeVar("EventT")


class Told(msgspec.Struct, Generic[EventT], frozen=True, gc=False):
    """The last that was said of something: when it was first said in this run, what, and when last.

    There are hundreds of thousands of them at once, which the garbage collector need not look at.
    """

    first_ns: int
    event: EventT
    ns: int
    seq: int


class Fold:
    """What a run of batches comes to.

    Args:
        after_seq: the last command of which the tables know.
    """

    def __init__(self, after_seq: int) -> None:
        self.after_seq = after_seq
        self.seq = after_seq
        self.begin_ns = 0
        """The moment of the run's first command."""
        self.now_ns = 0
        self.assets: list[Told[AssetListed]] = []
        self.listed: list[Told[InstrumentListed]] = []
        self.closed: list[Told[InstrumentClosed]] = []
        self.accounts: dict[int, Told[Account]] = {}
        self.balances: dict[tuple[int, str], Told[BalanceChanged]] = {}
        self.holds: dict[int, Told[HoldChanged]] = {}
        self.postings: list[Told[Posting]] = []
        self.orders: dict[int, Told[Order]] = {}
        self.trades: list[Told[Trade]] = []
        self.positions: dict[int, Told[Position]] = {}
        self.limits: dict[tuple[World, LimitScope, str, LimitName, str], Told[Limit]] = {}
        self.breakers: dict[int, Told[Breaker]] = {}
        self.alerts: list[Told[RiskAlert]] = []
        self.desk_terms: dict[tuple[World, str], Told[DeskTerms]] = {}
        self.desk_rules: dict[World, Told[DeskRules]] = {}
        self.desk_quotes: dict[tuple[World, str], Told[DeskQuote]] = {}
        self.desk_positions: dict[int, Told[DeskPosition]] = {}
        self.desk_entries: dict[int, Told[DeskEntry]] = {}
        self.fills: list[Told[DeskFill]] = []
        self.stop_outs: list[Told[StopOut]] = []
        self.rollovers: list[Told[RolledOver]] = []
        self.noticed: list[Told[DeskFill] | Told[StopOut] | Told[MarginWarning]] = []
        """What an owner may have to be told of, in the order in which it happened."""
        self._takers: dict[type, Callable[[Any], None]] = {
            Began: self._began,
            AssetListed: lambda event: self.assets.append(self._told(event)),
            InstrumentListed: lambda event: self.listed.append(self._told(event)),
            InstrumentClosed: lambda event: self.closed.append(self._told(event)),
            Account: lambda event: self._keep(self.accounts, event.account_id, event),
            BalanceChanged: self._balance,
            HoldChanged: lambda event: self._keep(self.holds, event.hold_id, event),
            Posting: lambda event: self.postings.append(self._told(event)),
            Order: lambda event: self._keep(self.orders, event.order_id, event),
            Trade: lambda event: self.trades.append(self._told(event)),
            Position: lambda event: self._keep(self.positions, event.position_id, event),
            Limit: self._limit,
            Breaker: lambda event: self._keep(self.breakers, event.breaker_id, event),
            RiskAlert: lambda event: self.alerts.append(self._told(event)),
            **self._desk_takers(),
        }

    def take(self, batches: Iterable[Committed]) -> None:
        """Fold batches in, in their order. What has no table (users, rules, replies) is passed over."""
        takers = self._takers
        for batch in batches:
            for event in decode_events(batch.events):
                taker = takers.get(type(event))
                if taker is not None:
                    taker(event)

    def is_new(self, order: Order) -> bool:
        """Whether the tables have never heard of an order."""
        return order.accepted_seq > self.after_seq

    def is_new_since(self, created_ns: int) -> bool:
        """Whether the tables cannot have heard of what was made at this moment: time never goes back."""
        return created_ns > self.begin_ns

    def _desk_takers(self) -> dict[type, Callable[[Any], None]]:
        return {
            DeskTerms: lambda event: self._keep(self.desk_terms, (event.world, event.symbol), event),
            DeskRules: lambda event: self._keep(self.desk_rules, event.world, event),
            DeskQuote: lambda event: self._keep(self.desk_quotes, (event.world, event.symbol), event),
            DeskPosition: lambda event: self._keep(self.desk_positions, event.position_id, event),
            DeskEntry: lambda event: self._keep(self.desk_entries, event.entry_id, event),
            DeskFill: self._fill,
            StopOut: self._stop_out,
            MarginWarning: lambda event: self.noticed.append(self._told(event)),
            RolledOver: lambda event: self.rollovers.append(self._told(event)),
        }

    def _began(self, event: Began) -> None:
        if self.seq == self.after_seq:
            self.begin_ns = event.now_ns
        self.seq, self.now_ns = event.seq, event.now_ns

    def _told(self, event: EventT) -> Told[EventT]:
        return Told(self.now_ns, event, self.now_ns, self.seq)

    def _keep(self, kept: dict[Any, Told[Any]], key: object, event: object) -> None:
        found = kept.get(key)
        first_ns = self.now_ns if found is None else found.first_ns
        kept[key] = Told(first_ns, event, self.now_ns, self.seq)

    def _balance(self, event: BalanceChanged) -> None:
        self._keep(self.balances, (event.account_id, event.asset), event)

    def _limit(self, event: Limit) -> None:
        self._keep(self.limits, (event.world, event.scope, event.subject, event.name, event.about), event)

    def _fill(self, event: DeskFill) -> None:
        told = self._told(event)
        self.fills.append(told)
        self.noticed.append(told)

    def _stop_out(self, event: StopOut) -> None:
        told = self._told(event)
        self.stop_outs.append(told)
        self.noticed.append(told)
