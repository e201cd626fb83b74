"""Looks at processes of this machine."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process runs. One that has ended and waits to be reaped by somebody else does not."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def running_with(words: str) -> list[int]:
    """The processes whose command line holds these words."""
    numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return [pid for pid in numbers if words.encode() in _command_line(pid) and is_running(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    except (FileNotFoundError, ProcessLookupError):
        return b""
