"""Importing the data layer is all that a script does, and importing does nothing (EXD-1, EXD-2)."""

import importlib
import subprocess
import sys

import fondaco.data
from fondaco.data import HouseSession, house

WATCHED = """
import sys
doings = []
sys.addaudithook(lambda event, arguments: doings.append(event) if event.startswith(
    ("socket.", "subprocess.", "os.fork", "os.posix_spawn", "os.mkdir", "_thread.start_new_thread")
) and event not in ("socket.__new__", "socket.gethostname") else None)
import fondaco.data, fondaco.data.tables
print(doings)
"""


def test_the_package_gives_a_ready_session() -> None:
    """EXD-1: callers never construct or open one."""
    assert isinstance(house, HouseSession)


def test_importing_starts_connects_and_makes_nothing() -> None:
    """EXD-1."""
    ran = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert ran.stdout == "[]\n"


def test_reloading_the_package_reuses_the_session() -> None:
    """EXD-2."""
    before = dict(vars(fondaco.data))
    try:
        assert importlib.reload(fondaco.data).house is house
    finally:
        vars(fondaco.data).update(before)
