"""The machine against a naive house written from the rules: whatever is commanded, both say and have the same."""

from itertools import islice
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from fondaco.core import machine, people
from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    AmendOrder,
    CancelAll,
    CancelOrder,
    CloseInstrument,
    Command,
    Deposit,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceHold,
    PlaceOrder,
    ReleaseHold,
    RequestWithdrawal,
    ResetDemo,
    SetAccountStatus,
    SetLimit,
    SetRules,
    SettleWithdrawal,
    SetUserStatus,
    Tick,
    Transfer,
    TripBreaker,
)
from fondaco.core.exchange import ending, market, placing, waking
from fondaco.core.listings import Asset, Instrument
from fondaco.core.replies import AccountOpened, HoldPlaced, OrderPlaced
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderType,
    SelfTradeScope,
    TimeInForce,
    UserStatus,
    World,
)
from support.command_stream import stream
from support.witness import SECOND_NS, START_NS, Witness

MOST_TOUCHED = 5
"""Few, so that larger work is met."""
MANY = 25
"""Orders that were accepted before a market is closed, after which little can happen there."""
DAY_NS = 86_400 * SECOND_NS
BASE, OTHER, QUOTE = Asset("BTC", 2), Asset("ETH", 1), Asset("USDT", 2)
BTC = Terms(
    world=World.TRADING,
    instrument=Instrument("BTCUSDT", BASE, QUOTE),
    tick=15,
    lot=20,
    max_price_ticks=40,
    max_order_lots=12,
    max_open_orders=14,
    maker_ppm=-30_000,
    taker_ppm=70_001,
    band_ppm=300_001,
    breaker_move_ppm=200_000,
    breaker_window_ns=60 * SECOND_NS,
    breaker_pause_ns=30 * SECOND_NS,
)
ETH = Terms(
    world=World.TRADING,
    instrument=Instrument("ETHUSDT", OTHER, QUOTE),
    tick=7,
    lot=30,
    max_price_ticks=40,
    max_order_lots=12,
    maker_ppm=12_345,
    taker_ppm=54_321,
    band_ppm=400_000,
    self_trade_scope=SelfTradeScope.ACCOUNT,
)
TERMS = {"BTCUSDT": BTC, "ETHUSDT": ETH, "XRPUSDT": ETH}
WAITING = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS)
GRANTS = (500, 0, 100, -1, 2**62)

accounts = st.integers(0, 30)
symbols = st.sampled_from(["BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT", "ETHUSDT", "XRPUSDT"])
traded = st.sampled_from(["BTCUSDT", "BTCUSDT", "ETHUSDT"])
assets = st.sampled_from(["USDT", "BTC", "ETH", "USDT", "XRP"])
amounts = st.one_of(st.integers(1, 400), st.integers(-1, 3_000), st.sampled_from([2**62, 2**62 + 1]))
texts = st.sampled_from(["for a reason", "a", "for a reason", "a", "\n", "", "x" * 201])
users = st.sampled_from(["ada", "bob", "cid", "eve", "dan", "\n"])
worlds = st.sampled_from([World.TRADING, World.TRADING, World.DEMO, World.EXTERNAL])
sides = st.sampled_from(Side)
ticks = st.integers(9, 14)
lots = st.integers(1, 5)
seldom = st.integers(0, 19).map(lambda each: each == 19)
crowds = st.sampled_from(
    [
        (OrderType.LIMIT, TimeInForce.GTC),
        (OrderType.LIMIT, TimeInForce.GTD),
        (OrderType.STOP, TimeInForce.GTC),
        (OrderType.STOP_LIMIT, TimeInForce.GTD),
    ]
)
preventions = st.sampled_from([*SelfTrade][1:])
cascades = st.lists(st.tuples(accounts, st.integers(1, 3), lots, st.booleans()), min_size=2, max_size=4)
moves = st.lists(st.tuples(accounts, sides, ticks, lots, preventions), min_size=2, max_size=6)


class Twins(RuleBasedStateMachine):
    """Sends everything to both houses. Half of the rules trade, so that what is governed has something to govern."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for module in (machine, people, ending, market, placing, waking):
            self.patch.setattr(module, "MAX_TOUCHED", MOST_TOUCHED)
        self.both = Witness(most_touched=MOST_TOUCHED)
        self.accounts: list[int] = []
        self.orders: list[tuple[int, int]] = []
        self.holds: list[int] = []
        self.past: list[tuple[Command, int, str]] = []

    def teardown(self) -> None:
        """Leave the constants as they were."""
        self.patch.undo()

    def send(self, command: Command, sender: int = HOUSE, **how: Any) -> None:  # noqa: ANN401 - handed through as drawn
        """Have both do a command, and note what came of it."""
        command_id = how.setdefault("command_id", f"c{self.both.sent + 1}")
        reply = self.both.send(command, sender, **how)
        self.past.append((command, sender, command_id))
        if isinstance(reply, AccountOpened) and reply.account_id not in self.accounts:
            self.accounts.append(reply.account_id)
        elif isinstance(reply, OrderPlaced) and isinstance(command, PlaceOrder):
            self.orders.append((command.account_id, reply.order_id))
        elif isinstance(reply, HoldPlaced):
            self.holds.append(reply.hold_id)

    @initialize()
    def open(self) -> None:
        """Three users, four accounts of real money and one of play money, two markets."""
        for asset in (BASE, OTHER, QUOTE):
            self.send(ListAsset(asset.code, asset.scale))
        self.send(ListInstrument(BTC))
        self.send(ListInstrument(ETH))
        for user in ("ada", "bob", "cid"):
            self.send(AdmitUser(user))
        for user in ("ada", "ada", "bob", "cid"):
            self.send(OpenAccount(user, World.TRADING, "USDT"))
        for account in self.accounts:
            for code, amount in (("BTC", 800), ("ETH", 900), ("USDT", 6_000)):
                self.send(Deposit(account, code, amount))
        self.send(OpenAccount("ada", World.DEMO, "USDT", grant=500))

    @rule(symbol=traded, moves=moves)
    def trade(self, symbol: str, moves: list[tuple[int, Side, int, int, SelfTrade]]) -> None:
        """Plain orders, one after the other, which meet."""
        terms = TERMS[symbol]
        for which, side, ticks, lots, prevention in moves:
            price, quantity = ticks * terms.tick, lots * terms.lot
            account = self.account(which)
            order = PlaceOrder(account, symbol, side, OrderType.LIMIT, quantity, price, self_trade=prevention)
            self.send(order, account)

    @rule(which=accounts, side=sides, count=st.integers(MOST_TOUCHED, 4 * MOST_TOUCHED), kind=crowds)
    def crowd(self, which: int, side: Side, count: int, kind: tuple[OrderType, TimeInForce]) -> None:
        """More orders of an account than one command may touch, alike: they expire at once, or fire at once."""
        account, (type_, time) = self.account(which), kind
        until_ns = self.both.now_ns + 10 * SECOND_NS if time is TimeInForce.GTD else 0
        price = 9 if side is Side.BUY else 14
        trigger = 0 if type_ is OrderType.LIMIT else 23 - price
        price = 0 if type_ is OrderType.STOP else price
        command = PlaceOrder(account, "ETHUSDT", side, type_, 30, 7 * price, time, 7 * trigger, expires_ns=until_ns)
        for _ in range(count):
            self.send(command, account)
        if trigger:
            maker, taker = [each for each in self.accounts[:4] if each != account][:2]
            there = PlaceOrder(maker, "ETHUSDT", side.opposite, OrderType.LIMIT, 30, 7 * trigger)
            self.send(there, maker)
            self.send(PlaceOrder(taker, "ETHUSDT", side, OrderType.LIMIT, 30, 7 * trigger), taker)

    @rule(
        symbol=traded,
        waiting=cascades,
        away=st.sampled_from([1, -1]),
        lots=st.integers(1, 8),
        pair=st.permutations(range(4)),
    )
    def cascade(
        self, symbol: str, waiting: list[tuple[int, int, int, bool]], away: int, lots: int, pair: list[int]
    ) -> None:
        """Orders wait at several prices, and one trade jumps over all of them."""
        terms, last = TERMS[symbol], self.both.machine.house.markets[World.TRADING, symbol].last_ticks or 11
        side = Side.BUY if away > 0 else Side.SELL
        for which, distance, wanted, is_limit in waiting:
            account, trigger = self.account(which), (last + away * distance) * terms.tick
            kind, price = (OrderType.STOP_LIMIT, trigger) if is_limit else (OrderType.STOP, 0)
            order = PlaceOrder(account, symbol, side, kind, wanted * terms.lot, price, trigger_price=trigger)
            self.send(order, account)
        maker, taker, price = self.accounts[pair[0]], self.accounts[pair[1]], (last + 3 * away) * terms.tick
        quantity = lots * terms.lot
        self.send(PlaceOrder(maker, symbol, side.opposite, OrderType.LIMIT, quantity, price), maker)
        self.send(PlaceOrder(taker, symbol, side, OrderType.LIMIT, quantity, price), taker)

    @rule(which=accounts, side=sides, symbol=traded, ticks=ticks, lots=lots, data=st.data())
    def limit(self, data: st.DataObject, ticks: int, **order: Any) -> None:  # noqa: ANN401 - handed through as drawn
        """An order that may rest, with whatever it may say."""
        time = data.draw(st.sampled_from([TimeInForce.GTC, *TimeInForce]))
        post_only = data.draw(st.sampled_from([False, False, True]))
        self.place(data, type=OrderType.LIMIT, price=ticks, time=time, post_only=post_only, **order)

    @rule(which=accounts, side=sides, symbol=traded, lots=lots, quote=st.integers(-1, 500), data=st.data())
    def market(self, data: st.DataObject, lots: int, quote: int, **order: Any) -> None:  # noqa: ANN401 - the same
        """An order that takes."""
        time = data.draw(st.sampled_from([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]))
        lots, quote = data.draw(st.sampled_from([(lots, 0), (0, quote)]))
        self.place(data, type=OrderType.MARKET, time=time, lots=lots, quote=quote, **order)

    @rule(which=accounts, side=sides, symbol=traded, trigger=st.integers(8, 15), ticks=ticks, lots=lots, data=st.data())
    def wait(self, data: st.DataObject, ticks: int, side: Side, **order: Any) -> None:  # noqa: ANN401 - the same
        """An order that waits for a price."""
        kind = data.draw(st.sampled_from(WAITING))
        reduces = kind in (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS)
        side = Side.SELL if reduces and not data.draw(seldom) else side
        price = ticks if kind is OrderType.STOP_LIMIT else 0
        time = data.draw(st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTD]))
        self.place(data, type=kind, side=side, price=price, time=time, **order)

    def place(  # noqa: PLR0913 - what an order is
        self,
        data: st.DataObject,
        *,
        which: int,
        symbol: str,
        time: TimeInForce,
        price: int = 0,
        lots: int = 0,
        trigger: int = 0,
        quote: int = 0,
        **fields: Any,  # noqa: ANN401 - handed through as drawn
    ) -> None:
        """Place an order, once in a while one that is written wrongly."""
        terms = TERMS[symbol]
        lifetime = data.draw(st.sampled_from([1, 10, 60])) * SECOND_NS
        command = PlaceOrder(
            account_id=self.account(which),
            symbol=symbol,
            quantity=lots * terms.lot,
            price=price * terms.tick,
            time_in_force=time,
            trigger_price=trigger * terms.tick,
            quote_quantity=quote,
            self_trade=data.draw(preventions),
            client_order_id=data.draw(st.sampled_from(["", "", "", "one", "two"])),
            expires_ns=self.both.now_ns + lifetime if time is TimeInForce.GTD else 0,
            **fields,
        )
        if data.draw(seldom):
            command = spoilt(command, data)
        self.send(command, self.sender(command.account_id, data))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), ticks=st.one_of(st.just(0), ticks), lots=st.integers(0, 6))
    def amend(self, data: st.DataObject, ticks: int, lots: int) -> None:
        """Change an order, mostly one that stands."""
        account_id, order_id = self.an_order(data)
        order = self.both.naive.state.order(order_id)
        terms = TERMS[order.symbol]
        odd = data.draw(st.sampled_from([0] * 18 + [1, -1_000]))
        command = AmendOrder(account_id, order_id, quantity=lots * terms.lot, price=ticks * terms.tick + odd)
        self.send(command, self.sender(account_id, data))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), symbol=symbols)
    def cancel(self, data: st.DataObject, symbol: str) -> None:
        """Take one order back, or all, or one that has ended or is another's."""
        account_id, order_id = self.an_order(data)
        if data.draw(seldom):
            account_id = self.account(data.draw(accounts))
        whole = CancelAll(account_id, data.draw(st.sampled_from(["", symbol])))
        command = data.draw(st.sampled_from([CancelOrder(account_id, order_id)] * 4 + [whole]))
        self.send(command, self.sender(account_id, data))

    @precondition(lambda self: self.both.naive.state.standing())
    @rule(data=st.data())
    def raze(self, data: st.DataObject) -> None:
        """Take back all that the busiest account has, and before that is done, single ones of these."""
        standing = self.both.naive.state.standing
        busiest = max((each.account_id for each in standing()), key=lambda each: (len(standing(each)), each))
        self.send(CancelAll(busiest), busiest)
        while len(standing(busiest)) > MOST_TOUCHED and data.draw(st.booleans()):
            order = data.draw(st.sampled_from(standing(busiest)))
            self.send(CancelOrder(busiest, order.order_id), busiest)

    @rule(asset=assets, amount=amounts, note=texts, data=st.data())
    def money(self, asset: str, amount: int, note: str, data: st.DataObject) -> None:
        """Money comes in, is set aside, goes out, comes back, or goes from one account to another."""
        account, other = self.account(data.draw(accounts)), self.account(data.draw(accounts))
        known = [*self.holds[-4:], *[order_id for _, order_id in self.orders[-2:]], 7]
        hold_id = data.draw(st.sampled_from(known))
        of_accounts: list[Command] = [
            RequestWithdrawal(account, asset, amount),
            Transfer(account, other, asset, amount),
        ]
        of_the_house: list[Command] = [
            Deposit(account, asset, amount, note),
            PlaceHold(account, asset, amount, note),
            SettleWithdrawal(hold_id),
            ReleaseHold(hold_id),
        ]
        if data.draw(st.booleans()):
            self.send(data.draw(st.sampled_from(of_accounts)), self.sender(account, data))
        else:
            self.send(data.draw(st.sampled_from(of_the_house)), account if data.draw(seldom) else HOUSE)

    @rule(user=users, grant=st.sampled_from(GRANTS), data=st.data())
    def people(self, user: str, grant: int, data: st.DataObject) -> None:
        """Users and accounts come, stop, go on and go; most may act again soon."""
        account = self.account(data.draw(accounts))
        user_status = data.draw(st.sampled_from([UserStatus.ACTIVE, UserStatus.ACTIVE, UserStatus.SUSPENDED]))
        account_status = data.draw(st.sampled_from([*[AccountStatus.ACTIVE] * 3, *AccountStatus]))
        kind = data.draw(st.sampled_from([AccountKind.SPOT, *AccountKind]))
        commands: list[Command] = [
            AdmitUser(user),
            SetUserStatus(user, user_status),
            SetAccountStatus(account, account_status),
            OpenAccount(user, data.draw(worlds), data.draw(assets), kind, grant),
            ResetDemo(account, grant),
            ResetDemo(self.accounts[-1], grant),
        ]
        self.send(data.draw(st.sampled_from(commands)), account if data.draw(seldom) else HOUSE)

    @rule(data=st.data(), value=st.one_of(st.none(), st.integers(-1, 6), st.integers(0, 900)))
    def cap(self, data: st.DataObject, value: int | None) -> None:
        """A limit, or none."""
        scope, name = data.draw(st.sampled_from(LimitScope)), data.draw(st.sampled_from(LimitName))
        subject = {
            LimitScope.ACCOUNT: str(self.account(data.draw(accounts))),
            LimitScope.USER: data.draw(st.sampled_from(["ada", "bob", "cid"])),
            LimitScope.SYMBOL: data.draw(symbols),
            LimitScope.PLATFORM: "",
        }[scope]
        about = {
            LimitName.MAX_OPEN_ORDERS: "",
            LimitName.MAX_ORDER_VALUE: "USDT",
            LimitName.MAX_DAILY_VOLUME: "USDT",
            LimitName.MAX_POSITION: data.draw(symbols),
            LimitName.MAX_LEVERAGE: data.draw(symbols),
        }[name]
        if data.draw(seldom):
            subject, about = about, subject
        world = data.draw(st.sampled_from([*[World.TRADING] * 5, World.DEMO]))
        self.send(SetLimit(world, scope, subject, name, about, value))

    @rule(world=worlds, symbol=st.one_of(symbols, st.just("")), reason=texts, data=st.data())
    def halt(self, world: World, symbol: str, reason: str, data: st.DataObject) -> None:
        """A halt of new orders, soon or at once over."""
        after = data.draw(st.sampled_from([SECOND_NS, 20 * SECOND_NS, 70 * SECOND_NS, 0, -SECOND_NS]))
        until_ns = self.both.now_ns + after if after else 0
        self.send(TripBreaker(world, symbol, reason, data.draw(texts), until_ns))
        if data.draw(st.sampled_from([True, True, True, False])):
            self.send(LiftBreaker(world, symbol if not data.draw(seldom) else "BTCUSDT"))

    @rule(data=st.data(), world=st.sampled_from([World.TRADING, World.DEMO]), symbol=symbols)
    def govern(self, data: st.DataObject, world: World, symbol: str) -> None:
        """Assets and markets, mostly such as exist or cannot; seldom the end of one."""
        base, tick, most = data.draw(st.sampled_from([BASE, OTHER])), data.draw(st.sampled_from([15, 0, 1])), 40
        terms = Terms(
            world=world,
            instrument=Instrument(data.draw(st.sampled_from(["BTCUSDT", "btc"])), base, QUOTE),
            tick=tick,
            lot=20,
            max_price_ticks=data.draw(st.sampled_from([most, 0])),
            max_order_lots=12,
        )
        commands: list[Command] = [
            ListInstrument(terms),
            ListAsset(data.draw(st.sampled_from(["BTC", "XRP", "xrp"])), data.draw(st.sampled_from([0, 19]))),
            SetRules(data.draw(st.integers(0, 2))),
            Tick(),
        ]
        closes = len(self.orders) > MANY and data.draw(seldom)
        self.send(CloseInstrument(world, symbol) if closes else data.draw(st.sampled_from(commands)))

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """A command that was sent before, as it was or with other fields."""
        past = self.past[-60:] if data.draw(st.booleans()) else self.past[-10:]
        command, sender, command_id = data.draw(st.sampled_from(past))
        if data.draw(st.booleans()):
            others: list[Command] = [Tick(), CancelAll(self.account(data.draw(accounts)))]
            command = data.draw(st.sampled_from(others))
        self.send(command, sender, command_id=command_id)

    @rule(which=accounts, lifetime=st.sampled_from([-1_000, 60 * SECOND_NS, 60 * SECOND_NS + 1, 0]), data=st.data())
    def badly_sent(self, which: int, lifetime: int, data: st.DataObject) -> None:
        """A command that comes too late, is valid for too long, or has a bad id."""
        account = self.account(which)
        command_id = data.draw(st.sampled_from([f"late{self.both.sent}", "", "x" * 65, "\n"]))
        self.send(CancelOrder(account, 7), account, command_id=command_id, lifetime_ns=lifetime)

    @rule(us=st.one_of(st.integers(1, 100_000_000), st.sampled_from([1_000_000, 30_000_000, 60_000_000])))
    def time_passes(self, us: int) -> None:
        """Up to a minute and a half goes by."""
        self.both.now_ns += us * 1_000
        self.send(Tick(), command_id="")

    @rule(us=st.sampled_from([-1, 0, 1]), days=st.sampled_from([0, 0, 1]))
    def midnight(self, us: int, days: int) -> None:
        """It is nearly, just, or a moment past midnight."""
        day = (self.both.now_ns - START_NS) // DAY_NS + 1 + days
        self.both.now_ns = max(self.both.now_ns, START_NS + day * DAY_NS + us * 1_000)
        self.send(Tick(), command_id="")

    @rule()
    def reload(self) -> None:
        """The machine goes on from a dump of itself."""
        self.both.reload()

    def account(self, which: int) -> int:
        """One of the first accounts mostly; sometimes a newer one, sometimes none at all."""
        if which == 30:
            return 7
        return self.accounts[which % 4] if which < 24 else self.accounts[which % len(self.accounts)]

    def an_order(self, data: st.DataObject) -> tuple[int, int]:
        """One that stands, if any does, else one of the last."""
        standing = [(each.account_id, each.order_id) for each in self.both.naive.state.standing()]
        some = self.orders[-6:] if data.draw(seldom) or not standing else standing
        return data.draw(st.sampled_from(some))

    def sender(self, account: int, data: st.DataObject) -> int:
        """Its owner mostly; sometimes the house, seldom somebody else."""
        return data.draw(st.sampled_from([*[account] * 18, HOUSE, self.accounts[0]]))


def spoilt(command: PlaceOrder, data: st.DataObject) -> PlaceOrder:
    """The same order with a field or two that make no sense."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "quantity": st.sampled_from([0, -20, 7, 6_000]),
        "price": st.sampled_from([0, -15, 8, 15 * 41, 7 * 41]),
        "time_in_force": st.sampled_from(TimeInForce),
        "trigger_price": st.sampled_from([0, -15, 8, 150]),
        "quote_quantity": st.sampled_from([0, 50, -1]),
        "post_only": st.booleans(),
        "self_trade": st.sampled_from(SelfTrade),
        "client_order_id": st.sampled_from(["\n", "x" * 65]),
        "expires_ns": st.sampled_from([0, START_NS, START_NS + 7 * DAY_NS]),
        "side": st.sampled_from(Side),
        "type": st.sampled_from(OrderType),
        "symbol": st.sampled_from(["XRPUSDT", ""]),
        "account_id": st.sampled_from([7, HOUSE]),
    }
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True)):
        command = PlaceOrder(**{**as_fields(command), name: data.draw(fields[name])})
    return command


def as_fields(command: PlaceOrder) -> dict[str, Any]:
    """The fields of an order by name."""
    return {name: getattr(command, name) for name in command.__struct_fields__}


SHORT = settings(max_examples=40, stateful_step_count=50, deadline=None, derandomize=True)
"""The same histories each time; the long form looks for new ones."""
LONG = settings(max_examples=1_500, stateful_step_count=80, deadline=None)


def test_the_machine_and_the_naive_house_agree() -> None:
    run_state_machine_as_test(Twins, settings=SHORT)


def test_they_agree_on_what_a_busy_house_is_told() -> None:
    both = Witness(most_touched=market.MAX_TOUCHED)
    for step in islice(stream(1, crowds=0), 700):
        both.now_ns = step.now_ns
        both.apply(step.submission, step.command)
    assert len(both.trades) > 30


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_they_agree_over_many_more_histories() -> None:
    run_state_machine_as_test(Twins, settings=LONG)
