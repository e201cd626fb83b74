"""The tables of market data as the migrations made them: what they hold, what they refuse, and how they are read."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database
from fondaco.market.partitions import Partitions, moment_us

MONDAY = datetime(2024, 8, 5, tzinfo=UTC)
CANDLE: Mapping[str, Any] = {
    "source": "replay",
    "symbol": "BTCUSDT",
    "timeframe": "1m",
    **dict.fromkeys(["open", "high", "low", "close", "volume", "quote_volume", "taker_volume"], 1),
    **dict.fromkeys(["taker_quote_volume", "trades", "first_trade_id", "last_trade_id"], 1),
    **dict.fromkeys(["open_time", "close_time", "first_time", "last_time"], MONDAY),
}
PRICE: Mapping[str, Any] = {
    "source": "replay",
    "symbol": "BTCUSDT",
    "timestamp": MONDAY,
    **dict.fromkeys(["volume", "volume_24h", "high_24h", "low_24h", "change_24h", "change_percent_24h"], 0),
    "last": 100,
    "bid": 98,
    "ask": 102,
    "mid": 100,
    "spread": 4,
}


async def test_a_raw_tick_holds_no_candle(database: Database) -> None:
    """EXP-31: open, high, low and close belong to groups of trades."""
    async with database.transaction() as connection:
        columns = await connection.execute(
            text("SELECT column_name FROM information_schema.columns WHERE table_name = 'ticks'")
        )
        assert set(columns.scalars()) == {
            *("source", "symbol", "time", "trade_id", "price", "quantity", "buyer_is_maker", "received_at")
        }


async def test_ticks_are_indexed_by_symbol_and_time_and_by_time_alone(database: Database) -> None:
    """EXP-37, and so is every partition."""
    await Partitions(database).ensure([moment_us(MONDAY)])
    async with database.transaction() as connection:
        found = await connection.execute(text("SELECT indexdef FROM pg_indexes WHERE tablename = 'ticks_20240805'"))
        definitions = list(found.scalars())
    assert any("(source, symbol, " in each and '"time"' in each for each in definitions)
    assert any('brin ("time")' in each for each in definitions)


@pytest.mark.parametrize("timeframe", [each.value for each in Timeframe])
async def test_candles_exist_in_every_timeframe_once_per_open_time(database: Database, timeframe: str) -> None:
    """BHC-52."""
    async with database.transaction() as connection:
        await _insert(connection, "candles", {**CANDLE, "timeframe": timeframe})
    with pytest.raises(IntegrityError, match="candles_pkey"):
        async with database.transaction() as connection:
            await _insert(connection, "candles", {**CANDLE, "timeframe": timeframe})


async def test_a_timeframe_that_nobody_keeps_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError, match="candles_timeframe_check"):
        async with database.transaction() as connection:
            await _insert(connection, "candles", {**CANDLE, "timeframe": "3m"})


async def test_there_is_one_price_row_per_symbol_and_moment(database: Database) -> None:
    """BHC-50."""
    async with database.transaction() as connection:
        await _insert(connection, "prices", PRICE)
    with pytest.raises(IntegrityError, match="prices_pkey"):
        async with database.transaction() as connection:
            await _insert(connection, "prices", PRICE)


async def test_a_spread_that_is_not_ask_minus_bid_is_refused(database: Database) -> None:
    """BHC-51."""
    with pytest.raises(IntegrityError, match="prices_spread_check"):
        async with database.transaction() as connection:
            await _insert(connection, "prices", {**PRICE, "spread": 3})


@pytest.mark.parametrize(
    ("table", "where", "order"),
    [
        ("candles", "source = 'replay' AND symbol = 'BTCUSDT' AND timeframe = '1m'", "open_time"),
        ("prices", "source = 'replay' AND symbol = 'BTCUSDT'", "timestamp"),
    ],
)
async def test_the_latest_rows_are_read_from_the_end_of_the_unique_index(
    database: Database, table: str, where: str, order: str
) -> None:
    """BHC-53: no sort, no scan, and no second index that says the same downwards."""
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))  # the table is empty, a scan would be cheap
        await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        query = f"EXPLAIN (FORMAT JSON) SELECT * FROM {table} WHERE {where} ORDER BY {order} DESC LIMIT 500"  # noqa: S608 - literals above
        plan = json.loads(json.dumps((await connection.execute(text(query))).scalar_one()))[0]["Plan"]["Plans"][0]
    assert (plan["Node Type"], plan["Scan Direction"], plan["Index Name"]) == (
        "Index Scan",
        "Backward",
        f"{table}_pkey",
    )


async def _insert(connection: AsyncConnection, table: str, row: Mapping[str, Any]) -> None:
    places = ", ".join(f":{column}" for column in row)
    await connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"), dict(row))  # noqa: S608 - literals above
