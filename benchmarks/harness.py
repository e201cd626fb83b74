"""What every benchmark needs: repeated runs, one JSON line a figure, and the terms it was measured on.

`value` is the median of the runs after one warm-up; `baseline` is measured in the same run on the same data; `ratio`
says how many times better than the baseline we are, above 1 being better for rates and for times alike.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeAlias

from sqlalchemy import text

from fondaco.infra.database import Database

Benchmark: TypeAlias = Callable[..., Awaitable[None] | None]
"""Takes its name and ``quick``, and reports its figure."""

RUNS = 3
LESS_IS_BETTER = frozenset({"ms", "s", "µs"})


def main(benchmarks: Mapping[str, Benchmark], about: str | None) -> None:
    """Read the command line and run the named benchmarks one after the other; all when none is named."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "names", nargs="*", default=list(benchmarks), help=f"of {', '.join(benchmarks)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(benchmarks):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in arguments.names:
        running = benchmarks[name](name, quick=arguments.quick)
        if running is not None:
            asyncio.run(_until_done(running))


async def _until_done(running: Awaitable[None]) -> None:
    await running


class Baseline(NamedTuple):
    """The naive way, and what it came to."""

    name: str
    value: float


def median_of_runs(run: Callable[[], float], *, runs: int = RUNS) -> tuple[float, list[float]]:
    """The median of some runs after a warm-up, and the runs themselves."""
    run()
    values = [run() for _ in range(runs)]
    return statistics.median(values), values


def report(name: str, value: float, unit: str, baseline: Baseline | None, **details: object) -> None:
    """Print one figure as a line of JSON."""
    ratio = None
    if baseline is not None:
        ratio = baseline.value / value if unit in LESS_IS_BETTER else value / baseline.value
    line = {
        "name": name,
        "value": rounded(value),
        "unit": unit,
        "baseline": None if baseline is None else rounded(baseline.value),
        "baseline_name": None if baseline is None else baseline.name,
        "ratio": None if ratio is None else rounded(ratio),
        "details": {"cores": os.cpu_count(), **details},
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


def progress(sentence: str) -> None:
    """Say what goes on, beside the figures."""
    print(sentence, file=sys.stderr, flush=True)


def rounded(value: float) -> float:
    """Four digits that count: more would pretend to a precision that the machine does not have."""
    return float(f"{value:.4g}")


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """How long it has run."""
        return time.perf_counter() - self._start


async def durability(database: Database) -> dict[str, str]:
    """The settings that make an acknowledged commit survive a power cut; every figure with a commit names them."""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    async with database.transaction() as connection:
        return {name: (await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in names}
