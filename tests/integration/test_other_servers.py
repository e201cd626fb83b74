"""PostgreSQL 15 and 17 make the same house of the migrations as the embedded one, and keep ticks and candles in it."""

from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from fondaco.app.migrations import alembic_config, migrate
from fondaco.core.candles import Timeframe
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.projection.rebuilding import rebuild
from fondaco.infra.database import Database, sqlalchemy_url
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.messages import Tick
from support.exchange import rebatched
from support.other_postgres import other_postgres
from support.projected import Journal, contents, crowded
from support.stored import batch, candles_of, store_all, verified
from support.ticks import MOMENT_US, naive_candles

STRUCTURE = """
SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, is_identity
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""


@pytest.mark.parametrize("major", [15, 17])
async def test_every_migration_runs_there_and_back_and_the_recorder_stores(major: int, database_url: str) -> None:
    async with other_postgres(major) as url:
        migrate(url, DatabaseSettings())
        assert structure(url) == structure(database_url)
        engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
        with engine.begin() as connection:
            command.downgrade(alembic_config(connection), "base")
        migrate(url, DatabaseSettings())
        assert structure(url) == structure(database_url)

        stored = [
            Tick(each, MOMENT_US + each * 21_000_000, 100 + each % 7, 5, each % 2 == 0, MOMENT_US) for each in range(99)
        ]
        house = Database(url, DatabaseSettings(), application="test")
        assert await store_all(house, [batch(stored[:60]), batch(stored[40:])]) == 99
        for timeframe in Timeframe:
            assert await candles_of(house, timeframe) == naive_candles(stored, timeframe)
        assert all(week.different == 0 for week in await verified(house))
        await house.dispose()


@pytest.mark.parametrize("major", [15, 17])
async def test_the_engines_tables_come_out_the_same_and_are_made_anew(major: int, database: Database) -> None:
    batches = crowded(seed=12, batches=12)
    await (await open_projection(database)).write(batches)
    async with other_postgres(major) as url:
        migrate(url, DatabaseSettings())
        house = Database(url, DatabaseSettings(), application="test")
        projection = await open_projection(house)
        for run in rebatched(batches, [3, 4]):
            await projection.write(run)
        assert await contents(house) == await contents(database)
        await rebuild(house, Journal(batches))
        assert await contents(house) == await contents(database)
        await house.dispose()


def structure(url: str) -> list[tuple[Any, ...]]:
    """Every column of the house's own tables."""
    with psycopg.connect(url) as connection:
        return connection.execute(STRUCTURE).fetchall()
