"""`fondaco.core` is pure: a replayed journal and a backtest must run through the very code that trades.

So core may import a short list of the standard library, msgspec, numpy, numba with its llvmlite, and itself; it calls
nothing that reads the world or differs from run to run; and neither core nor engine nor trading lets a float near an
amount.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from support import tree

ALLOWED_IMPORTS = frozenset(
    {
        *("abc", "bisect", "collections", "contextlib", "dataclasses", "enum", "fractions", "functools", "hashlib"),
        *("heapq", "itertools", "math", "operator", "struct", "types", "typing"),
        *("msgspec", "numpy", "numba", "llvmlite"),
    }
)
IMPURE_CALLS = frozenset(
    {"open", "input", "print", "exec", "eval", "__import__", "hash", "id", "globals", "breakpoint"}
)
"""``hash`` and ``id`` too: they differ from process to process."""

CORE = tree.files("src/fondaco/core")
SHELLS = frozenset({"archive.py", "desk.py", "follower.py", "leader.py", "live.py", "postgres_store.py", "store.py"})
"""Modules that wait for seconds or join paths, and see no amount."""
MONEY = [
    *CORE,
    *(
        path
        for path in tree.files("src/fondaco/engine", "src/fondaco/domains/trading")
        if path.name not in SHELLS and path.parent.name != "simulation"
    ),
]


def test_core_imports_only_itself_and_the_short_list() -> None:
    assert [name for name in _found(CORE, _imports) if not _is_allowed(name.partition(": ")[2])] == []


def test_core_calls_nothing_that_reads_the_world_or_differs_from_run_to_run() -> None:
    assert _found(CORE, _impurities) == []


def test_no_float_comes_near_an_amount() -> None:
    assert _found(MONEY, _floats) == []


def _found(paths: list[Path], search: Callable[[ast.Module], Iterator[str]]) -> list[str]:
    return [f"{tree.relative(path)}: {each}" for path in paths for each in search(tree.parsed(path))]


def _imports(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def _is_allowed(name: str) -> bool:
    return name.partition(".")[0] in ALLOWED_IMPORTS or name == "fondaco.core" or name.startswith("fondaco.core.")


def _impurities(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"line {node.lineno}: {node.func.id}()"
        if isinstance(node, ast.Attribute) and node.attr == "random":
            yield f"line {node.lineno}: .random"
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global):
            yield f"line {node.lineno}: {type(node).__name__}"


def _floats(module: ast.Module) -> Iterator[str]:
    """Literals, conversions and true divisions: whatever makes a float, as far as the syntax shows."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"line {node.lineno}: {node.value!r}"
        if isinstance(node, ast.Name) and node.id == "float":
            yield f"line {node.lineno}: float"
        if isinstance(node, ast.Attribute) and node.attr.startswith("float"):
            yield f"line {node.lineno}: .{node.attr}"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"line {node.lineno}: / makes a float; use //, or a verb of fondaco.core.money"
