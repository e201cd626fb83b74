"""The book alone: a stream of orders and cancels, in one batch, with prices that run wide, and one call a command."""

from itertools import repeat
from time import perf_counter

import numpy as np

from fondaco.core.book.book import Book
from fondaco.core.book.kernel import Int64s
from fondaco.core.book.layout import CANCEL, PLACE
from fondaco.core.book.reference import ReferenceBook
from fondaco.core.book.vocabulary import NO_ORDER, Side
from harness import Baseline, median_of_runs, report

COMMANDS = 1_000_000
QUICK_COMMANDS = 100_000
REFERENCE_COMMANDS = 10_000
CANCEL_SHARE = 0.45
RECENT = 1_000
"""A cancel picks among the orders of so many last commands."""
MID_TICKS = 6_000_000
MAX_PRICE = 20_000_000
SWING = 0.4
NEAREST = 4
"""The distance from the mid at which orders begin, in typical distances; set so that about 12 % of commands fill."""
CRASH = 0.5
"""The share of its price that the market loses in the flash crash, and wins back."""


def walking_mid(count: int, random: np.random.Generator) -> Int64s:
    """A mid that walks a tick or so at a time."""
    return np.asarray(MID_TICKS + np.cumsum(random.integers(-1, 2, count)), np.int64)


def swinging_mid(count: int, random: np.random.Generator) -> Int64s:
    """A mid that swings by `SWING` to both sides, with noise, and crashes for a moment."""
    phase = np.linspace(0, 6 * np.pi, count)
    mid = MID_TICKS * (1 + SWING * np.sin(phase)) + random.integers(-2_000, 2_001, count)
    crash = slice(count // 2, count // 2 + count // 100)
    mid[crash] *= 1 - CRASH
    return mid.astype(np.int64)


def stream(mid: Int64s, spread_ticks: float, random: np.random.Generator) -> Int64s:
    """Orders at geometric distances from the mid, and cancels of recent ones."""
    count = len(mid)
    side = random.integers(0, 2, count)
    distance = random.geometric(1 / spread_ticks, count) + round(spread_ticks * NEAREST)
    price = np.clip(np.where(side == 0, mid - distance, mid + distance), 1, MAX_PRICE)
    commands = np.stack([np.full(count, PLACE), side, price, random.integers(1, 100, count)], axis=1)
    cancels = np.flatnonzero(random.random(count) < CANCEL_SHARE)
    cancels = cancels[cancels > RECENT]
    commands[cancels] = 0
    commands[cancels, 0] = CANCEL
    commands[cancels, 1] = cancels - random.integers(1, RECENT, len(cancels))
    return np.ascontiguousarray(commands, np.int64)


def book_batch(name: str, *, quick: bool) -> None:
    """Commands a second in one batch, round a walking mid."""
    random = np.random.default_rng(7)
    _report_batch(name, stream(walking_mid(_count(quick=quick), random), 20, random))


def book_swing(name: str, *, quick: bool) -> None:
    """The same while the mid swings and crashes, so that levels are many and far apart."""
    random = np.random.default_rng(8)
    _report_batch(name, stream(swinging_mid(_count(quick=quick), random), 3_000, random))


def book_single(name: str, *, quick: bool) -> None:
    """Microseconds for a command when each is a call from Python."""
    random = np.random.default_rng(7)
    commands = stream(walking_mid(_count(quick=quick), random), 20, random)
    rows = commands.tolist()

    def run() -> float:
        return 1e6 * _run_singly(Book(MAX_PRICE), rows) / len(rows)

    value, runs = median_of_runs(run)
    part = rows[:REFERENCE_COMMANDS]
    baseline, _ = median_of_runs(lambda: 1e6 * _run_singly(ReferenceBook(MAX_PRICE), part) / len(part))
    report(name, value, "µs", Baseline("reference.py", baseline), runs=runs, commands=len(rows))


def _count(*, quick: bool) -> int:
    return QUICK_COMMANDS if quick else COMMANDS


def _report_batch(name: str, commands: Int64s) -> None:
    sums = Book(MAX_PRICE).run(commands)  # compiles, too

    def run() -> float:
        book = Book(MAX_PRICE)
        start = perf_counter()
        book.run(commands)
        return len(commands) / (perf_counter() - start)

    value, runs = median_of_runs(run)
    rows = commands[:REFERENCE_COMMANDS].tolist()
    baseline, _ = median_of_runs(lambda: len(rows) / _run_singly(ReferenceBook(MAX_PRICE), rows))
    report(
        name,
        value,
        "commands/s",
        Baseline(f"reference.py, the first {REFERENCE_COMMANDS}", baseline),
        runs=[round(each) for each in runs],
        commands=len(commands),
        filling_share=round(filling_share(commands), 3),
        trades=sums.trades,
    )


def filling_share(commands: Int64s) -> float:
    """The share of commands that fill something, as the book itself tells."""
    book, handles, filling = Book(MAX_PRICE), [NO_ORDER] * len(commands), 0
    for number, (kind, first, price, lots) in enumerate(commands.tolist()):
        if kind == CANCEL:
            book.cancel(handles[first])
            continue
        placed = book.place(number, Side(first), price, lots)
        handles[number] = placed.handle
        filling += bool(placed.fills)
    return filling / len(commands)


def _run_singly(book: Book | ReferenceBook, rows: list[list[int]]) -> float:
    """Seconds for all commands, a call each."""
    handles = list(repeat(NO_ORDER, len(rows)))
    sides = tuple(Side)
    start = perf_counter()
    for number, (kind, first, price, lots) in enumerate(rows):
        if kind == CANCEL:
            book.cancel(handles[first])
        else:
            handles[number] = book.place(number, sides[first], price, lots).handle
    return perf_counter() - start
