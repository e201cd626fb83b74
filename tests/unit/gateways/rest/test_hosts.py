"""Which Host headers and origins are answered."""

import pytest

from fondaco.gateways.rest.hosts import HostCheck
from fondaco.infra.settings import ServeSettings

CHECK = HostCheck(ServeSettings().allowed_hosts)


def refusal(kind: str, *headers: tuple[bytes, bytes]) -> str | None:
    error = CHECK.refusal({"type": kind, "headers": list(headers)})
    return error.problem.code if error else None


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8000", b"LOCALHOST", b"localhost.", b"127.0.0.1:1", b"[::1]:8000"]
)
def test_the_houses_own_names_are_answered_with_any_port(host: bytes) -> None:
    assert refusal("http", (b"host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"evil.example:8000",
        b"",
        b"[::2]",
        b"[::1",
        b"127.0.0.1.evil.example",
        b"\xff",
    ],
)
def test_other_names_are_refused(host: bytes) -> None:
    assert refusal("http", (b"host", host)) == "host_not_allowed"


def test_no_host_and_two_hosts_are_refused() -> None:
    assert refusal("http") == "host_not_allowed"
    assert refusal("http", (b"host", b"localhost"), (b"host", b"localhost")) == "host_not_allowed"


@pytest.mark.parametrize("origin", [b"http://localhost:8000", b"https://127.0.0.1", b"http://[::1]:5173"])
def test_a_page_of_the_house_may_open_a_stream(origin: bytes) -> None:
    assert refusal("websocket", (b"host", b"localhost"), (b"origin", origin)) is None


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"null",
        b"",
        b"file://",
        b"http://[",
        b"http://localhost@evil.example",
        b"ftp://localhost",
    ],
)
def test_another_page_may_not(origin: bytes) -> None:
    assert refusal("websocket", (b"host", b"localhost"), (b"origin", origin)) == "origin_not_allowed"


def test_a_client_that_is_no_browser_sends_no_origin_and_may() -> None:
    assert refusal("websocket", (b"host", b"localhost")) is None


def test_the_origin_of_an_ordinary_request_does_not_matter() -> None:
    assert refusal("http", (b"host", b"localhost"), (b"origin", b"https://evil.example")) is None
