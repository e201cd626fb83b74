"""Real order-level recordings drive the book, and what their owners saw at the top is what we see.

The recordings have quirks of their own, told in the README beside them: orders of before the first message are
missing, some events are repeats, one exchange's book is crossed for moments. The figures below say how much that
leaves; they are the book's record, so a change that matches less is a bug.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

import msgspec

from fondaco.core.book.book import Book
from fondaco.core.book.vocabulary import MAX_PRICE_TICKS, Depth, Outcome, Side
from fondaco.core.money import parse_positive_atoms
from support import needs

LOBSTER_STATES, LOBSTER_MATCHED = 13_082, 13_021
"""Half an hour of one stock: states of the top in LOBSTER's own file, and how many of them we pass through."""
LOBSTER_EXECUTIONS, LOBSTER_FIRST_IN_LINE = 2_067, 2_048
"""Executions of orders that we know, and how many of those were first in our queue: price, then time."""
BITFINEX_CROSSED = 21


class Top(NamedTuple):
    """The top of a book, as LOBSTER writes it."""

    ask: int
    ask_lots: int
    bid: int
    bid_lots: int


class LobsterMessage(NamedTuple):
    """What happened to one order."""

    kind: int
    order_id: int
    lots: int
    price: int
    side: Side


ADD, REDUCE, DELETE, EXECUTE, HIDDEN = 1, 2, 3, 4, 5
NOON_OF_THE_TEST_S = 36_000
"""The end of the file with the top of the book: 10:00 in New York."""


class LobsterReplay:
    """Does to a book what the messages say. What they say was executed is executed by an order from the other side."""

    def __init__(self) -> None:
        self.book = Book(10_000_000)
        self.executions = 0
        self.first_in_line = 0
        self._handles: dict[int, int] = {}
        self._lots: dict[int, int] = {}

    def take(self, message: LobsterMessage) -> None:
        """Do what one message says, if it is about an order that was added."""
        order_id = message.order_id
        if message.kind == ADD:
            placed = self.book.place(order_id, message.side, message.price, message.lots, makes_only=True)
            assert placed.outcome is Outcome.RESTED
            self._handles[order_id], self._lots[order_id] = placed.handle, message.lots
        elif order_id in self._handles and message.kind != HIDDEN:
            self._lots[order_id] -= message.lots
            if message.kind == EXECUTE and self._is_first(message):
                self._execute(message)
            elif message.kind == DELETE or self._lots[order_id] == 0:
                self.book.cancel(self._handles[order_id])
            else:
                assert self.book.reduce(self._handles[order_id], self._lots[order_id])

    def top(self) -> Top:
        """The best price of each side and what rests there."""
        nothing = [Depth(0, 0, 0)]
        ask, bid = ((self.book.depth(side, 1) or nothing)[0] for side in (Side.SELL, Side.BUY))
        return Top(ask.price, ask.lots, bid.price, bid.lots)

    def _is_first(self, message: LobsterMessage) -> bool:
        self.executions += 1
        first = next(each for each in self.book.resting() if each.side is message.side)
        return first.order_id == message.order_id

    def _execute(self, message: LobsterMessage) -> None:
        self.first_in_line += 1
        placed = self.book.place(0, message.side.opposite, message.price, message.lots, rests=False)
        assert [(fill.maker_id, fill.lots) for fill in placed.fills] == [(message.order_id, message.lots)]


def test_half_an_hour_of_a_stock_shows_the_tops_that_lobster_saw() -> None:
    with gzip.open(needs.recorded("lobster_aapl_2012-06-21_0930_1000_l1_book.csv.gz"), "rt") as lines:
        expected = [top for top, _ in groupby(Top(*map(int, row)) for row in csv.reader(lines))]
    replay, seen = LobsterReplay(), []
    for message in lobster_messages():
        replay.take(message)
        seen.append(replay.top())
    assert len(expected) == LOBSTER_STATES
    assert matched([top for top, _ in groupby(seen)], expected) == LOBSTER_MATCHED
    assert (replay.executions, replay.first_in_line) == (LOBSTER_EXECUTIONS, LOBSTER_FIRST_IN_LINE)


def lobster_messages() -> Iterator[LobsterMessage]:
    with gzip.open(needs.recorded("lobster_aapl_2012-06-21_0930_1030_messages_50.csv.gz"), "rt") as lines:
        for time_s, *numbers in csv.reader(lines):
            if Decimal(time_s) >= NOON_OF_THE_TEST_S:
                return
            kind, order_id, lots, price, direction = map(int, numbers)
            yield LobsterMessage(kind, order_id, lots, price, Side.BUY if direction == 1 else Side.SELL)


def matched(seen: Sequence[Top], expected: Sequence[Top]) -> int:
    """How many states of one series are passed through by the other, in order."""
    return sum(block.size for block in SequenceMatcher(None, seen, expected, autojunk=False).get_matching_blocks())


def test_a_raw_book_of_bitfinex_holds_what_its_messages_add_up_to() -> None:
    book, handles = Book(MAX_PRICE_TICKS), dict[int, int]()
    orders: dict[int, tuple[Side, int, int]] = {}
    waiting: dict[int, tuple[Side, int, int]] = {}
    crossed = 0
    for order_id, order in bitfinex_changes():
        waiting.pop(order_id, None)
        book.cancel(handles.pop(order_id, -1))
        orders.pop(order_id, None)
        if order is not None:
            orders[order_id] = waiting[order_id] = order
        for each, (side, price, lots) in list(waiting.items()):
            placed = book.place(each, side, price, lots, makes_only=True)
            if placed.outcome is Outcome.RESTED:
                handles[each] = placed.handle
                del waiting[each]
        crossed += bool(waiting)
        assert book.best(Side.BUY) == max_price(orders, waiting, Side.BUY)
        assert book.best(Side.SELL) == max_price(orders, waiting, Side.SELL)
    assert {each.order_id: (each.side, each.price, each.lots) for each in book.resting()} == orders
    assert crossed == BITFINEX_CROSSED


def bitfinex_changes() -> Iterator[tuple[int, tuple[Side, int, int] | None]]:
    """Each message about an order: its side, price and lots, or None when it is gone.

    Prices have up to eight decimals, more than the book's range allows beside their size; the fifth is rounded outward.
    """
    with gzip.open(needs.recorded("bitfinex_btcusd_l3_book_raw_2021-03.jsonl.gz"), "rt") as lines:
        decoder = msgspec.json.Decoder(float_hook=Decimal)
        for line in lines:
            message = decoder.decode(line)
            body = message[1] if isinstance(message, list) else []
            for order_id, price, amount in body if body and isinstance(body[0], list) else [body] if body else []:
                if price == 0:
                    yield order_id, None
                else:
                    side, outward = (Side.BUY, ROUND_FLOOR) if amount > 0 else (Side.SELL, ROUND_CEILING)
                    ticks = int((Decimal(price) * 10_000).to_integral_value(outward))
                    yield order_id, (side, ticks, int(abs(amount) * 10**8))


def max_price(orders: dict[int, tuple[Side, int, int]], waiting: dict[int, tuple[Side, int, int]], side: Side) -> int:
    """The best price of what rests, by looking at everything."""
    prices = [price for order_id, (whose, price, _) in orders.items() if whose is side and order_id not in waiting]
    best = max if side is Side.BUY else min
    return best(prices, default=0)


def test_a_whole_book_of_coinbase_is_loaded_and_adds_up() -> None:
    book, expected = Book(MAX_PRICE_TICKS), dict[tuple[Side, int], list[int]]()
    beyond = 0
    with gzip.open(needs.recorded("coinbase_btcusd_l3_snapshot_2026-08-07.jsonl.gz"), "rt") as lines:
        next(lines)
        for number, line in enumerate(lines, 1):
            kind, price_text, size_text, _ = msgspec.json.decode(line)
            side = Side.BUY if kind == "bid" else Side.SELL
            price, lots = parse_positive_atoms(price_text, 2), parse_positive_atoms(size_text, 8)
            assert isinstance(price, int)
            assert isinstance(lots, int)
            if price > MAX_PRICE_TICKS:
                beyond += 1
                continue
            assert book.place(number, side, price, lots).outcome is Outcome.RESTED
            expected.setdefault((side, price), []).append(lots)
    assert len(book) == sum(map(len, expected.values()))
    assert beyond < 200
    for side in Side:
        depth = book.depth(side, len(expected))
        assert [each.price for each in depth] == sorted(
            (price for whose, price in expected if whose is side), reverse=side is Side.BUY
        )
        assert all((each.lots, each.orders) == _summed(expected[side, each.price]) for each in depth)


def _summed(lots: list[int]) -> tuple[int, int]:
    return sum(lots), len(lots)
