"""Fixtures of the tests that need TimescaleDB: a server for the session, a house for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from fondaco.app.migrations import migrate
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.storage.conversion import convert
from support.timescale import NewDatabase, timescale_server


@pytest.fixture(scope="session")
def new_database() -> Iterator[NewDatabase]:
    """A way to empty databases on a server with TimescaleDB."""
    with timescale_server() as new:
        yield new


@pytest.fixture
def plain_url(new_database: NewDatabase) -> Iterator[str]:
    """A plain house on that server."""
    with new_database() as url:
        migrate(url, DatabaseSettings())
        yield url


@pytest.fixture
async def plain_house(plain_url: str) -> AsyncIterator[Database]:
    """A client of the plain house. The server may have one session: two clients at once wait for each other."""
    client = Database(plain_url, DatabaseSettings(), application="test")
    yield client
    await client.dispose()


@pytest.fixture
async def house(plain_url: str, plain_house: Database) -> Database:
    """A client of an empty house with TimescaleDB."""
    await convert(plain_url, DatabaseSettings(), lambda _: None)
    return plain_house
