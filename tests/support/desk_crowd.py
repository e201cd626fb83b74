"""A dealing desk in memory for tests: clients whose positions a test opens by hand, and a crowd that does all it can.

For what is made of batches, such as tables; on the exchange of `support.exchange`, whose time it shares.
"""

from random import Random
from typing import Any

from msgspec.structs import replace

from fondaco.core.commands import (
    AdmitUser,
    CancelEntry,
    CloseInstrument,
    ClosePosition,
    Command,
    Deposit,
    FundInsurance,
    ListAsset,
    ListInstrument,
    ModifyPosition,
    OpenAccount,
    OpenPosition,
    PlaceEntry,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
    SetSwapFree,
    Tick,
)
from fondaco.core.desk.state import KEEP, NO_LEVEL, Level, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.listings import Asset
from fondaco.core.replies import AccountOpened, EntryPlaced, PositionOpened, Refused, Reply
from fondaco.core.vocabulary import (
    AccountKind,
    Direction,
    EntryKind,
    LevelKind,
    MarginMode,
    PositionMode,
    StopOutPolicy,
    World,
)
from fondaco.engine.journal import Committed
from support.exchange import BTC, DAY_NS, ETH, LOT, SECOND_NS, TICK, USDT, Exchange, terms

LONG, SHORT = Direction.LONG, Direction.SHORT
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS
MONEY = 10**12
MARKUP_PPM = 500
MIN_LOTS = 2


class Dealing:
    """An exchange whose desk deals in BTC and ETH. Prices are ticks, quantities lots."""

    def __init__(self, *, leverage: int = 100, **desk_terms: Any) -> None:  # noqa: ANN401 - fields of `DeskTerms`
        self.exchange = Exchange()
        self.leverage = leverage
        self.desk_terms = desk_terms
        self.ticks_seen = 0
        self.exchange.list_markets()
        self.deal_in(BTC, ETH)

    def deal_in(self, *bases: Asset, world: World = World.TRADING) -> None:
        """List these and have the desk deal in them."""
        for base in bases:
            self.exchange.do(ListAsset(base.code, base.scale))
            self.done(ListInstrument(replace(terms(base, world), max_leverage=self.leverage)))
            dealt = {"is_dealt": True, "min_lots": MIN_LOTS, "max_lots": 100_000} | self.desk_terms
            self.done(SetDeskTerms(DeskTerms(world, base.code + USDT.code, **dealt)))
        self.done(SetDeskRules(DeskRules(world)))

    def done(self, command: Command, account_id: int = 0) -> Reply:
        """Have a command done that must not be refused."""
        reply = self.exchange.do(command, account_id)
        assert not isinstance(reply, Refused), (command, reply)
        return reply

    def client(
        self,
        user: str,
        kind: AccountKind = AccountKind.SPOT,
        mode: PositionMode = PositionMode.HEDGING,
        world: World = World.TRADING,
        money: int = MONEY,
    ) -> int:
        """An account that may deal."""
        self.exchange.do(AdmitUser(user))
        opened = self.done(OpenAccount(user, world, USDT.code, kind, position_mode=mode))
        assert isinstance(opened, AccountOpened)
        self.done(Deposit(opened.account_id, USDT.code, money))
        return opened.account_id

    def quote(self, bid: int, ask: int | None = None, symbol: str = "BTCUSDT", world: World = World.TRADING) -> None:
        """The price is now so many ticks."""
        self.ticks_seen += 1
        high = bid if ask is None else ask
        quote = Quote(bid * TICK, high * TICK, self.exchange.now_ns, (bid + high) * TICK // 2, self.ticks_seen)
        self.done(SetQuote(world, symbol, "simulated", MARKUP_PPM, (quote,)))

    def opened(
        self,
        account: int,
        direction: Direction,
        lots: int,
        leverage: int = 10,
        symbol: str = "BTCUSDT",
        **more: Any,  # noqa: ANN401 - fields of `OpenPosition`
    ) -> int:
        """A position at the quote; returns its id."""
        reply = self.done(OpenPosition(account, symbol, direction, lots * LOT, leverage, **more), account)
        assert isinstance(reply, PositionOpened)
        return reply.position_id

    def close(self, account: int, position_id: int, lots: int = 0) -> None:
        """Close a position or a part of it."""
        self.done(ClosePosition(account, position_id, lots * LOT), account)

    def entered(
        self,
        account: int,
        direction: Direction,
        kind: EntryKind,
        price: int,
        lots: int,
        leverage: int = 10,
        symbol: str = "BTCUSDT",
        **more: Any,  # noqa: ANN401 - fields of `PlaceEntry`
    ) -> int:
        """A pending entry; returns its id."""
        command = PlaceEntry(account, symbol, direction, kind, price * TICK, lots * LOT, leverage, **more)
        reply = self.done(command, account)
        assert isinstance(reply, EntryPlaced)
        return reply.entry_id

    def at(self, price: int) -> Level:
        """A level at so many ticks."""
        return Level(LevelKind.PRICE, price * TICK)


class DeskCrowd:
    """Clients of every kind that deal at random, the same again for the same seed, while prices wander and jump."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.dealing = Dealing(
            max_net_lots=90_000,
            long_financing_ppm=300,
            short_financing_ppm=-100,
            triple_weekday=2,
            guarantee_ppm=2_000,
            guarantee_distance_ppm=10_000,
        )
        self.exchange = self.dealing.exchange
        self.exchange.do(FundInsurance(World.TRADING, USDT.code, 10**6))
        self.accounts: dict[int, AccountKind] = {}
        kinds = [(kind, mode) for kind in (AccountKind.SPOT, AccountKind.MARGIN) for mode in PositionMode]
        for number, (kind, mode) in enumerate(kinds):
            account = self.dealing.client(f"client{number}", kind, mode, money=3 * 10**8)
            self.accounts[account] = kind
        self.prices = {"BTCUSDT": 10_000, "ETHUSDT": 5_000}
        self.day = self.exchange.now_ns // DAY_NS
        for symbol in self.prices:
            self._move(symbol)

    @property
    def batches(self) -> list[Committed]:
        """What the journal would hold."""
        return self.exchange.batches

    def act(self, count: int) -> None:
        """Have so many things done, a price before each."""
        for _ in range(count):
            self.exchange.pass_time(self.random.choice((1, 1, 2, 600, 20_000)) * SECOND_NS)
            for symbol in self.prices:
                self._move(symbol)
            account = self.random.choice(sorted(self.accounts))
            deed = self.random.choices(
                (self._open, self._enter, self._close, self._modify, self._cancel, self._rule, self._pay),
                (12, 4, 3, 3, 1, 1, 1),
            )[0]
            command = deed(account)
            self.exchange.do(command, getattr(command, "account_id", 0) if _is_clients(command) else 0)
            self._nights()

    def end(self, symbol: str) -> None:
        """The instrument is no longer traded."""
        self.exchange.do(CloseInstrument(World.TRADING, symbol))
        self.exchange.do(Tick())

    def _move(self, symbol: str) -> None:
        price = self.prices[symbol]
        step = self.random.choice((1, 1, 1, 5, 30)) * price // 400
        self.prices[symbol] = max(500, min(100_000, price + self.random.choice((-1, 1)) * step))
        self.dealing.quote(self.prices[symbol], self.prices[symbol] + self.random.randint(0, 5), symbol)

    def _nights(self) -> None:
        """Days that have ended are paid for, late and all at once if need be."""
        while self.day < self.exchange.now_ns // DAY_NS:
            self.exchange.do(Rollover(World.TRADING, self.day))
            self.day += 1

    def _open(self, account: int) -> Command:
        symbol, direction = self._symbol(), self.random.choice((LONG, SHORT))
        return OpenPosition(
            account,
            symbol,
            direction,
            self.random.randint(MIN_LOTS, 40_000) * LOT,
            self.random.choice((5, 20, 50, 100)),
            self._mode(account),
            *self._levels(symbol, direction),
            is_guaranteed=self.random.random() < 0.2,
        )

    def _enter(self, account: int) -> Command:
        symbol, direction, kind = self._symbol(), self.random.choice((LONG, SHORT)), self.random.choice(list(EntryKind))
        is_below = (direction is LONG) == (kind is EntryKind.LIMIT)
        price = self.prices[symbol] * (98 if is_below else 102) // 100
        return PlaceEntry(
            account,
            symbol,
            direction,
            kind,
            price * TICK,
            self.random.randint(MIN_LOTS, 20_000) * LOT,
            self.random.choice((5, 50)),
            self._mode(account),
            KEEP,
            self.random.choice((KEEP, Level(LevelKind.AMOUNT, 10**7))),
            self.random.choice((KEEP, Level(LevelKind.PERCENT, 200_000))),
            expires_ns=self.random.choice((0, self.exchange.now_ns + DAY_NS // 2)),
        )

    def _close(self, account: int) -> Command:
        return ClosePosition(account, self._position(account), self.random.choice((0, 0, 1, 10, 500)) * LOT)

    def _modify(self, account: int) -> Command:
        position_id = self._position(account)
        position = self.exchange.machine.house.desk.positions.get(position_id)
        if position is None:
            return ModifyPosition(account, position_id)
        return ModifyPosition(account, position_id, *self._levels(position.symbol, position.direction))

    def _cancel(self, account: int) -> Command:
        entries = self.exchange.machine.house.desk.entries_in(account)
        return CancelEntry(account, self.random.choice(entries).entry_id if entries else 1)

    def _rule(self, account: int) -> Command:
        if self.random.random() < 0.4:
            return SetSwapFree(account, is_swap_free=self.random.random() < 0.5)
        policy = self.random.choice(list(StopOutPolicy))
        return SetDeskRules(DeskRules(World.TRADING, stop_out_policy=policy))

    def _pay(self, account: int) -> Command:
        return Deposit(account, USDT.code, self.random.randint(1, 10**8))

    def _levels(self, symbol: str, direction: Direction) -> tuple[Level, Level, Level]:
        price = self.prices[symbol]
        near = price * self.random.choice((1, 3)) // 100
        losing, winning = (price - near, price + near) if direction is LONG else (price + near, price - near)
        stop = Level(LevelKind.PRICE, losing * TICK)
        take = Level(LevelKind.PRICE, winning * TICK)
        trail = Level(LevelKind.PRICE, near * TICK)
        choose = self.random.choice
        return choose((KEEP, stop)), choose((KEEP, take, NO_LEVEL)), choose((KEEP, KEEP, trail))

    def _mode(self, account: int) -> MarginMode:
        return self.random.choice((ISOLATED, CROSS)) if self.accounts[account] is AccountKind.MARGIN else ISOLATED

    def _position(self, account: int) -> int:
        positions = self.exchange.machine.house.desk.positions_in(account)
        return self.random.choice(positions).position_id if positions else 1

    def _symbol(self) -> str:
        return self.random.choice(sorted(self.prices))


def _is_clients(command: Command) -> bool:
    return isinstance(command, OpenPosition | ClosePosition | ModifyPosition | PlaceEntry | CancelEntry)


def dealt(seed: int, batches: int, size: int = 15) -> list[Committed]:
    """Batches of a crowd at the desk that did so many things in each; the last ends a market."""
    crowd = DeskCrowd(seed)
    crowd.exchange.cut()
    for _ in range(batches - 2):
        crowd.act(size)
        crowd.exchange.cut()
    crowd.end("ETHUSDT")
    crowd.exchange.cut()
    return crowd.batches
