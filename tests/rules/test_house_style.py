"""Rules of the house that ruff has no check for, or has one that can be talked out of it without a reason."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from support import tree

Node = TypeVar("Node", ast.Call, ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef)

PYTHON = tree.files(*tree.CODE)
PROSE_AND_CODE = tree.files(
    *(*tree.CODE, "web", "dev", ".ci"), suffixes=(".py", ".ts", ".tsx", ".css", ".html", ".md", "")
)
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
SUPPRESSION = re.compile(r"#\s*(?:noqa:\s*[A-Z0-9]+(?:\s*,\s*[A-Z0-9]+)*|type:\s*ignore\[[a-z-]+(?:,\s*[a-z-]+)*\])")
BARE_SUPPRESSION = re.compile(r"#\s*(?:noqa(?!:)|type:\s*ignore(?!\[))")
A_REASON = re.compile(r"\s*[-#:]\s*\S+\s+\S+")


def test_every_module_says_what_it_is_for() -> None:
    assert [tree.relative(path) for path in PYTHON if not ast.get_docstring(tree.parsed(path))] == []


def test_a_suppressed_check_names_its_code_and_gives_its_reason() -> None:
    assert [f"{at}: {comment}" for at, comment in _comments() if not _is_explained(comment)] == []


def test_a_broad_except_gives_its_reason_beside_it() -> None:
    assert [at for at, head in _broad_excepts() if "#" not in head] == []


def test_our_own_code_is_imported_at_the_top() -> None:
    assert list(_late_imports()) == []


def test_only_the_command_line_prints() -> None:
    calls = _nodes(tree.files("src"), ast.Call)
    printed = [at for at, call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert [at for at in printed if not at.startswith("src/fondaco/app/cli")] == []


def test_no_test_sleeps_and_hopes() -> None:
    tests = [path for path in tree.files("tests") if path != Path(__file__)]
    assert [tree.relative(path) for path in tests if "time.sleep(" in tree.source(path)] == []


def test_nothing_is_left_unfinished() -> None:
    lines = ((path, line) for path in PROSE_AND_CODE for line in tree.source(path).splitlines())
    assert [f"{tree.relative(path)}: {line.strip()}" for path, line in lines if UNFINISHED.search(line)] == []


def _nodes(paths: list[Path], kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """The nodes of one kind, each with its file and line."""
    for path in paths:
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, kind):
                yield f"{tree.relative(path)}:{node.lineno}", node


def _comments() -> Iterator[tuple[str, str]]:
    for path in PYTHON:
        for token in tokenize.generate_tokens(io.StringIO(tree.source(path)).readline):
            if token.type == tokenize.COMMENT:
                yield f"{tree.relative(path)}:{token.start[0]}", token.string


def _broad_excepts() -> Iterator[tuple[str, str]]:
    """Each with its text from ``except`` to its first statement, comments in between included."""
    for path in PYTHON:
        for at, handler in _nodes([path], ast.ExceptHandler):
            if _is_broad(handler):
                yield at, "\n".join(tree.source(path).splitlines()[handler.lineno - 1 : handler.body[0].lineno])


def _is_explained(comment: str) -> bool:
    if BARE_SUPPRESSION.search(comment):
        return False
    found = list(SUPPRESSION.finditer(comment))
    return not found or bool(A_REASON.match(comment, found[-1].end()))


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        each is None or (isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"}) for each in caught
    )


def _late_imports() -> Iterator[str]:
    for at, function in (*_nodes(PYTHON, ast.FunctionDef), *_nodes(PYTHON, ast.AsyncFunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            yield from (f"{at}: {name}" for name in names if name.partition(".")[0] in {"fondaco", "support"})
