"""Fixtures that many tests share: a database server for the session, a fresh migrated database for each test."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from fondaco.app.migrations import migrate
from fondaco.infra.database import Database
from fondaco.infra.postgres import postgres_for_tests
from fondaco.infra.settings import DatabaseSettings, Settings
from fondaco.infra.valkey import running_valkey
from support import needs
from support.places import open_folder

pytest_plugins = ("support.sockets", "support.hypotheses")


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The defaults, untouched by the developer's environment."""
    return Settings()


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server of the session's own, or the one that FONDACO_TEST_SERVER names (to try other versions)."""
    if named := os.environ.get("FONDACO_TEST_SERVER"):
        yield named
        return
    with open_folder() as folder, postgres_for_tests(folder / "house") as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server of the session's own; whoever uses it empties it first."""
    needs.valkey()
    with open_folder() as folder, asyncio.Runner() as runner:
        server = running_valkey(folder / "house", command="test")
        url = runner.run(server.__aenter__())
        yield url
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """A migrated database that tests' databases are copied from."""
    name = f"template_{os.getpid()}"
    _execute(server_url, "CREATE DATABASE {}", name)
    migrate(database_of(server_url, name), DatabaseSettings())
    return name


@pytest.fixture
def database_url(server_url: str, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database with every table and no row."""
    with _copied(server_url, template, request.node.nodeid) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without a table, beside the test's own."""
    with _copied(server_url, "template0", f"{request.node.nodeid} empty") as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server_url: str, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that the tests of one module share."""
    with _copied(server_url, template, request.node.nodeid) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A client of the fresh database."""
    client = Database(database_url, DatabaseSettings(), application="test")
    yield client
    await client.dispose()


def database_of(server_url: str, name: str) -> str:
    """The address of one database of a server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


@contextmanager
def _copied(server_url: str, template: str, node_id: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{abs(hash(node_id)):x}"
    _execute(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield database_of(server_url, name)
    _execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server_url: str, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
