"""Recorders for tests that kill them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from fondaco.market.messages import Source, Tick, TickBatch, encode_entry

TICKS_PER_ENTRY = 20


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
