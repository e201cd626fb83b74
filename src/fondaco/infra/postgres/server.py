"""The running server: started, waited for, ended.

It ends with the process that started it, however that ends: the kernel then sends it the signal of a fast shutdown.
What was committed is on disk by then, because nothing here turns fsync, full_page_writes or synchronous_commit off.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from fondaco.infra.children import Ending, end_process
from fondaco.infra.embedded import LOOPBACK, POLL_S, last_lines, put_long_log_aside, until_it_answers
from fondaco.infra.house import house_lock
from fondaco.infra.postgres.cluster import (
    CLUSTER_NAME,
    is_accepting,
    ready_cluster,
)
from fondaco.infra.postgres.place import Account, Place, PostgresError, database_account
from fondaco.infra.postgres.programs import ready_programs, start_program, version

BUSY_WAIT_S = 10.0
"""Processes of a killed server end by themselves within this time; until then its memory is in use."""
ENDING: Ending = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
"""Fast shutdown (with a checkpoint), then immediate (without). Both keep every commit."""
STILL_IN_USE = "still in use"
"""What PostgreSQL says of a killed server's memory while one of its processes is left."""
SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_permissions": "0700",
    "cluster_name": CLUSTER_NAME,
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "min_wal_size": "512MB",  # what a checkpoint leaves is used again; new segments are zeroed while a commit waits
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # Starts, stops, crashes. What a statement did wrong its client knows, and rows have no business in a log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}


class EmbeddedPostgres:
    """The embedded server of one house. Whoever launches it holds the house's lock."""

    def __init__(self, data_dir: Path) -> None:
        # Absolute, because the server works in another folder than we do.
        self.place = Place(data_dir.absolute() / "postgres")

    @property
    def url(self) -> str:
        """The server's address; `prepare` must have been called, now or in an earlier life of the house."""
        return self.place.url()

    @property
    def tcp_url(self) -> str:
        """The same over loopback TCP, for programs that know no Unix sockets."""
        return self.place.tcp_url()

    def prepare(self) -> str:
        """Choose password and port and return the address, before anything runs. Raises `PostgresError`."""
        self.place.prepare()
        return self.url

    async def launch(self) -> asyncio.subprocess.Process:
        """Start the server and return its process once it takes connections. Call `prepare` first.

        Raises:
            PostgresError: it cannot be started; the message says why.
        """
        account = database_account(self.place.data)
        programs = ready_programs(self.place, account)
        await ready_cluster(self.place, programs, account, version())
        until = asyncio.get_running_loop().time() + BUSY_WAIT_S
        while True:
            log_start = put_long_log_aside(self.place.log_file)
            process = await self._spawn(programs, account)
            if await self._accepts(process):
                return process
            said = last_lines(self.place.log_file, since=log_start)
            if STILL_IN_USE not in said or asyncio.get_running_loop().time() >= until:
                raise PostgresError(f"The database does not start; its log ({self.place.log_file}) says:\n{said}")
            await asyncio.sleep(POLL_S)

    async def _spawn(self, programs: Path, account: Account | None) -> asyncio.subprocess.Process:
        settings = {
            **SERVER_SETTINGS,
            "port": str(self.place.port()),
            "unix_socket_directories": self._socket_directories(),
        }
        command = (
            *(str(programs / "postgres"), "-D", str(self.place.data)),
            *(each for name, value in settings.items() for each in ("-c", f"{name}={value}")),
        )
        with self.place.log_file.open("ab") as log:
            return await start_program(
                command, self.place, account, ending=signal.SIGINT, stdin=asyncio.subprocess.DEVNULL, output=log
            )

    async def _accepts(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it takes connections; False when it ends instead."""

        async def accepts() -> bool:
            return is_accepting(self.place.data, process.pid)

        return await until_it_answers(process, accepts, ENDING)

    def _socket_directories(self) -> str:
        """A list of one, in PostgreSQL's quotes; empty where the path cannot be used."""
        if not self.place.has_usable_socket:
            return ""
        return '"' + str(self.place.socket_dir.resolve()).replace('"', '""') + '"'


@asynccontextmanager
async def running_postgres(data_dir: Path, *, command: str) -> AsyncIterator[str]:
    """The server for as long as the block runs, when no house runs there; yields its address.

    Raises:
        HouseRunningError: a house runs there, and its server with it.
        PostgresError: it cannot be started.
    """
    with house_lock(data_dir, command=command):
        postgres = EmbeddedPostgres(data_dir)
        url = postgres.prepare()
        process = await postgres.launch()
        try:
            yield url
        finally:
            await end_process(process, ENDING)


@contextmanager
def postgres_for_tests(data_dir: Path) -> Iterator[str]:
    """`running_postgres` for code that is not asynchronous. Main thread only."""
    with asyncio.Runner() as runner:
        server = running_postgres(data_dir, command="test")
        url = runner.run(server.__aenter__())
        try:
            yield url
        finally:
            runner.run(server.__aexit__(None, None, None))
