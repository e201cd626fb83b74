"""What is too large for one command goes on ahead of the next, in the same order after a dump as before it."""

import pytest

from fondaco.core import snapshot
from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import CancelOrder, PlaceOrder, Tick
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.replies import OrderCancelled
from fondaco.core.state import Order
from fondaco.core.vocabulary import OrderType, TimeInForce
from support.ledger_lines import SECOND_NS, Table


@pytest.fixture
def table() -> Table:
    """Somebody with many orders: two commands' worth and a few."""
    played = Table()
    played.open("alice", cash=1_000_000, gold=10_000)
    alice = played.accounts["alice"]
    for number in range(2 * MAX_TOUCHED + 5):
        played.give(PlaceOrder(alice, "GOLDCASH", Side.SELL, OrderType.LIMIT, 1, 100 + number, TimeInForce.GTC), alice)
    return played


def ended(table: Table) -> int:
    return sum(isinstance(each, Order) for each in table.events)


def test_many_orders_are_taken_back_in_parts_ahead_of_other_commands(table: Table) -> None:
    assert not table.machine.backlog
    table.check(f"alice cancel_all | cancelled {MAX_TOUCHED} and more | alice 1000000+0 8995+1005")
    assert table.machine.backlog
    alice = table.accounts["alice"]
    youngest = table.machine.orders_of(alice)[-1].order_id
    # First a thousand more, and then this one.
    assert table.give(CancelOrder(alice, youngest), alice).reply == OrderCancelled(youngest, 1)
    assert ended(table) == MAX_TOUCHED + 1
    table.give(Tick())
    assert ended(table) == 4
    assert not table.machine.backlog
    assert table.has("alice") == ["1000000+0", "10000+0"]


@pytest.mark.parametrize("is_loaded", [False, True], ids=["live", "loaded"])
def test_what_is_placed_after_stays(table: Table, *, is_loaded: bool) -> None:
    table.check(f"alice cancel_all GOLDCASH | cancelled {MAX_TOUCHED} and more")
    table.check("alice buy 1 @50 | open")
    if is_loaded:
        table.machine = snapshot.load(snapshot.dump(table.machine))
    while table.machine.backlog:
        table.give(Tick())
    assert [each.price_ticks for each in table.machine.orders_of(table.accounts["alice"])] == [50]


def test_a_delisting_takes_everybodys_orders_and_goes_on_after_a_dump(table: Table) -> None:
    table.check(f"house delist GOLDCASH | cancelled {MAX_TOUCHED} and more")
    table.machine = snapshot.load(snapshot.dump(table.machine))
    assert table.machine.backlog
    table.give(Tick())
    assert ended(table) == MAX_TOUCHED
    table.give(Tick())
    assert ended(table) == 5
    assert not table.machine.backlog


def test_a_second_work_waits_for_the_first(table: Table) -> None:
    table.check(f"alice cancel_all | cancelled {MAX_TOUCHED} and more")
    table.check("house delist GOLDCASH | cancelled 0 and more")
    table.give(Tick())
    assert not table.machine.backlog
    assert table.machine.orders_of(table.accounts["alice"]) == []


def test_many_orders_expire_in_parts(table: Table) -> None:
    alice = table.accounts["alice"]
    moment = table.now_ns + 5 * SECOND_NS
    for _ in range(MAX_TOUCHED + 1):
        order = PlaceOrder(alice, "GOLDCASH", Side.BUY, OrderType.LIMIT, 1, 5, TimeInForce.GTD, expires_ns=moment)
        table.give(order, alice)
    table.check("house wait 4 | ok")
    assert ended(table) == 0
    table.check("house wait 1 | ok")
    assert ended(table) == MAX_TOUCHED
    assert table.machine.backlog
    table.give(Tick())
    assert ended(table) == 1


def test_more_triggers_than_one_command_may_wake_go_on_with_the_next() -> None:
    played = Table()
    played.open("alice", cash=1_000_000)
    bob = played.open("bob", cash=1_000_000, gold=10_000)
    played.check("bob sell 1 @100 | open \n alice buy 1 @100 | filled 1 fee 2")
    for _ in range(MAX_TOUCHED + 7):
        played.give(PlaceOrder(bob, "GOLDCASH", Side.SELL, OrderType.STOP, 1, trigger_price=95), bob)
    played.check("alice buy 1 @95 | open \n bob sell 1 @95 | filled 1 fee 2")
    assert len(played.machine.house.fired) == 7
    played.machine = snapshot.load(snapshot.dump(played.machine))
    played.give(Tick())
    assert not played.machine.backlog
    assert played.machine.orders_of(bob) == []


def test_who_was_fired_but_not_sent_when_its_market_was_closed_does_not_trade() -> None:
    played = Table()
    played.open("alice", cash=1_000_000)
    bob = played.open("bob", cash=1_000_000, gold=10_000)
    played.check("bob sell 1 @100 | open \n alice buy 1 @100 | filled 1 fee 2")
    for _ in range(MAX_TOUCHED):
        played.give(PlaceOrder(bob, "GOLDCASH", Side.SELL, OrderType.LIMIT, 1, 119), bob)
    for _ in range(2 * MAX_TOUCHED + 7):
        played.give(PlaceOrder(bob, "GOLDCASH", Side.SELL, OrderType.STOP, 1, trigger_price=95), bob)
    played.check("alice buy 5000 @90 | open \n alice buy 1 @95 | open \n bob sell 1 @95 | filled 1 fee 2")
    # A thousand have been sent with the command that woke them, a thousand go ahead of this one; seven stand in line
    # behind a thousand older orders that it takes back.
    played.check(f"house delist GOLDCASH | cancelled {MAX_TOUCHED} and more")
    while played.machine.backlog:
        played.give(Tick())
    assert (played.machine.orders_of(bob), played.has("alice")[1]) == ([], f"{2 + 2 * MAX_TOUCHED}+0")
