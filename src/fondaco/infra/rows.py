"""Rows of the readable views as the structs that leave the house: times and decimals as text, the same everywhere."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec
from psycopg.rows import kwargs_row

from fondaco.infra.database import PsycopgConnection

Line = TypeVar("Line", bound=msgspec.Struct)


def iso(time: datetime) -> str:
    """ISO-8601 in UTC with microseconds."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def plain(value: object) -> object:
    """A value of a row as it is told. A decimal keeps its places and never gets an exponent."""
    if isinstance(value, datetime):
        return iso(value)
    return format(value, "f") if isinstance(value, Decimal) else value


async def rows(
    connection: PsycopgConnection, statement: str, wanted: Mapping[str, Any], kind: type[Line]
) -> list[Line]:
    """What a statement of ours finds, as these structs, made by the names of the columns."""
    async with connection.cursor(row_factory=kwargs_row(partial(_line, kind))) as cursor:
        return await (await cursor.execute(statement.encode(), wanted)).fetchall()


async def row(
    connection: PsycopgConnection, statement: str, wanted: Mapping[str, Any], kind: type[Line]
) -> Line | None:
    """The one row that a statement finds, or None."""
    found = await rows(connection, statement, wanted, kind)
    assert len(found) <= 1, "the statement asks by a key"
    return found[0] if found else None


def _line(kind: type[Line], /, **values: object) -> Line:
    return kind(**{name: plain(value) for name, value in values.items()})
