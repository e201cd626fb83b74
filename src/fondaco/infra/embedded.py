"""What the house's own servers have in common: how they are started and found, their ports, secrets and logs."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from fondaco.infra.children import Ending, end_process
from fondaco.infra.errors import UserError

LOOPBACK = "127.0.0.1"
MAX_SOCKET_PATH_BYTES = 107
"""Room in a Unix socket's address on Linux, without its ending zero."""
PASSWORD_BYTES = 24
START_WAIT_S = 300.0
"""A server may take a while before it answers: it reads what it was doing when it was killed, or all that it keeps."""
POLL_S = 0.02
SHOWN_LOG_LINES = 8
SHOWN_LOG_BYTES = 16_384
MAX_LOG_BYTES = 10 * 1024 * 1024
"""A longer log is put aside at the next start, as ``log.1``."""


def free_port(preferred: int) -> int:
    """The preferred TCP port of the loopback address if it is free, else one that the kernel chooses."""
    for port in (preferred, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
            except OSError:
                continue  # taken by another program meanwhile
            return int(trial.getsockname()[1])
    raise UserError(f"No TCP port of {LOOPBACK} is free.")


def choose_port(port_file: Path) -> None:
    """Note a free port, the one of last time if nobody has taken it meanwhile."""
    try:
        last = int(port_file.read_text())
    except (OSError, ValueError):
        last = 0  # none yet, or another user's: then a new one
    write_private(port_file, str(free_port(last)))


def choose_password(password_file: Path) -> None:
    """Note a new random password."""
    write_private(password_file, secrets.token_urlsafe(PASSWORD_BYTES))


async def until_it_answers(
    process: asyncio.subprocess.Process, answers: Callable[[], Awaitable[bool]], ending: Ending
) -> bool:
    """Wait until a server answers; False when it ends instead. Whatever stops the wait ends the server."""
    try:
        async with asyncio.timeout(START_WAIT_S):
            while not await answers():
                if process.returncode is not None:
                    return False
                await asyncio.sleep(POLL_S)
    except BaseException:  # a time-out or a cancellation: a server that nobody waits for must end
        await end_process(process, ending)
        raise
    return True


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process works in this folder, as a server does in its data. A dead one that nobody reaped does not."""
    try:
        return (Path("/proc") / str(pid) / "cwd").readlink() == folder.resolve()
    except OSError:
        return False


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:  # noqa: PTH123 - a descriptor, to set the mode at creation
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)


def last_lines(log_file: Path, *, since: int) -> str:
    """The end of what a log has gained since this position, to be shown below a sentence."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(since, log_file.stat().st_size - SHOWN_LOG_BYTES))
            text = log.read().decode(errors="replace")
    except OSError as error:
        return f"({log_file} cannot be read: {error.strerror})"
    return indented(text.splitlines())


def indented(lines: Sequence[str]) -> str:
    """The last of these lines, as they are shown below a sentence."""
    return "\n".join(f"    {line}" for line in lines[-SHOWN_LOG_LINES:])


def put_long_log_aside(log_file: Path) -> int:
    """Begin a new log when this one is long. Returns where the log goes on."""
    size = log_file.stat().st_size if log_file.exists() else 0
    if size <= MAX_LOG_BYTES:
        return size
    log_file.replace(log_file.with_name(f"{log_file.name}.1"))
    return 0
