"""What a cached read is kept under, and how its rows are handed out so that no caller can change another's.

The *key* holds the statement's text, what its rows are made of, and every bound parameter with its type: a read for
one user can never be answered with another's, nor ``1`` with ``True``.

Rows are tuples and cannot be changed; what stands in them may be: an object of a table, or JSON. Such a result is
copied each time it is handed out. One of plain values is handed out as it is.
"""

import copy
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import Row, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import FrozenResult
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.selectable import Select

from fondaco.infra.database import Base

Ts = TypeVarTuple("Ts")

UNCHANGEABLE = (type(None), bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID, Enum)
POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


class UncacheableError(TypeError):
    """A parameter that no key can hold, so the read cannot be cached."""


def key_of(statement: Select[*Ts]) -> Hashable:
    """What a statement's result is kept under. Raises `UncacheableError`."""
    compiled = statement.compile(dialect=POSTGRESQL)
    shape = tuple((each["name"], *_entity(each)) for each in statement.column_descriptions)
    parameters = tuple((name, _key_part(value)) for name, value in sorted(compiled.params.items()))
    return (str(compiled), shape, parameters)


def weight_of(result: FrozenResult[*Ts]) -> int:
    """What a result counts in the cache: its rows, and one for itself."""
    return 1 + len(result.data)


def handed_out(result: FrozenResult[*Ts]) -> Sequence[Row[*Ts]]:
    """The rows of a kept result, as this caller's own."""
    rows = result().all()
    if all(isinstance(value, UNCHANGEABLE) for row in rows for value in row):
        return rows
    copied: Any = [[_copied(value) for value in row] for row in rows]
    return result.with_new_rows(copied)().all()


def _entity(column: Mapping[str, Any]) -> tuple[type[Base] | None, bool]:
    """Which table's class a selected thing belongs to, and whether it is an object of it or one of its columns."""
    entity = column.get("entity")
    return (None, False) if entity is None else (inspect(entity).mapper.class_, column["expr"] is entity)


def _key_part(value: object) -> Hashable:
    """A parameter with its type: as keys alone, 1, True and Decimal(1) would be the same."""
    if isinstance(value, Mapping):
        return (type(value), tuple((_key_part(key), _key_part(each)) for key, each in value.items()))
    if isinstance(value, AbstractSet):
        return (type(value), frozenset(map(_key_part, value)))
    if isinstance(value, list | tuple):
        return (type(value), tuple(map(_key_part, value)))
    if isinstance(value, UNCHANGEABLE):
        return (type(value), value)
    raise UncacheableError(f"A read with a parameter of the type {type(value).__name__} cannot be cached.")


def _copied(value: object) -> object:
    """A value that shares nothing changeable with this one."""
    if isinstance(value, UNCHANGEABLE):
        return value
    if isinstance(value, Base):
        return _copied_row(value)
    return copy.deepcopy(value)


def _copied_row(row: Base) -> Base:
    """An object of the same table and values. A column that was not read stays unread, and is not None."""
    twin = type(row)()
    columns = inspect(type(row)).column_attrs
    for name, value in inspect(row).dict.items():
        if name in columns:
            set_committed_value(twin, name, _copied(value))
    make_transient_to_detached(twin)
    return twin
