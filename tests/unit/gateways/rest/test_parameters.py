"""Query parameters: what is read, and what is refused by which code."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request

from fondaco.core.candles import Timeframe
from fondaco.gateways.rest import parameters
from fondaco.gateways.rest.parameters import MAX_QUERY_FIELDS, limit, read_query
from fondaco.gateways.rest.problems import ProblemError

LIMIT = limit(default=100, most=5000)


def request(query: bytes) -> Request[Any, Any, Any]:
    return Request(cast("Any", {"type": "http", "query_string": query, "headers": []}))


def refusal(parse: Callable[[str], object], text: str) -> ProblemError | None:
    try:
        parse(text)
    except ProblemError as error:
        return error
    return None


def code_of(error: pytest.ExceptionInfo[ProblemError]) -> str:
    return error.value.problem.code


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("5000", 5000), ("0042", 42)])
def test_a_limit_is_read_up_to_its_edges(text: str, value: int) -> None:
    assert LIMIT.parse(text) == value


@pytest.mark.parametrize(
    "text", ["0", "-1", "5001", "1000000000", "abc", "", "1.5", "1e3", "+5", " 5", "\u0665", "\u00b2", "9" * 9999]
)
def test_a_limit_out_of_range_or_no_number_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as error:
        LIMIT.parse(text)
    assert code_of(error) == "bad_limit"


@given(st.text())
def test_no_text_makes_a_parser_fail_otherwise_than_by_name(text: str) -> None:
    for parse in (
        LIMIT.parse,
        parameters.timeframe,
        parameters.moment_us,
        parameters.number_id,
        parameters.flag,
        parameters.world,
    ):
        refused = refusal(parse, text)
        assert refused is None or (refused.problem.status == 400 and len(refused.problem.detail) < 400)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1723161240", 1723161240),
        ("2024-08-08T23:54:00Z", 1723161240),
        ("2024-08-08T23:54:00", 1723161240),
        ("2024-08-09T01:54:00+02:00", 1723161240),
        ("2024-08-09", 1723161600),
        ("253402300799", 253402300799),
    ],
)
def test_a_moment_is_unix_seconds_or_iso_8601(text: str, seconds: int) -> None:
    assert parameters.moment_us(text) == seconds * 1_000_000


def test_microseconds_of_a_moment_are_kept() -> None:
    assert parameters.moment_us("1970-01-01T00:00:01.000001Z") == 1_000_001


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "-1",
        "1723161240000",
        "253402300800",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "1.5",
        "",
    ],
)
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(ProblemError) as error:
        parameters.moment_us(text)
    assert code_of(error) == "bad_time"


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_every_timeframe_of_the_house_is_read(timeframe: Timeframe) -> None:
    assert parameters.timeframe(timeframe.value) is timeframe


@pytest.mark.parametrize("text", ["3m", "1M", "1m; DROP TABLE candles", "", "M1"])
def test_another_timeframe_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as error:
        parameters.timeframe(text)
    assert code_of(error) == "unknown_timeframe"


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(ProblemError) as error:
        read_query(request(b"limit=1&limit=2"))
    assert code_of(error) == "repeated_parameter"


def test_bytes_that_are_no_text_and_empty_values_are_read_as_what_they_are() -> None:
    assert read_query(request(b"asset=%ff%00&limit=&x")) == {"asset": "�\x00", "limit": "", "x": ""}


def test_the_number_of_parameters_is_bounded_at_its_edge() -> None:
    names = [f"p{number}=1" for number in range(MAX_QUERY_FIELDS + 1)]
    assert len(read_query(request("&".join(names[:-1]).encode()))) == MAX_QUERY_FIELDS
    with pytest.raises(ProblemError) as error:
        read_query(request("&".join(names).encode()))
    assert code_of(error) == "too_many_parameters"


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ProblemError, match="`limit`") as error:
        LIMIT.read({})
    assert code_of(error) == "missing_parameter"
    assert LIMIT.read_or({}, 7) == 7


def test_the_document_of_a_limit_says_what_the_parser_does() -> None:
    schema = LIMIT.documented().schema
    assert schema is not None
    described = schema.to_schema()
    assert LIMIT.parse(str(described["maximum"])) == described["maximum"]
    assert LIMIT.parse(str(described["minimum"])) == described["minimum"]
    for outside in (described["maximum"] + 1, described["minimum"] - 1):
        with pytest.raises(ProblemError):
            LIMIT.parse(str(outside))
