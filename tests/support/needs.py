"""What some tests need and some machines lack, such as a browser or the recorded data.

A person's run skips the test and says why. CI sets FONDACO_TEST_STRICT=1, and there the same lack fails the test: a
proof that silently did not run proves nothing.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from fondaco.infra.settings import Settings
from fondaco.infra.valkey import ValkeyError
from fondaco.infra.valkey.server import installed_program

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def lacking(reason: str) -> NoReturn:
    """Skip the running test, or fail it in CI."""
    if os.environ.get("FONDACO_TEST_STRICT") == "1":
        pytest.fail(f"{reason} (FONDACO_TEST_STRICT=1)", pytrace=False)
    pytest.skip(reason)


def browser() -> Path:
    """A chromium on the path."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    lacking("no chromium on the path; as root: apt-get install chromium")


def recorded(name: str) -> Path:
    """A file of the recorded market data, which lies beside the checkout or where FONDACO_RECORDED_DATA says."""
    path = Settings().recorded_data / name
    if not path.exists():
        lacking(f"no recorded data: {path} is missing")
    return path


def valkey() -> Path:
    """The embedded Valkey's program, which its wheel has for Linux and macOS."""
    try:
        return installed_program()
    except ValkeyError as error:
        lacking(str(error))
