"""What the house's processes say, gathered on one stream, each line with the name of the process in front.

A terminal may stop taking lines (Ctrl-S, a pager, a dead connection), and whoever writes then waits. The supervisor
must not: it carries the bus. So a thread does the writing, and behind a stuck terminal lines are dropped and counted.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TextIO

MAX_WAITING_LINES = 10_000
MAX_LINE_BYTES = 65_536
"""A longer line is passed on in pieces."""
NAME_WIDTH = 8
COLOURS = (36, 33, 35, 32, 34, 31)
"""ANSI colours, given out in the order in which processes first speak."""


class LineWriter:
    """Writes whole lines to a stream without ever making the caller wait. Passes for a stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_lines, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str, /) -> int:
        """Hand over one or more whole lines, each with its newline."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Lines leave as soon as the stream takes them."""

    def isatty(self) -> bool:
        """Whether people watch."""
        return self._stream.isatty()

    def close(self, *, wait_s: float) -> None:
        """Write what is waiting, for at most so long."""
        try:
            self._lines.put(None, timeout=wait_s)
        except queue.Full:
            return  # stuck: the thread is a daemon and ends with the process
        self._thread.join(wait_s)

    def _write_lines(self) -> None:
        while (text := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"({dropped} lines were not shown: nobody took them)\n" if dropped else ""
            try:
                self._stream.write(note + text)
                self._stream.flush()
            except (OSError, ValueError):
                continue  # the terminal is gone; the house goes on and its files still have their logs


class Prefixer:
    """Puts names in front of lines; in colours where people watch."""

    def __init__(self, writer: LineWriter, *, colours: bool) -> None:
        self._writer = writer
        self._colours = colours
        self._prefixes: dict[str, str] = {}

    def pass_on(self, name: str, line: bytes) -> None:
        """Write one line of a process."""
        text = line.decode(errors="replace").rstrip("\r\n")
        self._writer.write(f"{self._prefix(name)}{text}\n")

    def _prefix(self, name: str) -> str:
        if name not in self._prefixes:
            plain = f"{name:<{NAME_WIDTH}} | "
            colour = COLOURS[len(self._prefixes) % len(COLOURS)]
            self._prefixes[name] = f"\x1b[{colour}m{plain}\x1b[0m" if self._colours else plain
        return self._prefixes[name]


class Unprefixed:
    """Passes lines on as they are: JSON lines name their process themselves."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def pass_on(self, _name: str, line: bytes) -> None:
        """Write one line of a process."""
        self._writer.write(line.decode(errors="replace").rstrip("\r\n") + "\n")


async def read_lines(reader: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    """Hand over each line until the end; one of more than `MAX_LINE_BYTES` in pieces."""
    rest = b""
    while chunk := await reader.read(MAX_LINE_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            take(line)
        if len(rest) >= MAX_LINE_BYTES:
            take(rest)
            rest = b""
    if rest:
        take(rest)
