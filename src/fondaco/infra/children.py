"""Starting and ending processes of ours, so that none outlives the process that started it.

Also one that is killed with ``kill -9`` leaves nobody behind: on Linux each child asks the kernel for a signal at its
parent's death. The kernel means the *thread* that started the child, so children are started on the main thread only.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

PR_SET_PDEATHSIG = 1

HURRIED_S = 1.0
"""What a signal gets when somebody presses Ctrl-C again."""

Ending: TypeAlias = tuple[tuple[signal.Signals, float], ...]
"""Signals in the order in which they are tried, each with the seconds it gets. ``SIGKILL`` follows by itself."""

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded here, because between fork and exec nothing should be loaded any more."""


def told_of_parents_death(ending: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec (``preexec_fn``) to get this signal when its parent dies."""
    parent = os.getpid()

    def before_exec() -> None:
        if _libc is None:
            return
        if _libc.prctl(PR_SET_PDEATHSIG, int(ending), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)  # the parent died before it was asked for: nobody would ever end this process

    return before_exec


async def end_process(process: asyncio.subprocess.Process, ending: Ending, hurry: asyncio.Event | None = None) -> int:
    """End a process that leads a group of its own, first kindly; returns its exit code once it is gone and reaped.

    Args:
        process: the process, which may have ended already.
        ending: what to try.
        hurry: once set, each signal gets `HURRIED_S` at most.
    """
    exit_code = asyncio.ensure_future(process.wait())
    for number, wait_s in ending:
        if process.returncode is not None:
            break
        send_signal(process, number)
        await _until_any(exit_code, wait_s, hurry)
        if hurry is not None and hurry.is_set():
            await asyncio.wait((exit_code,), timeout=HURRIED_S)
    if process.returncode is None:
        kill_group(process)
    return await exit_code


def send_signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal, unless the process has ended meanwhile."""
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return


def children_of(pid: int) -> list[list[str]]:
    """The command lines of a process's living children, as Linux shows them; none on other systems."""
    try:
        pids = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return []
    return [line for each in pids if (line := _command_line(each))]


def kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill a process that leads a group of its own, and with it all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _command_line(pid: str) -> list[str]:
    """Empty for a process that has ended, whether or not it has been reaped."""
    try:
        return (Path("/proc") / pid / "cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


async def _until_any(exit_code: asyncio.Future[int], wait_s: float, hurry: asyncio.Event | None) -> None:
    hurried = asyncio.ensure_future((hurry or asyncio.Event()).wait())
    try:
        await asyncio.wait((exit_code, hurried), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hurried.cancel()
