"""What was compiled is used again, and compiled anew when a file that it is made of has changed."""

import os
import subprocess
import sys
from pathlib import Path

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
