"""The desk against a naive one written from docs/desk.md: both say, do and have the same (EXP-81, EXP-86, EXP-90)."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    CancelEntry,
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
    PlaceHold,
    ReleaseHold,
    RequestWithdrawal,
    Rollover,
    SetAccountStatus,
    SetDeskRules,
    SetDeskTerms,
    SetLimit,
    SetQuote,
    SetSwapFree,
    SettleWithdrawal,
    SetUserStatus,
    Transfer,
    TripBreaker,
)
from fondaco.core.desk.state import KEEP, NO_LEVEL, DeskEntry, DeskPosition, Level, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.replies import AccountOpened, HoldPlaced, Reply
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    Direction,
    EntryKind,
    LevelKind,
    LimitName,
    LimitScope,
    MarginMode,
    StopOutPolicy,
    UserStatus,
)
from support.desk_witness import SECOND_NS, DeskWitness
from support.small_desk import OPENS, SYMBOLS, TERMS, TRADING, USDT

DAY_NS = 86_400 * SECOND_NS
Own = OpenPosition | ClosePosition | ModifyPosition | PlaceEntry | CancelEntry | RequestWithdrawal | Transfer

symbols = st.sampled_from(SYMBOLS)
accounts = st.integers(0, len(OPENS) - 1)
directions = st.sampled_from(Direction)
modes = st.sampled_from([MarginMode.CROSS, MarginMode.CROSS, MarginMode.ISOLATED])
leverages = st.sampled_from([10, 10, 10, 2, 20, 50, 1, 100])
lots = st.integers(2, 20)
middles = st.one_of(st.integers(92, 108), st.integers(92, 108), st.integers(60, 150))
spreads = st.sampled_from([0, 1, 1, 2, 4])
seldom = st.integers(0, 19).map(lambda each: each == 19)
sometimes = st.integers(0, 4).map(lambda each: each == 4)


class Twins(RuleBasedStateMachine):
    """Sends everything to both desks. Most rules deal; the others are what dealing must live with."""

    def __init__(self) -> None:
        super().__init__()
        self.both = DeskWitness()
        self.accounts: list[int] = []
        self.holds: list[int] = []
        self.middle = dict.fromkeys(SYMBOLS, 100)
        self.ticks = 0

    def send(self, command: Command, sender: int = HOUSE) -> Reply:
        """Have both do a command."""
        reply = self.both.send(command, sender)
        if isinstance(reply, HoldPlaced):
            self.holds.append(reply.hold_id)
        return reply

    def ask(self, command: Own, data: st.DataObject) -> Reply:
        """The same for an account's own command: its owner asks mostly, the house or another seldom."""
        sender = data.draw(st.sampled_from([command.account_id] * 18 + [HOUSE, self.accounts[0]]))
        return self.send(command, sender)

    @initialize(fund=st.sampled_from([0, 500, 100_000]), cash=st.sampled_from([3_000, 10_000, 40_000]))
    def begin(self, fund: int, cash: int) -> None:
        """Three markets at 100, five accounts with some money, and a fund that may be empty."""
        self.send(ListAsset(USDT.code, USDT.scale))
        for symbol, terms in TERMS.items():
            self.send(ListAsset(terms.instrument.base.code, terms.instrument.base.scale))
            self.send(ListInstrument(terms))
            self.send(
                SetDeskTerms(DeskTerms(TRADING, symbol, is_dealt=True, min_lots=2, max_lots=30, guarantee_ppm=5_000))
            )
        self.send(SetDeskRules(DeskRules(TRADING)))
        for user in ("ada", "bob"):
            self.send(AdmitUser(user))
        for user, kind, mode in OPENS:
            reply = self.send(OpenAccount(user, TRADING, USDT.code, kind, position_mode=mode))
            assert isinstance(reply, AccountOpened)
            self.accounts.append(reply.account_id)
            self.send(Deposit(reply.account_id, USDT.code, cash))
        if fund:
            self.send(FundInsurance(TRADING, USDT.code, fund))
        for symbol in SYMBOLS:
            self.quote_all(symbol, [(100, 1)], 0)

    def quote_all(self, symbol: str, prices: list[tuple[int, int]], age_ns: int, *, spoils: int = 0) -> None:
        """The desk's price goes along these, each a middle and a spread."""
        tick, quotes = TERMS[symbol].tick, []
        for middle, spread in prices:
            self.ticks += 1
            bid = (middle - spread // 2) * tick + spoils
            quotes.append(Quote(bid, bid + spread * tick, self.both.now_ns - age_ns, middle * tick, self.ticks))
            self.middle[symbol] = middle
        self.send(SetQuote(TRADING, symbol, "binance", 500, tuple(quotes)))

    @rule(symbol=symbols, path=st.lists(st.tuples(middles, spreads), min_size=1, max_size=3), data=st.data())
    def quote(self, symbol: str, path: list[tuple[int, int]], data: st.DataObject) -> None:
        """A price, after up to two extremes; sometimes one that makes no sense."""
        self.passes(data)
        age_ns, spoils = 0, 0
        if data.draw(sometimes):
            age_ns = data.draw(st.sampled_from([1, 5, 10, 11, -1, -2, 60])) * SECOND_NS
            spoils = data.draw(st.sampled_from([0, 0, 0, 1, -10_000]))
        self.quote_all(symbol, path, age_ns, spoils=spoils)

    @rule(by=st.integers(-8, 8), spread=spreads, data=st.data())
    def everything_moves(self, by: int, spread: int, data: st.DataObject) -> None:
        """All three markets move together."""
        self.passes(data)
        for symbol in SYMBOLS:
            self.quote_all(symbol, [(min(150, max(50, self.middle[symbol] + by)), spread)], 0)

    @rule(symbol=symbols, steps=st.lists(st.integers(-15, 15), min_size=2, max_size=8), data=st.data())
    def storms(self, symbol: str, steps: list[int], data: st.DataObject) -> None:
        """One market moves and moves."""
        for by in steps:
            self.quote_all(symbol, [(min(200, max(20, self.middle[symbol] + by)), data.draw(spreads))], 0)
            self.both.now_ns += 1_000

    @rule(which=st.sampled_from([0, 1, 4]), by=st.integers(-60, 60), pair=st.tuples(symbols, symbols), data=st.data())
    def hedges(self, which: int, by: int, pair: tuple[str, str], data: st.DataObject) -> None:
        """An account bets both ways and takes cash out, the price moves, and it closes one bet or both."""
        account = self.accounts[which]
        for symbol, direction in zip(pair, Direction, strict=True):
            self.quote_all(symbol, [(100, 0)], 0)
            quantity = data.draw(st.integers(10, 20)) * TERMS[symbol].lot
            leverage = data.draw(st.sampled_from([20, 50]))
            command = OpenPosition(account, symbol, direction, quantity, leverage, MarginMode.CROSS)
            self.ask(command, data)
        self.ask(RequestWithdrawal(account, USDT.code, data.draw(st.sampled_from([500, 2_000, 2_500, 9_000]))), data)
        for symbol in sorted(set(pair)):
            self.quote_all(symbol, [(100 + by, 1)], 0)
        for position in list(self.both.desk.cross_of(account)):
            if data.draw(st.booleans()):
                quantity = data.draw(st.sampled_from([0, 2])) * TERMS[position.symbol].lot
                self.ask(ClosePosition(account, position.position_id, quantity), data)

    @rule(symbol=symbols, middle=middles, data=st.data())
    def opens(self, symbol: str, middle: int, data: st.DataObject) -> None:
        """Somebody opens, mostly at a fresh price."""
        if not data.draw(sometimes):
            self.quote_all(symbol, [(middle, data.draw(spreads))], 0)
        self.open_one(data, symbol)

    @rule(data=st.data(), symbol=symbols, count=st.integers(2, 6))
    def crowds(self, symbol: str, count: int, data: st.DataObject) -> None:
        """Several open at one price."""
        self.quote_all(symbol, [(self.middle[symbol], 1)], 0)
        for _ in range(count):
            self.open_one(data, data.draw(st.sampled_from([symbol, *SYMBOLS])))

    def open_one(self, data: st.DataObject, symbol: str) -> None:
        """An open with whatever it may say."""
        direction, mode = data.draw(directions), data.draw(modes)
        command = OpenPosition(
            account_id=self.bettor(data, mode),
            symbol=symbol,
            direction=direction,
            quantity=data.draw(lots) * TERMS[symbol].lot,
            leverage=data.draw(leverages),
            mode=mode,
            **self.levels(data, symbol, direction),
        )
        if data.draw(sometimes):
            command = self.spoilt(command, data)
        if data.draw(sometimes):
            command = self.adding(command, data)
        self.ask(command, data)

    def bettor(self, data: st.DataObject, mode: MarginMode) -> int:
        """An account that may have such a position, mostly."""
        which = data.draw(accounts)
        if mode is MarginMode.CROSS and OPENS[which][1] is AccountKind.SPOT and not data.draw(seldom):
            which = data.draw(st.sampled_from([0, 1, 4]))
        return self.accounts[which]

    def adding(self, command: OpenPosition, data: st.DataObject) -> OpenPosition:
        """The same, to be added to a position that is there, mostly one that it suits."""
        mine = self.both.desk.open.get(command.account_id, [])
        if not mine:
            return command
        to = data.draw(st.sampled_from(mine))
        fields: dict[str, Any] = {"position_id": to.position_id, "symbol": to.symbol}
        fields["quantity"] = data.draw(lots) * TERMS[to.symbol].lot
        if not data.draw(seldom):
            fields |= {"direction": to.direction, "mode": to.mode, "leverage": to.leverage}
        if data.draw(st.booleans()):
            fields |= {"stop": KEEP, "take": KEEP, "trail": KEEP}
        return changed(command, fields)

    def spoilt(self, command: OpenPosition, data: st.DataObject) -> OpenPosition:
        """The same with a field or two that are odd."""
        tick = TERMS[command.symbol].tick
        price = self.middle[command.symbol] * tick
        odd: dict[str, st.SearchStrategy[Any]] = {
            "quantity": st.sampled_from([0, -100, 1, 35 * TERMS[command.symbol].lot, 4_100, TERMS[command.symbol].lot]),
            "leverage": st.sampled_from([0, 101, 100, 1]),
            "expected_price": st.sampled_from([price, price + tick, price - tick, -1]),
            "slippage_ppm": st.sampled_from([0, 10_000, 10_001, 1_000_001, -1]),
            "symbol": st.sampled_from(["XRPUSDT", "ETHUSDT"]),
            "position_id": st.sampled_from([7, *(each.position_id for each in self.both.desk.closed[-2:])]),
            "is_guaranteed": st.booleans(),
        }
        names = data.draw(st.lists(st.sampled_from(sorted(odd)), min_size=1, max_size=2, unique=True))
        if "slippage_ppm" in names:
            names.append("expected_price")
        return changed(command, {name: data.draw(odd[name]) for name in names})

    def levels(self, data: st.DataObject, symbol: str, direction: Direction) -> dict[str, Any]:
        """Stops, most of which are on the right side."""
        found: dict[str, Any] = {}
        tick, middle = TERMS[symbol].tick, self.middle[symbol]
        sign = -1 if direction is Direction.LONG else 1
        for name, side in (("stop", sign), ("take", -sign), ("trail", 0)):
            if not data.draw(sometimes):
                continue
            kind = data.draw(st.sampled_from([LevelKind.PRICE, *LevelKind]))
            away = data.draw(st.integers(-1, 12))
            value = {
                LevelKind.PRICE: (middle + side * (away + 1) if side else away) * tick,
                LevelKind.AMOUNT: data.draw(st.integers(0, 900)),
                LevelKind.PERCENT: data.draw(st.integers(1, 30)) * 50_001,
            }.get(kind, 0)
            odd = data.draw(seldom)
            found[name] = Level(kind, value + odd)
        if found.get("stop", KEEP).kind in (LevelKind.PRICE, LevelKind.AMOUNT) and data.draw(st.booleans()):
            found["is_guaranteed"] = True
        return found

    @precondition(lambda self: any(self.both.desk.open.values()))
    @rule(data=st.data(), parts=st.integers(1, 4))
    def closes(self, data: st.DataObject, parts: int) -> None:
        """Somebody closes a position, or a part, or one that is another's or has ended."""
        position = self.a_position(data)
        tick, lot = TERMS[position.symbol].tick, TERMS[position.symbol].lot
        if not data.draw(sometimes):
            self.quote_all(position.symbol, [(self.middle[position.symbol], data.draw(spreads))], 0)
        quantity = data.draw(st.sampled_from([0, (position.lots // parts) * lot, data.draw(lots) * lot, lot, 1, -lot]))
        command = ClosePosition(position.account_id, position.position_id, quantity)
        if data.draw(seldom):
            command = ClosePosition(data.draw(st.sampled_from(self.accounts)), position.position_id, quantity)
        if data.draw(sometimes):
            expected = (self.middle[position.symbol] + data.draw(st.integers(-2, 2))) * tick
            slippage = data.draw(st.sampled_from([0, 5_000, 10_000, -1]))
            command = ClosePosition(position.account_id, position.position_id, quantity, expected, slippage)
        self.ask(command, data)

    @precondition(lambda self: any(self.both.desk.open.values()))
    @rule(data=st.data())
    def modifies(self, data: st.DataObject) -> None:
        """Somebody moves stops."""
        position = self.a_position(data)
        if not data.draw(sometimes):
            self.quote_all(position.symbol, [(self.middle[position.symbol], data.draw(spreads))], 0)
        said = self.levels(data, position.symbol, position.direction)
        said.pop("is_guaranteed", None)
        if data.draw(sometimes):
            said["stop"] = data.draw(st.sampled_from([NO_LEVEL, KEEP]))
        if data.draw(st.booleans()):
            said["trail"] = Level(LevelKind.PRICE, data.draw(st.integers(1, 9)) * TERMS[position.symbol].tick)
        self.ask(ModifyPosition(position.account_id, position.position_id, **said), data)

    def a_position(self, data: st.DataObject) -> DeskPosition:
        """One that is open; seldom one that was."""
        desk = self.both.desk
        is_late: bool = data.draw(seldom)
        if desk.closed and is_late:
            return desk.closed[-1]
        found = sorted(desk.all_open(), key=lambda each: each.position_id)
        return data.draw(st.sampled_from(found))

    @rule(data=st.data(), symbol=symbols, away=st.integers(-12, 12))
    def waits(self, data: st.DataObject, symbol: str, away: int) -> None:
        """Somebody lets an open wait, mostly on the side where it can."""
        direction = data.draw(directions)
        rises = away > 0
        kind = EntryKind.STOP if rises is (direction is Direction.LONG) else EntryKind.LIMIT
        if not data.draw(sometimes):
            self.quote_all(symbol, [(self.middle[symbol], 1)], 0)
        until = data.draw(st.sampled_from([0, 0, 1, 30, -1]))
        terms = TERMS[symbol]
        mode = data.draw(modes)
        command = PlaceEntry(
            account_id=self.bettor(data, mode),
            symbol=symbol,
            direction=direction,
            kind=data.draw(st.sampled_from(EntryKind)) if data.draw(sometimes) else kind,
            price=(self.middle[symbol] + away) * terms.tick + data.draw(st.sampled_from([0] * 18 + [1, -10_000])),
            quantity=data.draw(lots) * terms.lot,
            leverage=data.draw(leverages),
            mode=mode,
            expires_ns=self.both.now_ns + until * SECOND_NS if until else 0,
            **self.levels(data, symbol, direction),
        )
        self.ask(command, data)

    @rule(
        which=st.sampled_from([0, 1, 4]), symbol=symbols, falls=st.lists(st.integers(-25, 10), min_size=2, max_size=2)
    )
    def walks_into(self, which: int, symbol: str, falls: list[int]) -> None:
        """An entry for all that an account has becomes a position, and the same command brings the next prices."""
        account, tick = self.accounts[which], TERMS[symbol].tick
        self.quote_all(symbol, [(100, 0)], 0)
        few, many = 2 * TERMS[symbol].lot, 20 * TERMS[symbol].lot
        long, cross = Direction.LONG, MarginMode.CROSS
        self.send(OpenPosition(account, symbol, long, few, 50, cross), account)
        self.send(PlaceEntry(account, symbol, long, EntryKind.LIMIT, 97 * tick, many, 50, cross), account)
        self.quote_all(symbol, [(96, 0), (96 + falls[0], 1), (96 + falls[1], 1)], 0)

    @rule(which=accounts, symbol=symbols, direction=directions, away=st.integers(1, 12), by=st.integers(-40, 40))
    def gaps(self, which: int, symbol: str, direction: Direction, away: int, by: int) -> None:
        """The price jumps over a guaranteed stop, often far beyond the margin too."""
        account, terms = self.accounts[which], TERMS[symbol]
        self.send(SetDeskTerms(DeskTerms(TRADING, symbol, is_dealt=True, min_lots=2, max_lots=30, guarantee_ppm=5_000)))
        self.quote_all(symbol, [(100, 0)], 0)
        stop = Level(LevelKind.PRICE, (100 + (-away if direction is Direction.LONG else away)) * terms.tick)
        for is_guaranteed in (True, False):
            command = OpenPosition(
                account, symbol, direction, 4 * terms.lot, 10, stop=stop, is_guaranteed=is_guaranteed
            )
            self.send(command, account)
        self.quote_all(symbol, [(100 + by, 1)], 0)

    @precondition(lambda self: self.both.desk.entries)
    @rule(data=st.data())
    def takes_back(self, data: st.DataObject) -> None:
        """Somebody takes an entry back, or tries to."""
        pending: list[DeskEntry] = self.both.desk.pending() or self.both.desk.entries
        entry = data.draw(st.sampled_from(pending))
        account_id = data.draw(st.sampled_from([entry.account_id, entry.account_id, self.accounts[0]]))
        self.ask(CancelEntry(account_id, entry.entry_id), data)

    @rule(data=st.data(), amount=st.one_of(st.integers(1, 20_000), st.integers(-1, 500)))
    def money(self, data: st.DataObject, amount: int) -> None:
        """Money comes in, goes out, is set aside or moved."""
        account = self.accounts[data.draw(accounts)]
        code, hold_id = data.draw(st.sampled_from(["USDT", "USDT", "BTC"])), (self.holds or [7])[-1]
        of_accounts: list[RequestWithdrawal | Transfer] = [
            RequestWithdrawal(account, code, amount),
            Transfer(account, self.accounts[data.draw(accounts)], code, amount),
        ]
        of_the_house: list[Command] = [
            Deposit(account, code, amount),
            PlaceHold(account, code, amount, "for a reason"),
            SettleWithdrawal(hold_id),
            ReleaseHold(hold_id),
            FundInsurance(TRADING, code, amount),
        ]
        if data.draw(st.booleans()):
            self.ask(data.draw(st.sampled_from(of_accounts)), data)
        else:
            self.send(data.draw(st.sampled_from(of_the_house)))

    @rule(policy=st.sampled_from(StopOutPolicy), data=st.data())
    def rules_change(self, policy: StopOutPolicy, data: st.DataObject) -> None:
        """Warnings and closings come earlier or later from here on."""
        rules = DeskRules(
            TRADING,
            max_quote_age_ns=data.draw(st.sampled_from([10, 10, 3, 60])) * SECOND_NS,
            margin_call_ppm=data.draw(st.sampled_from([900_000, 500_001, 1_000_000])),
            loss_warning_ppm=data.draw(st.sampled_from([700_000, 333_333, 900_001])),
            warning_level_ppm=data.draw(st.sampled_from([800_000, 1_500_000, 500_000])),
            stop_out_level_ppm=data.draw(st.sampled_from([500_000, 1_000_001, 300_000])),
            stop_out_policy=policy,
        )
        self.send(SetDeskRules(rules))

    @rule(symbol=symbols, data=st.data())
    def terms_change(self, symbol: str, data: st.DataObject) -> None:
        """The desk deals on other terms from here on."""
        terms = DeskTerms(
            TRADING,
            symbol,
            is_dealt=not data.draw(seldom),
            min_lots=data.draw(st.sampled_from([1, 2, 3, 0])),
            max_lots=data.draw(st.sampled_from([30, 30, 15])),
            max_net_lots=data.draw(st.sampled_from([0, 0, 0, 25])),
            long_financing_ppm=data.draw(st.sampled_from([0, 300, 10_000, -777])),
            short_financing_ppm=data.draw(st.sampled_from([0, -300, 10_000, 9_999])),
            triple_weekday=data.draw(st.integers(0, 7)),
            guarantee_ppm=data.draw(st.sampled_from([5_000, 0, 50_001])),
            guarantee_distance_ppm=data.draw(st.sampled_from([0, 30_001, 50_000])),
        )
        self.send(SetDeskTerms(terms))

    @rule(nights=st.integers(1, 2), which=accounts, is_free=sometimes, skips=seldom)
    def nights_pass(self, nights: int, which: int, *, is_free: bool, skips: bool) -> None:
        """It is another day, and the nights are paid for, once each; what was dear lately may be too old then."""
        self.send(SetSwapFree(self.accounts[which], is_free))
        last = self.both.desk.nights[TRADING]
        self.send(Rollover(TRADING, last + 1 + skips))
        self.both.now_ns = max(self.both.now_ns, (last + 1 + nights) * DAY_NS - SECOND_NS)
        self.send(Rollover(TRADING, last + 1))
        self.both.now_ns += SECOND_NS
        for day in range(last + 1, last + 1 + nights):
            self.send(Rollover(TRADING, day))
        self.send(Rollover(TRADING, last + 1))

    @rule(data=st.data(), which=accounts)
    def governs(self, data: st.DataObject, which: int) -> None:
        """Somebody or something is stopped, and mostly goes on soon after."""
        account, symbol = self.accounts[which], data.draw(symbols)
        stops: list[tuple[Command, Command]] = [
            (SetAccountStatus(account, AccountStatus.FROZEN), SetAccountStatus(account, AccountStatus.ACTIVE)),
            (SetUserStatus("bob", UserStatus.SUSPENDED), SetUserStatus("bob", UserStatus.ACTIVE)),
            (TripBreaker(TRADING, symbol, "a reason", "staff"), LiftBreaker(TRADING, symbol)),
            (SetAccountStatus(account, AccountStatus.CLOSED), SetAccountStatus(account, AccountStatus.ACTIVE)),
        ]
        stop, again = data.draw(st.sampled_from(stops))
        self.send(stop)
        for _ in range(data.draw(st.integers(0, 3))):
            self.open_one(data, symbol)
        if data.draw(st.booleans()):
            self.quote_all(symbol, [(data.draw(middles), 1)], 0)
        self.send(again)

    @rule(
        data=st.data(), scope=st.sampled_from(LimitScope), name=st.sampled_from(LimitName), value=st.integers(0, 9_000)
    )
    def caps(self, data: st.DataObject, scope: LimitScope, name: LimitName, value: int) -> None:
        """A limit holds for an open or two."""
        account, symbol = self.accounts[data.draw(accounts)], data.draw(symbols)
        subject = {LimitScope.ACCOUNT: str(account), LimitScope.USER: "ada", LimitScope.SYMBOL: symbol}.get(scope, "")
        about = symbol if name in (LimitName.MAX_POSITION, LimitName.MAX_LEVERAGE) else USDT.code
        about = "" if name is LimitName.MAX_OPEN_ORDERS else about
        value = value % 30 if name is LimitName.MAX_LEVERAGE else value
        self.send(SetLimit(TRADING, scope, subject, name, about, value))
        self.quote_all(symbol, [(self.middle[symbol], 1)], 0)
        for _ in range(data.draw(st.integers(1, 3))):
            self.open_one(data, symbol)
        self.send(SetLimit(TRADING, scope, subject, name, about, None))

    @rule()
    def reloads(self) -> None:
        """The machine goes on from a dump of itself, and beside it as it was."""
        self.both.reload()

    def passes(self, data: st.DataObject) -> None:
        """Some time goes by."""
        self.both.now_ns += data.draw(st.sampled_from([0, 0, 1_000, 1_000, SECOND_NS, 2 * SECOND_NS]))
        self.both.now_ns += 11 * SECOND_NS if data.draw(seldom) else 0

    def teardown(self) -> None:
        """All of it once more."""
        self.both.finish()


def changed(command: OpenPosition, fields: dict[str, Any]) -> OpenPosition:
    """An open with other fields."""
    return OpenPosition(**{name: getattr(command, name) for name in command.__struct_fields__} | fields)


SHORT = settings(max_examples=70, stateful_step_count=50, deadline=None, derandomize=True)
"""The same histories each time; the long form looks for new ones."""
LONG = settings(max_examples=1_500, stateful_step_count=80, deadline=None)


def test_the_desk_and_the_naive_desk_agree() -> None:
    run_state_machine_as_test(Twins, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_they_agree_over_many_more_histories() -> None:
    run_state_machine_as_test(Twins, settings=LONG)
