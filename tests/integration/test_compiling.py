"""What was compiled is used again, and compiled anew when a file that it is made of has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PART = "FACTOR = {factor}\n"
WHOLE = """
import part
from fondaco.core.compiling import compiler

@compiler(part)
def scaled(number):
    return number * part.FACTOR

print(scaled(7), sum(scaled.stats.cache_hits.values()))
"""


def run(folder: Path) -> tuple[int, int]:
    """The result, and how often it came out of the cache."""
    command = (sys.executable, "whole.py")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=100
    )
    result, hits = done.stdout.split()
    return int(result), int(hits)


def test_a_change_in_a_part_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "whole.py").write_text(WHOLE)
    (tmp_path / "part.py").write_text(PART.format(factor=2))
    assert run(tmp_path) == (14, 0)
    assert run(tmp_path) == (14, 1)
    (tmp_path / "part.py").write_text(PART.format(factor=1_000))
    assert run(tmp_path) == (7_000, 0)


REHEARSED = """
from fondaco.core.book import kernel
from fondaco.core.book.book import Book, rehearse
from fondaco.core.book.vocabulary import Side

rehearse()
doors = (kernel.place, kernel.cancel, kernel.reduce, kernel.walk, kernel.levels_of, kernel.queue_of)
before = [len(each.signatures) for each in doors]
book = Book(10**6)
handle = book.place(7, Side.SELL, 10**5, 10**9, owner=3).handle
book.place(8, Side.BUY, 10**5, 10**8, rests=False)
book.walk(Side.BUY, 10**5, 5), book.depth(Side.SELL, 3), book.resting(), book.reduce(handle, 2), book.cancel(handle)
print(min(before), int(before == [len(each.signatures) for each in doors]))
"""


def test_nothing_is_left_to_compile_after_a_rehearsal(tmp_path: Path) -> None:
    (tmp_path / "whole.py").write_text(REHEARSED)
    assert run(tmp_path) == (1, 1)


@pytest.mark.parametrize("process", ["serve", "feed", "record", "jobs", "maker"])
def test_a_process_that_only_speaks_of_books_loads_no_compiler(process: str) -> None:
    """It would take a third of a second of every start, and the memory of a compiler."""
    script = f"import sys, fondaco.app.processes.{process}; print('numba' in sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        (sys.executable, "-c", script), check=True, capture_output=True, text=True, timeout=100
    )
    assert done.stdout == "False\n"
