"""Corners of the machine that the naive house found (tests/property/core/test_machine_model.py), each pinned down."""

from typing import Any

import msgspec
import pytest

from fondaco.core.book.vocabulary import SelfTrade, Side
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
    PlaceOrder,
    SetAccountStatus,
    SetLimit,
    SetUserStatus,
    Submission,
    Tick,
    Transfer,
    encode_command,
)
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.refusals import Refusal
from fondaco.core.replies import AccountOpened, OrderAmended, OrderPlaced, OrdersCancelled, Refused, Reply
from fondaco.core.snapshot import dump, load
from fondaco.core.state import Order
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountStatus,
    CloseReason,
    LimitName,
    LimitScope,
    OrderState,
    OrderType,
    TimeInForce,
    UserStatus,
    World,
)

SECOND_NS = 1_000_000_000
BTC, USDT = Asset("BTC", 0), Asset("USDT", 0)


class Desk:
    """A machine with a market of whole coins and whole money, and somebody who types commands into it."""

    def __init__(self, *, breaker_move_ppm: int = 0) -> None:
        self.machine = Machine()
        self.now_ns = SECOND_NS
        self.terms = Terms(
            world=World.TRADING,
            instrument=Instrument("BTCUSDT", BTC, USDT),
            tick=1,
            lot=1,
            max_price_ticks=10_000,
            max_order_lots=1_000,
            band_ppm=900_000,
            breaker_move_ppm=breaker_move_ppm,
            breaker_window_ns=60 * SECOND_NS if breaker_move_ppm else 0,
            breaker_pause_ns=30 * SECOND_NS if breaker_move_ppm else 0,
        )
        self.send(ListAsset("BTC", 0), ListAsset("USDT", 0), ListInstrument(self.terms))
        self.ada, self.bob = self.account("ada"), self.account("bob")

    def account(self, user: str) -> int:
        """An account with plenty of everything; its user is let in when it is new."""
        if user not in self.machine.house.users:
            self.send(AdmitUser(user))
        opened = self.send(OpenAccount(user, World.TRADING, "USDT"))
        assert isinstance(opened, AccountOpened)
        self.send(Deposit(opened.account_id, "BTC", 1_000_000), Deposit(opened.account_id, "USDT", 1_000_000))
        return opened.account_id

    def send(self, *commands: Command) -> Reply:
        """Apply some; returns the last one's reply."""
        for command in commands:
            body = msgspec.Raw(encode_command(command))
            seq = self.machine.seq + 1
            answer = self.machine.apply(Submission(HOUSE, str(seq), self.now_ns, body), seq, self.now_ns)
        return answer.reply

    def limit(self, account: int, side: Side, lots: int, price: int, **fields: Any) -> Reply:  # noqa: ANN401 - an order's
        """Place a limit order."""
        return self.send(PlaceOrder(account, "BTCUSDT", side, OrderType.LIMIT, lots, price, **fields))

    def take(self, account: int, side: Side, lots: int, **fields: Any) -> Reply:  # noqa: ANN401 - the same
        """Place a market order."""
        return self.send(PlaceOrder(account, "BTCUSDT", side, OrderType.MARKET, lots, **fields))

    def trade_at(self, price: int) -> None:
        """Have ada sell one to bob."""
        self.limit(self.ada, Side.SELL, 1, price)
        self.limit(self.bob, Side.BUY, 1, price)

    def orders(self, account: int) -> list[Order]:
        """What stands."""
        return self.machine.orders_of(account)


@pytest.fixture
def desk() -> Desk:
    """One without an automatic breaker."""
    return Desk()


def test_an_order_that_was_cancelled_while_larger_work_went_on_does_not_stop_the_machine(desk: Desk) -> None:
    for _ in range(2 * MAX_TOUCHED + 2):
        desk.limit(desk.ada, Side.BUY, 1, 1)
    assert desk.send(CancelAll(desk.ada)) == OrdersCancelled(MAX_TOUCHED, goes_on=True)
    ids = [each.order_id for each in desk.orders(desk.ada)]
    # The next command takes back another thousand first: two are left, and it ends the one whose turn is next.
    desk.send(CancelOrder(desk.ada, ids[MAX_TOUCHED]))
    assert [each.order_id for each in desk.orders(desk.ada)] == ids[MAX_TOUCHED + 1 :]
    desk.send(Tick())
    assert desk.orders(desk.ada) == []
    assert not desk.machine.backlog


def test_work_is_over_when_a_command_has_ended_what_was_left_of_it(desk: Desk) -> None:
    for _ in range(2 * MAX_TOUCHED + 1):
        desk.limit(desk.ada, Side.BUY, 1, 1)
    desk.send(CancelAll(desk.ada))
    last = desk.orders(desk.ada)[-1].order_id
    desk.send(CancelOrder(desk.ada, last))
    loaded = load(dump(desk.machine))
    desk.send(Tick())
    assert not desk.machine.backlog
    body = msgspec.Raw(encode_command(Tick()))
    loaded.apply(Submission(HOUSE, "", desk.now_ns, body), loaded.seq + 1, desk.now_ns)
    assert dump(loaded) == dump(desk.machine)


def test_what_expired_is_the_same_for_a_machine_that_was_loaded_though_the_live_one_has_reminders_of_the_dead(
    desk: Desk,
) -> None:
    """A thousand reminders of orders that were cancelled once used up what a command may touch."""
    until = {"time_in_force": TimeInForce.GTD, "expires_ns": desk.now_ns + SECOND_NS}
    for _ in range(MAX_TOUCHED):
        desk.limit(desk.ada, Side.BUY, 1, 1, **until)
    desk.send(CancelAll(desk.ada))
    desk.limit(desk.ada, Side.BUY, 1, 1, **until)
    desk.machine.log.take()
    loaded = load(dump(desk.machine))
    desk.now_ns += SECOND_NS
    body = msgspec.Raw(encode_command(Tick()))
    for machine in (desk.machine, loaded):
        machine.apply(Submission(HOUSE, "", desk.now_ns, body), machine.seq + 1, desk.now_ns)
    assert desk.orders(desk.ada) == []
    assert desk.machine.log.take() == loaded.log.take()


def test_the_window_of_a_breaker_begins_at_its_first_trade_and_every_trade_after_it_counts() -> None:
    desk = Desk(breaker_move_ppm=100_000)
    for price in (100, 111, 100):
        desk.limit(desk.ada, Side.SELL, 1, price)
    desk.limit(desk.bob, Side.BUY, 3, 111)  # 100, 100, 111 in one command
    assert desk.machine.house.is_halted(World.TRADING, "BTCUSDT")


def test_a_trade_by_an_order_that_fired_ahead_of_a_command_counts_for_the_breaker() -> None:
    desk = Desk(breaker_move_ppm=100_000)
    desk.trade_at(100)
    for _ in range(MAX_TOUCHED):
        desk.send(PlaceOrder(desk.bob, "BTCUSDT", Side.BUY, OrderType.STOP, 1, trigger_price=101))
    desk.send(PlaceOrder(desk.bob, "BTCUSDT", Side.BUY, OrderType.STOP, 1, trigger_price=101))
    for _ in range(MAX_TOUCHED):
        desk.limit(desk.ada, Side.SELL, 1, 102)
    desk.limit(desk.ada, Side.SELL, 1, 150)
    desk.limit(desk.ada, Side.SELL, 1, 101)
    desk.limit(desk.bob, Side.BUY, 1, 101)  # a thousand fire and take what there is at 102; one is left
    assert len(desk.machine.house.fired) == 1
    assert not desk.machine.house.is_halted(World.TRADING, "BTCUSDT")
    desk.send(Tick())
    assert desk.machine.house.is_halted(World.TRADING, "BTCUSDT")


def test_what_self_trade_prevention_takes_off_a_maker_is_a_change_of_it(desk: Desk) -> None:
    desk.limit(desk.ada, Side.SELL, 5, 100)
    desk.now_ns += SECOND_NS
    desk.limit(desk.ada, Side.BUY, 2, 100, self_trade=SelfTrade.DECREMENT)
    (maker,) = desk.orders(desk.ada)
    assert (maker.open_lots, maker.updated_ns) == (3, desk.now_ns)


def test_a_market_order_counts_for_a_position_with_what_it_can_get(desk: Desk) -> None:
    desk.trade_at(100)
    desk.send(SetLimit(World.TRADING, LimitScope.USER, "bob", LimitName.MAX_POSITION, "BTCUSDT", 4))
    desk.limit(desk.ada, Side.SELL, 3, 100)
    placed = desk.take(desk.bob, Side.BUY, 50)
    assert isinstance(placed, OrderPlaced)
    assert (placed.state, placed.filled) == (OrderState.EXPIRED, 3)
    desk.limit(desk.ada, Side.SELL, 3, 100)
    assert desk.take(desk.bob, Side.BUY, 50) == Refused(Refusal.MAX_POSITION)


def test_reasons_come_in_the_order_of_their_list(desk: Desk) -> None:
    desk.trade_at(100)
    spare = desk.account("ada")
    desk.send(SetUserStatus("ada", UserStatus.SUSPENDED))
    assert desk.send(Transfer(desk.ada, desk.bob, "USDT", 1)) == Refused(Refusal.FOREIGN_ACCOUNT)
    empty = desk.send(OpenAccount("ada", World.TRADING, "USDT"))
    assert isinstance(empty, AccountOpened)
    desk.send(SetAccountStatus(empty.account_id, AccountStatus.CLOSED))
    assert desk.send(Transfer(spare, empty.account_id, "USDT", 1)) == Refused(Refusal.ACCOUNT_CLOSED)
    assert desk.send(Transfer(spare, desk.ada, "USDT", 1)) == Refused(Refusal.USER_SUSPENDED)
    desk.send(SetUserStatus("ada", UserStatus.ACTIVE))
    assert desk.send(Transfer(spare, desk.ada, "USDT", 2**62)) == Refused(Refusal.BALANCE_LIMIT)
    assert desk.send(Transfer(spare, desk.ada, "USDT", 2**61)) == Refused(Refusal.INSUFFICIENT_FUNDS)


def test_an_amend_that_would_take_and_cannot_be_paid_would_take(desk: Desk) -> None:
    desk.limit(desk.ada, Side.SELL, 1, 100)
    desk.limit(desk.bob, Side.BUY, 1, 90, post_only=True)
    (order,) = desk.orders(desk.bob)
    dear = AmendOrder(desk.bob, order.order_id, quantity=1_000, price=5_000)
    assert desk.send(dear) == Refused(Refusal.WOULD_TAKE)
    assert desk.send(AmendOrder(desk.bob, order.order_id, price=99)) == OrderAmended(
        order.order_id, OrderState.OPEN, 0, kept_place=False
    )


def test_of_a_market_order_by_quote_quantity_a_limit_is_asked_before_what_is_offered(desk: Desk) -> None:
    desk.trade_at(100)
    desk.send(SetLimit(World.TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", 0))
    by_quote = PlaceOrder(desk.bob, "BTCUSDT", Side.BUY, OrderType.MARKET, quote_quantity=50)
    assert desk.send(by_quote) == Refused(Refusal.MAX_OPEN_ORDERS)
    desk.send(SetLimit(World.TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", None))
    assert desk.send(by_quote) == Refused(Refusal.NO_LIQUIDITY)
    desk.limit(desk.ada, Side.SELL, 3, 100)
    assert desk.send(by_quote) == Refused(Refusal.QUANTITY_NOT_POSITIVE)


@pytest.mark.parametrize(
    ("is_house", "reason"), [(True, CloseReason.CANCELLED_BY_HOUSE), (False, CloseReason.CANCELLED_BY_OWNER)]
)
@pytest.mark.parametrize("is_all", [True, False])
def test_an_order_says_who_took_it_back(desk: Desk, reason: CloseReason, *, is_house: bool, is_all: bool) -> None:
    desk.limit(desk.ada, Side.BUY, 1, 1)
    order = desk.orders(desk.ada)[0]
    command = CancelAll(desk.ada) if is_all else CancelOrder(desk.ada, order.order_id)
    body = msgspec.Raw(encode_command(command))
    sender = HOUSE if is_house else desk.ada
    desk.machine.apply(Submission(sender, "take back", desk.now_ns, body), desk.machine.seq + 1, desk.now_ns)
    assert order.close_reason is reason
