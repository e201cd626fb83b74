"""Rows as PostgreSQL's binary COPY takes them, straight from the engine's integers and words.

A row here is a tuple in the order of its layout's columns, with moments in nanoseconds as the engine has them. Words
are few and come again and again, so their bytes are kept.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Final, NamedTuple

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
TRUE: Final = b"\x00\x00\x00\x01\x01"
FALSE: Final = b"\x00\x00\x00\x01\x00"
POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""PostgreSQL counts timestamps from 2000-01-01."""
POSTGRES_EPOCH_DAYS: Final = 10_957
"""And dates."""
BIGINT_OID: Final = 20
KEPT_WORDS: Final = 4_096
"""Symbols, assets and words of enums whose bytes are kept."""

_COUNT = Struct(">h").pack
_SHORT = Struct(">ih").pack
_INTEGER = Struct(">ii").pack
_NUMBER = Struct(">iq").pack
_LENGTH = Struct(">i").pack
_ARRAY = Struct(">iiii").pack


def number(value: int | None) -> bytes:
    """BIGINT."""
    return NULL if value is None else _NUMBER(8, value)


def integer(value: int) -> bytes:
    """INTEGER."""
    return _INTEGER(4, value)


def short(value: int | None) -> bytes:
    """SMALLINT."""
    return NULL if value is None else _SHORT(2, value)


def moment(ns: int | None) -> bytes:
    """TIMESTAMP WITH TIME ZONE; the engine's moments are whole microseconds."""
    return NULL if ns is None else _NUMBER(8, ns // 1_000 - POSTGRES_EPOCH_US)


def day(days: int) -> bytes:
    """DATE, of a day counted from 1970."""
    return _INTEGER(4, days - POSTGRES_EPOCH_DAYS)


def numbers(values: Sequence[int]) -> bytes:
    """BIGINT[], of one dimension, or of none when it is empty."""
    if not values:
        return _ARRAY(12, 0, 0, BIGINT_OID)
    head = _ARRAY(20 + len(values) * 12, 1, 0, BIGINT_OID) + _INTEGER(len(values), 1)
    return head + b"".join([_NUMBER(8, value) for value in values])


def flag(value: bool) -> bytes:  # noqa: FBT001 - called by the column's position, as all of these
    """BOOLEAN."""
    return TRUE if value else FALSE


def text(value: str | None) -> bytes:
    """TEXT that may be anything."""
    if value is None:
        return NULL
    encoded = value.encode()
    return _LENGTH(len(encoded)) + encoded


word = lru_cache(KEPT_WORDS)(text)
"""TEXT that comes again and again."""

Field = Callable[[Any], bytes]


class Layout(NamedTuple):
    """Columns of a table in the order in which rows have them, and how each is written."""

    table: str
    columns: Sequence[str]
    fields: Sequence[Field]

    @property
    def listed(self) -> str:
        """The columns' names, for SQL."""
        return ", ".join(self.columns)

    def body(self, rows: Iterable[tuple[Any, ...]]) -> bytes:
        """The whole body of a COPY of these rows."""
        count, fields = _COUNT(len(self.fields)), self.fields
        parts = [HEADER]
        for row in rows:
            parts.append(count)
            parts.extend([field(value) for field, value in zip(fields, row, strict=True)])
        parts.append(TRAILER)
        return b"".join(parts)


def layout(table: str, **fields: Field) -> Layout:
    """A layout, a column after the other."""
    return Layout(table, tuple(fields), tuple(fields.values()))
