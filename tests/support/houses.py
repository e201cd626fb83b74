"""Whole houses for tests: `fondaco up` as a process of its own, seen from the outside."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.processes import running_with
from support.waiting import eventually

STOP_WAIT_S = 60.0
PAGE = re.compile(r"^  page +(\S+)$")


class RunningHouse:
    """A house that runs."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, address: str) -> None:
        self.process = process
        self.data_dir = data_dir
        self.address = address
        self.log: list[str] = []

    async def listen(self) -> None:
        """Gather what the house says, until it says no more."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode())

    def pids(self, words: str) -> list[int]:
        """Processes of this house whose command line holds these words."""
        return [pid for pid in running_with(words) if str(self.data_dir) in _environment(pid) + _command(pid)]

    async def has_candles(self, symbol: str = "BTCUSDT") -> bool:
        """Whether candles are there to be seen."""
        answer = await self._get(f"/candles?asset={symbol}&duration=1m&limit=5000")
        return answer is not None and answer.is_success and bool(answer.json()["candles"])

    async def is_ready(self) -> bool:
        """Whether all its parts answer."""
        answer = await self._get("/ready")
        return answer is not None and answer.is_success

    async def _get(self, path: str) -> httpx.Response | None:
        """Ask. While the page's process starts again, one waits in the socket's queue; if it is killed, None."""
        async with httpx.AsyncClient(trust_env=False, timeout=None) as client:  # noqa: S113 - `eventually` bounds it
            try:
                return await client.get(f"{self.address}{path}")
            except httpx.TransportError:
                return None

    async def stop(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), STOP_WAIT_S)


@asynccontextmanager
async def running_house(data_dir: Path, *arguments: str, **environment: str) -> AsyncIterator[RunningHouse]:
    """A house with simulated prices on a port of the kernel's choice, from its welcome to the end of the block."""
    process = await _start(["up", "--port", "0", "--feed", "simulated", *arguments], data_dir, environment)
    try:
        house = RunningHouse(process, data_dir, await _address(process))
        listening = asyncio.ensure_future(house.listen())
        yield house
        await listening
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)
        await eventually(lambda: _nobody(data_dir))


async def command(
    arguments: Sequence[str], data_dir: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command to its end; returns exit code, standard output and standard error."""
    process = await _start(arguments, data_dir, environment or {})
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def _start(
    arguments: Sequence[str], data_dir: Path, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fondaco", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited, "FONDACO_DATA_DIR": str(data_dir), "FONDACO_MARKET__HISTORY_CANDLES": "3", **environment},
    )


async def _address(process: asyncio.subprocess.Process) -> str:
    """Read the welcome up to the page's address."""
    assert process.stdout is not None
    assert process.stderr is not None
    while line := await process.stdout.readline():
        if found := PAGE.match(line.decode()):
            return found[1]
    raise AssertionError((await process.stderr.read()).decode())


async def _nobody(data_dir: Path) -> bool:
    return running_with(str(data_dir)) == []


def _environment(pid: int) -> str:
    return _read(pid, "environ")


def _command(pid: int) -> str:
    return _read(pid, "cmdline")


def _read(pid: int, name: str) -> str:
    try:
        return (Path("/proc") / str(pid) / name).read_text(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
