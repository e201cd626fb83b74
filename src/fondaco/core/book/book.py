"""The book that calls the compiled kernel."""

from typing import Final, NamedTuple

import numpy as np

from fondaco.core.book import kernel, layout
from fondaco.core.book.vocabulary import (
    MAX_PRICE_TICKS,
    NO_ORDER,
    NOBODY,
    Depth,
    Fill,
    Meeting,
    Outcome,
    Placed,
    Resting,
    SelfTrade,
    Side,
    Walk,
)

FIRST_ROWS: Final = 1_024
"""Orders, levels and blocks that a new book has room for; each doubles when it is full."""
MAX_ROWS: Final = 2**31
"""Orders that a book can hold: a handle has 32 bits for the row."""

_OUTCOMES = tuple(Outcome)
_MEETINGS = tuple(Meeting)
_NOTHING: tuple[Fill, ...] = ()


class BatchSums(NamedTuple):
    """What a batch came to: enough to tell whether two books did the same."""

    trades: int
    traded_lots: int
    cancelled_lots: int
    mix: int


class Book:
    """One book. A price is from 1 to ``max_price`` ticks, an order has at least one lot; the caller sees to both.

    Args:
        max_price: the highest price, at most `MAX_PRICE_TICKS`.
        max_touched: how many resting orders one order may meet.
    """

    def __init__(self, max_price: int, *, max_touched: int = 1_000) -> None:
        assert 0 < max_price <= MAX_PRICE_TICKS
        self.max_price = max_price
        self._header = np.zeros(layout.HEADER_SIZE, np.int64)
        blocks = (max_price >> 6) + 1
        summary_size = self._lay_out_summaries(blocks)
        # Zeros that nobody has touched are address space, not memory.
        self._directory = np.zeros(2 * blocks, np.int64)
        self._summaries = np.zeros(2 * summary_size, np.int64)
        self._fills = np.zeros((max_touched, layout.FILL_SIZE), np.int64)
        self._orders = np.zeros((0, layout.ORDER_SIZE), np.int64)
        self._levels = np.zeros((0, layout.LEVEL_SIZE), np.int64)
        self._blocks = np.zeros((0, layout.BLOCK_SIZE), np.int64)
        fixed = {
            layout.DIRECTORY: self._directory.ctypes.data,
            layout.DIRECTORY_SIZE: blocks,
            layout.SUMMARIES: self._summaries.ctypes.data,
            layout.SUMMARY_SIZE: summary_size,
            layout.FILLS: self._fills.ctypes.data,
            layout.MAX_FILLS: max_touched,
            layout.FREE_ORDER: layout.NONE,
            layout.FREE_LEVEL: layout.NONE,
            layout.FREE_BLOCK: layout.NONE,
        }
        for field, value in fixed.items():
            self._header[field] = value
        self._book = self._header.ctypes.data
        self._grow()

    def __len__(self) -> int:
        return int(self._header[layout.COUNT_OF_ORDERS])

    def place(
        self,
        order_id: int,
        side: Side,
        price: int,
        lots: int,
        *,
        owner: int = NOBODY,
        self_trade: SelfTrade = SelfTrade.ALLOW,
        rests: bool = True,
        makes_only: bool = False,
    ) -> Placed:
        """Match an order against the other side as far as its price allows; let the rest of it rest, if it may."""
        assert 0 < price <= self.max_price
        assert lots > 0
        while True:
            outcome, handle, left, met = kernel.place(
                self._book, order_id, int(side), price, lots, owner, int(self_trade), rests, makes_only
            )
            if outcome != layout.GROW:
                break
            self._grow()
        fills = _NOTHING
        if met:
            fills = tuple(
                [
                    Fill(maker, at, taken, stays, _MEETINGS[how])
                    for maker, at, taken, stays, how in self._fills[:met].tolist()
                ]
            )
        return Placed(_OUTCOMES[outcome], handle, left, fills)

    def cancel(self, handle: int) -> int:
        """Take an order out; returns the lots it had, 0 when it is not there."""
        return kernel.cancel(self._book, handle)

    def reduce(self, handle: int, lots: int) -> bool:
        """Lower an order to so many lots, at least one and fewer than it has; its place in the queue stays."""
        return kernel.reduce(self._book, handle, lots)

    def walk(
        self,
        side: Side,
        price: int,
        lots: int,
        *,
        owner: int = NOBODY,
        self_trade: SelfTrade = SelfTrade.ALLOW,
    ) -> Walk:
        """What an order of this side would get up to a price."""
        return Walk(*kernel.walk(self._book, int(side), price, lots, owner, int(self_trade)))

    def best(self, side: Side) -> int:
        """The best price of a side; 0 when it is empty."""
        return int(self._header[layout.BEST + side])

    def depth(self, side: Side, count: int) -> list[Depth]:
        """The best levels of a side, best first."""
        out = np.zeros((min(count, len(self._levels)), 3), np.int64)
        found = kernel.levels_of(self._book, int(side), out)
        return [Depth(*row) for row in out[:found].tolist()]

    def resting(self) -> list[Resting]:
        """Every order, bids before asks, in the order in which they would be served."""
        out = np.zeros((len(self), 4), np.int64)
        resting = []
        for side in Side:
            found = kernel.queue_of(self._book, int(side), out)
            resting += [Resting(id_, owner, side, price, lots) for id_, owner, price, lots in out[:found].tolist()]
        return resting

    def run(self, commands: kernel.Int64s) -> BatchSums:
        """Run a batch: rows of (`layout.PLACE`, side, price, lots) or (`layout.CANCEL`, number of the placing row).

        An order's id is its row's number. For benchmarks and backtests, where a call for each order would cost more
        than the order.
        """
        handles = np.full(len(commands), NO_ORDER, np.int64)
        sums = np.zeros(4, np.int64)
        at = 0
        while (at := kernel.run(self._book, commands, at, handles, sums)) < len(commands):
            self._grow()
        return BatchSums(*sums.tolist())

    def _lay_out_summaries(self, blocks: int) -> int:
        """Write into the header where each summary of a side begins; returns how many words they take."""
        start, height, bits = 0, 0, blocks
        while height == 0 or bits > 1:
            self._header[layout.HEIGHTS + 1 + height] = start
            bits = (bits + 63) >> 6
            start, height = start + bits, height + 1
        assert height <= layout.MAX_HEIGHTS
        self._header[layout.HEIGHTS] = height
        return start

    def _grow(self) -> None:
        """Double whatever has no free row."""
        header = self._header
        if header[layout.FREE_ORDER] == layout.NONE:
            header[layout.FREE_ORDER] = len(self._orders)
            self._orders = _doubled(self._orders, layout.NEXT)
        if header[layout.FREE_LEVEL] == layout.NONE:
            header[layout.FREE_LEVEL] = len(self._levels)
            self._levels = _doubled(self._levels, layout.NEXT_FREE)
        if header[layout.FREE_BLOCK] == layout.NONE:
            header[layout.FREE_BLOCK] = len(self._blocks)
            self._blocks = _doubled(self._blocks, layout.BITS)
        assert len(self._orders) <= MAX_ROWS
        header[layout.ORDERS] = self._orders.ctypes.data
        header[layout.LEVELS] = self._levels.ctypes.data
        header[layout.BLOCKS] = self._blocks.ctypes.data
        header[layout.ORDER_ROWS] = len(self._orders)


def _doubled(rows: kernel.Int64s, link: int) -> kernel.Int64s:
    """The same rows and as many free ones behind them, each linked to the next."""
    grown = np.zeros((max(FIRST_ROWS, 2 * len(rows)), rows.shape[1]), np.int64)
    grown[: len(rows)] = rows
    grown[len(rows) :, link] = np.arange(len(rows) + 1, len(grown) + 1)
    grown[-1, link] = layout.NONE
    return grown


def rehearse() -> None:
    """Do everything once, on a book that nobody needs.

    What is not compiled yet is compiled by that: it takes seconds, which a process had better spend before others wait.
    """
    book = Book(100)
    handle = book.place(1, Side.BUY, 50, 3).handle
    book.reduce(handle, 2)
    book.walk(Side.SELL, 50, 1)
    book.place(2, Side.SELL, 50, 1)
    book.depth(Side.BUY, 1)
    book.resting()
    book.cancel(handle)
