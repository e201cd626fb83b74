"""Which outside prices the desk believes. Pure; the engine believes what it is given.

A price far away from the last few is *off the market*: a mistyped trade, a test, another instrument under the same
name. One such price must not close anybody's position. But markets do jump: when several of them in a row agree with
one another, the market is there now, and the ones before it are history.
"""

from collections import deque
from enum import StrEnum
from statistics import median_low
from typing import Final, NamedTuple

PPM: Final = 1_000_000


class Dropped(StrEnum):
    """Why a price is not quoted."""

    OUT_OF_ORDER = "out_of_order"
    """One that came in later is known: a bus that was away tells again what it told, and clocks are set back."""
    STALE = "stale"
    """It came in too long ago."""
    OFF_MARKET = "off_market"
    """It is too far from the last few."""
    OUT_OF_RANGE = "out_of_range"
    """Bid or ask round it would be no price of the instrument."""


class Limits(NamedTuple):
    """When a price is off the market."""

    ppm: int
    """Further than this from the median of the last ones."""
    window: int
    """How many these are."""
    run: int
    """So many in a row that agree are believed."""


class OffMarket:
    """Looks at the prices of one instrument, one after the other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._believed: deque[int] = deque(maxlen=limits.window)
        self._run: list[int] = []

    def is_off(self, price: int) -> bool:
        """Whether a price, above zero, is off the market. One that is not is believed from here on."""
        if not self._believed or self._is_near(price, median_low(self._believed)):
            self._believed.append(price)
            self._run.clear()
            return False
        if self._run and not self._is_near(price, median_low(self._run)):
            self._run.clear()
        self._run.append(price)
        if len(self._run) < self._limits.run:
            return True
        self._believed.clear()
        self._believed.extend(self._run)
        self._run.clear()
        return False

    def forget(self) -> None:
        """Begin anew: what comes now is another market."""
        self._believed.clear()
        self._run.clear()

    def _is_near(self, price: int, middle: int) -> bool:
        return abs(price - middle) * PPM <= middle * self._limits.ppm


def is_stale(received_us: int, now_us: int, max_age_us: int) -> bool:
    """Whether a price came in too long ago to be quoted."""
    return now_us - received_us > max_age_us
