"""What the house's own servers have in common: ports of this machine, files that only their owner reads, and logs."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from fondaco.infra.errors import UserError

LOOPBACK = "127.0.0.1"
MAX_SOCKET_PATH_BYTES = 107
"""Room in a Unix socket's address on Linux, without its ending zero."""
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
