"""Quotes that set off nothing while a million positions stand, through the machine: decoded, applied, told."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from desk_stakes import (
    CALM_PPM,
    MID_TICKS,
    POSITIONS_AN_ACCOUNT,
    SPREAD_TICKS,
    START_NS,
    STEP,
    SYMBOLS,
    bets,
    loaded_with,
    opened,
    quote_of,
    resident_bytes,
    submission,
)
from fondaco.core.commands import Submission
from fondaco.core.desk.state import DeskPosition
from fondaco.core.fees import PPM
from fondaco.core.machine import Machine
from fondaco.core.vocabulary import Direction
from fondaco.engine.garbage import without_collections
from harness import Baseline, Stopwatch, median_of_runs, progress, report

POSITIONS = 1_000_000
QUOTES = 100_000
BATCH = 100
STEP_NS = 50_000_000
LARGEST_MOVE_TICKS = 50
"""A thousandth of a per cent, fifty milliseconds after the last quote."""
SCANS = 3
LONG = Direction.LONG


class Took(NamedTuple):
    """What a quote took: by the clock, and of the processor, which others may have had meanwhile."""

    wall_us: float
    processor_us: float


def quote_idle(name: str, *, quick: bool) -> None:
    """Microseconds a quote."""
    part = 10 if quick else 1
    count = POSITIONS // part
    house = opened(count // POSITIONS_AN_ACCOUNT)
    before = resident_bytes()
    machine = loaded_with(house, list(bets(count, seed=11)))
    del house
    bytes_a_position = (resident_bytes() - before) / count
    progress(f"  {name}: {count:,} positions stand, {bytes_a_position:,.0f} bytes each")
    path = _path(QUOTES // part)
    processor_us: list[float] = []

    def run() -> float:
        took = timed(machine, _waiting(machine, path))
        processor_us.append(round(took.processor_us, 2))
        return took.wall_us

    value, runs = median_of_runs(run)
    assert len(machine.house.desk.positions) == count, "something was closed"
    report(
        name,
        value,
        "µs",
        Baseline(f"a scan of all positions, {SCANS} quotes", scan_us(machine, path[:SCANS])),
        runs=[round(each, 2) for each in runs],
        processor_us=processor_us[1:],
        positions=count,
        accounts=count // POSITIONS_AN_ACCOUNT,
        symbols=1,
        quotes=len(path),
        bytes_a_position=round(bytes_a_position),
        state="positions and holds loaded as rows of a dump, so no command is remembered for them",
    )


def timed(machine: Machine, waiting: Sequence[tuple[Submission, int]]) -> Took:
    """Have a machine do what waits, in batches as the engine takes them."""
    with without_collections():  # as the engine runs
        watch, begun_s = Stopwatch(), time.process_time()
        for start in range(0, len(waiting), BATCH):
            for sent, now_ns in waiting[start : start + BATCH]:
                machine.apply(sent, machine.seq + 1, now_ns)
            machine.log.take()
        seconds, processor_s = watch.seconds(), time.process_time() - begun_s
    return Took(1e6 * seconds / len(waiting), 1e6 * processor_s / len(waiting))


def scan_us(machine: Machine, path: Sequence[int]) -> float:
    """Microseconds for looking at every position, by the same formulas, whether it is to be closed or warned."""
    rows = list(machine.house.desk.positions.values())
    watch = Stopwatch()
    for bid in path:
        assert not due(rows, SYMBOLS[0], bid, bid + SPREAD_TICKS)
    return 1e6 * watch.seconds() / len(path)


def due(rows: Sequence[DeskPosition], symbol: str, bid: int, ask: int) -> list[DeskPosition]:
    """Positions of a symbol that are to be closed at a quote, found by looking at each."""
    found = []
    for row in rows:
        if row.symbol != symbol:
            continue
        if row.direction is LONG:
            loss = row.entry_notional - bid * row.lots * STEP
            is_reached = bid <= row.stop_ticks or bid >= row.take_ticks > 0
        else:
            loss = ask * row.lots * STEP - row.entry_notional
            is_reached = ask >= row.stop_ticks > 0 or ask <= row.take_ticks
        if is_reached or loss * PPM >= row.margin * row.margin_call_ppm:
            found.append(row)
        elif not row.is_warned:
            row.is_warned = loss * PPM >= row.margin * row.loss_warning_ppm
    return found


def _path(quotes: int) -> list[int]:
    """Bids of a random walk that stays inside the calm."""
    moves = np.random.default_rng(12).integers(-LARGEST_MOVE_TICKS, LARGEST_MOVE_TICKS + 1, quotes)
    room = MID_TICKS * CALM_PPM // PPM
    # Folded back at both ends.
    walk = np.abs((np.cumsum(moves) + room) % (4 * room) - 2 * room) - room
    return [MID_TICKS + int(each) for each in walk]


def _waiting(machine: Machine, path: Sequence[int]) -> list[tuple[Submission, int]]:
    """A quote every 50 ms, from now on."""
    found = []
    now_ns = max(machine.now_ns, START_NS)
    for number, bid in enumerate(path):
        now_ns += STEP_NS
        found.append((submission(quote_of(SYMBOLS[0], bid, now_ns, number), "quote", now_ns), now_ns))
    return found
