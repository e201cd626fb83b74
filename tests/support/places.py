"""Folders for houses of tests. pytest's own are closed to other users, and root's database runs as one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user can pass through, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="fondaco-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
