"""Writes new migrations: what the code's tables have and the migrated database has not."""

from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from fondaco.app.migrations import alembic_config, migrate, migrations_dir
from fondaco.infra.database import sqlalchemy_url, translated_errors
from fondaco.infra.errors import UserError
from fondaco.infra.settings import CHECKOUT, DatabaseSettings


def generate(url: str, settings: DatabaseSettings, message: str) -> Path | None:
    """Migrate, compare, and write what is missing as the next migration; None when nothing is.

    Raises:
        UserError: this is no checkout, so there is nowhere to write.
        DatabaseUnavailableError: the database cannot be reached.
    """
    if not migrations_dir().is_relative_to(CHECKOUT / "migrations"):
        raise UserError("Migrations are written in a checkout of Fondaco, and this is an installed package.")
    migrate(url, settings)
    with translated_errors():
        engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args={"prepare_threshold": None})
        try:
            with engine.begin() as connection:
                config = alembic_config(connection)
                script = command.revision(
                    config,
                    message,
                    autogenerate=True,
                    rev_id=_next_number(ScriptDirectory.from_config(config)),
                    process_revision_directives=_leave_out_empty,
                )
        finally:
            engine.dispose()
    return Path(script.path) if isinstance(script, Script) else None


def _next_number(scripts: ScriptDirectory) -> str:
    return f"{int(scripts.get_current_head() or 0) + 1:04d}"


def _leave_out_empty(
    _context: MigrationContext, _revision: str | Iterable[str | None] | Iterable[str], directives: list[MigrationScript]
) -> None:
    """Alembic's hook: a migration that changes nothing is not written."""
    if directives and directives[0].upgrade_ops is not None and directives[0].upgrade_ops.is_empty():
        directives.clear()
