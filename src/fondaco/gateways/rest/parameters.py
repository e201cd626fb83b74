"""What a request says besides its body: one object per parameter, which both reads the text and documents itself.

The framework's own validation would answer with its own sentences and without our codes, so each parameter is read here
by hand; because its OpenAPI entry comes from the same object, document and behaviour cannot drift apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import parse_qsl

from litestar import Request
from litestar.openapi.spec import Example, OpenAPIFormat, OpenAPIType, Operation, Parameter, RequestBody, Schema

from fondaco.core.candles import Timeframe
from fondaco.core.money import INT64_MAX
from fondaco.core.vocabulary import World
from fondaco.gateways.rest.problems import ProblemError
from fondaco.market.messages import Source

Value = TypeVar("Value")

MAX_QUERY_FIELDS = 20
MAX_SHOWN_CHARS = 40
"""How much of a bad value the error repeats."""
LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z: later years have no date."""
MICRO = 1_000_000

TIMEFRAMES: Mapping[str, Timeframe] = {each.value: each for each in Timeframe}
"""The fixed map from a caller's text to a timeframe (EXP-41)."""
WORLDS: Mapping[str, World] = {each.value: each for each in World}
SOURCES: Mapping[str, Source] = {each.value: each for each in Source}


@dataclass(frozen=True)
class QueryParameter(Generic[Value]):
    """A query parameter; those of path and headers differ in where they stand.

    Args:
        name: as it stands in the request.
        description: a sentence for the document.
        schema: its OpenAPI schema.
        example: an example for the document.
        parse: reads the text or raises `ProblemError`.
    """

    name: str
    description: str
    schema: Schema
    example: str | int | bool
    parse: Callable[[str], Value]
    required: bool = False

    place: ClassVar[Literal["query", "path", "header"]] = "query"

    def read(self, query: Mapping[str, str]) -> Value:
        """Read it where it must be given."""
        text = query.get(self.name)
        if text is None:
            raise ProblemError("missing_parameter", f"The parameter `{self.name}` is missing.")
        return self.parse(text)

    def read_or(self, query: Mapping[str, str], default: Value) -> Value:
        """Read it where it may be left out."""
        text = query.get(self.name)
        return default if text is None else self.parse(text)

    def documented(self) -> Parameter:
        """Its entry in the OpenAPI document."""
        return Parameter(
            name=self.name,
            param_in=self.place,
            schema=self.schema,
            description=self.description,
            required=self.required,
            examples={self.name: Example(value=self.example)},
        )


@dataclass(frozen=True)
class PathParameter(QueryParameter[Value]):
    """A part of the path."""

    place = "path"


@dataclass(frozen=True)
class HeaderParameter(QueryParameter[Value]):
    """A header."""

    place = "header"


def read_query(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Decode the query string of a request: see `decoded_query`."""
    return decoded_query(request.scope["query_string"])


def decoded_query(query_string: bytes) -> dict[str, str]:
    """Decode a query string; a name given twice is refused, since either value may be the one that was meant."""
    text = query_string.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise ProblemError("too_many_parameters", f"At most {MAX_QUERY_FIELDS} query parameters are read.") from error
    query: dict[str, str] = {}
    for name, value in pairs:
        if name in query:
            raise ProblemError("repeated_parameter", f"The parameter {shown(name)} is given more than once.")
        query[name] = value
    return query


def read_listed(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Decode the query string; a name that the endpoint does not list is refused, since it was meant to matter."""
    query = read_query(request)
    documented: Any = request.route_handler.operation_class  # made by `operation`, which notes the names
    unknown = sorted(query.keys() - documented.query_names)
    if unknown:
        raise ProblemError("too_many_parameters", f"This endpoint knows no parameter {shown(unknown[0])}.")
    return query


def operation(*parameters: QueryParameter[Any], body: RequestBody | None = None) -> type[Operation]:
    """The OpenAPI operation of an endpoint with these parameters and this body."""

    @dataclass
    class DocumentedOperation(Operation):
        query_names = frozenset(each.name for each in parameters if each.place == "query")

        def __post_init__(self) -> None:
            self.parameters = [each.documented() for each in parameters]
            self.request_body = body

    return DocumentedOperation


def shown(text: str) -> str:
    """A caller's text as an error repeats it: quoted and cut."""
    cut = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
    return repr(cut)


def timeframe(text: str) -> Timeframe:
    """Read a timeframe."""
    found = TIMEFRAMES.get(text)
    if found is None:
        raise ProblemError("unknown_timeframe", f"{shown(text)} is none of {', '.join(TIMEFRAMES)}.")
    return found


def moment_us(text: str) -> int:
    """Read whole Unix seconds or an ISO-8601 moment (UTC where it names no zone) as microseconds."""
    if text.isdecimal() and text.isascii():
        seconds = int(text) if len(text) <= len(str(LAST_SECOND)) else LAST_SECOND + 1
        if seconds > LAST_SECOND:
            raise ProblemError("bad_time", f"{shown(text)} is beyond the year 9999; give seconds, not milliseconds.")
        return seconds * MICRO
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad_time(text) from error
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    passed_us = (aware - epoch) // (epoch.resolution)
    if not 0 <= passed_us <= LAST_SECOND * MICRO:
        raise _bad_time(text)
    return passed_us


def _bad_time(text: str) -> ProblemError:
    return ProblemError(
        "bad_time",
        f"{shown(text)} is neither whole Unix seconds nor ISO-8601 after 1970, such as 2024-08-09T00:00:00Z.",
    )


def number_id(text: str) -> int:
    """Read the id of a trade, an order or an account."""
    if text.isdecimal() and text.isascii() and len(text) <= len(str(INT64_MAX)) and int(text) <= INT64_MAX:
        return int(text)
    raise ProblemError("bad_id", f"{shown(text)} is no id: a whole number from 0 to {INT64_MAX}.")


def world(text: str) -> World:
    """Read a world."""
    found = WORLDS.get(text)
    if found is None:
        raise ProblemError("bad_world", f"{shown(text)} is none of {', '.join(WORLDS)}.")
    return found


def flag(text: str) -> bool:
    """Read ``true`` or ``false``."""
    if text in {"true", "false"}:
        return text == "true"
    raise ProblemError("bad_flag", f"{shown(text)} is neither true nor false.")


def limit(*, default: int, most: int) -> QueryParameter[int]:
    """A parameter ``limit`` from 1 to ``most``."""

    def parse(text: str) -> int:
        if text.isdecimal() and text.isascii() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
            return int(text)
        raise ProblemError("bad_limit", f"limit must be a whole number from 1 to {most}; {shown(text)} is not.")

    schema = Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=most, default=default)
    return QueryParameter("limit", f"How many at most, the newest first chosen (1 to {most}).", schema, 10, parse)


def symbol(name: str, *, required: bool) -> QueryParameter[str]:
    """A parameter that names a symbol; whether the house has it is the endpoint's question."""
    schema = Schema(type=OpenAPIType.STRING, min_length=1, max_length=MAX_SHOWN_CHARS)
    description = "Symbol such as BTCUSDT; also read: BTC/USDT, btcusdt, and btc for the USDT pair."
    return QueryParameter(name, description, schema, "BTCUSDT", str, required)


def timeframe_parameter(name: str) -> QueryParameter[Timeframe]:
    """A parameter that names a timeframe."""
    schema = Schema(type=OpenAPIType.STRING, enum=list(TIMEFRAMES))
    return QueryParameter(name, "Length of one candle.", schema, "1m", timeframe, required=True)


def source(text: str) -> Source:
    """Read a source."""
    found = SOURCES.get(text)
    if found is None:
        raise ProblemError("unknown_source", f"{shown(text)} is none of {', '.join(SOURCES)}.")
    return found


def source_parameter() -> QueryParameter[Source | None]:
    """A parameter that names the source of market data."""
    schema = Schema(type=OpenAPIType.STRING, enum=list(SOURCES))
    description = (
        "Whose trades: `house` for those of this house's own book, `house_demo` for its demo world's. Left out, it is "
        "the feed that brings the symbol now."
    )
    return QueryParameter("source", description, schema, "house", source)


def moment_parameter(name: str, description: str, example: str | int) -> QueryParameter[int | None]:
    """A parameter that names a moment, in whole Unix seconds or ISO-8601."""
    schema = Schema(
        any_of=[
            Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=LAST_SECOND),
            Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME),
        ]
    )
    return QueryParameter(name, f"{description} Whole Unix seconds or ISO-8601 UTC.", schema, example, moment_us)
