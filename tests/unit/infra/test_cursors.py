"""A cursor leads back to its place, and whatever else somebody hands in is no place."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.infra.cursors import MAX_CURSOR_CHARACTERS, Id, Moment, Place, from_cursor, to_cursor


class Here(Place, frozen=True, tag="here"):
    """A place in one list."""

    time: Moment
    id: Id


class There(Place, frozen=True, tag="there"):
    """A place in another list, of the same shape."""

    time: Moment
    id: Id


NOW = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)


def packed(*values: object) -> str:
    """What a cursor would be of these values."""
    return urlsafe_b64encode(msgspec.msgpack.encode(values)).decode()


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)), st.integers(0, 2**63 - 1))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_cursor_leads_back_to_its_place(time: datetime, id_: int) -> None:
    assert from_cursor(to_cursor(Here(time, id_)), Here) == Here(time, id_)


def test_padding_may_be_there_or_not() -> None:
    assert from_cursor(packed("here", NOW, 1), Here) == Here(NOW, 1)


def test_a_place_of_another_list_is_none() -> None:
    assert from_cursor(to_cursor(There(NOW, 1)), Here) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "%%%%",
        "A" * MAX_CURSOR_CHARACTERS,
        "A" * (MAX_CURSOR_CHARACTERS + 1),
        packed(),
        packed("here"),
        packed("here", NOW),
        packed("here", NOW, 1, 2),
        packed("here", NOW, -1),
        packed("here", NOW, 2**63),
        packed("here", NOW, 1.5),
        packed("here", NOW.isoformat()[:-6], 1),
        packed("here", None, 1),
        to_cursor(Here(NOW, 1))[:-2],
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert from_cursor(text, Here) is None


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert from_cursor(text, Here) is None
