"""Recorders for tests that kill them, and a source of ticks to hold the tables against afterwards."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from fondaco.market.messages import Source, Tick, TickBatch, encode_entry
from support.ticks import MOMENT_US

TICKS_PER_ENTRY = 20


def source(count: int, seed: int) -> list[Tick]:
    """A seeded walk in which many trades share a millisecond."""
    numbers = random.Random(seed)
    price, time_us, ticks = 6_000_000, MOMENT_US, []
    for trade_id in range(1, count + 1):
        price = max(1, price + numbers.randint(-30, 30))
        time_us += 1000 * numbers.choice([0, 0, 0, 1, 40, 900])
        ticks.append(Tick(trade_id, time_us, price, numbers.randint(1, 10**9), numbers.random() < 0.5, time_us))
    return ticks


def entries_of(stored: list[Tick]) -> list[bytes]:
    """Ticks of BTCUSDT as entries of the stream."""
    return [
        encode_entry(TickBatch(Source.BINANCE, "BTCUSDT", tuple(stored[start : start + TICKS_PER_ENTRY])))
        for start in range(0, len(stored), TICKS_PER_ENTRY)
    ]


async def recorder_process(data_dir: Path, **environment: str) -> asyncio.subprocess.Process:
    """Start `fondaco record` as the supervisor would."""
    own = {"FONDACO_DATA_DIR": str(data_dir), "FONDACO_DATABASE__POOL_WAIT_S": "0.5"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fondaco", "record", "--supervised"), env=os.environ | own | environment
    )


async def kill(process: asyncio.subprocess.Process | None) -> None:
    """Kill with signal 9, unless it has ended."""
    if process is not None and process.returncode is None:
        process.send_signal(signal.SIGKILL)
        await process.wait()
