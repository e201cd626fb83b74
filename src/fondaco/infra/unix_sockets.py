"""Unix sockets of the house: in a private folder, with one owner at a time, and room for paths of any length."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fondaco.infra.errors import UserError

MAX_ADDRESS_BYTES = 100
"""Longest path that is used as a socket's address as it is. The kernels' limits lie between 103 and 107 bytes."""
BACKLOG = 128
"""Connections that may wait to be accepted."""


class SocketTakenError(UserError):
    """Another process listens there already."""


class PathTooLongError(UserError):
    """The path of the socket cannot be shortened enough."""


@contextmanager
def listening_socket(path: Path) -> Iterator[socket.socket]:
    """Listen at ``path``: the folder 0700, the socket 0600, removed at the end.

    A lock beside the socket says who owns the place. It dies with its process, so a socket file found while holding the
    lock is a dead process's and is removed.

    Raises:
        SocketTakenError: another living process owns the place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(lock, path)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener, short_address(path) as address:
            listener.bind(address)
            path.chmod(0o600)
            listener.listen(BACKLOG)
            yield listener
        path.unlink(missing_ok=True)
    finally:
        os.close(lock)


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """The path itself, or a short one that leads to the same file for as long as the block runs.

    A socket's address has room for about a hundred bytes. A longer path is reached through a symbolic link to its
    folder, in a private folder among the temporary files; an open socket no longer needs it.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="fondaco-") as folder:
        link = Path(folder) / "run"
        link.symlink_to(path.parent.resolve())
        if len(os.fsencode(link / path.name)) > MAX_ADDRESS_BYTES:
            raise PathTooLongError(f"The socket {path} has too long a path, and so has the temporary folder {folder}.")
        yield str(link / path.name)


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SocketTakenError(f"A house is running here already: another process listens at {path}.") from error
