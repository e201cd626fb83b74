"""A PostgreSQL with TimescaleDB for tests: the real server that FONDACO_TEST_TIMESCALE_URL names, else PGlite.

The tests are the same for both. PGlite is a build of PostgreSQL and TimescaleDB for WebAssembly, which ./dev test
installs (tests/timescale). It has one session, behind a socket that shares it like a transaction-mode pooler, no COPY
and no background workers: tests run policies with ``CALL run_job``.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from support.needs import lacking

REAL_SERVER = os.environ.get("FONDACO_TEST_TIMESCALE_URL")
FOLDER = Path(__file__).parents[1] / "timescale"
NODE = Path(sys.executable).parent / "node"

POLICY_JOB = """
SELECT j.job_id FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates a
    ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
WHERE a.view_name = %s
"""
"""The job of an aggregate's refresh policy."""

NewDatabase: TypeAlias = Callable[[], AbstractContextManager[str]]
"""Makes an empty database, without the extension, for as long as the block runs; yields its address."""


@contextmanager
def timescale_server() -> Iterator[NewDatabase]:
    """A server, and the way to databases on it."""
    if REAL_SERVER:
        yield lambda: _real_database(REAL_SERVER)
    else:
        with _pglite() as port:
            yield lambda: _pglite_database(port)


@contextmanager
def _real_database(server_url: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _pglite() -> Iterator[int]:
    """Our server.mjs; it ends with its standard input."""
    if not (NODE.exists() and (FOLDER / "node_modules").is_dir()):
        lacking("no TimescaleDB: neither FONDACO_TEST_TIMESCALE_URL nor the packages of tests/timescale (./dev test)")
    arguments = [str(NODE), "--expose-gc", str(FOLDER / "server.mjs")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own program
        assert server.stdout is not None
        yield int(server.stdout.readline())


@contextmanager
def _pglite_database(port: int) -> Iterator[str]:
    """A PGlite of its own, which lives as long as somebody is connected."""
    url = f"postgresql://postgres:postgres@127.0.0.1:{port}/test_{next(_numbers)}"
    with psycopg.connect(url):
        yield url


_numbers = count()
