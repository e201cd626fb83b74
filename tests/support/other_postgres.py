"""A PostgreSQL of another major version, from the system's packages: Debian puts each into /usr/lib/postgresql."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from fondaco.infra.children import end_process, told_of_parents_death
from fondaco.infra.embedded import free_port
from fondaco.infra.postgres.place import database_account
from support.places import open_folder
from support.waiting import eventually

PACKAGES = Path("/usr/lib/postgresql")
ENDING = ((signal.SIGINT, 20.0),)


@asynccontextmanager
async def other_postgres(major: int) -> AsyncIterator[str]:
    """A fresh server of this version for as long as the block runs; yields the address of an empty database.

    Not every Debian has every version, so the lack of one skips the test even in CI, and the reason says which.
    """
    programs = PACKAGES / str(major) / "bin"
    if not programs.is_dir():
        pytest.skip(
            f"no PostgreSQL {major} in {programs}; on the Debian that has it: apt-get install postgresql-{major}"
        )
    with open_folder() as folder:
        data, port = folder / "data", free_port(0)
        account = database_account(data)
        if account:
            os.chown(folder, account.uid, account.gid)
        await _run(folder, str(programs / "initdb"), "-D", str(data), "-U", "fondaco", "--no-sync", "--locale=C.UTF-8")
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = await _start(folder, str(programs / "postgres"), "-D", str(data), *settings)
        url = f"postgresql://fondaco@127.0.0.1:{port}/postgres"
        try:
            await eventually(lambda: _answers(url))
            yield url
        finally:
            await end_process(server, ENDING)


async def _answers(url: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(url)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


async def _run(folder: Path, *command: str) -> None:
    assert await (await _start(folder, *command)).wait() == 0, (folder / "log").read_text()


async def _start(folder: Path, *command: str) -> asyncio.subprocess.Process:
    """Start one of the programs as a user that PostgreSQL puts up with."""
    account = database_account(folder / "data")
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdout=log,
            stderr=log,
            preexec_fn=told_of_parents_death(signal.SIGINT),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
