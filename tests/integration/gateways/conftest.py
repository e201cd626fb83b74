"""A house for each test of the gateways, with a fresh database."""

from collections.abc import AsyncIterator

import pytest

from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings, Settings
from support.house import House


@pytest.fixture
async def away() -> AsyncIterator[Database]:
    """A client of a database that is not there."""
    client = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseSettings(), application="test")
    yield client
    await client.dispose()


@pytest.fixture
def lonely_house(settings: Settings, away: Database) -> House:
    """An application whose database is away: enough for everything that must not need one."""
    return House(settings, away)


@pytest.fixture
def house(settings: Settings, database: Database) -> House:
    """An application with an empty database and a bus of its own."""
    return House(settings, database)
