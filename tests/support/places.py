"""Folders for houses of tests. pytest's own are closed to other users, and root's database runs as one."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user can pass through, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="fondaco-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def small_disk(size_bytes: int) -> Iterator[Path]:
    """A file system of its own that fills up soon; skips the test where none may be made."""
    with open_folder() as folder:
        mounted = subprocess.run(  # noqa: S603 - our own folder
            ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0755", "tmpfs", str(folder)],  # noqa: S607 - whichever the system has
            capture_output=True,
            check=False,
            text=True,
        )
        if mounted.returncode:
            pytest.skip(f"no small disk to fill: {mounted.stderr.strip() or 'mount is not permitted here'}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - our own folder
