"""What tests of the engine share."""

import pytest

from fondaco.engine.postgres_store import PostgresStore
from fondaco.infra.database import Database


@pytest.fixture
def store(database: Database) -> PostgresStore:
    """The store on a fresh database."""
    return PostgresStore(database)
