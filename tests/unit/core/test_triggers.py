"""Who fires when: by crossing, then trigger price, then priority, and breadth-first."""

from fondaco.core.state import Order
from fondaco.core.vocabulary import OrderState, World
from support.ledger_lines import Table


def fired(table: Table) -> list[int]:
    """The numbers of the orders that were told as ended or resting after they had fired, in that order."""
    return [
        table.order_ids.index(each.order_id) + 1
        for each in table.events
        if isinstance(each, Order) and each.trigger_ticks and each.state is not OrderState.PENDING
    ]


def furnished() -> Table:
    table = Table()
    for name in ("alice", "bob", "carol"):
        table.open(name, cash=100_000, gold=1_000)
    table.check("bob sell 1 @100 | open \n alice buy 1 @100 | filled 1 fee 2")
    return table


def test_of_one_crossing_the_lower_trigger_fires_first_and_of_one_trigger_the_older() -> None:
    table = furnished()
    table.check("""
        carol buy 1 stop !105 | pending
        carol buy 1 stop !103 | pending
        carol buy 1 stop !105 | pending
        carol buy 1 stop !104 | pending
        bob   sell 1 @106     | open
        alice buy 1 @106      | filled 1 fee 3
    """)
    assert fired(table) == [4, 6, 3, 5]


def test_an_earlier_price_of_the_same_command_fires_first() -> None:
    table = furnished()
    table.check("""
        carol buy 1 stop !104 | pending
        carol buy 1 stop !102 | pending
        bob   sell 1 @102     | open
        bob   sell 1 @104     | open
        alice buy 2 @104      | filled 2 fee 5
    """)
    assert fired(table) == [4, 3]


def test_who_is_woken_by_the_woken_stands_behind_all_that_are_in_line() -> None:
    table = furnished()
    table.check("""
        carol buy 1 stop !102 | pending
        carol buy 1 stop !102 | pending
        carol buy 1 stop !105 | pending
        bob   sell 1 @102     | open
        bob   sell 1 @105     | open
        bob   sell 3 @106     | open
        alice buy 1 @102      | filled 1 fee 3
    """)
    # The first of two buys at 105 and so wakes the third, who comes after the second.
    assert fired(table) == [3, 4, 5]


def test_rising_and_falling_wait_apart() -> None:
    table = furnished()
    table.check("""
        carol sell 1 stop !95       | pending
        carol sell 1 take_profit !105 | pending
        carol sell 1 stop_loss !96  | pending
        carol buy  1 stop !105      | pending
        carol buy  1 @90            | open
        alice buy  1 @95            | open
        bob   sell 1 @95            | filled 1 fee 2
    """)
    assert fired(table) == [3, 5]
    table.check("bob sell 9 @105 | open \n alice buy 1 @105 | filled 1 fee 3")
    assert fired(table) == [4, 6]


def test_a_cancelled_trigger_does_not_fire_even_when_it_stands_in_line() -> None:
    table = furnished()
    table.check("""
        carol buy 1 stop !102 | pending
        carol buy 1 stop !103 | pending
        carol cancel #3       | cancelled 1
        bob   sell 1 @103     | open
        alice buy 1 @103      | filled 1 fee 3
    """)
    assert fired(table) == [4]


def test_many_cancelled_triggers_leave_no_heap_behind() -> None:
    table = furnished()
    triggers = table.machine.house.markets[World.TRADING, "GOLDCASH"].triggers
    for number in range(500):
        table.check(f"carol buy 1 stop !{101 + number % 50} | pending")
        table.check(f"carol cancel #{len(table.order_ids)} | cancelled 1")
    assert len(triggers) == 0
    assert triggers.size < 100
