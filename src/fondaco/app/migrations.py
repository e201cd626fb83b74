"""Runs the Alembic migrations: forward only, all pending ones in one transaction, one runner at a time.

A migration that cannot get its locks gives up after ``database.migration_lock_timeout_ms`` instead of queueing in front
of everyone else. Migrations that exist are never edited (BHC-8); a wrong one is corrected by the next.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from fondaco.infra.database import sqlalchemy_url, translated_errors
from fondaco.infra.settings import CHECKOUT, DatabaseSettings

MIGRATION_LOCK = 0x_F0DACA
"""Key of the advisory lock that keeps two runners apart. Held by the transaction, so a pooler is no obstacle."""


def migrate(url: str, settings: DatabaseSettings, *, revision: str = "head") -> None:
    """Bring the database to ``revision``. Raises `DatabaseUnavailableError` when it cannot be reached."""
    with translated_errors():
        engine = create_engine(
            sqlalchemy_url(url),
            poolclass=NullPool,
            connect_args={"prepare_threshold": None, "connect_timeout": settings.connect_timeout_s},
        )
        try:
            with engine.begin() as connection:
                _set_limits(connection, settings)
                command.upgrade(alembic_config(connection), revision)
        finally:
            engine.dispose()


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, bound to a connection of ours where one is given."""
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def known_revisions() -> list[str]:
    """Every revision that this program has a migration for, the newest first."""
    return [each.revision for each in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


def migrations_dir() -> Path:
    """The folder of migrations: beside ``src`` in a checkout, inside the package in a wheel."""
    packaged = Path(__file__).parents[1] / "migrations"
    return packaged if packaged.is_dir() else CHECKOUT / "migrations"


def _set_limits(connection: Connection, settings: DatabaseSettings) -> None:
    limits = {
        "lock_timeout": str(settings.migration_lock_timeout_ms),
        "statement_timeout": str(settings.migration_statement_timeout_ms),
    }
    for name, value in limits.items():
        connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
