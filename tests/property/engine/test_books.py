"""Books kept from events are the engine's own, whatever is done: level by level, after each of many commands."""

from collections.abc import Iterator
from itertools import islice

import pytest

from fondaco.core.book.vocabulary import Depth, Side
from fondaco.core.commands import Submission
from fondaco.core.events import Trade, decode_events
from fondaco.core.machine import Machine
from fondaco.core.vocabulary import World
from fondaco.engine.books import MAX_NEW_TRADES, Books, LiveBook, NewTrades
from fondaco.engine.journal import Mark
from support.command_stream import stream

COMMANDS = 100_000
COMPARED_EVERY = 500
WHOLE = 1_000_000


def engine_levels(machine: Machine, key: tuple[World, str]) -> tuple[list[Depth], list[Depth]]:
    book = machine.house.markets[key].book
    return book.depth(Side.BUY, WHOLE), book.depth(Side.SELL, WHOLE)


def live_levels(book: LiveBook) -> tuple[list[Depth], list[Depth]]:
    return book.bids.best(WHOLE), book.asks.best(WHOLE)


def commands(seed: int, count: int) -> Iterator[tuple[Submission, int]]:
    return ((step.submission, step.now_ns) for step in islice(stream(seed), count))


def batches(machine: Machine, seed: int, count: int, size: int) -> Iterator[tuple[bytes, Mark]]:
    """Commands done by a machine, and what its journal would tell of them, so many a batch."""
    for number, (submission, now_ns) in enumerate(commands(seed, count), 1):
        machine.apply(submission, number, now_ns)
        if number % size == 0:
            yield machine.log.take(), Mark(number // size, number, b"")


def test_books_equal_the_engine_s_after_many_random_commands() -> None:
    machine, books = Machine(), Books()
    compared = 0
    for events, mark in batches(machine, seed=11, count=COMMANDS, size=COMPARED_EVERY):
        books.hear(decode_events(events), mark)
        for key in machine.house.markets:
            assert live_levels(books.book(*key)) == engine_levels(machine, key), (key, mark)
            compared += len(books.book(*key).bids.levels)
        books.take_changes()
    assert compared > COMMANDS // COMPARED_EVERY
    assert sum(len(market.handles) for market in machine.house.markets.values()) == len(books._resting)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_whoever_applies_the_changes_to_nothing_has_the_book(size: int) -> None:
    machine, books = Machine(), Books()
    held: dict[tuple[World, str, Side], dict[int, Depth]] = {}
    ends: dict[tuple[type, tuple[World, str]], int] = {}
    trade_ids: dict[tuple[World, str], int] = {}
    for events, mark in batches(machine, seed=12, count=7_000, size=size):
        books.hear(decode_events(events), mark)
        for changes in books.take_changes():
            assert changes.first_seq <= changes.seq == mark.seq
            if (end := ends.get((type(changes), changes.key))) is not None:
                assert changes.first_seq == end + 1, "no hole"
            ends[type(changes), changes.key] = changes.seq
            if isinstance(changes, NewTrades):
                for each in changes.trades:
                    assert each.trade_id == trade_ids.get(changes.key, 0) + 1
                    trade_ids[changes.key] = each.trade_id
                continue
            for side, levels in ((Side.BUY, changes.bids), (Side.SELL, changes.asks)):
                held.setdefault((*changes.key, side), {}).update({each.price: each for each in levels})
    for key, market in machine.house.markets.items():
        assert trade_ids.get(key, 0) == market.trade_id
        for side in Side:
            known = held.get((*key, side), {}).values()
            standing = sorted((each for each in known if each.lots), reverse=side is Side.BUY)
            assert standing == market.book.depth(side, WHOLE)


def test_trades_that_nobody_takes_are_bounded_and_counted() -> None:
    machine, books = Machine(), Books()
    key = (World.TRADING, "BTCUSDT")
    events, mark = next(iter(batches(machine, seed=13, count=3_000, size=3_000)))
    told = decode_events(events)
    trades = machine.house.markets[key].trade_id
    rounds = MAX_NEW_TRADES // trades + 1
    for _ in range(rounds):
        books.hear([each for each in told if isinstance(each, Trade)], mark)
    (changes,) = [each for each in books.take_changes() if each.key == key]
    assert isinstance(changes, NewTrades)
    assert len(changes.trades) == MAX_NEW_TRADES
    assert changes.dropped == rounds * trades - MAX_NEW_TRADES
    assert changes.trades[-1].trade_id == trades
