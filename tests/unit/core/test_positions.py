"""Spot positions: average entry, realised result, closing (BHC-37, BHC-38); what a sell earned (BBX-41)."""

from fondaco.core.events import Trade
from fondaco.core.state import Position
from support.ledger_lines import Table


def told(table: Table, name: str) -> Position:
    (found,) = (each for each in table.events if isinstance(each, Position) and each.account_id == table.accounts[name])
    return found


def test_buys_move_the_average_and_sells_realise_their_share_of_the_cost() -> None:
    table = Table()
    table.open("alice", cash=10_000)
    table.open("bob", cash=10_000, gold=100)
    table.check("bob sell 4 @100 | open \n bob sell 3 @111 | open \n alice buy 7 @111 | filled 7 fee 15")
    opened = told(table, "alice")
    assert (opened.lots, opened.cost, opened.realised, opened.closed_ns) == (7, 733, 0, 0)
    table.check("bob buy 3 @120 | open \n alice sell 3 @120 | filled 3 fee 8")
    sold = told(table, "alice")
    # Three sevenths of 733 are 314.14; the client is charged 315.
    assert (sold.lots, sold.cost, sold.realised) == (4, 418, 45)
    assert [each.sell_realised for each in table.events if isinstance(each, Trade)] == [45]
    table.check("bob buy 4 @100 | open \n alice sell 4 @100 | filled 4 fee 8")
    closed = told(table, "alice")
    # The last part takes the remainder, so the parts sum to what was paid: 360 + 400 - 733.
    assert (closed.lots, closed.cost, closed.realised, closed.closed_ns) == (0, 0, 27, table.now_ns)
    assert [each.sell_realised for each in table.events if isinstance(each, Trade)] == [-18]
    assert closed.position_id == opened.position_id
    table.check("bob sell 1 @100 | open \n alice buy 1 @100 | filled 1 fee 2")
    assert told(table, "alice").position_id != opened.position_id


def test_what_was_never_bought_here_is_sold_without_a_result() -> None:
    table = Table()
    table.open("alice", cash=10_000)
    table.open("bob", gold=100)
    table.check("bob sell 4 @100 | open \n alice buy 4 @100 | filled 4 fee 8")
    assert [each.account_id for each in table.events if isinstance(each, Position)] == [table.accounts["alice"]]
    table.check("alice deposit GOLD 6 | ok \n bob buy 5 @99 | insufficient_funds \n bob deposit CASH 2000 | ok")
    table.check("bob buy 9 @110 | open \n alice sell 9 @110 | filled 9 fee 20")
    closed = told(table, "alice")
    assert (closed.lots, closed.realised) == (0, 40)  # of the four that were bought
    assert told(table, "bob").lots == 9
