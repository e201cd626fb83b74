"""Looks at processes of this machine, and starts others that run a script."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fondaco.infra.children import send_signal

SOURCES = Path(__file__).parents[2] / "src"


@asynccontextmanager
async def script_that_says(script: str, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, bytes]]:
    """Another process that runs a script, and the first line that it says; told to end at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )
    try:
        assert process.stdout is not None
        yield process, await process.stdout.readline()
    finally:
        send_signal(process, signal.SIGTERM)
        await process.wait()


def is_running(pid: int) -> bool:
    """Whether a process runs. One that has ended and waits to be reaped by somebody else does not."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def running_with(words: str) -> list[int]:
    """The processes whose command line holds these words."""
    numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return [pid for pid in numbers if words.encode() in _command_line(pid) and is_running(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    except (FileNotFoundError, ProcessLookupError):
        return b""
