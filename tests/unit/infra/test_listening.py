"""Which addresses are reached from this machine alone."""

import pytest

from fondaco.infra.listening import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


STRANGERS = ("0.0.0.0", "::", "192.168.1.2", "fe80::1", "example.com", "localhost.a.com", "")  # noqa: S104 - looked at only


@pytest.mark.parametrize("host", STRANGERS)
def test_everything_else_is_not(host: str) -> None:
    assert not is_loopback(host)
