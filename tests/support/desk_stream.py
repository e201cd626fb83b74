"""Endless seeded streams of commands as a desk would get them: many bets, quotes with gaps, nights, and much nonsense.

The companion of `support.command_stream`, with the speculators and the dealer of the simulation in it. Two of the
accounts answer with all that they have, one nets, one has little money; prices are small whole numbers, so that stops
and stop-outs come often.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import msgspec

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    ClosePosition,
    Command,
    Deposit,
    FundInsurance,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    ModifyPosition,
    OpenAccount,
    OpenPosition,
    PlaceEntry,
    RequestWithdrawal,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetLimit,
    SetQuote,
    Submission,
    Transfer,
    TripBreaker,
    encode_command,
)
from fondaco.core.desk.entries import MAX_ENTRIES
from fondaco.core.desk.opening import MAX_POSITIONS
from fondaco.core.desk.state import Level, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.house import DAY_NS
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    Direction,
    EntryKind,
    LevelKind,
    LimitName,
    LimitScope,
    MarginMode,
    PositionMode,
    World,
)
from fondaco.engine.simulation.speculators import Dealer, Speculator, desk_terms
from support.command_stream import START_NS, Step

SECOND_NS = 1_000_000_000
CASH = Asset("CASH", 0)
SYMBOLS = ("GOLDCASH", "TINCASH", "SALTCASH")
FOREIGN = "GOLDTIN"
"""Quoted in another asset than the accounts' own."""
WEALTH = (3_000, 3_000, 2_000, 300, 100_000)
KINDS = (
    (AccountKind.SPOT, PositionMode.HEDGING),
    (AccountKind.MARGIN, PositionMode.HEDGING),
    (AccountKind.MARGIN, PositionMode.NETTING),
    (AccountKind.MARGIN, PositionMode.HEDGING),
    (AccountKind.SPOT, PositionMode.HEDGING),
)
CROWD_EVERY = 5_000
WEIGHTS = (60, 30, 4, 4, 4, 3)
"""Of wishes, quotes, governing, money, nonsense and time."""
CROWD = 4
"""Which of the accounts has crowds of positions and entries, and nothing else."""


def terms_of(symbol: str, quote: Asset = CASH) -> Terms:
    """An instrument of small whole numbers."""
    base = symbol.removesuffix(quote.code)
    return Terms(
        world=World.TRADING,
        instrument=Instrument(symbol, Asset(base, 0), quote),
        tick=1,
        lot=1,
        max_price_ticks=10_000,
        max_order_lots=1_000,
        max_leverage=50,
    )


@dataclass
class DeskStream:
    """Everybody at the desk, in one. It knows what it was answered and nothing else."""

    seed: int
    _accounts: list[int] = field(default_factory=list)
    _speculators: list[Speculator] = field(default_factory=list)
    _sent: int = 0
    _now_ns: int = START_NS

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._dealer = Dealer(SYMBOLS, self._random)
        self._opening = iter(_opening())
        self._queue: list[tuple[int, Command]] = []

    def next(self) -> Step:
        """The next command."""
        opening = next(self._opening, None)
        if opening is not None:
            return self._step(HOUSE, opening)
        if self._queue:
            return self._step(*self._queue.pop())
        if self._sent % CROWD_EVERY == 0:
            self._queue = _crowd(self._accounts[CROWD], self._now_ns)
        random = self._random
        self._now_ns += random.choice((1, 10, 1_000)) * 1_000
        kinds = (self._wish, self._quote, self._govern, self._money, self._nonsense, self._time)
        return random.choices(kinds, weights=WEIGHTS)[0]()

    def hear(self, step: Step, reply: Reply) -> None:
        """What was answered to a step."""
        command = step.command
        if isinstance(reply, AccountOpened):
            cross = KINDS[len(self._accounts)][0] is AccountKind.MARGIN
            self._accounts.append(reply.account_id)
            self._speculators.append(Speculator(reply.account_id, SYMBOLS, self._random, cross=cross))
            return
        account_id = getattr(command, "account_id", None)
        if account_id in self._accounts:
            self._speculators[self._accounts.index(account_id)].hear(reply)

    def _step(self, sender: int, command: Command) -> Step:
        self._sent += 1
        body = msgspec.Raw(encode_command(command))
        submission = Submission(sender, f"desk-{self._sent}", self._now_ns + SECOND_NS, body)
        return Step(submission, command, self._now_ns)

    def _wish(self) -> Step:
        return self._step(*self._random.choice(self._speculators[:CROWD]).wish())

    def _quote(self) -> Step:
        return self._step(HOUSE, self._dealer.quote(self._now_ns))

    def _govern(self) -> Step:
        return self._step(HOUSE, self._dealer.govern(self._now_ns))

    def _time(self) -> Step:
        """Now and then a while passes in which no quote comes, and sometimes a whole day."""
        self._now_ns += self._random.choice((3 * SECOND_NS, 15 * SECOND_NS, 90 * SECOND_NS, DAY_NS))
        return self._quote()

    def _money(self) -> Step:
        random = self._random
        account_id, other_id = random.sample(self._accounts, 2)
        amount = random.randint(1, 400)
        sent = (
            (HOUSE, Deposit(account_id, "CASH", amount)),
            (account_id, RequestWithdrawal(account_id, "CASH", amount)),
            (account_id, Transfer(account_id, other_id, "CASH", amount)),
        )
        return self._step(*random.choice(sent))

    def _nonsense(self) -> Step:
        account_id = self._random.choice(self._accounts)
        return self._step(*self._random.choice(wrong_commands(account_id, self._now_ns)))


def desk_stream(seed: int) -> Iterator[Step]:
    """Steps to apply to any number of machines."""
    people, machine = DeskStream(seed), Machine()
    while True:
        step = people.next()
        answer = machine.apply(step.submission, machine.seq + 1, step.now_ns, step.command)
        machine.log.take()
        people.hear(step, answer.reply)
        yield step


def wrong_commands(account_id: int, now_ns: int) -> list[tuple[int, Command]]:
    """Commands that are refused mostly, each with its sender."""
    return [
        *[(account_id, each) for each in _wrong_opens(account_id)],
        *[(account_id, each) for each in _wrong_entries(account_id, now_ns)],
        *[(HOUSE, each) for each in _wrong_rules(now_ns)],
        (account_id, ClosePosition(account_id, 1)),
        (account_id, ClosePosition(account_id, 1, slippage_ppm=5)),
        (account_id, ModifyPosition(account_id, 1)),
        (HOUSE, SetLimit(World.TRADING, LimitScope.ACCOUNT, str(account_id), LimitName.MAX_LEVERAGE, "TINCASH", 10)),
        (HOUSE, TripBreaker(World.TRADING, "SALTCASH", "a rumour", "staff")),
        *[(HOUSE, LiftBreaker(World.TRADING, "SALTCASH"))] * 3,
    ]


def _crowd(account_id: int, now_ns: int) -> list[tuple[int, Command]]:
    """More positions and entries than an account may have; the last is sent first."""
    gold, world = SYMBOLS[0], World.TRADING
    quote = SetQuote(world, gold, "simulated", 0, (Quote(100, 101, now_ns, 100, 1),))
    far = PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 9_000, 1, 1)
    opens: list[Command] = [
        OpenPosition(account_id, gold, direction, 1, 1) for direction in (Direction.LONG, Direction.SHORT)
    ]
    crowd: list[Command] = [far] * (MAX_ENTRIES + 1)
    crowd += opens * (MAX_POSITIONS // 2 + 1)
    terms = SetDeskTerms(desk_terms(gold))
    return [*[(account_id, each) for each in crowd], (HOUSE, quote), (HOUSE, terms)]


def _wrong_opens(account_id: int) -> list[Command]:
    gold, far = SYMBOLS[0], Level(LevelKind.PRICE, 9_999)
    near, low = Level(LevelKind.PRICE, 1), Level(LevelKind.AMOUNT, 10**12)
    long, short, cross = Direction.LONG, Direction.SHORT, MarginMode.CROSS
    return [
        OpenPosition(account_id, "NONE", long, 1, 5),
        OpenPosition(account_id, "BARECASH", long, 1, 5),
        OpenPosition(account_id, FOREIGN, long, 1, 5, cross),
        OpenPosition(account_id, FOREIGN, long, 1, 5),
        OpenPosition(account_id, gold, long, 1, 0),
        OpenPosition(account_id, gold, long, 1, 101),
        OpenPosition(account_id, gold, long, 1, 51),
        OpenPosition(account_id, gold, long, 0, 5),
        OpenPosition(account_id, gold, long, 500, 5),
        OpenPosition(account_id, gold, long, 18, 1),
        OpenPosition(account_id, "TINCASH", long, 1, 20),
        OpenPosition(account_id, gold, long, 1, 5, is_guaranteed=True),
        OpenPosition(account_id, gold, long, 1, 5, stop=far),
        OpenPosition(account_id, gold, long, 1, 5, take=near),
        OpenPosition(account_id, gold, long, 1, 5, stop=low),
        OpenPosition(account_id, gold, short, 1, 5, expected_price=9_000),
        OpenPosition(account_id, gold, long, 1, 5, slippage_ppm=7),
        OpenPosition(account_id, gold, long, 1, 5, position_id=5),
        OpenPosition(account_id, gold, long, 1, 5, expected_price=-1),
        OpenPosition(account_id, gold, short, 1, 5, stop=Level(LevelKind.PERCENT, 1), is_guaranteed=True),
    ]


def _wrong_entries(account_id: int, now_ns: int) -> list[Command]:
    gold = SYMBOLS[0]
    return [
        PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 0, 1, 5),
        PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 10_001, 1, 5),
        PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 1, 1, 5),
        PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 150, 1, 5, expires_ns=now_ns),
        PlaceEntry(account_id, gold, Direction.LONG, EntryKind.STOP, 150, 1, 5, expires_ns=now_ns + 40 * SECOND_NS),
        *[PlaceEntry(account_id, gold, Direction.SHORT, EntryKind.LIMIT, 5_000, 1, 5)] * 4,
    ]


def _wrong_rules(now_ns: int) -> list[Command]:
    gold, world = SYMBOLS[0], World.TRADING
    quote = Quote(100, 101, now_ns, 100, 1)
    return [
        SetDeskTerms(DeskTerms(world, gold, is_dealt=True, min_lots=0, max_lots=1)),
        SetDeskTerms(msgspec.structs.replace(desk_terms(SYMBOLS[2]), is_dealt=False)),
        SetDeskTerms(msgspec.structs.replace(desk_terms(SYMBOLS[1]), min_lots=3)),
        SetDeskTerms(DeskTerms(world, "NONE", is_dealt=True, min_lots=1, max_lots=1)),
        SetDeskRules(DeskRules(world, stop_out_level_ppm=0)),
        SetQuote(world, "NONE", "simulated", 0, (quote,)),
        SetQuote(world, "BARECASH", "simulated", 0, (quote,)),
        SetQuote(world, gold, "simulated", 0, ()),
        SetQuote(world, gold, "simulated", 0, (Quote(5, 4, now_ns, 5, 1),)),
        SetQuote(world, gold, "simulated", 0, (Quote(100, 101, now_ns + 9 * SECOND_NS, 100, 1),)),
        SetQuote(world, gold, "simulated", 0, (Quote(100, 101, 1, 100, 1),)),
        FundInsurance(world, "NONE", 1),
        FundInsurance(world, "CASH", 0),
        Rollover(world, 1),
    ]


def _opening() -> Iterator[Command]:
    for code in ("CASH", "GOLD", "TIN", "SALT", "BARE"):
        yield ListAsset(code, 0)
    for symbol in (*SYMBOLS, "BARECASH"):
        yield ListInstrument(terms_of(symbol))
    yield ListInstrument(terms_of(FOREIGN, Asset("TIN", 0)))
    yield AdmitUser("alice")
    for kind, mode in KINDS:
        yield OpenAccount("alice", World.TRADING, "CASH", kind, position_mode=mode)
    # The ids of accounts begin at 1,000 and are drawn one after the other.
    for account_id, wealth in enumerate(WEALTH, 1_000):
        yield Deposit(account_id, "CASH", wealth)
    yield SetDeskRules(DeskRules(World.TRADING))
    for symbol in (*SYMBOLS, FOREIGN):
        yield SetDeskTerms(desk_terms(symbol))
