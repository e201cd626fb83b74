"""Where a page of a list ended, as an opaque text: who hands it back gets what follows.

A place names the last row that was shown, never how many were: rows that come in later shift nothing, so no row is
shown twice and none is left out. Each list has a place of its own, a tagged struct, so one list refuses another's.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

MAX_CURSOR_CHARACTERS: Final = 300
"""A longer text is none of ours."""

Id: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number that a column of ids can be compared with."""
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag_field="list"):
    """Behind which row of a list the next page begins. Each list derives its own, under a tag."""


P = TypeVar("P", bound=Place)


def to_cursor(place: Place) -> str:
    """Write a place."""
    return urlsafe_b64encode(msgspec.msgpack.encode(place)).rstrip(b"=").decode()


def from_cursor(text: str, kind: type[P]) -> P | None:
    """Read a place of this list; None when the text is none."""
    if len(text) > MAX_CURSOR_CHARACTERS or not text.isascii():
        return None
    try:
        return msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (binascii.Error, msgspec.DecodeError):
        return None
