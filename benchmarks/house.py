"""A house for benchmarks: a fresh, migrated database on an embedded server of its own, and the real processes."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from fondaco.app.migrations import migrate
from fondaco.infra.database import Database
from fondaco.infra.postgres import running_postgres
from fondaco.infra.settings import DatabaseSettings

START_WAIT_S = 30.0
STOP_WAIT_S = 10.0
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Running(NamedTuple):
    """A process of the house."""

    name: str
    pid: int
    base_url: str


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A new folder that the database's user can reach, removed in the end."""
    path = await asyncio.to_thread(_make_folder)
    try:
        yield path
    finally:
        await asyncio.to_thread(shutil.rmtree, path)


@asynccontextmanager
async def fresh_database() -> AsyncIterator[Database]:
    """A database with every table and no row."""
    async with folder() as path, running_postgres(path / "house", command="benchmark") as url:
        await asyncio.to_thread(migrate, url, DatabaseSettings())
        database = Database(url, DatabaseSettings(), application="benchmark")
        yield database
        await database.dispose()


@asynccontextmanager
async def running(
    name: str, database_url: str, environment: Mapping[str, str], **market: str
) -> AsyncIterator[Running]:
    """One process of the house, started as `fondaco up` starts it; a server is waited for."""
    port = free_port()
    settings = {f"FONDACO_MARKET__{key.upper()}": value for key, value in market.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fondaco",
        name,
        env=os.environ
        | {"DATABASE_URL": database_url, "FONDACO_SERVE__PORT": str(port), "FONDACO_LOG_LEVEL": "warning"}
        | settings
        | dict(environment),
    )
    url = f"http://127.0.0.1:{port}"
    try:
        if name == "serve":
            await answering(f"{url}/health")
        yield Running(name, process.pid, url)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)


async def answering(url: str) -> httpx.Response:
    """The first answer of a server that is starting."""
    async with asyncio.timeout(START_WAIT_S), httpx.AsyncClient() as client:
        while True:
            try:
                return await client.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.01)


def _make_folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="fondaco-bench-"))
    path.chmod(0o755)
    return path


def free_port() -> int:
    """A port that the kernel has free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def process_cpu_s(pid: int) -> float:
    """Processor seconds that a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S
