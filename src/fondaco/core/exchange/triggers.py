"""Orders that wait for a price: found as soon as the last trade reaches it, at no cost while none is reached.

A rising price meets the lowest trigger above it first, a falling one the highest below it, so each direction is a heap.
Who is cancelled stays in its heap until it comes up or the dead outnumber the living; then the heap is made anew.

Invariant: exactly the orders in ``waiting`` wait; a heap's entry counts only while it agrees with them.
"""

import heapq
from collections.abc import Iterable

from fondaco.core.book.vocabulary import BUY, SELL, Side
from fondaco.core.state import Order
from fondaco.core.vocabulary import OrderType

_Entry = tuple[int, int, int]
"""Trigger (negated in the falling heap), priority_seq, order id."""


def waits_for_rise(side: Side, kind: OrderType) -> bool:
    """Whether an order fires when the price rises to its trigger, rather than when it falls to it."""
    if kind is OrderType.TAKE_PROFIT:
        return side is SELL
    if kind is OrderType.STOP_LOSS:
        return side is BUY
    return side is BUY


def is_reached(order_side: Side, kind: OrderType, trigger_ticks: int, last_ticks: int) -> bool:
    """Whether a price has reached an order's trigger."""
    if waits_for_rise(order_side, kind):
        return last_ticks >= trigger_ticks
    return last_ticks <= trigger_ticks


class Triggers:
    """The waiting orders of one market."""

    def __init__(self, waiting: Iterable[Order] = ()) -> None:
        self.waiting: dict[int, Order] = {}
        self._rising: list[_Entry] = []
        self._falling: list[_Entry] = []
        for order in waiting:
            self.add(order)

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def size(self) -> int:
        """Entries of the heaps, those of the dead included."""
        return len(self._rising) + len(self._falling)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self.waiting

    def add(self, order: Order) -> None:
        """Let an order wait."""
        self.waiting[order.order_id] = order
        if waits_for_rise(order.side, order.type):
            heapq.heappush(self._rising, (order.trigger_ticks, order.priority_seq, order.order_id))
        else:
            heapq.heappush(self._falling, (-order.trigger_ticks, order.priority_seq, order.order_id))

    def remove(self, order: Order) -> None:
        """Let an order wait no longer."""
        del self.waiting[order.order_id]
        if self.size > 2 * len(self.waiting) + 64:
            self._clean()

    def reached(self, price_ticks: int) -> list[Order]:
        """Take out who waits for no more than this price, by trigger price and then by priority."""
        found: list[Order] = []
        while self._rising and self._rising[0][0] <= price_ticks:
            self._take(heapq.heappop(self._rising), found)
        while self._falling and -self._falling[0][0] >= price_ticks:
            self._take(heapq.heappop(self._falling), found)
        if len(found) > 1:
            found.sort(key=lambda each: (each.trigger_ticks, each.priority_seq))
        return found

    def _take(self, entry: _Entry, found: list[Order]) -> None:
        order = self.waiting.pop(entry[2], None)
        if order is not None:
            found.append(order)

    def _clean(self) -> None:
        for heap in (self._rising, self._falling):
            heap[:] = [entry for entry in heap if entry[2] in self.waiting]
            heapq.heapify(heap)
