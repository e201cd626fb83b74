"""Commands that are refused, at least one for each reason that needs no history; and the markets of the stream."""

import msgspec

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
    ResetDemo,
    SetAccountStatus,
    SetLimit,
    SetRules,
    SetUserStatus,
    Transfer,
    TripBreaker,
)
from fondaco.core.listings import Asset, Instrument
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderType,
    TimeInForce,
    UserStatus,
    World,
)

SECOND_NS = 1_000_000_000
BTC, ETH, USDT = Asset("BTC", 4), Asset("ETH", 3), Asset("USDT", 2)
MARKETS = {
    "BTCUSDT": Terms(
        world=World.TRADING,
        instrument=Instrument("BTCUSDT", BTC, USDT),
        tick=250,
        lot=40,
        max_price_ticks=1_000_000,
        max_order_lots=10_000,
        maker_ppm=-150,
        taker_ppm=777,
        breaker_move_ppm=20_000,
        breaker_window_ns=60 * SECOND_NS,
        breaker_pause_ns=SECOND_NS // 1_000,
    ),
    "ETHUSDT": Terms(
        world=World.TRADING,
        instrument=Instrument("ETHUSDT", ETH, USDT),
        tick=125,
        lot=24,
        max_price_ticks=1_000_000,
        max_order_lots=10_000,
        maker_ppm=333,
        taker_ppm=999,
    ),
}
SMALL = Terms(
    world=World.TRADING,
    instrument=Instrument("SMALL", ETH, USDT),
    tick=125,
    lot=24,
    max_price_ticks=1_000,
    max_order_lots=1_000,
    max_open_orders=5,
)
"""Soon full."""


def wrong_commands(account: int, other: int, now_ns: int) -> list[tuple[int, Command]]:
    """Each with its sender."""
    return [
        *[(account, each) for each in _wrong_orders(account, now_ns)],
        *[(HOUSE, each) for each in _wrong_terms()],
        *[(HOUSE, each) for each in _wrong_money(account)],
        *[(HOUSE, each) for each in _wrong_governing(account, now_ns)],
        (account, Deposit(account, "USDT", 1)),
        (account, CancelAll(1)),
        (account, CancelAll(account, "NONE")),
        (account, AmendOrder(account, 1)),
        (account, Transfer(account, other + 1_000_000, "USDT", 1)),
        (account, Transfer(account, account, "USDT", 1)),
        (account, ResetDemo(account, 0)),
        (account, ResetDemo(account, -1)),
        (account, CancelOrder(account, 1)),
    ]


def _wrong_orders(account: int, now_ns: int) -> list[Command]:
    buy, sell, limit = Side.BUY, Side.SELL, OrderType.LIMIT
    price, lot, symbol = 2_500_000, 40, "BTCUSDT"
    gtd = TimeInForce.GTD
    return [
        PlaceOrder(account, "NONE", buy, limit, lot, price),
        PlaceOrder(account, symbol, buy, limit, lot),
        PlaceOrder(account, symbol, buy, OrderType.MARKET, lot, price),
        PlaceOrder(account, symbol, buy, OrderType.STOP, lot),
        PlaceOrder(account, symbol, buy, limit, lot, price, trigger_price=price),
        PlaceOrder(account, symbol, buy, limit, lot, price, quote_quantity=9),
        PlaceOrder(account, symbol, buy, OrderType.MARKET, lot, time_in_force=gtd, expires_ns=now_ns + 1),
        PlaceOrder(account, symbol, buy, limit, lot, price, TimeInForce.IOC, post_only=True),
        PlaceOrder(account, symbol, buy, OrderType.STOP_LOSS, lot, trigger_price=price),
        PlaceOrder(account, symbol, buy, limit, lot, price, self_trade=SelfTrade.ALLOW),
        PlaceOrder(account, symbol, buy, limit, lot, price, gtd),
        PlaceOrder(account, symbol, buy, limit, lot, price, expires_ns=now_ns + 1),
        PlaceOrder(account, symbol, buy, limit, lot, price, gtd, expires_ns=now_ns),
        PlaceOrder(account, symbol, buy, limit, lot, -price),
        PlaceOrder(account, symbol, buy, limit, lot, price + 1),
        PlaceOrder(account, symbol, buy, limit, lot, 250 * 1_000_001),
        PlaceOrder(account, symbol, buy, limit, 0, price),
        PlaceOrder(account, symbol, buy, limit, lot + 1, price),
        PlaceOrder(account, symbol, buy, limit, 40 * 10_001, price),
        PlaceOrder(account, symbol, buy, limit, lot, 2 * price),
        PlaceOrder(account, symbol, buy, OrderType.STOP, lot, trigger_price=250),
        PlaceOrder(account, symbol, sell, limit, lot, price * 50, TimeInForce.FOK),
        PlaceOrder(account, symbol, buy, OrderType.MARKET, quote_quantity=1),
        PlaceOrder(account, symbol, buy, limit, lot, price, client_order_id="\n"),
        *[PlaceOrder(account, symbol, buy, limit, lot, price // 4 * 3, client_order_id=f"one of {account}")] * 2,
        PlaceOrder(account, symbol, sell, limit, lot, price // 4 * 5, post_only=True),
        PlaceOrder(account, symbol, sell, limit, lot, price // 100 * 95, post_only=True),
    ]


def _wrong_terms() -> list[Command]:
    good = msgspec.structs.replace(SMALL, instrument=Instrument("NEWUSDT", BTC, USDT), tick=250, lot=40)
    wrong: list[dict[str, object]] = [
        {"instrument": Instrument("new", BTC, USDT)},
        {"instrument": Instrument("BTCUSDT", BTC, USDT)},
        {"instrument": Instrument("NEWUSDT", Asset("BTC", 19), USDT)},
        {"instrument": Instrument("NEWUSDT", Asset("BTC", 5), USDT)},
        {"instrument": Instrument("NEWUSDT", USDT, USDT)},
        {"tick": 0},
        {"lot": 0},
        {"tick": 1},
        {"max_price_ticks": 0},
        {"max_order_lots": 0},
        {"max_open_orders": 0},
        {"max_price_ticks": 2**31 - 1, "max_order_lots": 2**33, "max_open_orders": 1},
        {"taker_ppm": -1},
        {"band_ppm": 0},
        {"max_leverage": 101},
        {"breaker_move_ppm": 1},
    ]
    return [ListInstrument(msgspec.structs.replace(good, **each)) for each in wrong]


def _wrong_money(account: int) -> list[Command]:
    return [
        Deposit(1, "USDT", 1),
        Deposit(account, "NONE", 1),
        Deposit(account, "USDT", 0),
        Deposit(account, "USDT", 2**62),
        Deposit(account, "USDT", 1, "\n"),
        PlaceHold(account, "BTC", 10**15, "too much"),
        ReleaseHold(1),
        Transfer(account, account, "USDT", 1),
    ]


def _wrong_governing(account: int, now_ns: int) -> list[Command]:
    return [
        AdmitUser("user1"),
        AdmitUser(""),
        SetUserStatus("nobody", UserStatus.ACTIVE),
        OpenAccount("nobody", World.TRADING, "USDT"),
        OpenAccount("user1", World.TRADING, "USDT", AccountKind.HOUSE),
        OpenAccount("user1", World.TRADING, "NONE"),
        OpenAccount("user1", World.DEMO, "USDT", grant=-1),
        SetAccountStatus(1, AccountStatus.FROZEN),
        SetAccountStatus(account, AccountStatus.CLOSED),
        ListAsset("BTC", 4),
        ListAsset("btc", 4),
        ListAsset("NEW", 19),
        CloseInstrument(World.TRADING, "NONE"),
        SetLimit(World.TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", -1),
        SetLimit(World.TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", None),
        TripBreaker(World.TRADING, "BTCUSDT", "too late", "staff", now_ns),
        TripBreaker(World.TRADING, "NONE", "no such market", "staff"),
        LiftBreaker(World.EXTERNAL, ""),
        SetRules(1),
    ]
