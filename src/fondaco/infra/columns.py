"""Column types that refuse a wrong word before it reaches the database (EXD-5).

The CHECK constraints of the tables say the same and stay the truth; a type says it earlier, to whoever wrote the
mistake, and also where it would never be told: a comparison with a word that does not exist finds no row, which looks
like an answer. Raw SQL goes past these types, and still meets the constraints.
"""

import re
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import Dialect, Text
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

EnumT = TypeVar("EnumT", bound=StrEnum)

SYMBOL = re.compile(r"[A-Z0-9]{1,40}")
SAME_WORD = frozenset({operators.eq, operators.ne, operators.in_op, operators.not_in_op})
"""What compares with a whole word. Other operators, such as LIKE, take any text."""


class WrongWordError(ValueError):
    """A value that its column has no such word for; the message names those that it has, or their form."""


class CheckedText(TypeDecorator[Any]):
    """Text whose values are checked on their way in. In a migration it is plain text: the checks may change."""

    impl = Text
    cache_ok = True
    collation = "C"

    def __init__(self) -> None:
        super().__init__(collation=self.collation)

    def coerce_compared_value(self, op: operators.OperatorType | None, value: object) -> TypeEngine[Any]:
        """A part of a word is no word: only what compares with a whole one is checked."""
        del value
        return self if op in SAME_WORD else Text()


class WordOf(CheckedText, Generic[EnumT]):
    """One of the words of an enum, which comes back as the enum's member. Compared byte by byte."""

    cache_ok = True

    def __init__(self, words: type[EnumT]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Check, and hand on plain text. Raises `WrongWordError`."""
        del dialect
        if value is None:
            return None
        try:
            return self.words(str(value)).value
        except ValueError:
            listed = ", ".join(self.words)
            raise WrongWordError(f"{value!r} is no {self.words.__name__}: choose one of {listed}.") from None

    def process_result_value(self, value: object, dialect: Dialect) -> EnumT | None:
        """The member."""
        del dialect
        return None if value is None else self.words(str(value))


class SymbolCode(CheckedText):
    """A symbol as it is written inside the house: ``BTCUSDT``. Compared byte by byte."""

    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Check. Raises `WrongWordError`."""
        del dialect
        if value is None:
            return None
        if not (isinstance(value, str) and SYMBOL.fullmatch(value)):
            raise WrongWordError(f"{value!r} is no symbol: inside the house it is written BTCUSDT.")
        return value
