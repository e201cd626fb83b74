"""Where a replay stops, as a person writes it."""

import pytest

from fondaco.app.cli.journal import parse_until
from fondaco.engine.replaying import Until
from fondaco.infra.errors import UserError


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("", Until()),
        ("1500000", Until(seq=1_500_000)),
        ("1970-01-02T00:00:01.000002Z", Until(now_ns=86_401_000_002_000)),
        ("1970-01-01T02:00:00+02:00", Until(now_ns=0)),
    ],
)
def test_a_number_and_a_moment_are_told_apart(text: str, until: Until) -> None:
    assert parse_until(text) == until


@pytest.mark.parametrize("text", ["yesterday", "-5", "1.5", "2026-11-21T12:00:00", "٣"])
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is neither a command's number nor a moment with its zone"):
        parse_until(text)
