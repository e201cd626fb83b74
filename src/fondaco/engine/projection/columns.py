"""The columns that read models are made of: what an amount, a rate, a word or a world is in every table alike."""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.core.vocabulary import World
from fondaco.infra.columns import SymbolCode, WordOf

OWNER: Final = {"owner": "engine"}
BY_MONTH: Final[dict[str, Any]] = {"postgresql_partition_by": "RANGE (created_at)", "info": OWNER}
HALF_EMPTY: Final[dict[str, Any]] = {"postgresql_with": {"fillfactor": "70"}, "info": OWNER}
"""Room on each page lets an update stay there, without touching the indexes."""


def one_of(column: str, values: type[StrEnum] | tuple[StrEnum, ...]) -> CheckConstraint:
    """The check that a column holds one of these words."""
    listed = ", ".join(f"'{each.value}'" for each in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def number(*, primary_key: bool = False) -> Mapped[int]:
    """Atoms, an id, or a count of nanoseconds."""
    return mapped_column(BigInteger, primary_key=primary_key, autoincrement=False)


def number_or_null() -> Mapped[int | None]:
    """The same, where there may be none."""
    return mapped_column(BigInteger)


def rate() -> Mapped[int]:
    """Millionths."""
    return mapped_column(Integer)


def code(*, primary_key: bool = False) -> Mapped[str]:
    """Text that is compared byte by byte."""
    return mapped_column(Text(collation="C"), primary_key=primary_key)


def symbol(*, primary_key: bool = False) -> Mapped[str]:
    """A symbol of the house."""
    return mapped_column(SymbolCode(), primary_key=primary_key)


def world(*, primary_key: bool = False) -> Mapped[World]:
    """Real money, play money, or money that lies with others."""
    return mapped_column(WordOf(World), primary_key=primary_key)
