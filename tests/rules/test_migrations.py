"""A migration that was released is never edited (BHC-8): a wrong one is corrected by the next.

migrations/released.sha256 holds the checksum of each released migration, as ``sha256sum`` prints it. CONTRIBUTING.md
says when a line is added.
"""

import ast
import hashlib

from support import tree

VERSIONS = tree.files("migrations/versions")
RELEASED = {
    name: checksum
    for checksum, name in map(str.split, tree.source(tree.ROOT / "migrations/released.sha256").splitlines())
}


def test_a_released_migration_is_as_it_was() -> None:
    """BHC-8."""
    assert {name: _checksum(name) for name in RELEASED} == RELEASED


def test_new_migrations_come_after_the_released_ones() -> None:
    new = {path.name for path in VERSIONS} - set(RELEASED)
    assert [name for name in new if name < max(RELEASED, default="")] == []


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [path.name[:5] for path in VERSIONS] == [f"{number:04d}_" for number in range(1, len(VERSIONS) + 1)]


def test_every_migration_has_a_way_back() -> None:
    """BHC-10: one that has none says so by raising in ``downgrade``; leaving it out is no answer."""
    for path in VERSIONS:
        functions = {node.name for node in tree.parsed(path).body if isinstance(node, ast.FunctionDef)}
        assert {"upgrade", "downgrade"} <= functions, path.name


def _checksum(name: str) -> str:
    return hashlib.sha256((tree.ROOT / "migrations" / "versions" / name).read_bytes()).hexdigest()
