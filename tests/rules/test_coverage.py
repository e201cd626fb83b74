"""docs/coverage.md answers for every behaviour that the five source systems ask for.

One row per id, whose second cell is ``done`` and then names the tests that show it (each must mention the id),
``decided`` and then says what was decided, or ``open``. The list of ids stands in that file itself; where the
specification lies beside the checkout, the two are compared.
"""

import re
from collections import Counter
from typing import NamedTuple

from fondaco.infra.settings import CHECKOUT
from support import tree

COVERAGE = tree.ROOT / "docs" / "coverage.md"
SPECIFICATION = CHECKOUT.parent / "shared" / "spec" / "behaviours.md"
ID = r"(?:(?:EXD|BHC|EXP|BBX|NEX)-C?|X-)\d+"
ROW = re.compile(rf"\| ({ID}) \| (\w+) \| (.*?) \|")
TEST_FILE = re.compile(r"`((?:tests|web)/[\w./-]+)`")


class Row(NamedTuple):
    """One behaviour: its id, its state, and where it is shown or what was decided."""

    id: str
    state: str
    told: str


ROWS = [Row(*found.groups()) for line in COVERAGE.read_text().splitlines() if (found := ROW.match(line))]


def test_every_id_stands_once() -> None:
    assert [each for each, times in Counter(row.id for row in ROWS).items() if times > 1] == []
    lines = [line for line in COVERAGE.read_text().splitlines() if re.match(rf"\| {ID} ", line)]
    assert len(lines) == len(ROWS), "a row is not of the form | id | state | where or why |"


def test_no_id_of_the_specification_is_missing() -> None:
    if SPECIFICATION.exists():  # a clone on its own has only our list
        wanted = set(re.findall(rf"^- ({ID}) ", SPECIFICATION.read_text(), flags=re.MULTILINE))
        assert wanted == {row.id for row in ROWS}


def test_every_state_is_done_decided_or_open() -> None:
    assert [row for row in ROWS if row.state not in {"done", "decided", "open"}] == []


def test_what_is_done_names_tests_that_mention_it() -> None:
    assert [problem for row in ROWS if row.state == "done" for problem in _unproven(row)] == []


def test_what_is_decided_says_what_was_decided() -> None:
    assert [row for row in ROWS if row.state == "decided" and len(row.told.split()) < 3] == []


def _unproven(row: Row) -> list[str]:
    named = TEST_FILE.findall(row.told)
    if not named:
        return [f"{row.id}: names no test"]
    missing = [f"{row.id}: {name} does not exist" for name in named if not (tree.ROOT / name).is_file()]
    return missing or [f"{row.id}: {name} does not mention it" for name in named if not _mentions(name, row.id)]


def _mentions(name: str, behaviour: str) -> bool:
    """``EXP-3`` itself, or inside a span such as ``EXP-1 to EXP-8``; never as the beginning of ``EXP-31``."""
    text = tree.source(tree.ROOT / name)
    if re.search(rf"\b{behaviour}\b(?!\d)", text):
        return True
    prefix, _, number = behaviour.rpartition("-")
    spans = re.findall(rf"\b{prefix}-(\d+) to (?:{prefix}-)?(\d+)", text)
    return number.isdecimal() and any(int(first) <= int(number) <= int(last) for first, last in spans)
