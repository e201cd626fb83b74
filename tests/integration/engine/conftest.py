"""What tests of the engine share."""

import pytest

from fondaco.engine.postgres_store import PostgresStore
from fondaco.infra.database import Database
from support.journal_tables import make_tables


@pytest.fixture
def store(database: Database) -> PostgresStore:
    """The store on a fresh database."""
    make_tables(database.url)
    return PostgresStore(database)
