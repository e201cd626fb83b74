"""``fondaco db …``."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from fondaco.app import revisions
from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import house_database, said_to_the_user
from fondaco.app.migrations import migrate as run_migrations
from fondaco.infra.database import DatabaseUnavailableError
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings, Settings
from fondaco.market.storage.conversion import convert

RETRY_S = 0.5
"""Between two tries at a database that is busy."""


def migrate(*, wait_s: Annotated[float, Parameter(show=False)] = 0.0) -> None:
    """Run the migrations. ``wait_s`` is how long to wait for a server that is just starting."""
    settings = begin("migrate")
    asyncio.run(_migrate(settings, wait_s))


def generate(message: str) -> None:
    """Write a migration.

    Args:
        message: What it changes, in a few words; they become part of the file's name.
    """
    settings = begin("generate")
    asyncio.run(_generate(settings, message))


def timescale() -> None:
    """Set up TimescaleDB."""
    asyncio.run(_timescale(begin("timescale")))


def url() -> None:
    """Print the address."""
    settings = begin("url")
    say(settings.database_url or EmbeddedPostgres(settings.data_dir).tcp_url)


async def _migrate(settings: Settings, wait_s: float) -> None:
    async with house_database(settings, command="fondaco db migrate", wait_s=wait_s) as address:
        with said_to_the_user():
            await _migrate_within(wait_s, address, settings.database)
    say("The database is up to date.")


async def _timescale(settings: Settings) -> None:
    async with house_database(settings, command="fondaco db timescale") as address:
        with said_to_the_user():
            await asyncio.to_thread(run_migrations, address, settings.database)
            await convert(address, settings.database, say)


async def _migrate_within(wait_s: float, address: str, settings: DatabaseSettings) -> None:
    """Migrate; a server that is busy, or a table that is in use, is tried again until the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        try:
            return await asyncio.to_thread(run_migrations, address, settings)
        except DatabaseUnavailableError:
            if loop.time() >= until:
                raise
        await asyncio.sleep(RETRY_S)


async def _generate(settings: Settings, message: str) -> None:
    async with house_database(settings, command="fondaco db generate") as address:
        with said_to_the_user():
            path = await asyncio.to_thread(revisions.generate, address, settings.database, message)
    say("The database has what the code says: nothing to write." if path is None else f"Written: {path}")
