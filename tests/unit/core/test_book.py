"""What a book promises, in examples; and what only shows when it grows or a row is used again."""

import numpy as np
import pytest

from fondaco.core.book.book import FIRST_ROWS, Book
from fondaco.core.book.layout import CANCEL, PLACE
from fondaco.core.book.reference import ReferenceBook
from fondaco.core.book.vocabulary import NO_ORDER, Fill, Meeting, Outcome, SelfTrade, Side

BUY, SELL = Side.BUY, Side.SELL


def test_price_comes_before_time_and_time_before_size() -> None:
    book = Book(1_000)
    book.place(1, SELL, 101, 5)
    book.place(2, SELL, 100, 1)
    book.place(3, SELL, 100, 9)
    placed = book.place(4, BUY, 101, 12)
    assert placed.fills == (
        Fill(2, 100, 1, 0, Meeting.TRADE),
        Fill(3, 100, 9, 0, Meeting.TRADE),
        Fill(1, 101, 2, 3, Meeting.TRADE),
    )
    assert placed.outcome is Outcome.DONE
    assert book.best(SELL) == 101


def test_what_is_not_filled_rests_at_its_own_price() -> None:
    book = Book(1_000)
    book.place(1, SELL, 100, 5)
    placed = book.place(2, BUY, 105, 8)
    assert (placed.outcome, placed.left) == (Outcome.RESTED, 3)
    assert (book.best(BUY), book.best(SELL)) == (105, 0)


def test_a_row_that_is_used_again_is_not_reachable_through_its_old_handle() -> None:
    book = Book(1_000)
    old = book.place(1, BUY, 100, 5).handle
    assert book.cancel(old) == 5
    new = book.place(2, BUY, 100, 7).handle
    assert new & 0xFFFFFFFF == old & 0xFFFFFFFF  # the very row
    assert book.cancel(old) == 0
    assert not book.reduce(old, 1)
    assert [each.order_id for each in book.resting()] == [2]
    assert book.cancel(new) == 7


@pytest.mark.parametrize("handle", [NO_ORDER, -(2**63), FIRST_ROWS, (2**31 - 1) << 32, 5])
def test_a_handle_that_was_never_given_finds_nothing(handle: int) -> None:
    book = Book(1_000)
    book.place(1, BUY, 100, 5)
    assert book.cancel(handle) == 0
    assert len(book) == 1


def test_a_lowered_order_keeps_its_place() -> None:
    book = Book(1_000)
    first = book.place(1, BUY, 100, 5).handle
    book.place(2, BUY, 100, 5)
    assert book.reduce(first, 2)
    assert [fill.maker_id for fill in book.place(3, SELL, 100, 3).fills] == [1, 2]


@pytest.mark.parametrize(
    ("self_trade", "outcome", "fills", "left"),
    [
        (SelfTrade.ALLOW, Outcome.DONE, [(1, 4, Meeting.TRADE), (2, 2, Meeting.TRADE)], 0),
        (SelfTrade.EXPIRE_TAKER, Outcome.EXPIRED, [], 6),
        (SelfTrade.EXPIRE_MAKER, Outcome.DONE, [(1, 4, Meeting.MAKER_EXPIRED), (2, 6, Meeting.TRADE)], 0),
        (SelfTrade.EXPIRE_BOTH, Outcome.EXPIRED, [(1, 4, Meeting.MAKER_EXPIRED)], 6),
        (SelfTrade.DECREMENT, Outcome.DONE, [(1, 4, Meeting.DECREMENTED), (2, 2, Meeting.TRADE)], 0),
    ],
)
def test_self_trade_prevention(
    self_trade: SelfTrade, outcome: Outcome, fills: list[tuple[int, int, Meeting]], left: int
) -> None:
    book = Book(1_000)
    book.place(1, SELL, 100, 4, owner=7)
    book.place(2, SELL, 100, 9, owner=8)
    placed = book.place(3, BUY, 100, 6, owner=7, self_trade=self_trade)
    assert placed.outcome is outcome
    assert [(fill.maker_id, fill.lots, fill.meeting) for fill in placed.fills] == fills
    assert placed.left == left


@pytest.mark.parametrize(("lots", "outcome"), [(3, Outcome.DONE), (4, Outcome.TOO_MANY)])
def test_an_order_that_would_meet_too_many_changes_nothing(lots: int, outcome: Outcome) -> None:
    book = Book(1_000, max_touched=3)
    for number in range(5):
        book.place(number, SELL, 100 + number, 1)
    assert book.place(9, BUY, 200, lots).outcome is outcome
    assert len(book) == (5 if outcome is Outcome.TOO_MANY else 2)


def test_an_order_that_only_makes_takes_nothing() -> None:
    book = Book(1_000)
    book.place(1, SELL, 100, 5)
    assert book.place(2, BUY, 100, 5, makes_only=True).outcome is Outcome.WOULD_TAKE
    assert book.place(3, BUY, 99, 5, makes_only=True).outcome is Outcome.RESTED
    assert len(book) == 2


def test_a_book_grows_as_far_as_it_must_and_forgets_nothing() -> None:
    book = Book(10_000_000)
    count = 4 * FIRST_ROWS
    handles = [book.place(number, BUY, 1 + number * 997, 1).handle for number in range(count)]
    assert len(book) == count
    assert book.best(BUY) == 1 + (count - 1) * 997
    assert [each.order_id for each in book.resting()] == list(reversed(range(count)))
    assert sum(book.cancel(handle) for handle in handles) == count
    assert book.best(BUY) == 0
    assert book.resting() == []


def test_a_batch_does_what_single_commands_do() -> None:
    random = np.random.default_rng(4)
    count = 5_000
    commands = np.zeros((count, 4), np.int64)
    book, single, reference = Book(3_000), Book(3_000), ReferenceBook(3_000)
    ours, theirs = np.full(count, NO_ORDER), np.full(count, NO_ORDER)
    traded = 0
    for number in range(count):
        if number and random.random() < 0.45:
            earlier = int(random.integers(max(0, number - 100), number))
            commands[number] = CANCEL, earlier, 0, 0
            assert single.cancel(int(ours[earlier])) == reference.cancel(int(theirs[earlier]))
            continue
        side, price, lots = (
            Side(int(random.integers(2))),
            int(random.integers(1_400, 1_600)),
            int(random.integers(1, 50)),
        )
        commands[number] = PLACE, side, price, lots
        placed, expected = single.place(number, side, price, lots), reference.place(number, side, price, lots)
        assert placed.fills == expected.fills
        ours[number], theirs[number] = placed.handle, expected.handle
        traded += sum(fill.lots for fill in placed.fills)
    sums = book.run(commands)
    assert sums.traded_lots == traded > 0
    assert book.resting() == single.resting() == reference.resting()
