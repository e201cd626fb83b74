"""Starting: `./dev up` until its page answers, everything cached, the data directory new and then known."""

import asyncio
import os
import signal
from pathlib import Path
from statistics import median

from harness import RUNS, Stopwatch, progress, report
from house import answering, folder, free_port

DEV = Path(__file__).parents[1] / "dev"
STOP_WAIT_S = 30.0


async def up_seconds(name: str, *, quick: bool) -> None:
    """Seconds from the command to the first page, on a house that stands; the first start ever is in the details."""
    del quick
    async with folder() as path:
        first_s = await start(path / "house")
        seconds = [await start(path / "house") for _ in range(RUNS)]
    report(name, median(seconds), "s", None, runs=[round(each, 2) for each in seconds], first_start_s=round(first_s, 2))


async def start(data_dir: Path) -> float:
    """Start a house, wait for its page, and stop it."""
    port = free_port()
    environment = os.environ | {"FONDACO_DATA_DIR": str(data_dir)}
    watch = Stopwatch()
    process = await asyncio.create_subprocess_exec(
        str(DEV),
        "up",
        "--port",
        str(port),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        page = await answering(f"http://127.0.0.1:{port}/")
        seconds = watch.seconds()
        assert "<!doctype html>" in page.text.lower(), page.text[:200]
        progress(f"  page after {seconds:.2f} s")
        return seconds
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)
