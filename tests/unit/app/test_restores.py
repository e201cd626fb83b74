"""The head of a restored script leaves out what an older server does not know, and nothing else."""

import asyncio

import pytest

from fondaco.app.restores import MAX_HEADER_LINES, script_head

HEAD = b"""--
SET lock_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET row_security = off;
"""
REST = b"SET transaction_timeout = 1; -- a row that looks like it\n"


@pytest.mark.parametrize(
    ("server_version", "expected"),
    [(170_000, HEAD), (169_999, HEAD.replace(b"SET transaction_timeout = 0;\n", b"")), (180_001, HEAD)],
)
async def test_the_head_is_what_the_server_knows(server_version: int, expected: bytes) -> None:
    script = _script(HEAD + REST)
    assert await script_head(script, server_version) == expected
    assert await script.read() == REST


async def test_a_script_without_the_last_setting_is_not_searched_to_its_end() -> None:
    script = _script(b"--\n" * 100)
    assert await script_head(script, 150_000) == b"--\n" * MAX_HEADER_LINES
    assert await script_head(_script(b""), 150_000) == b""


def _script(text: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(text)
    reader.feed_eof()
    return reader
