"""Output: each line under its process's name, none too long, and nobody waits for a terminal that is stuck."""

import asyncio
import io
import threading

import pytest

from fondaco.infra import output
from fondaco.infra.output import MAX_LINE_BYTES, MAX_WAITING_LINES, LineWriter, Prefixer, Unprefixed, read_lines

PATIENCE_S = 10.0


class Stuck(io.StringIO):
    """A terminal that takes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.released = threading.Event()

    def write(self, text: str, /) -> int:
        """Wait for the release."""
        self.reached.set()
        assert self.released.wait(PATIENCE_S)
        return super().write(text)


class Gone(io.StringIO):
    """A terminal that somebody closed."""

    def write(self, text: str, /) -> int:
        """Refuse."""
        raise BrokenPipeError(text)


async def _lines(*chunks: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    taken: list[bytes] = []
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    await read_lines(reader, taken.append)
    return taken


async def test_lines_come_out_whole_however_they_arrive() -> None:
    assert await _lines(b"on", b"e\ntwo\n\nth", b"ree") == [b"one", b"two", b"", b"three"]


@pytest.mark.parametrize("extra", [-1, 0, 1])
async def test_a_line_without_end_is_passed_on_in_pieces(extra: int) -> None:
    taken = await _lines(b"x" * (MAX_LINE_BYTES + extra) + b"\nnext\n")
    assert b"".join(taken[:-1]) == b"x" * (MAX_LINE_BYTES + extra)
    assert max(map(len, taken)) < 2 * MAX_LINE_BYTES
    assert taken[-1] == b"next"


def test_names_stand_in_front_and_each_has_its_colour() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    coloured = Prefixer(writer, colours=True)
    for name in ("serve", "feed", "serve"):
        coloured.pass_on(name, b"hello\r\n")
    Prefixer(writer, colours=False).pass_on("record", b"caf\xc3\xa9 \xff")
    Unprefixed(writer).pass_on("jobs", b'{"event": "x"}')
    writer.close(wait_s=PATIENCE_S)
    assert stream.getvalue().splitlines() == [
        "\x1b[36mserve    | \x1b[0mhello",
        "\x1b[33mfeed     | \x1b[0mhello",
        "\x1b[36mserve    | \x1b[0mhello",
        "record   | café \N{REPLACEMENT CHARACTER}",
        '{"event": "x"}',
    ]


def test_a_stuck_terminal_holds_nobody_up_and_is_told_what_it_missed() -> None:
    terminal = Stuck()
    writer = LineWriter(terminal)
    writer.write("first\n")
    assert terminal.reached.wait(PATIENCE_S)
    for number in range(MAX_WAITING_LINES + 3):
        writer.write(f"{number}\n")  # returns at once: the test would hang here otherwise
    terminal.released.set()
    writer.close(wait_s=PATIENCE_S)
    lines = terminal.getvalue().splitlines()
    assert lines[:3] == ["first", "(3 lines were not shown: nobody took them)", "0"]
    assert lines[-1] == str(MAX_WAITING_LINES - 1)


def test_closing_does_not_wait_for_ever_for_a_stuck_terminal() -> None:
    terminal = Stuck()
    writer = LineWriter(terminal)
    writer.write("first\n")
    writer.close(wait_s=0.01)
    assert terminal.getvalue() == ""
    terminal.released.set()


def test_a_terminal_that_is_gone_stops_nobody() -> None:
    writer = LineWriter(Gone())
    for _ in range(3):
        writer.write("lost\n")
    writer.close(wait_s=PATIENCE_S)


def test_every_colour_is_given_before_one_comes_twice() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    prefixer = Prefixer(writer, colours=True)
    for number in range(len(output.COLOURS) + 1):
        prefixer.pass_on(f"p{number}", b"")
    writer.close(wait_s=PATIENCE_S)
    colours = [line.partition("m")[0] for line in stream.getvalue().splitlines()]
    assert len(set(colours)) == len(output.COLOURS)
    assert colours[0] == colours[-1]
