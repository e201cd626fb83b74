"""The dealing desk as the edge sees it: its quotes, terms and rules, open positions, pending entries, cross cash.

What a leveraged position would bring, how much margin an account has free and at which price it would be closed follow
every quote, so nobody stores them: whoever shows them works them out from what stands here, by the engine's formulas
(`fondaco.core.desk.valuing`). It begins with the tables and is kept up by the events, like everything in
`fondaco.engine.live`.

Whoever tells others what has changed asks by version: `version` counts the batches that changed a quote, a position or
cash, and each quote and account keeps the version at which it changed last. New quotes also gather until they are
taken, one for each market: of those that came in between only the newest is told.

Invariants:
    After each batch, `positions` are those that are open and `entries` those that wait, as the engine has them.
    The quotes of a market that are taken begin at the command after those that were taken before.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from psycopg.rows import dict_row

from fondaco.core.desk.state import DeskEntry, DeskPosition, DeskQuote, Level
from fondaco.core.desk.terms import NO_TRIPLE_DAY, DeskRules, DeskTerms
from fondaco.core.events import Event
from fondaco.core.ledger import BalanceChanged
from fondaco.core.state import Account
from fondaco.core.vocabulary import (
    AccountKind,
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    PositionState,
    StopOutPolicy,
    World,
)
from fondaco.engine.books import MarketKey
from fondaco.engine.journal import Mark
from fondaco.infra.database import PsycopgConnection

KEPT_ENDED: Final = 10_000
"""Positions and entries that have ended and are remembered, so that whoever ended one can be told of it at once."""

_QUOTES: Final = """
    SELECT q.world, q.symbol, q.bid / p.tick AS bid_ticks, q.ask / p.tick AS ask_ticks,
        (extract(epoch FROM q.received_at) * 1000000)::bigint * 1000 AS received_ns,
        q.source, q.source_price, q.tick_id, q.markup_ppm
    FROM desk_quotes q JOIN trading_pairs p USING (world, symbol)
"""
_TERMS: Final = """
    SELECT t.world, t.symbol, t.is_dealt, t.min_quantity / p.lot AS min_lots, t.max_quantity / p.lot AS max_lots,
        coalesce(t.max_net_quantity, 0) / p.lot AS max_net_lots, t.long_financing_ppm, t.short_financing_ppm,
        t.triple_weekday, t.guarantee_ppm, t.guarantee_distance_ppm
    FROM desk_terms t JOIN trading_pairs p USING (world, symbol)
"""
_RULES: Final = """
    SELECT world, max_quote_age_ns, margin_call_ppm, loss_warning_ppm, warning_level_ppm, stop_out_level_ppm,
        stop_out_policy
    FROM desk_rules
"""
POSITION: Final = """
    x.id AS position_id, x.account_id, x.world, x.symbol, x.direction, x.mode, x.leverage,
    (extract(epoch FROM x.opened_at) * 1000000)::bigint * 1000 AS opened_ns,
    (extract(epoch FROM x.updated_at) * 1000000)::bigint * 1000 AS changed_ns,
    x.margin_call_ppm, x.loss_warning_ppm, x.quantity / t.lot AS lots, x.entry_notional, x.margin, x.settled,
    coalesce(x.stop_loss, 0) / t.tick AS stop_ticks, coalesce(x.take_profit, 0) / t.tick AS take_ticks,
    coalesce(x.trailing_distance, 0) / t.tick AS trail_ticks, x.is_guaranteed, x.is_warned, x.realised, x.covered,
    x.financing, x.premium, x.opened_quantity / t.lot AS opened_lots, x.opened_notional, x.closed_notional,
    x.close_reason, coalesce((extract(epoch FROM x.closed_at) * 1000000)::bigint * 1000, 0) AS closed_ns,
    coalesce(x.entry_id, 0) AS entry_id
"""
"""The columns of ``desk_positions x JOIN trading_pairs t`` that `position_of` reads."""
_POSITIONS: Final = (
    f"SELECT {POSITION} FROM desk_positions x JOIN trading_pairs t USING (world, symbol) "  # noqa: S608 - texts of ours
    "WHERE x.closed_at IS NULL ORDER BY x.id"
)
ENTRY: Final = """
    x.id AS entry_id, x.account_id, x.world, x.symbol, x.direction, x.kind, x.mode, x.leverage,
    x.quantity / t.lot AS lots, x.trigger_price / t.tick AS trigger_ticks, x.stop_kind, x.stop_value, x.take_kind,
    x.take_value, x.trail_kind, x.trail_value, x.is_guaranteed,
    coalesce((extract(epoch FROM x.expires_at) * 1000000)::bigint * 1000, 0) AS expires_ns,
    (extract(epoch FROM x.created_at) * 1000000)::bigint * 1000 AS created_ns,
    (extract(epoch FROM x.updated_at) * 1000000)::bigint * 1000 AS updated_ns,
    x.state, coalesce(x.reason, '') AS reason, coalesce(x.position_id, 0) AS position_id
"""
"""The columns of ``desk_entries x JOIN trading_pairs t`` that `entry_of` reads."""
_ENTRIES: Final = (
    f"SELECT {ENTRY} FROM desk_entries x JOIN trading_pairs t USING (world, symbol) "  # noqa: S608 - texts of ours
    "WHERE x.closed_at IS NULL ORDER BY x.id"
)
_CASH: Final = """
    SELECT a.id, a.currency, coalesce(b.available, 0)
    FROM accounts a LEFT JOIN balances b ON b.account_id = a.id AND b.asset = a.currency
    WHERE a.kind = 'margin'
"""

Ended = TypeVar("Ended", DeskPosition, DeskEntry)


class NewQuote(NamedTuple):
    """The newest quote of a market, of those that commands ``first_seq`` to ``seq`` have set."""

    key: MarketKey
    first_seq: int
    seq: int
    quote: DeskQuote


class LiveDesk:
    """What is known live of the dealing desk: a `fondaco.engine.live.Part`."""

    def __init__(self) -> None:
        self.seq = 0
        """The last command that is known of."""
        self.version = 0
        self.quotes: dict[MarketKey, DeskQuote] = {}
        self.terms: dict[MarketKey, DeskTerms] = {}
        self.positions: dict[int, DeskPosition] = {}
        self.positions_of: dict[int, dict[int, DeskPosition]] = {}
        """Those of an account, by id, in the order of opening."""
        self.entries: dict[int, DeskEntry] = {}
        self.ended_positions: dict[int, DeskPosition] = {}
        """The last that were closed, oldest first."""
        self.ended_entries: dict[int, DeskEntry] = {}
        self.cash: dict[int, int] = {}
        """What each margin account has available in its currency."""
        self._rules: dict[World, DeskRules] = {}
        self._currencies: dict[int, str] = {}
        self._quote_versions: dict[MarketKey, int] = {}
        self._account_versions: dict[int, int] = {}
        self._taken_seqs: dict[MarketKey, int] = {}
        self._loaded_seq = 0
        self._is_changed = False
        self._new_quotes: dict[MarketKey, None] = {}
        self._told: Final[dict[type, Callable[[Any], None]]] = {
            DeskQuote: self._hear_quote,
            DeskTerms: self._hear_terms,
            DeskRules: self._hear_rules,
            DeskPosition: self._hear_position,
            DeskEntry: self._hear_entry,
            BalanceChanged: self._hear_balance,
            Account: self._hear_account,
        }

    def rules(self, world: World) -> DeskRules:
        """The desk's rules of a world; the ones it begins with where none were set."""
        return self._rules.get(world) or DeskRules(world)

    def position(self, position_id: int) -> DeskPosition | None:
        """A position that is open, or was closed not long ago."""
        return self.positions.get(position_id) or self.ended_positions.get(position_id)

    def entry(self, entry_id: int) -> DeskEntry | None:
        """An entry that waits, or has ended not long ago."""
        return self.entries.get(entry_id) or self.ended_entries.get(entry_id)

    def version_of(self, account_id: int) -> int:
        """The version at which an account's standing changed last: its positions, its cash or a quote of theirs."""
        versions = self._quote_versions
        held = {(each.world, each.symbol) for each in self.positions_of.get(account_id, {}).values()}
        newest = max((versions.get(key, 0) for key in held), default=0)
        return max(newest, self._account_versions.get(account_id, 0))

    def taken_seq(self, key: MarketKey) -> int:
        """The end of the quotes of a market that were taken last."""
        return self._taken_seqs.get(key, self._loaded_seq)

    def take_quotes(self) -> list[NewQuote]:
        """The quotes that are new since this was last asked, the newest of each market."""
        taken, self._new_quotes = self._new_quotes, {}
        told = []
        for key in taken:
            told.append(NewQuote(key, self.taken_seq(key) + 1, self.seq, self.quotes[key]))
            self._taken_seqs[key] = self.seq
        return told

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin anew with the tables."""
        async with connection.cursor(row_factory=dict_row) as cursor:
            quotes = await (await cursor.execute(_QUOTES)).fetchall()
            terms = await (await cursor.execute(_TERMS)).fetchall()
            rules = await (await cursor.execute(_RULES)).fetchall()
            positions = await (await cursor.execute(_POSITIONS.encode())).fetchall()
            entries = await (await cursor.execute(_ENTRIES.encode())).fetchall()
        cash = await (await connection.execute(_CASH)).fetchall()
        self.seq = self._loaded_seq = mark.seq
        self.quotes, self.terms, self._rules = {}, {}, {}
        self.positions, self.positions_of, self.entries = {}, {}, {}
        self.ended_positions, self.ended_entries = {}, {}
        self._new_quotes, self._taken_seqs = {}, {}
        self._quote_versions, self._account_versions = {}, {}
        self._tell(_quote_of(each) for each in quotes)
        self._tell(_terms_of(each) for each in terms)
        self._tell(_rules_of(each) for each in rules)
        self._tell(position_of(each) for each in positions)
        self._tell(entry_of(each) for each in entries)
        self._currencies = {account_id: currency for account_id, currency, _ in cash}
        self.cash = {account_id: available for account_id, _, available in cash}
        self._new_quotes.clear()
        self._is_changed = False
        self.version += 1

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the events of a batch."""
        self._tell(events)
        if self._is_changed:
            self.version += 1
            self._is_changed = False
        self.seq = mark.seq

    def _tell(self, events: Iterable[Event]) -> None:
        told = self._told
        for event in events:
            tell = told.get(type(event))
            if tell is not None:
                tell(event)

    def _hear_quote(self, quote: DeskQuote) -> None:
        key = quote.world, quote.symbol
        self.quotes[key] = quote
        self._quote_versions[key] = self._changed()
        self._new_quotes[key] = None

    def _changed(self) -> int:
        """Note that this batch changes something; returns the version that it makes."""
        self._is_changed = True
        return self.version + 1

    def _hear_terms(self, terms: DeskTerms) -> None:
        self.terms[terms.world, terms.symbol] = terms

    def _hear_rules(self, rules: DeskRules) -> None:
        self._rules[rules.world] = rules

    def _hear_position(self, position: DeskPosition) -> None:
        account_id, id_ = position.account_id, position.position_id
        self._account_versions[account_id] = self._changed()
        if position.state is PositionState.OPEN:
            self.positions[id_] = position
            self.positions_of.setdefault(account_id, {})[id_] = position
            return
        self.positions.pop(id_, None)
        _keep(self.ended_positions, id_, position)
        held = self.positions_of.get(account_id, {})
        held.pop(id_, None)
        if not held:
            self.positions_of.pop(account_id, None)

    def _hear_entry(self, entry: DeskEntry) -> None:
        if entry.state is EntryState.PENDING:
            self.entries[entry.entry_id] = entry
            return
        self.entries.pop(entry.entry_id, None)
        _keep(self.ended_entries, entry.entry_id, entry)

    def _hear_balance(self, balance: BalanceChanged) -> None:
        if self._currencies.get(balance.account_id) == balance.asset:
            self.cash[balance.account_id] = balance.available
            self._account_versions[balance.account_id] = self._changed()

    def _hear_account(self, account: Account) -> None:
        if account.kind is AccountKind.MARGIN and account.account_id not in self._currencies:
            self._currencies[account.account_id] = account.currency
            self.cash[account.account_id] = 0


def _keep(ended: dict[int, Ended], id_: int, row: Ended) -> None:
    ended[id_] = row
    if len(ended) > KEPT_ENDED:
        del ended[next(iter(ended))]


def position_of(row: dict[str, Any]) -> DeskPosition:
    """The position that a row of `POSITION` tells."""
    reason = row.pop("close_reason")
    is_open = row["closed_ns"] == 0
    return DeskPosition(
        **{
            **row,
            "world": World(row["world"]),
            "direction": Direction(row["direction"]),
            "mode": MarginMode(row["mode"]),
            "state": PositionState.OPEN if is_open else PositionState.CLOSED,
            "closing": Closing(reason or ""),
        }
    )


def entry_of(row: dict[str, Any]) -> DeskEntry:
    """The entry that a row of `ENTRY` tells."""
    levels = {name: _level(row.pop(f"{name}_kind"), row.pop(f"{name}_value")) for name in ("stop", "take", "trail")}
    return DeskEntry(
        **{
            **row,
            **levels,
            "world": World(row["world"]),
            "direction": Direction(row["direction"]),
            "kind": EntryKind(row["kind"]),
            "mode": MarginMode(row["mode"]),
            "state": EntryState(row["state"]),
        }
    )


def _level(kind: str | None, value: int | None) -> Level:
    return Level() if kind is None else Level(LevelKind(kind), value or 0)


def _quote_of(row: dict[str, Any]) -> DeskQuote:
    return DeskQuote(**{**row, "world": World(row["world"])})


def _terms_of(row: dict[str, Any]) -> DeskTerms:
    day = row["triple_weekday"]
    return DeskTerms(**{**row, "world": World(row["world"]), "triple_weekday": NO_TRIPLE_DAY if day is None else day})


def _rules_of(row: dict[str, Any]) -> DeskRules:
    return DeskRules(**{**row, "world": World(row["world"]), "stop_out_policy": StopOutPolicy(row["stop_out_policy"])})
