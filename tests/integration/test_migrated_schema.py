"""The migrations lead to the schema that the code describes, and back, tried on their own database (BHC-9, NEX-22)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from fondaco.app.migrations import alembic_config, migrate
from fondaco.app.schema import METADATA
from fondaco.infra.database import sqlalchemy_url
from fondaco.infra.settings import DatabaseSettings

STRUCTURE = text(
    """
    SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2
    """
)


def test_the_migrated_schema_is_the_one_that_the_code_describes(database_url: str) -> None:
    with _connection(database_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = [each for each in compare_metadata(context, METADATA) if not _is_not_ours(each)]
    assert differences == []


def test_every_migration_has_a_way_back_and_forth_again(database_url: str) -> None:
    """BHC-10: all of it inside one transaction."""
    with _connection(database_url) as connection:
        before = connection.execute(STRUCTURE).all()
        command.downgrade(alembic_config(connection), "base")
        assert connection.execute(STRUCTURE).all() == []
    migrate(database_url, DatabaseSettings())
    with _connection(database_url) as connection:
        assert connection.execute(STRUCTURE).all() == before


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url, DatabaseSettings())
    with _connection(database_url) as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _is_not_ours(difference: Any) -> bool:  # noqa: ANN401 - Alembic's differences have no one type
    """Tables that another library or the running house makes."""
    return difference[0] == "remove_table" and str(difference[1].name).startswith(("ticks_", "procrastinate_"))
