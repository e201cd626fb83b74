"""Every table is documented, owned, named by convention, indexed on foreign keys, free of floats and naive times."""

import re
from typing import Any

from sqlalchemy import Column, DateTime, Float, ForeignKeyConstraint, Index, Numeric, Table, UniqueConstraint

from fondaco.app.schema import MAPPERS, METADATA
from fondaco.data import tables as index
from support import tree

TABLES: list[Table] = list(METADATA.sorted_tables)
COLUMNS: list[Column[Any]] = [column for table in TABLES for column in table.columns]
SNAKE_CASE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
OWNERS = frozenset(
    path.name
    for place in ("src/fondaco", "src/fondaco/domains")
    for path in (tree.ROOT / place).glob("*")
    if path.is_dir()
)


def test_every_module_of_tables_is_known_to_the_schema() -> None:
    declaring = {tree.module_name(path) for path in tree.files("src") if "__tablename__ = " in tree.source(path)}
    assert declaring == {mapper.class_.__module__ for mapper in MAPPERS}


def test_every_table_has_a_docstring_and_an_owner_among_our_packages() -> None:
    assert [mapper.class_.__name__ for mapper in MAPPERS if not mapper.class_.__doc__] == []
    assert [table.name for table in TABLES if table.info.get("owner") not in OWNERS] == []


def test_every_table_is_in_the_index_that_scripts_import_from() -> None:
    """BHC-1, BHC-2: `fondaco.data.tables` exports each class, and with it the type of its rows."""
    exported = {getattr(index, name) for name in index.__all__}
    assert [mapper.class_.__name__ for mapper in MAPPERS if mapper.class_ not in exported] == []


def test_tables_and_columns_are_named_in_snake_case() -> None:
    """EXP-36: nothing has a capital, so nothing needs quotes and nothing is folded."""
    assert [table.name for table in TABLES if not SNAKE_CASE.fullmatch(table.name)] == []
    assert [str(column) for column in COLUMNS if not SNAKE_CASE.fullmatch(column.name)] == []


def test_indexes_and_constraints_are_named_by_convention() -> None:
    """BHC-12: ``idx_table_column``, ``table_column_kind``; the kinds are unique, check, fkey and pkey."""
    assert [name for table in TABLES for name in _misnamed(table)] == []


def test_every_foreign_key_is_the_start_of_an_index() -> None:
    """BHC-11."""
    assert [
        f"{table.name}.{names}" for table in TABLES for names in _foreign_keys(table) if not _indexed(table, names)
    ] == []


def test_a_foreign_key_is_named_after_the_table_it_points_at() -> None:
    """BHC-12: ``user_id`` points at ``users``."""
    columns = [column for column in COLUMNS if column.foreign_keys]
    assert [str(column) for column in columns if not column.name.endswith("_id")] == []


def test_every_time_has_a_zone() -> None:
    naive = [column for column in COLUMNS if isinstance(column.type, DateTime) and not column.type.timezone]
    assert [str(column) for column in naive] == []


def test_no_column_is_a_float_and_no_migration_makes_one() -> None:
    assert [str(column) for column in COLUMNS if isinstance(column.type, Float)] == []
    assert [str(column) for column in COLUMNS if isinstance(column.type, Numeric) and not column.type.asdecimal] == []
    binary = re.compile(r"\b(?:Float|REAL|DOUBLE PRECISION|double precision|Double|FLOAT)\b")
    assert [tree.relative(path) for path in tree.files("migrations") if binary.search(tree.source(path))] == []


def _misnamed(table: Table) -> list[str]:
    found = [f"{table.name}: {index.name}" for index in table.indexes if not _named(index, f"idx_{table.name}_")]
    for constraint in table.constraints:
        name = str(constraint.name)
        if not (name.startswith(f"{table.name}_") and name.rpartition("_")[2] in {"pkey", "fkey", "unique", "check"}):
            found.append(f"{table.name}: {name}")
    return found


def _named(index: Index, beginning: str) -> bool:
    return str(index.name).startswith(beginning)


def _foreign_keys(table: Table) -> list[tuple[str, ...]]:
    return [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, ForeignKeyConstraint)
    ]


def _indexed(table: Table, names: tuple[str, ...]) -> bool:
    unique = [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [table.primary_key.columns, *unique, *(index.columns for index in table.indexes)]
    return any(tuple(column.name for column in columns)[: len(names)] == names for columns in indexes)
