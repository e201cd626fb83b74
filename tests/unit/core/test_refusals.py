"""Refusals: of several reasons the first one is given, nothing changes, and every reason is reached somewhere.

The order of `Refusal` is the order in which the reasons are asked. A market order has no price (BBX-40).
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from fondaco.core import snapshot
from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import (
    AdmitUser,
    CloseInstrument,
    Deposit,
    OpenAccount,
    PlaceHold,
    PlaceOrder,
    SetRules,
    TripBreaker,
)
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.house import MAX_ACCOUNTS_PER_USER
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import AccountOpened, Answer, Refused
from fondaco.core.snapshot import Dump
from fondaco.core.vocabulary import OrderType, TimeInForce, World
from support.ledger_lines import GOLD_CASH, SECOND_NS, Table

COARSE = msgspec.structs.replace(GOLD_CASH, tick=20, lot=2, max_order_lots=50_000, max_open_orders=5)

Mend = dict[str, Any] | str
"""Fields of the order that become right, or a line of the tables that puts something else right."""


HOPELESS: dict[str, Any] = {
    "life_ns": -1,
    "command_id": "",
    "account_id": 999_999,
    "symbol": "ODDCASH",
    "side": Side.BUY,
    "type": OrderType.STOP_LIMIT,
    "quantity": 0,
    "price": 0,
    "time_in_force": TimeInForce.FOK,
    "trigger_price": 0,
    "quote_quantity": 5,
    "post_only": True,
    "self_trade": SelfTrade.ALLOW,
    "client_order_id": "\n",
    "expires_ns": 0,
}
"""An order that is wrong in every way."""


def test_of_several_reasons_the_first_one_is_given_and_nothing_changes() -> None:
    table, fields = against_it(), dict(HOPELESS)
    given: list[Refusal] = []
    for mend, refusal in mends_of(table):
        if isinstance(mend, str):
            table.check(mend)
        else:
            fields |= mend
        before = remembered_by(table)
        reply = attempt(table, fields).reply
        assert (reply.code if isinstance(reply, Refused) else None) == refusal, mend
        if refusal is not None:
            assert remembered_by(table) == before, refusal
            given.append(refusal)
    assert given == sorted(given, key=list(Refusal).index)


def against_it() -> Table:
    """A house in which everything stands in the way of an order."""
    table = Table(COARSE)
    table.open("closed", user="alice")
    table.open("alice", cash=10_000)
    table.open_margin("margin", user="alice")
    table.open("bob", cash=100_000, gold=100)
    tin = msgspec.structs.replace(COARSE, instrument=table.pair("TIN", "CASH"))
    table.list_asset("TIN", 0)
    table.list_instrument(msgspec.structs.asdict(tin))
    table.give(CloseInstrument(World.TRADING, "TINCASH"))
    table.check("""
        bob    sell 4 @100          | open
        bob    sell 4 @100          | open
        alice  buy 2 @100 id=taken  | filled 2 fee 4
        bob    sell 2 @120          | open
        bob    sell 2 @120          | open
        bob    sell 2 @120          | open
        alice  limit account max_open_orders 0    | ok
        alice  limit account max_order_value 0    | ok
        alice  limit account max_position 0       | ok
        alice  limit account max_daily_volume 0   | ok
        house  halt GOLDCASH        | ok
        margin freeze               | ok
        alice  suspend              | ok
        closed close                | ok
    """)
    return table


def mends_of(table: Table) -> list[tuple[Mend, Refusal | None]]:
    """What puts the order right, one by one, and what is wrong with it then."""
    return [
        ({}, Refusal.EXPIRED_IN_QUEUE),
        ({"life_ns": 61 * SECOND_NS}, Refusal.LIFETIME_TOO_LONG),
        ({"life_ns": SECOND_NS}, Refusal.BAD_COMMAND_ID),
        ({"command_id": None}, Refusal.BAD_TEXT),
        ({"client_order_id": "taken"}, Refusal.UNKNOWN_ACCOUNT),
        ({"account_id": table.accounts["closed"]}, Refusal.ACCOUNT_CLOSED),
        ({"account_id": table.accounts["margin"]}, Refusal.USER_SUSPENDED),
        ("alice readmit | ok", Refusal.ACCOUNT_FROZEN),
        ("margin thaw | ok", Refusal.UNKNOWN_SYMBOL),
        ({"symbol": "TINCASH"}, Refusal.INSTRUMENT_CLOSED),
        ({"symbol": "GOLDCASH"}, Refusal.SPOT_ACCOUNT_NEEDED),
        ({"account_id": table.accounts["alice"]}, Refusal.PRICE_NEEDED),
        ({"type": OrderType.MARKET, "price": 20, "quote_quantity": 0}, Refusal.PRICE_NOT_ALLOWED),
        ({"type": OrderType.STOP, "price": 0}, Refusal.TRIGGER_NEEDED),
        ({"type": OrderType.MARKET, "trigger_price": -1}, Refusal.TRIGGER_NOT_ALLOWED),
        ({"type": OrderType.TAKE_PROFIT, "quote_quantity": 5}, Refusal.QUANTITY_OR_QUOTE),
        ({"quote_quantity": 0}, Refusal.TIME_IN_FORCE_NOT_ALLOWED),
        ({"time_in_force": TimeInForce.GTD}, Refusal.POST_ONLY_NOT_ALLOWED),
        ({"post_only": False}, Refusal.SELL_ONLY),
        ({"side": Side.SELL}, Refusal.SELF_TRADE_NOT_PREVENTED),
        ({"self_trade": SelfTrade.EXPIRE_TAKER}, Refusal.EXPIRY_NEEDED),
        ({"time_in_force": TimeInForce.GTC, "expires_ns": 1}, Refusal.EXPIRY_NOT_ALLOWED),
        ({"time_in_force": TimeInForce.GTD}, Refusal.EXPIRY_PASSED),
        ({"expires_ns": table.now_ns + 999 * SECOND_NS}, Refusal.PRICE_NOT_POSITIVE),
        ({"type": OrderType.LIMIT, "trigger_price": 0, "price": 30, "post_only": True}, Refusal.BAD_TICK),
        ({"price": 2_000_020}, Refusal.PRICE_TOO_HIGH),
        ({"price": 20}, Refusal.QUANTITY_NOT_POSITIVE),
        ({"quantity": 3}, Refusal.BAD_LOT),
        ({"quantity": 100_002}, Refusal.QUANTITY_TOO_LARGE),
        ({"quantity": 2_000}, Refusal.BREAKER_ACTIVE),
        ("house lift GOLDCASH | ok", Refusal.DUPLICATE_CLIENT_ORDER_ID),
        ({"client_order_id": "mine"}, Refusal.PRICE_OUTSIDE_BAND),
        ({"side": Side.BUY, "price": 120}, Refusal.MAX_OPEN_ORDERS),
        ("alice limit account max_open_orders none | ok", Refusal.MAX_ORDER_VALUE),
        ("alice limit account max_order_value none | ok", Refusal.MAX_POSITION),
        ("alice limit account max_position none | ok", Refusal.MAX_DAILY_VOLUME),
        ("alice limit account max_daily_volume none | ok", Refusal.BOOK_FULL),
        ("bob cancel #6 | cancelled 2", Refusal.WOULD_TAKE),
        ({"post_only": False, "time_in_force": TimeInForce.FOK, "expires_ns": 0}, Refusal.NOT_FILLABLE),
        ({"time_in_force": TimeInForce.IOC}, Refusal.INSUFFICIENT_FUNDS),
        ({"quantity": 4}, None),
    ]


def attempt(table: Table, fields: dict[str, Any]) -> Answer:
    """Give the order as it is now."""
    order = {name: value for name, value in fields.items() if name not in ("life_ns", "command_id")}
    return table.give(
        PlaceOrder(**order), fields["account_id"], command_id=fields["command_id"], life_ns=fields["life_ns"]
    )


def remembered_by(table: Table) -> Dump:
    """Everything that the machine knows but the commands themselves, and the ids that alerts took."""
    known = msgspec.msgpack.decode(snapshot.dump(table.machine), type=Dump)
    return msgspec.structs.replace(known, seq=0, now_ns=0, next_id=0, remembered=[])


def test_an_id_that_stood_for_another_command_is_refused_and_a_repeated_one_is_answered_again() -> None:
    table = Table()
    account_id = table.open("alice", cash=100)
    first = table.give(Deposit(account_id, "CASH", 5), command_id="same")
    again = table.give(Deposit(account_id, "CASH", 5), command_id="same", life_ns=2 * SECOND_NS)
    assert (again.is_duplicate, again.seq, again.reply) == (True, first.seq, first.reply)
    assert table.has("alice") == ["105+0", "0+0"]
    other = table.give(Deposit(account_id, "CASH", 6), command_id="same")
    assert (other.is_duplicate, other.reply) == (False, Refused(Refusal.COMMAND_ID_REUSED))
    order = PlaceOrder(account_id, "GOLDCASH", Side.BUY, OrderType.LIMIT, 1, 10)
    assert not table.give(order, account_id, command_id="same").is_duplicate  # another sender's id is another


def test_what_came_too_late_may_be_sent_again_under_its_id() -> None:
    table = Table()
    account_id = table.open("alice")
    late = table.give(Deposit(account_id, "CASH", 5), command_id="late", life_ns=-1)
    assert late.reply == Refused(Refusal.EXPIRED_IN_QUEUE)
    assert not isinstance(table.give(Deposit(account_id, "CASH", 5), command_id="late").reply, Refused)


def test_nobody_submits_for_another_and_what_is_the_houses_is_the_houses() -> None:
    table = Table()
    alice, bob = table.open("alice", cash=100), table.open("bob")
    order = PlaceOrder(alice, "GOLDCASH", Side.BUY, OrderType.LIMIT, 1, 10)
    assert table.give(order, bob).reply == Refused(Refusal.UNKNOWN_ACCOUNT)
    assert table.give(Deposit(bob, "CASH", 5), bob).reply == Refused(Refusal.HOUSE_ONLY)


def test_texts_that_nobody_could_read_are_refused() -> None:
    table = Table()
    account_id = table.open("alice", cash=100)
    for command in (
        AdmitUser(""),
        AdmitUser("x" * 65),
        Deposit(account_id, "CASH", 5, "\x00"),
        PlaceHold(account_id, "CASH", 5, ""),
        TripBreaker(World.TRADING, "", "x" * 201, "an admin"),
        TripBreaker(World.TRADING, "", "a reason", ""),
    ):
        assert table.give(command).reply == Refused(Refusal.BAD_TEXT)


def test_an_order_that_would_meet_too_many_is_refused_and_one_that_meets_just_as_many_as_allowed_is_not() -> None:
    table = Table()
    table.open("alice", cash=100_000)
    bob = table.open("bob", gold=3 * MAX_TOUCHED)
    for _ in range(MAX_TOUCHED + 1):
        table.give(PlaceOrder(bob, "GOLDCASH", Side.SELL, OrderType.LIMIT, 1, 10), bob)
    table.check("bob sell 1 @12 | open")
    table.check(f"alice buy {MAX_TOUCHED + 1} @10 | too_many_touched | alice 100000+0 0+0")
    table.check(f"alice buy {MAX_TOUCHED} @10 | filled {MAX_TOUCHED} fee 200")
    for _ in range(MAX_TOUCHED):
        table.give(PlaceOrder(bob, "GOLDCASH", Side.SELL, OrderType.LIMIT, 1, 11), bob)
    table.check(f"alice buy {MAX_TOUCHED + 1} | too_many_touched")


def test_a_user_has_only_so_many_accounts() -> None:
    table = Table()
    table.open("alice")
    for _ in range(MAX_ACCOUNTS_PER_USER - 1):
        assert isinstance(table.give(OpenAccount("alice", World.DEMO, "CASH")).reply, AccountOpened)
    refused = Refused(Refusal.TOO_MANY_ACCOUNTS)
    assert table.give(OpenAccount("alice", World.DEMO, "CASH")).reply == refused


def test_rules_only_become_newer() -> None:
    table = Table()
    assert table.give(SetRules(1)).reply == Refused(Refusal.UNKNOWN_RULES)
    assert table.give(SetRules(99)).reply == Refused(Refusal.UNKNOWN_RULES)


def test_every_reason_is_reached_by_a_test_and_has_a_sentence() -> None:
    said = "".join(path.read_text() for path in sorted(Path(__file__).parent.rglob("test_*.py")))
    missing = [each for each in Refusal if not re.search(rf"\b({each.value}|Refusal\.{each.name})\b", said)]
    assert missing == []
    assert list(SENTENCES) == list(Refusal)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())
