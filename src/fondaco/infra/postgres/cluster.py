"""The cluster of the embedded server: made once, whole or not at all; checked and freed of leftovers at each start."""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from fondaco.infra.children import end_process
from fondaco.infra.embedded import POLL_S, indented, works_in
from fondaco.infra.postgres.place import NAME, Account, Place, PostgresError
from fondaco.infra.postgres.programs import start_program

CLUSTER_NAME = "fondaco-embedded"
"""How we know a server of ours again: it stands in its command line."""
LEFTOVER_ENDING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0))
"""How a dead house's server is ended: fast, then at once. Both keep every commit."""


async def ready_cluster(place: Place, programs: Path, account: Account | None, version: str) -> None:
    """See to it that there is a cluster of this version, which nobody is using.

    Raises:
        PostgresError: it is of another version, cannot be made, or is in use.
    """
    if place.data.exists():
        _require_version(place.data, version)
        await _end_leftover(place.data)
        for file in place.socket_dir.iterdir():
            file.unlink()  # a killed server's: its lock would stop the next one for as long as nobody reaps the dead
    else:
        await _make_cluster(place, programs, account)


def server_of(data: Path) -> int | None:
    """The process id of the server that works in this folder now, if one does."""
    pid = _noted_pid(data)
    return pid if pid is not None and works_in(pid, data) else None


def is_accepting(data: Path, pid: int) -> bool:
    """Whether the server has noted in its own file that it takes connections."""
    lines = _pid_file_lines(data)
    status = 7  # its line, counted from 0 (PostgreSQL: LOCK_FILE_LINE_PM_STATUS)
    return len(lines) > status and lines[0] == str(pid) and lines[status].strip() == "ready"


async def _make_cluster(place: Place, programs: Path, account: Account | None) -> None:
    """Make it in a folder beside and give it its name last, so that an interrupted start leaves nothing half made."""
    new = place.root / "data.new"
    password_copy = place.socket_dir / "password.new"
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password_copy.unlink(missing_ok=True)
        password_copy.touch(mode=0o600)
        password_copy.write_text(place.password_file.read_text())
        if account is not None:
            os.chown(new, account.uid, account.gid)
            os.chown(password_copy, account.uid, account.gid)
        initdb = (
            *(str(programs / "initdb"), "--pgdata", str(new), "--username", NAME, "--pwfile", str(password_copy)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            # The provider that comes with PostgreSQL: an update of the system's locales cannot change an index's order.
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            # Named, they need not be found out by trying, which takes a third of the time. Each start sets its own.
            *("--set", "shared_buffers=128MB", "--set", "max_connections=100"),
        )
        await _run(initdb, account, place)
        single = (str(programs / "postgres"), "--single", "-D", str(new), "postgres")
        await _run(single, account, place, commands=f"CREATE DATABASE {NAME}\n")
        new.rename(place.data)
    except OSError as error:
        raise PostgresError(f"The database cannot be made in {place.root}: {error}.") from error
    finally:
        password_copy.unlink(missing_ok=True)


async def _run(command: Sequence[str], account: Account | None, place: Place, *, commands: str = "") -> None:
    pipe = asyncio.subprocess.PIPE
    process = await start_program(command, place, account, ending=signal.SIGKILL, stdin=pipe, output=pipe)
    try:
        output = (await process.communicate(commands.encode()))[0].decode(errors="replace")
    except asyncio.CancelledError:
        await end_process(process, ())
        raise
    # The single-user server says what failed and still ends with 0.
    if process.returncode != 0 or "ERROR:" in output or "FATAL:" in output:
        raise PostgresError(
            f"The database cannot be made in {place.root}: {Path(command[0]).name} failed.\n"
            f"{indented(output.splitlines())}"
        )


def _require_version(data: Path, version: str) -> None:
    found = _first_line(data / "PG_VERSION")
    major = version.partition(".")[0]
    if found != major:
        raise PostgresError(
            f"The data in {data} were written by PostgreSQL {found or '(unknown)'}, and this is PostgreSQL {major}: "
            "docs/runbooks/embedded-postgresql.md says how to take them along."
        )


async def _end_leftover(data: Path) -> None:
    """Wait for the server of a dead house, which has been told to end; help it along if it does not."""
    pid = _noted_pid(data)
    if pid is None:
        return
    if not works_in(pid, data):
        # That number belongs to somebody else by now, and PostgreSQL would take them for itself. Should processes of
        # the dead server be left, PostgreSQL still finds them by the memory that they share.
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    if CLUSTER_NAME.encode() not in _command_line(pid):
        raise PostgresError(
            f"A PostgreSQL that Fondaco did not start (process {pid}) is using {data}: stop it and try again."
        )
    for number, wait_s in LEFTOVER_ENDING:
        os.kill(pid, number)
        if await _is_gone(pid, data, wait_s):
            return
    raise PostgresError(f"The server of an earlier house (process {pid}) still uses {data} and does not end: end it.")


async def _is_gone(pid: int, data: Path, wait_s: float) -> bool:
    try:
        async with asyncio.timeout(wait_s):
            while works_in(pid, data):  # noqa: ASYNC110 - not our child, so nobody tells us
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


def _command_line(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _noted_pid(data: Path) -> int | None:
    lines = _pid_file_lines(data)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return []  # it comes and goes with the server


def _first_line(file: Path) -> str:
    try:
        return (file.read_text(errors="replace").splitlines() or [""])[0].strip()
    except OSError:
        return ""
