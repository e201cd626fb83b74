"""An exchange in memory for tests: a machine that is told what to do, and the batches that its journal would hold.

For what is made of batches, such as tables: no store, no engine, and time passes as the test says.
"""

from collections.abc import Sequence
from random import Random

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceHold,
    PlaceOrder,
    ReleaseHold,
    RequestWithdrawal,
    SetAccountStatus,
    SetLimit,
    SettleWithdrawal,
    Submission,
    TripBreaker,
    encode_command,
)
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, HoldPlaced, OrderPlaced, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    LimitName,
    LimitScope,
    OrderType,
    TimeInForce,
    World,
)
from fondaco.engine.journal import BEGINNING, Committed, Mark, chained

BEGIN_NS = 1_730_332_800_000_000_000
"""2024-10-31 00:00: a day before a month ends."""
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
UNIT = 10**8
BTC, ETH, USDT = Asset("BTC"), Asset("ETH"), Asset("USDT", 6)
TICK, LOT = 10_000, 100_000
"""0.01 USDT, 0.001 BTC."""


def terms(base: Asset, world: World = World.TRADING, *, maker_ppm: int = 1_000, taker_ppm: int = 2_000) -> Terms:
    """Terms on which a test's market trades against USDT."""
    return Terms(
        world=world,
        instrument=Instrument(base.code + USDT.code, base, USDT),
        tick=TICK,
        lot=LOT,
        max_price_ticks=10_000_000,
        max_order_lots=1_000_000,
        maker_ppm=maker_ppm,
        taker_ppm=taker_ppm,
        band_ppm=1_000_000,
    )


class Exchange:
    """A machine, the time that passes for it, and its batches so far."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.now_ns = BEGIN_NS
        self.batches: list[Committed] = []

    def do(self, command: Command, account_id: int = HOUSE) -> Reply:
        """Have a command done at this moment."""
        seq = self.machine.seq + 1
        body = msgspec.Raw(encode_command(command))
        submission = Submission(account_id, f"c{seq}", self.now_ns + SECOND_NS, body)
        return self.machine.apply(submission, seq, self.now_ns).reply

    def cut(self) -> Committed:
        """End a batch here."""
        events = self.machine.log.take()
        before = self.batches[-1].mark if self.batches else BEGINNING
        mark = Mark(before.batch_no + 1, self.machine.seq, chained(before.chain_hash, events))
        batch = Committed(mark, events)
        self.batches.append(batch)
        return batch

    def list_markets(self, *bases: Asset, world: World = World.TRADING) -> None:
        """List USDT and these against it."""
        for asset in (USDT, *bases):
            self.do(ListAsset(asset.code, asset.scale))
        for base in bases:
            self.do(ListInstrument(terms(base, world)))

    def open_account(self, user: str, world: World = World.TRADING, **money: int) -> int:
        """An account of a user, who is let in if need be, with some atoms of some assets."""
        self.do(AdmitUser(user))
        reply = self.do(OpenAccount(user, world, USDT.code, AccountKind.SPOT))
        assert isinstance(reply, AccountOpened)
        for asset, amount in money.items():
            self.do(Deposit(reply.account_id, asset, amount))
        return reply.account_id

    def order(self, account_id: int, side: Side, ticks: int, lots: int, symbol: str = "BTCUSDT") -> int:
        """A limit order that is accepted."""
        reply = self.do(
            PlaceOrder(account_id, symbol, side, OrderType.LIMIT, lots * LOT, ticks * TICK), account_id=account_id
        )
        assert isinstance(reply, OrderPlaced), reply
        return reply.order_id

    def pass_time(self, ns: int) -> None:
        """Let time pass."""
        self.now_ns += ns


class Crowd:
    """Some accounts that do whatever they can, at random but the same again for the same seed."""

    def __init__(self, seed: int, accounts: int = 4) -> None:
        self.random = Random(seed)
        self.exchange = Exchange()
        self.exchange.list_markets(BTC, ETH)
        self.accounts = [
            self.exchange.open_account(f"user{number}", USDT=10**12, BTC=1_000 * UNIT, ETH=1_000 * UNIT)
            for number in range(accounts)
        ]
        self.exchange.do(AdmitUser("player"))
        self.exchange.do(OpenAccount("player", World.DEMO, "USDT", grant=1_000 * 10**6))
        self.holds: list[int] = []

    def act(self, count: int) -> None:
        """Have so many commands done, a minute to some days apart."""
        for _ in range(count):
            self.exchange.pass_time(self.random.choice((60, 60, 3_600, 86_400)) * SECOND_NS)
            account = self.random.choice(self.accounts)
            command = self.random.choices(
                (self._order, self._waiting_order, self._cancel, self._amend, self._hold, self._end_hold, self._rule),
                (10, 3, 4, 2, 1, 1, 1),
            )[0](account)
            is_of_house = isinstance(command, (SetLimit, TripBreaker, SettleWithdrawal, ReleaseHold, PlaceHold))
            is_of_house |= isinstance(command, SetAccountStatus)
            reply = self.exchange.do(command, HOUSE if is_of_house else account)
            if isinstance(reply, HoldPlaced):
                self.holds.append(reply.hold_id)

    def _order(self, account: int) -> Command:
        time_in_force = self.random.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTD))
        return PlaceOrder(
            account,
            self._symbol(),
            self.random.choice((Side.BUY, Side.SELL)),
            OrderType.LIMIT,
            self.random.randint(1, 50) * LOT,
            self._price(),
            time_in_force,
            expires_ns=self.exchange.now_ns + DAY_NS if time_in_force is TimeInForce.GTD else 0,
        )

    def _waiting_order(self, account: int) -> Command:
        kind = self.random.choice((OrderType.STOP, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS, OrderType.MARKET))
        trigger = 0 if kind is OrderType.MARKET else self._price()
        side = Side.SELL if kind in (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS) else Side.BUY
        time_in_force = TimeInForce.IOC if kind is OrderType.MARKET else TimeInForce.GTC
        quantity = self.random.randint(1, 50) * LOT
        return PlaceOrder(account, self._symbol(), side, kind, quantity, 0, time_in_force, trigger)

    def _cancel(self, account: int) -> Command:
        if self.random.random() < 0.1:
            return CancelAll(account)
        return CancelOrder(account, self._order_of(account))

    def _amend(self, account: int) -> Command:
        return AmendOrder(account, self._order_of(account), self.random.randint(1, 60) * LOT, self._price())

    def _hold(self, account: int) -> Command:
        amount = self.random.randint(1, 10) * 10**6
        if self.random.random() < 0.5:
            return RequestWithdrawal(account, "USDT", amount)
        return PlaceHold(account, "USDT", amount, "looked at")

    def _end_hold(self, account: int) -> Command:
        if not self.holds:
            return self._hold(account)
        hold_id = self.holds.pop(self.random.randrange(len(self.holds)))
        return self.random.choice((SettleWithdrawal(hold_id), ReleaseHold(hold_id)))

    def _rule(self, account: int) -> Command:
        if self.random.random() < 0.5:
            value = self.random.choice((None, 5, 10_000 * 10**6))
            return SetLimit(World.TRADING, LimitScope.ACCOUNT, str(account), LimitName.MAX_ORDER_VALUE, "USDT", value)
        return TripBreaker(World.TRADING, self._symbol(), "tested", "staff", self.exchange.now_ns + 60 * SECOND_NS)

    def _order_of(self, account: int) -> int:
        orders: Sequence[int] = [order.order_id for order in self.exchange.machine.orders_of(account)]
        return self.random.choice(orders) if orders else 1

    def _symbol(self) -> str:
        return self.random.choice(("BTCUSDT", "ETHUSDT"))

    def _price(self) -> int:
        return self.random.randint(95, 105) * TICK


def rebatched(batches: Sequence[Committed], sizes: Sequence[int]) -> list[list[Committed]]:
    """The batches in runs of these sizes, what is left in a last one."""
    runs, rest = [], list(batches)
    for size in sizes:
        runs.append(rest[:size])
        rest = rest[size:]
    return [run for run in (*runs, rest) if run]
