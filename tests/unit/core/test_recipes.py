"""The examples in docs/recipes are played line by line: what these pages say of money is what the machine does.

A fill posts for both parties and both fees and lowers the holds, in one command (BHC-45).

The tables are those of `support.ledger_lines`, for alice with 10,000 of cash, her second account alice2, and bob with
100 of gold. ``outside`` and ``fees`` are the house's own accounts. Below a command stand, indented, its postings,
``alice -> bob 400 CASH trade 1`` with code and reference, and the positions that it changed. A page with
``ledger rebate`` on its fence plays under terms that pay the maker half a per cent.

The desk's pages are written in the tables of `support.desk_lines`, for alice and bob with 20,000 of cash each.

Margin is quantity times price over leverage (EXD-29).
"""

import re
from collections.abc import Iterator

import msgspec
import pytest

from fondaco.core.ledger import Posting
from fondaco.core.state import FEE_ACCOUNT, OUTSIDE_ACCOUNT, Position
from fondaco.core.vocabulary import World
from support import tree
from support.desk_lines import DeskTable, play
from support.ledger_lines import GOLD_CASH, Table, steps

PAGES = tree.ROOT / "docs" / "recipes"
MOVEMENTS = ("deposit", "withdrawal", "hold", "fill", "cancel", "transfer")
FENCE = re.compile(r"^```ledger( rebate)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(bool(rebate), text, id=f"{page}-{number}")
    for page in MOVEMENTS
    for number, (rebate, text) in enumerate(FENCE.findall((PAGES / f"{page}.md").read_text()), 1)
]
AT_THE_DESK = ("leverage", "stop-out", "financing")
DESK_FENCE = re.compile(r"^```desk\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DESK_EXAMPLES = [
    pytest.param(text, id=f"{page}-{number}")
    for page in AT_THE_DESK
    for number, text in enumerate(DESK_FENCE.findall((PAGES / f"{page}.md").read_text()), 1)
]


@pytest.mark.parametrize(("has_rebate", "text"), EXAMPLES)
def test_an_example_does_what_its_page_says(text: str, *, has_rebate: bool) -> None:
    played = Table(msgspec.structs.replace(GOLD_CASH, maker_ppm=-5_000) if has_rebate else GOLD_CASH)
    played.open("alice", cash=10_000)
    played.open("alice2", user="alice")
    played.open("bob", gold=100)
    played.accounts |= {"outside": OUTSIDE_ACCOUNT[World.TRADING], "fees": FEE_ACCOUNT[World.TRADING]}
    for command, below in steps(text):
        played.check(command)
        assert below == list(told(played)), command


@pytest.mark.parametrize("text", DESK_EXAMPLES)
def test_an_example_at_the_desk_does_what_its_page_says(text: str) -> None:
    table = DeskTable()
    table.enter("alice", cash=20_000)
    table.enter("bob", cash=20_000)
    play(table, text, shows_money=True)


@pytest.mark.parametrize("page", [*MOVEMENTS, *AT_THE_DESK])
def test_every_movement_has_an_example_and_a_place_in_the_list(page: str) -> None:
    fence = DESK_FENCE if page in AT_THE_DESK else FENCE
    assert fence.search((PAGES / f"{page}.md").read_text())
    assert f"({page}.md)" in (PAGES / "README.md").read_text()


def told(played: Table) -> Iterator[str]:
    """What the last command moved and whose positions it changed, as the pages write it."""
    names = {account_id: name for name, account_id in played.accounts.items()}
    for event in played.events:
        match event:
            case Posting(debit_account_id=debit, credit_account_id=credit):
                moved = f"{event.amount} {event.asset} {event.code} {event.reference}"
                yield f"{names[debit]} -> {names[credit]} {moved}"
            case Position():
                yield f"{names[event.account_id]} has {event.lots} for {event.cost}, earned {event.realised}"
            case _:
                pass
