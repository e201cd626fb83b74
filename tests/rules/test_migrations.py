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


def test_no_migration_adds_a_required_column_to_a_table_with_rows() -> None:
    """EXP-39: PostgreSQL refuses it. Either it has a default, or it comes in stages: nullable, filled, tightened."""
    assert {path.name: lines for path in VERSIONS if (lines := _required_columns(tree.parsed(path)))} == {}


def test_a_required_column_without_a_default_is_found_and_nothing_else() -> None:
    """EXP-39: the rule itself."""
    found = _required_columns(
        ast.parse(
            """
op.add_column("ticks", sa.Column("venue", sa.Text(), nullable=False))
op.add_column("ticks", sa.Column("venue", sa.Text(), nullable=False, server_default="binance"))
op.add_column("ticks", sa.Column("venue", sa.Text()))
op.create_table("venues", sa.Column("venue", sa.Text(), nullable=False))
op.alter_column("ticks", "venue", nullable=False)
"""
        )
    )
    assert found == [2]


def _required_columns(migration: ast.Module) -> list[int]:
    """Lines that add a column which is required and has no default."""
    added = [
        column
        for call in ast.walk(migration)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_column"
        for column in ast.walk(call)
        if isinstance(column, ast.Call) and column is not call
    ]
    return [column.lineno for column in added if _is_required(column)]


def _is_required(column: ast.Call) -> bool:
    given = {each.arg: each.value for each in column.keywords}
    nullable = given.get("nullable")
    return isinstance(nullable, ast.Constant) and nullable.value is False and "server_default" not in given


def _checksum(name: str) -> str:
    return hashlib.sha256((tree.ROOT / "migrations" / "versions" / name).read_bytes()).hexdigest()
