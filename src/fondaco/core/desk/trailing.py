"""Trailing stops: each stands a distance behind the best price since it was set, and a new best price moves them all.

Those that have seen the same best price (*mark*) form a group, which moves as one. A new best price joins all groups
whose marks it passes, the smaller into the larger, so each stop is moved between heaps O(log n) times in its life and a
new extreme costs amortised O(log² n), whatever the number of stops.

Prices count upwards here for longs and, negated, for shorts: the best price is the greatest, and a stop is met when the
price is no greater than it.

Invariants:
    Marks fall strictly along ``_groups``, and none is below the current price.
    Every stop is in exactly one group: the one in ``_group_of``.
"""

import heapq
from bisect import bisect_left
from typing import Final

_ID_BITS: Final = 64
_ID_MASK: Final = (1 << _ID_BITS) - 1
_CROWDED: Final = 1_024
"""Entries of next stops that are never looked through for those out of date."""


class _Group:
    """Stops of one mark: a heap of distance above id. Entries out of date are passed over."""

    __slots__ = ("heap", "mark", "size", "ticket")

    def __init__(self, mark: int) -> None:
        self.mark = mark
        self.heap: list[int] = []
        self.size = 0
        """Stops in it."""
        self.ticket = 0
        """Number of the entry that says which of its stops is next; 0 when none does."""


class Trails:
    """The trailing stops of one direction of one instrument.

    Args:
        is_long: whether they follow a rising price.
    """

    def __init__(self, *, is_long: bool) -> None:
        self._sign = 1 if is_long else -1
        self._groups: list[_Group] = []
        self._group_of: dict[int, _Group] = {}
        self._distances: dict[int, int] = {}
        self._next: list[tuple[int, int, _Group]] = []
        """A heap of the groups' next stops, the first met on top. Only the entry of a group's ticket counts."""
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._group_of)

    def __contains__(self, position_id: int) -> bool:
        return position_id in self._group_of

    def mark_ticks(self, position_id: int) -> int:
        """The best price that a stop has seen."""
        return self._sign * self._group_of[position_id].mark

    def stop_ticks(self, position_id: int) -> int:
        """Where a stop stands; not positive when no price is low enough."""
        return self._sign * (self._group_of[position_id].mark - self._distances[position_id])

    @property
    def lowest_mark_ticks(self) -> int:
        """The mark that a new best price would pass first; 0 when nothing trails."""
        return self._sign * self._groups[-1].mark if self._groups else 0

    @property
    def next_ticks(self) -> int:
        """The stop that is met first; 0 when there is none."""
        while self._next:
            stop, ticket, group = self._next[0]
            is_latest = ticket == group.ticket
            if is_latest:
                self._shed(group)
                if group.heap and -stop == self._stop_of(group):
                    return -self._sign * stop
            heapq.heappop(self._next)
            if is_latest:
                self._announce(group)
        return 0

    def add(self, position_id: int, distance_ticks: int, mark_ticks: int) -> None:
        """Let a stop trail.

        Args:
            position_id: whose stop it is; it must not trail yet.
            distance_ticks: how far behind.
            mark_ticks: the best price so far; of a new stop, the current one.
        """
        mark = self._sign * mark_ticks
        at = bisect_left(self._groups, -mark, key=lambda each: -each.mark)
        if at == len(self._groups) or self._groups[at].mark != mark:
            self._groups.insert(at, _Group(mark))
        self._join(self._groups[at], position_id, distance_ticks)
        self._announce(self._groups[at])

    def change(self, position_id: int, distance_ticks: int) -> None:
        """Give a stop another distance; it keeps its mark."""
        group = self._group_of[position_id]
        group.size -= 1
        self._join(group, position_id, distance_ticks)
        self._announce(group)

    def remove(self, position_id: int) -> None:
        """Let a stop trail no longer."""
        group = self._group_of.pop(position_id)
        del self._distances[position_id]
        group.size -= 1

    def see(self, price_ticks: int) -> None:
        """Follow a new price. One that is no better than all marks changes nothing."""
        price, groups = self._sign * price_ticks, self._groups
        if not groups or groups[-1].mark >= price:
            return
        joined: _Group | None = None
        while groups and groups[-1].mark < price:
            group = groups.pop()
            if group.size:
                joined = group if joined is None else self._joined(joined, group)
            else:
                group.ticket = 0
        if joined is None:
            return
        if groups and groups[-1].mark == price:
            joined = self._joined(joined, groups.pop())
        joined.mark = price
        groups.append(joined)
        self._announce(joined)

    def take(self, ticks: int) -> list[int]:
        """Take out the stops that stand at a price if it is the one that is met first, by id. They trail no longer."""
        stop, found = self._sign * ticks, list[int]()
        while self._next and self.next_ticks == ticks:
            group = heapq.heappop(self._next)[2]
            while group.heap and self._stop_of(group) == stop:
                position_id = heapq.heappop(group.heap) & _ID_MASK
                self.remove(position_id)
                found.append(position_id)
                self._shed(group)
            self._announce(group)
        return sorted(found)

    def _joined(self, one: _Group, other: _Group) -> _Group:
        """Both as one: the smaller moves into the larger."""
        small, large = (one, other) if one.size <= other.size else (other, one)
        for entry in small.heap:
            position_id, distance = entry & _ID_MASK, entry >> _ID_BITS
            if self._group_of.get(position_id) is small and self._distances[position_id] == distance:
                self._join(large, position_id, distance)
        small.heap, small.size, small.ticket = [], 0, 0
        return large

    def _join(self, group: _Group, position_id: int, distance: int) -> None:
        self._group_of[position_id] = group
        self._distances[position_id] = distance
        group.size += 1
        heapq.heappush(group.heap, distance << _ID_BITS | position_id)

    def _shed(self, group: _Group) -> None:
        """Drop what is out of date from the top of a group."""
        heap = group.heap
        while heap:
            position_id = heap[0] & _ID_MASK
            is_here = self._group_of.get(position_id) is group
            if is_here and self._distances[position_id] == heap[0] >> _ID_BITS:
                return
            heapq.heappop(heap)

    def _stop_of(self, group: _Group) -> int:
        return group.mark - (group.heap[0] >> _ID_BITS)

    def _announce(self, group: _Group) -> None:
        """Say anew which stop of a group is met first."""
        self._shed(group)
        if not group.heap:
            group.ticket = 0
            return
        self._tickets += 1
        group.ticket = self._tickets
        heapq.heappush(self._next, (-self._stop_of(group), group.ticket, group))
        if len(self._next) > 2 * len(self._groups) + _CROWDED:
            self._next = [each for each in self._next if each[1] == each[2].ticket]
            heapq.heapify(self._next)
