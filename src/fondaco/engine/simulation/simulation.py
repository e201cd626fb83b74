"""Runs a simulation: two nodes that supervise nothing but themselves, traders, and a hand that breaks things.

When the traders have had enough the bad luck ends, the nodes come to rest, and the judge is asked.
"""

import asyncio
import gc
from typing import Final, NamedTuple

import structlog

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    FundInsurance,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    OpenAccount,
    SetAccountStatus,
    SetDeskRules,
    SetDeskTerms,
    SetLimit,
    TripBreaker,
)
from fondaco.core.desk.terms import DeskRules
from fondaco.core.listings import Asset, Instrument
from fondaco.core.replies import AccountOpened, Answer, Refused
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, AccountStatus, LimitName, LimitScope, World
from fondaco.engine.client import EngineClient
from fondaco.engine.leader import Leader
from fondaco.engine.node import Node
from fondaco.engine.sequencer import Bounds, ClockJumpError
from fondaco.engine.simulation.ground import STORE_EPOCH_NS, Ground, SimulatedStore
from fondaco.engine.simulation.inspection import faults
from fondaco.engine.simulation.luck import Chances, Luck
from fondaco.engine.simulation.speculators import Dealer, Speculator, desk_terms
from fondaco.engine.simulation.tables import SimulatedProjector, Tables
from fondaco.engine.simulation.traders import QUOTE_ID, SYMBOLS, Heard, Network, Trader
from fondaco.engine.simulation.virtual_time import VirtualTimeLoop
from fondaco.engine.store import FencedError, Identity, StoreLostError

TRADERS: Final = 6
NODES: Final = ("engine", "follower")
KINDS: Final = (AccountKind.SPOT, AccountKind.SPOT, AccountKind.MARGIN)
"""The accounts of each trader."""
BOUNDS: Final = Bounds(queue_commands=200, follower_lag=2_000)
SNAPSHOT_COMMANDS: Final = 60
MOST_SETTLING_S: Final = 600
"""How long a house may take to come to rest, on its own clock, once nothing goes wrong any more."""
WEALTH: Final = 5_000
BETS: Final = 300
"""How many of a trader's commands, in permille, are for the desk."""
RUNS_PER_COLLECTION: Final = 8
"""A dead house is some megabytes; looking for them takes as long as a short run."""


class Report(NamedTuple):
    """What a simulation came to."""

    seed: int
    commands: int
    batches: int
    answered: int
    leaders: int
    faults: list[str]


class SimulatedNode:
    """A process of the house: started again whenever it ends."""

    def __init__(self, name: str, ground: Ground, tables: Tables, luck: Luck) -> None:
        self._name = name
        self._ground = ground
        self._tables = tables
        self._luck = luck
        self._running: asyncio.Task[None] | None = None
        self._leader: Leader | None = None
        self.clock_offset_ns = 0
        self.given_up: Exception | None = None

    @property
    def client(self) -> EngineClient | None:
        """Its client, if it has ever led since it was started."""
        return None if self._leader is None else self._leader.client

    def kill(self) -> None:
        """End the process at once."""
        if self._running is not None:
            self._running.cancel()

    async def supervise(self) -> None:
        """Start it, and start it again."""
        while self.given_up is None:
            self._leader = None
            self._running = asyncio.ensure_future(self._node().lead_or_follow())
            await asyncio.wait((self._running,))
            if not self._running.cancelled():
                self._judge(self._running.exception())
            await self._luck.wait_ms(50, 1_000)

    def _judge(self, error: BaseException | None) -> None:
        """Some ends are part of the game; whatever else ends a node is a finding."""
        if not isinstance(error, FencedError | StoreLostError | ClockJumpError | None):
            assert isinstance(error, Exception)
            self.given_up = error

    def _node(self) -> Node:
        return Node(
            SimulatedStore(self._ground, self._luck),
            SimulatedProjector(self._tables, self._ground, self._luck),
            Identity(self._name, ""),
            BOUNDS,
            snapshot_commands=SNAPSHOT_COMMANDS,
            led=self._led,
            clock_ns=lambda: now_ns() + self.clock_offset_ns,
            spent_ns=lambda: int(asyncio.get_running_loop().time() * 10**9),
        )

    def _led(self, leader: Leader) -> None:
        self._leader = leader


class Simulation:
    """One run."""

    def __init__(self, seed: int, chances: Chances) -> None:
        self._seed = seed
        self._lucks: list[Luck] = []
        self._chances = chances
        self.ground = Ground()
        self.tables = Tables()
        self.heard = Heard(self.ground)
        self._nodes = [SimulatedNode(name, self.ground, self.tables, self._luck(name)) for name in NODES]
        self._network = Network(self._clients, self.heard, self._luck("network"))
        self._house_count = 0
        self._dealer = Dealer(SYMBOLS, self._luck("dealer").random)

    async def run(self, steps: int) -> Report:
        """Open a house, trade for so many commands while things break, come to rest, and be judged."""
        nodes = [asyncio.ensure_future(node.supervise()) for node in self._nodes]
        found: list[str] = []
        try:
            await self._live(steps)
        except AssertionError as error:
            found.append(str(error) or "an assertion failed")
        for node in self._nodes:
            node.kill()
        for task in nodes:
            task.cancel()
        await asyncio.wait(nodes)
        found += list(faults(self.ground, self.heard, self.tables))
        end = self.ground.end
        return Report(self._seed, end.seq, end.batch_no, len(self.heard.answers), self.ground.epoch, found)

    async def _live(self, steps: int) -> None:
        for luck in self._lucks:
            luck.calm()
        accounts = await self._furnish()
        for luck in self._lucks:
            luck.chances = self._chances
        others = [asyncio.ensure_future(each) for each in (self._break_things(), self._deal())]
        try:
            await asyncio.gather(*(self._trade(number, accounts, steps // TRADERS) for number in range(TRADERS)))
        finally:
            for other in others:
                other.cancel()
        await self._come_to_rest()

    def _luck(self, whose: str) -> Luck:
        luck = Luck(f"{self._seed} {whose}", self._chances)
        self._lucks.append(luck)
        return luck

    def _clients(self) -> list[EngineClient]:
        return [node.client for node in self._nodes if node.client is not None]

    async def _furnish(self) -> list[int]:
        """Two markets and a desk, and for each trader two spot accounts and a margin account with money."""
        for code in ("CASH", "GOLD", "TIN"):
            await self._house(ListAsset(code, 0))
        for base in ("GOLD", "TIN"):
            await self._house(ListInstrument(_terms(base)))
            await self._house(SetDeskTerms(desk_terms(f"{base}CASH")))
        await self._house(SetDeskRules(DeskRules(World.TRADING)))
        await self._house(FundInsurance(World.TRADING, "CASH", WEALTH // 10))
        accounts: list[int] = []
        for number in range(TRADERS):
            await self._house(AdmitUser(f"user-{number}"))
            for kind in KINDS:
                answer = await self._house(OpenAccount(f"user-{number}", World.TRADING, "CASH", kind))
                assert isinstance(answer.reply, AccountOpened)
                accounts.append(answer.reply.account_id)
                for asset in ("CASH", "GOLD", "TIN"):
                    await self._house(Deposit(accounts[-1], asset, WEALTH))
        return accounts

    async def _house(self, command: Command) -> Answer:
        self._house_count += 1
        answer = await self._network.ask(HOUSE, command, f"house-{self._house_count}", now_ns)
        assert answer is not None
        return answer

    async def _trade(self, number: int, accounts: list[int], steps: int) -> None:
        luck = self._luck(f"trader {number}")
        own = accounts[len(KINDS) * number : len(KINDS) * (number + 1)]
        trader = Trader(own[0], own[1], luck)
        speculator = Speculator(own[2], SYMBOLS, luck.random, cross=True)
        for step in range(steps):
            await luck.wait_ms(0, 12)
            self._must_go_on()
            if luck.strikes(50):
                await self._network.look()
            bets = luck.strikes(BETS)
            account_id, command = speculator.wish() if bets else trader.wish()
            answer = await self._network.ask(account_id, command, f"{number}-{step}", now_ns)
            if answer is None or isinstance(answer.reply, Refused):
                continue
            if bets:
                speculator.hear(answer.reply)
            else:
                trader.hear(answer)

    async def _deal(self) -> None:
        """A dealer that makes up prices, pays for nights and changes its rules."""
        luck = self._luck("dealing")
        number = 0
        while True:
            await luck.wait_ms(5, 60)
            number += 1
            if luck.strikes(20):
                await self._house(self._dealer.govern(now_ns()))
            else:
                await self._network.ask(HOUSE, self._dealer.quote(now_ns()), f"{QUOTE_ID}{number}", now_ns)

    async def _break_things(self) -> None:
        """A hand that kills, cuts off, sets clocks and gives orders, now and then."""
        luck = self._luck("hand")
        acts = (self._kill, self._set_clock, self._set_clock_far, self._cut_off, self._govern)
        while True:
            await luck.wait_ms(200, 4_000)
            await luck.random.choice(acts)(luck)

    async def _kill(self, luck: Luck) -> None:
        luck.random.choice(self._nodes).kill()

    async def _set_clock(self, luck: Luck) -> None:
        luck.random.choice(self._nodes).clock_offset_ns = luck.random.randint(-5_000, 5_000) * 10**6

    async def _set_clock_far(self, luck: Luck) -> None:
        """Two hours ahead: the engine must stop rather than let everything expire, until somebody puts it right."""
        node = luck.random.choice(self._nodes)
        node.clock_offset_ns = 7_200 * 10**9
        await luck.wait_ms(500, 3_000)
        node.clock_offset_ns = 0

    async def _cut_off(self, luck: Luck) -> None:
        """Nobody reaches the store for a while."""
        self.ground.is_away = True
        await luck.wait_ms(100, 3_000)
        self.ground.is_away = False

    async def _govern(self, luck: Luck) -> None:
        """The house's own commands."""
        account = luck.random.choice(sorted({account for account, _ in self.ground.sent if account != HOUSE} or {1}))
        commands: tuple[Command, ...] = (
            TripBreaker(World.TRADING, "GOLDCASH", "a rumour", "an admin", now_ns() + 2 * 10**9),
            LiftBreaker(World.TRADING, "GOLDCASH"),
            SetAccountStatus(account, AccountStatus.FROZEN),
            SetAccountStatus(account, AccountStatus.ACTIVE),
            SetLimit(World.TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", luck.random.randint(3, 20)),
        )
        await self._house(luck.random.choice(commands))

    async def _come_to_rest(self) -> None:
        """Nothing goes wrong any more: everybody hears, one leads, and the tables catch up."""
        self.ground.is_away = False
        for luck in self._lucks:
            luck.calm()
        for node in self._nodes:
            node.clock_offset_ns = 0
        await self._network.settle()
        for _ in range(MOST_SETTLING_S * 10):
            self._must_go_on()
            if self.tables.mark == self.ground.end and not self._is_busy():
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the house does not come to rest")

    def _is_busy(self) -> bool:
        holder = self.ground.holder
        return holder is None or not holder.is_open

    def _must_go_on(self) -> None:
        for node in self._nodes:
            assert node.given_up is None, f"a node has given up: {node.given_up!r}"


def simulate(seed: int, steps: int, chances: Chances | None = None) -> Report:
    """Run a simulation; the same arguments give the same report."""

    async def run() -> Report:
        return await Simulation(seed, Chances() if chances is None else chances).run(steps)

    try:
        with structlog.testing.capture_logs(), asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(run())
    finally:
        # Nodes leave all that is there out of later collections; here that is whole houses, one after the other.
        gc.unfreeze()
        if seed % RUNS_PER_COLLECTION == 0:
            gc.collect()


def now_ns() -> int:
    """The right time."""
    return STORE_EPOCH_NS + int(asyncio.get_running_loop().time() * 10**9)


def _terms(base: str) -> Terms:
    return Terms(
        world=World.TRADING,
        instrument=Instrument(f"{base}CASH", Asset(base, 0), Asset("CASH", 0)),
        tick=1,
        lot=1,
        max_price_ticks=10_000,
        max_order_lots=10_000,
        max_leverage=50,
        maker_ppm=-5_000,
        taker_ppm=17_000,
        band_ppm=300_000,
        breaker_move_ppm=100_000,
        breaker_window_ns=10**9,
        breaker_pause_ns=10**9,
    )
