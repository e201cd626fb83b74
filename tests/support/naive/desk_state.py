"""What the naive desk remembers beside the naive house, and what follows from it by the sentences of docs/desk.md.

Nothing is kept in order of price and nothing is armed: what a position is worth, what an account has free and which
levels a price meets is worked out whenever somebody asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, DeskQuote, MarginWarning, StopOut
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.ledger import PostingCode
from fondaco.core.refusals import Refusal
from fondaco.core.state import Account
from fondaco.core.vocabulary import Direction, EntryState, MarginMode, PositionState, World
from support.naive.money import free, move, total
from support.naive.state import PPM, Listing, Naive

LONG, SHORT = Direction.LONG, Direction.SHORT
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS
DESK = {World.TRADING: 7, World.DEMO: 8, World.EXTERNAL: 9}
INSURANCE = {World.TRADING: 10, World.DEMO: 11, World.EXTERNAL: 12}
CALM_PPM = 100_000
"""How far above the warning level an account is calm again."""


@dataclass
class Standing:
    """How a cross account stands."""

    cash: int
    equity: int
    used: int

    @property
    def free(self) -> int:
        """What is left for further margin."""
        return self.equity - self.used

    @property
    def room(self) -> int:
        """What may be taken out."""
        return min(self.cash, self.free)

    def is_at(self, level_ppm: int) -> bool:
        """Whether the margin level has come down to so much."""
        return self.used > 0 and Fraction(self.equity, self.used) <= Fraction(level_ppm, PPM)


@dataclass
class Desk(Naive):
    """The state of the naive house that has a desk."""

    dealt: dict[tuple[World, str], DeskTerms] = field(default_factory=dict)
    rules: dict[World, DeskRules] = field(default_factory=dict)
    quotes: dict[tuple[World, str], DeskQuote] = field(default_factory=dict)
    open: dict[int, list[DeskPosition]] = field(default_factory=dict)
    """By account, oldest first."""
    closed: list[DeskPosition] = field(default_factory=list)
    marks: dict[int, int] = field(default_factory=dict)
    """By position that trails: the best closing price since that was set."""
    entries: list[DeskEntry] = field(default_factory=list)
    """Every entry that was ever placed, oldest first."""
    fills: list[DeskFill] = field(default_factory=list)
    """Of this command, as the next three."""
    stop_outs: list[StopOut] = field(default_factory=list)
    warnings: list[MarginWarning] = field(default_factory=list)
    postings: list[tuple[int, int, str, int, PostingCode, int]] = field(default_factory=list)
    traded: list[tuple[int, int, str, int]] = field(default_factory=list)
    """Moment, account, quote asset and worth of everything that was opened or closed."""
    nights: dict[World, int] = field(default_factory=dict)
    """The last day of each world that was paid for."""
    uneasy: set[int] = field(default_factory=set)
    """Accounts that have been warned and are not calm again."""
    touched: set[int] = field(default_factory=set)
    """Accounts whose money or positions this command has touched."""
    receipts: int = 0
    steps: dict[tuple[World, str], int] = field(default_factory=dict)
    given: dict[int, int] = field(default_factory=dict)
    """By entry: the id of the position that it becomes, as the machine chose it."""

    def margins(self, account_id: int, asset: str) -> int:
        """What is held for isolated positions."""
        return sum(
            each.margin
            for each in self.open.get(account_id, [])
            if each.mode is ISOLATED and self.market(each.world, each.symbol).quote == asset
        )

    def kept_reasons(self, account_id: int, asset: str, amount: int) -> set[Refusal]:
        """Why so much must stay in an account, if so: its cross positions need it."""
        account = self.account(account_id)
        if account is None or not self.is_counted_on(account, asset):
            return set()
        reasons = set()
        if not self.are_fresh(account_id):
            reasons.add(Refusal.STALE_QUOTE)
        if amount > self.cross_standing(account).room:
            reasons.add(Refusal.INSUFFICIENT_MARGIN)
        return reasons

    def is_counted_on(self, account: Account, asset: str) -> bool:
        """Whether an account answers for cross positions with what it has of an asset."""
        return account.currency == asset and bool(self.cross_of(account.account_id))

    def stands_in(self, account_id: int) -> bool:
        """Whether an account has positions or pending entries."""
        return bool(self.open.get(account_id)) or bool(self.pending(account_id))

    def all_open(self) -> Iterator[DeskPosition]:
        """Every open position, by account."""
        for account_id in self.open:
            yield from self.open[account_id]

    def open_in(self, world: World, symbol: str) -> list[DeskPosition]:
        """Every open position of a symbol."""
        return [each for each in self.all_open() if each.symbol == symbol and each.world is world]

    def position(self, account_id: int, position_id: int) -> DeskPosition | None:
        """An open position of an account."""
        return next((each for each in self.open.get(account_id, []) if each.position_id == position_id), None)

    def cross_of(self, account_id: int) -> list[DeskPosition]:
        """The cross positions of an account, by id."""
        found = [each for each in self.open.get(account_id, []) if each.mode is CROSS]
        return sorted(found, key=lambda each: each.position_id)

    def pending(self, account_id: int | None = None) -> list[DeskEntry]:
        """Entries that wait, oldest first."""
        return [
            each for each in self.entries if each.state is EntryState.PENDING and account_id in (None, each.account_id)
        ]

    def market(self, world: World, symbol: str) -> Listing:
        """A market that is there."""
        found = self.listing(world, symbol)
        assert found is not None
        return found

    def rules_of(self, world: World) -> DeskRules:
        """When the desk warns and closes in a world."""
        return self.rules.get(world) or DeskRules(world)

    def is_fresh(self, quote: DeskQuote) -> bool:
        """Whether the desk deals at a quote."""
        return self.now_ns - quote.received_ns <= self.rules_of(quote.world).max_quote_age_ns

    def are_fresh(self, account_id: int) -> bool:
        """Whether all quotes that an account's cross positions are measured by are."""
        return all(self.is_fresh(self.quotes[each.world, each.symbol]) for each in self.cross_of(account_id))

    def step(self, position: DeskPosition) -> int:
        """What one lot costs for each tick of its price. Terms never change, so it is worked out once."""
        key = position.world, position.symbol
        if key not in self.steps:
            self.steps[key] = self.market(*key).cost(1, 1)
        return self.steps[key]

    def closing_ticks(self, position: DeskPosition) -> int:
        """At what it would be closed now."""
        quote = self.quotes[position.world, position.symbol]
        if position.direction is LONG:
            return max(quote.bid_ticks, position.stop_ticks) if position.is_guaranteed else quote.bid_ticks
        return min(quote.ask_ticks, position.stop_ticks) if position.is_guaranteed else quote.ask_ticks

    def unrealised(self, position: DeskPosition) -> int:
        """What closing all of it would bring now."""
        return self.gain_at(position, self.closing_ticks(position))

    def gain_at(self, position: DeskPosition, ticks: int) -> int:
        """What closing all of it at a price would bring."""
        worth = ticks * position.lots * self.step(position)
        change = worth - position.entry_notional
        return (change if position.direction is LONG else -change) - position.settled

    def cross_standing(self, account: Account) -> Standing:
        """How an account stands at the last quotes."""
        cash = free(self, account.account_id, account.currency)
        cross = self.cross_of(account.account_id)
        equity = cash + sum(self.unrealised(each) for each in cross)
        return Standing(cash, equity, sum(each.margin for each in cross))

    def room(self, account: Account, asset: str) -> int:
        """What of an asset an account may set aside for an isolated position."""
        if self.is_counted_on(account, asset):
            return self.cross_standing(account).room
        return free(self, account.account_id, asset)

    def post(self, debit: int, credit: int, asset: str, amount: int, code: PostingCode, reference: int) -> None:
        """Move money, if it is any."""
        assert amount >= 0
        if amount:
            move(self, debit, credit, asset, amount)
            self.postings.append((debit, credit, asset, amount, code, reference))

    def insurance(self, world: World, asset: str) -> int:
        """What the insurance fund has."""
        return total(self, INSURANCE[world], asset)

    def end(self, position: DeskPosition) -> None:
        """It is over."""
        position.state, position.closed_ns = PositionState.CLOSED, self.now_ns
        self.open[position.account_id].remove(position)
        self.closed.append(position)
        self.marks.pop(position.position_id, None)


def first_ticks(desk: Desk, position: DeskPosition, rate_ppm: int) -> int:
    """The first price at which a position has lost so much of its margin."""
    loss, a_tick = Fraction(position.margin * rate_ppm, PPM), position.lots * desk.step(position)
    if position.direction is LONG:
        return floor((position.entry_notional + position.settled - loss) / a_tick)
    return ceil((position.entry_notional - position.settled + loss) / a_tick)


def has_lost(position: DeskPosition, gain: int, rate_ppm: int) -> bool:
    """Whether the loss is so much of the margin."""
    return -gain * PPM >= position.margin * rate_ppm


def up(numerator: int, denominator: int) -> int:
    """A fraction, rounded up."""
    return ceil(Fraction(numerator, denominator))


def down(numerator: int, denominator: int) -> int:
    """A fraction, rounded down."""
    return floor(Fraction(numerator, denominator))
