"""The house and its folder: one owner at a time, found and named by whoever comes second.

The owner holds a lock on ``run/house.lock``, which dies with its process; what the file says (who, and where the page
is) is only for the sentence that the second one gets.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fondaco.infra.errors import UserError

LOCK_NAME = "house.lock"
_ANOTHER_USERS = "The data directory {} belongs to another user: choose your own with FONDACO_DATA_DIR."
MAX_LOCK_BYTES = 4_096
"""More than this no owner has to say."""


class Owner(msgspec.Struct, frozen=True):
    """Who holds a house. ``address`` is where its page is; a command that only works on its data has none."""

    pid: int
    command: str
    address: str | None = None


class HouseRunningError(UserError):
    """Another process holds the house. ``owner`` is None while it has not yet said who it is."""

    def __init__(self, data_dir: Path, owner: Owner | None) -> None:
        self.owner = owner
        super().__init__(_sentence(data_dir, owner))


class Hold:
    """The house, held by this process."""

    def __init__(self, lock: int, command: str) -> None:
        self._lock = lock
        self._command = command

    def note(self, address: str | None = None) -> None:
        """Write down who holds the house, and where its page is."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, msgspec.json.encode(Owner(os.getpid(), self._command, address)), 0)


@contextmanager
def house_lock(data_dir: Path, *, command: str) -> Iterator[Hold]:
    """Hold the house, or raise `HouseRunningError`; makes its folders when they are missing."""
    make_house(data_dir)
    try:
        lock = os.open(_lock_file(data_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise UserError(_ANOTHER_USERS.format(data_dir)) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HouseRunningError(data_dir, _read_owner(lock)) from error
        hold = Hold(lock, command)
        hold.note()
        try:
            yield hold
        finally:
            os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def owner_of(data_dir: Path) -> Owner | None:
    """Who has the house now, by its note and without touching its lock; None when nobody is alive who wrote one."""
    try:
        lock = os.open(_lock_file(data_dir), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # no house has been here, or it is another user's
    try:
        return _read_owner(lock)
    finally:
        os.close(lock)


def make_house(data_dir: Path) -> None:
    """Make the folders of a house. Raises `UserError` when that is not possible."""
    run = data_dir / "run"
    try:
        # Root's database runs as another user, who must be able to pass through; nobody else's does.
        make_folders(data_dir, mode=0o755 if os.geteuid() == 0 else 0o700)
        make_folders(run, mode=0o700)
    except OSError as error:
        raise UserError(
            f"The data directory {data_dir} cannot be made ({error.strerror}): "
            "choose one that you may write to with FONDACO_DATA_DIR."
        ) from error
    if not os.access(run, os.W_OK | os.X_OK):
        raise UserError(_ANOTHER_USERS.format(data_dir))


def make_folders(folder: Path, *, mode: int) -> None:
    """Make a folder and the missing ones above it, with this mode whatever the umask. Others stay as they are."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(mode)


def _lock_file(data_dir: Path) -> Path:
    return data_dir / "run" / LOCK_NAME


def _read_owner(lock: int) -> Owner | None:
    """Who wrote the note, unless that was an earlier owner: then the present one has not come to writing yet."""
    try:
        owner = msgspec.json.decode(os.pread(lock, MAX_LOCK_BYTES, 0), type=Owner)
        os.kill(owner.pid, 0)
    except (msgspec.DecodeError, ProcessLookupError):
        return None
    except PermissionError:
        return owner  # another user's, and there
    return owner


def _sentence(data_dir: Path, owner: Owner | None) -> str:
    if owner is None:
        return f"Another process is just opening the house in {data_dir}: try again in a moment."
    if owner.address is None:
        return f"`{owner.command}` (process {owner.pid}) is working on the data in {data_dir}: wait until it has ended."
    return (
        f"A house is running here already: process {owner.pid} with the data directory {data_dir}; "
        f"its page is {owner.address}."
    )
