"""The compiled book and its slow twin, command for command: the same answers, the same book, the same handles' fate."""

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fondaco.core.book.book import Book
from fondaco.core.book.reference import ReferenceBook
from fondaco.core.book.vocabulary import MAX_PRICE_TICKS, Placed, SelfTrade, Side

MAX_TOUCHED = 6
"""Few, so that its edge is met."""

sides = st.sampled_from(Side)
lots = st.one_of(st.integers(1, 12), st.integers(1, 2**30))
ceilings = st.sampled_from([1, 63, 64, 4_095, 4_096, 300_000, MAX_PRICE_TICKS])


def prices(ceiling: int) -> st.SearchStrategy[int]:
    """Prices near each other, near the borders of the tree's words, and anywhere."""
    near = st.integers(max(1, ceiling // 2 - 3), min(ceiling, ceiling // 2 + 4))
    borders = [each for power in (1, 6, 12, 18, 24, 30) for each in (2**power - 1, 2**power) if 0 < each <= ceiling]
    return st.one_of(near, st.sampled_from([1, ceiling, *borders]), st.integers(1, ceiling))


class Twins(RuleBasedStateMachine):
    """Sends everything to both. A handle is remembered as the pair that both gave for one order, for ever."""

    @initialize(ceiling=ceilings)
    def open(self, ceiling: int) -> None:
        """Open both books."""
        self.ceiling = ceiling
        self.book = Book(ceiling, max_touched=MAX_TOUCHED)
        self.reference = ReferenceBook(ceiling, max_touched=MAX_TOUCHED)
        self.handles: list[tuple[int, int]] = []
        self.orders = 0

    @rule(
        data=st.data(),
        side=sides,
        lots=lots,
        owner=st.integers(0, 2),
        self_trade=st.sampled_from(SelfTrade),
        rests=st.booleans(),
        makes_only=st.integers(0, 3).map(lambda each: each == 0),
    )
    def place(self, data: st.DataObject, **order: Any) -> None:  # noqa: ANN401 - handed through as drawn
        """Place an order."""
        price = data.draw(prices(self.ceiling))
        self.orders += 1
        order = {"order_id": self.orders, "price": price, **order}
        walked = {name: order[name] for name in ("side", "price", "lots", "owner", "self_trade")}
        assert self.book.walk(**walked) == self.reference.walk(**walked)
        ours, theirs = self.book.place(**order), self.reference.place(**order)
        assert _but_handle(ours) == _but_handle(theirs)
        assert (ours.handle >= 0) == (theirs.handle >= 0)
        if ours.handle >= 0:
            self.handles.append((ours.handle, theirs.handle))

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel an order that rests, or one that left long ago and whose row another may have now."""
        ours, theirs = data.draw(st.sampled_from(self.handles))
        assert self.book.cancel(ours) == self.reference.cancel(theirs)

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), lots=lots)
    def reduce(self, data: st.DataObject, lots: int) -> None:
        """Lower an order, or try to."""
        ours, theirs = data.draw(st.sampled_from(self.handles))
        assert self.book.reduce(ours, lots) == self.reference.reduce(theirs, lots)

    @invariant()
    def the_books_are_equal(self) -> None:
        """Both hold the same orders in the same queues."""
        if not hasattr(self, "book"):
            return
        assert len(self.book) == len(self.reference)
        assert self.book.resting() == self.reference.resting()
        for side in Side:
            assert self.book.best(side) == self.reference.best(side)
            assert self.book.depth(side, 4) == self.reference.depth(side, 4)


def _but_handle(placed: Placed) -> Placed:
    return msgspec.structs.replace(placed, handle=0)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
