"""Files stay within 500 lines and functions within 60, so that each fits a reader's head.

ratchet.txt lists what may still be longer, with its present length. It can only shrink: an entry that got shorter must
say so, one that fits must go, and no more entries than `MOST_EXCEPTIONS` are taken.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from support import tree

FILE_LINES = 500
FUNCTION_LINES = 60
MOST_EXCEPTIONS = 0
RATCHET = Path(__file__).with_name("ratchet.txt")


def test_files_and_functions_are_no_longer_than_the_rule_or_their_entry_in_the_ratchet() -> None:
    assert dict(_too_long()) == _exceptions()


def test_the_ratchet_only_shrinks() -> None:
    assert len(_exceptions()) <= MOST_EXCEPTIONS


def _too_long() -> Iterator[tuple[str, int]]:
    places = ("src", "tests", "benchmarks", "migrations", "docs", "web", "hatch_build.py", "dev")
    for path in tree.files(*places, suffixes=(".py", ".ts", ".tsx", ".css", "")):
        lines = len(tree.source(path).splitlines())
        if lines > FILE_LINES:
            yield tree.relative(path), lines
    for path in tree.files(*tree.CODE):
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{tree.relative(path)}::{node.name}", lines


def _exceptions() -> dict[str, int]:
    entries = [line.split() for line in RATCHET.read_text().splitlines() if line and not line.startswith("#")]
    return {name: int(lines) for name, lines in entries}
