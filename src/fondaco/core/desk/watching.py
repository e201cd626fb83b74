"""Levels that wait for a price, so that a quote which reaches none of them costs nothing however many wait.

Each entry is one number, level above id, so that a heap of them compares at the speed of integers and gives those of
one level by id. An entry says only "look here": who waits for what stands in the rows, so one that is out of date is
passed over when it comes up, and all such are cleared out once they are the greater part.
"""

import heapq
from collections.abc import Callable
from typing import Final

_ID_BITS: Final = 64
_ID_MASK: Final = (1 << _ID_BITS) - 1
_TOP: Final = 1 << 32
"""Above every price, so that falling levels can be counted from here downwards."""
LEAST_CLEARED: Final = 1_024
"""Entries that are never looked through for those out of date."""


class Watch:
    """Levels that wait for a price to rise to them, or to fall to them."""

    __slots__ = ("_clear_at", "_heap", "_is_rising", "_is_true")

    def __init__(self, *, is_rising: bool, is_true: Callable[[int, int], bool]) -> None:
        """Begin empty.

        Args:
            is_rising: whether levels above the price are met first from below.
            is_true: says of an id and a level whether that still waits for this.
        """
        self._heap: list[int] = []
        self._is_rising = is_rising
        self._is_true = is_true
        self._clear_at = LEAST_CLEARED

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_ticks(self) -> int:
        """The level that is met first; 0 when none waits."""
        if not self._heap:
            return 0
        distance = self._heap[0] >> _ID_BITS
        return distance if self._is_rising else _TOP - distance

    def add(self, ticks: int, id_: int) -> None:
        """Have an id wait for a level, 1 or higher."""
        distance = ticks if self._is_rising else _TOP - ticks
        heapq.heappush(self._heap, distance << _ID_BITS | id_)
        if len(self._heap) >= self._clear_at:
            self._clear()

    def is_reached(self, price_ticks: int) -> bool:
        """Whether the first level has been met at a price."""
        next_ticks = self.next_ticks
        if not next_ticks:
            return False
        return next_ticks <= price_ticks if self._is_rising else next_ticks >= price_ticks

    def take(self, ticks: int) -> list[int]:
        """Take out who waits for the first level if it is this one, by id; those out of date are passed over."""
        heap, found = self._heap, list[int]()
        distance = ticks if self._is_rising else _TOP - ticks
        while heap and heap[0] >> _ID_BITS == distance:
            id_ = heapq.heappop(heap) & _ID_MASK
            if (not found or found[-1] != id_) and self._is_true(id_, ticks):
                found.append(id_)
        return found

    def _clear(self) -> None:
        kept = sorted(set(self._heap))
        if self._is_rising:
            self._heap = [each for each in kept if self._is_true(each & _ID_MASK, each >> _ID_BITS)]
        else:
            self._heap = [each for each in kept if self._is_true(each & _ID_MASK, _TOP - (each >> _ID_BITS))]
        self._clear_at = 2 * len(self._heap) + LEAST_CLEARED
