"""Pages of a list: some rows, and where the next page begins."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from fondaco.infra.cursors import Place, to_cursor
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.rows import Line, rows

L = TypeVar("L", bound=msgspec.Struct)


class Page(NamedTuple, Generic[L]):
    """Some rows of a list, and the cursor of the next page when there are more."""

    lines: list[L]
    next: str | None


async def read_page(
    connection: PsycopgConnection,
    statement: str,
    wanted: Mapping[str, Any],
    kind: type[Line],
    place_of: Callable[[Line], Place],
    limit: int,
) -> Page[Line]:
    """The first rows that a statement finds.

    Args:
        connection: a transaction.
        statement: takes the parameter ``limit``, which is one more than asked for: that one says whether more follow.
        wanted: its other parameters.
        kind: what each row becomes.
        place_of: where a row stands in the list.
        limit: rows at most.
    """
    found = await rows(connection, statement, {**wanted, "limit": limit + 1}, kind)
    lines = found[:limit]
    return Page(lines, to_cursor(place_of(lines[-1])) if len(found) > limit else None)
