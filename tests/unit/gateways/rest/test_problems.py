"""Problem documents: what errors are called at the edge, and what they do not tell."""

import msgspec
import pytest
from litestar.exceptions import ClientException, MethodNotAllowedException, NotFoundException
from structlog.testing import capture_logs

from fondaco.gateways.rest.problems import KINDS, PROBLEM_JSON, ProblemError, documented, translate
from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.database import DatabaseUnavailableError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DatabaseUnavailableError("host=10.0.0.1 password=hunter2"), "database_unavailable"),
        (BusUnavailableError("/run/secret.sock"), "bus_unavailable"),
        (NotFoundException(), "not_found"),
        (MethodNotAllowedException(headers={"allow": "GET, OPTIONS"}), "method_not_allowed"),
        (ClientException(status_code=413), "body_too_large"),
        (ClientException("odd"), "bad_request"),
    ],
)
def test_errors_have_names_at_the_edge(error: Exception, code: str) -> None:
    translated = translate(error)
    assert translated.problem.code == code
    assert translated.problem.status == KINDS[code].status
    assert "hunter2" not in translated.problem.detail
    assert "secret" not in translated.problem.detail


def test_what_is_away_says_when_to_try_again() -> None:
    assert translate(DatabaseUnavailableError("gone")).headers == {"retry-after": "1"}


def test_a_wrong_method_is_told_the_right_ones() -> None:
    error = translate(MethodNotAllowedException(headers={"allow": "GET, OPTIONS"}))
    assert error.headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_bug_is_logged_and_not_told() -> None:
    with capture_logs() as logs:
        translated = translate(ZeroDivisionError("the secret cause"))
    assert translated.problem.status == 500
    assert "secret" not in msgspec.json.encode(translated.problem).decode()
    assert [each["event"] for each in logs] == ["http.internal_error"]


def test_a_documented_status_lists_each_of_its_codes_with_an_example() -> None:
    responses = documented("bad_limit", "bad_time", "database_unavailable")
    assert set(responses) == {400, 503}
    assert responses[400].media_type == PROBLEM_JSON
    assert [each.value["code"] for each in responses[400].examples or [] if each.value] == ["bad_limit", "bad_time"]


def test_a_problem_is_typed_by_its_code() -> None:
    assert ProblemError("bad_limit", "x").problem.type == "urn:fondaco:problem:bad_limit"
