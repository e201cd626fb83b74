"""The database client against a real server: one transaction at a time, and nothing that outlives it."""

import asyncio

import pytest
from sqlalchemy import insert, select, text, update

from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.tables import MarketFeedRow

SESSION_STATE = text(
    """
    SELECT (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        current_setting('statement_timeout')
    """
)


async def test_no_session_state_outlives_a_transaction(database_url: str) -> None:
    """BBX-3: connections go through a transaction-mode pooler, which hands each transaction another session."""
    client = Database(database_url, DatabaseSettings(pool_size=1), application="test")
    for _ in range(10):  # the driver would prepare a statement that it sees for the fifth time
        async with client.transaction() as connection:
            await connection.execute(select(MarketFeedRow.symbol).where(MarketFeedRow.symbol == "BTCUSDT"))
        async with client.driver_transaction() as driver:
            await driver.execute("SELECT symbol FROM market_feeds WHERE symbol = %s", ["BTCUSDT"])
    async with client.engine.connect() as connection:
        assert tuple((await connection.execute(SESSION_STATE)).one()) == (0, 0, "0")
    async with client.driver_transaction() as driver:
        await driver.execute("ROLLBACK")
        cursor = await driver.execute(str(SESSION_STATE))
        assert await cursor.fetchone() == (0, 0, "0")
    await client.dispose()


async def test_creation_is_timed_by_the_database_and_every_update_renews_its_time(database: Database) -> None:
    """BBX-5."""
    row = MarketFeedRow
    values = {"symbol": "BTCUSDT", "source": "replay", "label": "a file", "since": text("now()")}
    async with database.transaction() as connection:
        await connection.execute(insert(row).values(values))
        created, updated = (await connection.execute(select(row.created_at, row.updated_at))).one()
    assert created == updated
    async with database.transaction() as connection:
        await connection.execute(update(row).values(label="another file"))
        later = (await connection.execute(select(row.created_at, row.updated_at))).one()
    assert later.created_at == created
    assert later.updated_at > updated


@pytest.mark.parametrize("way", ["transaction", "driver_transaction"])
async def test_a_block_that_raises_leaves_nothing_behind(database: Database, way: str) -> None:
    insertion = "INSERT INTO tick_heads VALUES ('replay', 'BTCUSDT', 1, now())"

    async def insert_and_fail() -> None:
        async with getattr(database, way)() as connection:
            await connection.execute(text(insertion) if way == "transaction" else insertion)
            raise KeyError

    with pytest.raises(KeyError):
        await insert_and_fail()
    async with database.transaction() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM tick_heads"))).scalar_one() == 0


@pytest.mark.parametrize("way", ["transaction", "driver_transaction"])
async def test_a_statement_beyond_its_time_is_cancelled_and_says_unavailable(database_url: str, way: str) -> None:
    client = Database(database_url, DatabaseSettings(statement_timeout_ms=20), application="test")
    sleep = "SELECT pg_sleep(60)"
    with pytest.raises(DatabaseUnavailableError, match="statement timeout"):
        async with getattr(client, way)() as connection:
            await connection.execute(text(sleep) if way == "transaction" else sleep)
    await client.dispose()


async def test_when_every_connection_is_taken_the_next_caller_is_told_in_time(database_url: str) -> None:
    client = Database(database_url, DatabaseSettings(pool_size=1, pool_wait_s=0.05), application="test")
    async with client.transaction():
        with pytest.raises(DatabaseUnavailableError):
            async with asyncio.timeout(30), client.transaction():
                pass
    await client.dispose()
