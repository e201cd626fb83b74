"""What the endpoints that read the engine's tables share: which page, of whom, and how new."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from litestar import Request
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.money import INT64_MAX
from fondaco.core.texts import MAX_CODE
from fondaco.core.vocabulary import World
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading import history
from fondaco.domains.trading.history import MAX_PAGE, Whose
from fondaco.gateways.rest.orders import WHO
from fondaco.gateways.rest.parameters import (
    WORLDS,
    QueryParameter,
    flag,
    limit,
    number_id,
    shown,
    symbol,
    world,
)
from fondaco.gateways.rest.problems import ProblemError
from fondaco.infra.cursors import MAX_CURSOR_CHARACTERS, Place, from_cursor, to_cursor
from fondaco.infra.database import PsycopgConnection

Call = Request[Any, Any, Any]
P = TypeVar("P", bound=Place)
Word = TypeVar("Word", bound=StrEnum)

DEFAULT_PAGE: Final = 100
"""Rows of a page, unless another number is asked for."""
EXAMPLE_TIME: Final = datetime(2024, 8, 9, tzinfo=UTC)
NUMBER: Final = Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=INT64_MAX)
READ: Final = (*WHO, "not_there_yet", "bad_id", "repeated_parameter", "too_many_parameters")
"""What every read may be answered with."""
LISTED: Final = (*READ, "bad_limit", "bad_cursor", "bad_world")
"""What every list may be answered with."""

AFTER_SEQ: Final = QueryParameter(
    "after_seq",
    "See at least what this command did, whose answer carried it as `seq`; waits for it, two seconds at most.",
    NUMBER,
    0,
    number_id,
)
LIMIT: Final = limit(default=DEFAULT_PAGE, most=MAX_PAGE)
ANY_WORLD: Final = QueryParameter(
    "world",
    "Real money or play money; `trading` when left out.",
    Schema(type=OpenAPIType.STRING, enum=list(WORLDS)),
    "trading",
    world,
)
ANY_ACCOUNT: Final = QueryParameter(
    "account_id", "Only this account, in its own world; all of yours in `world` when left out.", NUMBER, 1000, number_id
)
ANY_SYMBOL: Final = symbol("symbol", required=False)


def cursor(example: P) -> QueryParameter[P | None]:
    """A parameter ``cursor`` that says behind which row a page begins, of the list that this place is in."""
    kind = type(example)

    def parse(text: str) -> P:
        place = from_cursor(text, kind)
        if place is None:
            raise ProblemError("bad_cursor", f"{shown(text)} is no cursor of this list.")
        return place

    schema = Schema(type=OpenAPIType.STRING, min_length=1, max_length=MAX_CURSOR_CHARACTERS)
    return QueryParameter("cursor", "The `next` of the page before.", schema, to_cursor(example), parse)


def word(name: str, description: str, words: type[Word]) -> QueryParameter[Word | None]:
    """A parameter that is one of some words."""

    def parse(text: str) -> Word:
        try:
            return words(text)
        except ValueError as error:
            raise ProblemError("bad_word", f"{shown(text)} is none of {', '.join(words)}.") from error

    schema = Schema(type=OpenAPIType.STRING, enum=list(words))
    return QueryParameter(name, description, schema, next(iter(words)).value, parse)


def yes_or_no(name: str, description: str) -> QueryParameter[bool | None]:
    """A parameter that is true, false, or left out for both."""
    return QueryParameter(name, description, Schema(type=OpenAPIType.STRING, enum=["true", "false"]), "true", flag)


def code(name: str, description: str, example: str) -> QueryParameter[str | None]:
    """A parameter that is the code of an asset, in capitals."""

    def parse(text: str) -> str:
        if 0 < len(text) <= MAX_CODE and text.isascii() and text.isalnum():
            return text.upper()
        raise ProblemError("bad_word", f"{shown(text)} is no code of an asset, such as USDT.")

    schema = Schema(type=OpenAPIType.STRING, pattern=f"^[A-Za-z0-9]{{1,{MAX_CODE}}}$")
    return QueryParameter(name, description, schema, example, parse)


async def whose_of(connection: PsycopgConnection, actor: Actor, query: Mapping[str, str]) -> Whose:
    """Whose rows a query asks for. Raises `RefusedError`."""
    account_id = ANY_ACCOUNT.read(query) if ANY_ACCOUNT.name in query else None
    return await history.whose_for(connection, actor, ANY_WORLD.read_or(query, World.TRADING), account_id)


async def symbol_of(connection: PsycopgConnection, in_world: World, query: Mapping[str, str]) -> str | None:
    """The symbol that a query names, if it does. Raises `RefusedError`."""
    if ANY_SYMBOL.name not in query:
        return None
    return await history.symbol_for(connection, in_world, ANY_SYMBOL.read(query))
