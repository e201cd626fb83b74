"""Ids of rows made outside the engine: UUID version 7 (RFC 9562), which sort by the time they were made.

The twelve bits behind the milliseconds carry the fraction of the millisecond (the RFC's method 3), so ids made in one
process sort by the microsecond, and `new_id` never uses a microsecond twice.
"""

import secrets
from uuid import UUID

from fondaco.infra.clock import now_us

RANDOM_BITS = 62
MAX_TIME_US = (1 << 48) * 1000
"""The first moment that no longer fits, in the year 10889."""

_VERSION = 7
_VARIANT = 0b10
_FRACTIONS = 4096


def uuid7(time_us: int, randomness: int) -> UUID:
    """Make the id of a moment.

    Args:
        time_us: the moment, microseconds since 1970.
        randomness: `RANDOM_BITS` random bits.
    """
    assert 0 <= time_us < MAX_TIME_US, time_us
    assert 0 <= randomness < 1 << RANDOM_BITS, randomness
    milliseconds, rest_us = divmod(time_us, 1000)
    fraction = rest_us * _FRACTIONS // 1000
    return UUID(int=milliseconds << 80 | _VERSION << 76 | fraction << 64 | _VARIANT << 62 | randomness)


class IdSource:
    """Makes ids that rise strictly, whatever the clock does."""

    def __init__(self) -> None:
        self._last_us = -1

    def next_id(self, time_us: int) -> UUID:
        """The id of this moment, or of the first moment after the last id's."""
        self._last_us = max(time_us, self._last_us + 1)
        return uuid7(self._last_us, secrets.randbits(RANDOM_BITS))


_source = IdSource()


def new_id() -> UUID:
    """An id of now, later than every other of this process."""
    return _source.next_id(now_us())
