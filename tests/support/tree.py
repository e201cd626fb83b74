"""The source tree as the rules see it: which files there are, and their syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("src", "tests", "benchmarks", "migrations", "docs", "hatch_build.py")
"""Where our Python lives."""
NOT_OURS = frozenset({"node_modules", "dist", "web_dist", "__pycache__"})


def files(*places: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """Our files with these suffixes under these places, sorted."""
    return sorted(path for place in places for path in _under(ROOT / place) if path.suffix in suffixes)


def relative(path: Path) -> str:
    """A path as people write it: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


@cache
def source(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(source(path), filename=str(path))


def module_name(path: Path) -> str:
    """The dotted name of a module of ours."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _under(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    elif place.is_dir():
        for child in place.iterdir():
            if child.name not in NOT_OURS:
                yield from _under(child)
