"""Reading: a thousand candles over HTTP while tens of millions of ticks are stored."""

import asyncio
from contextlib import AsyncExitStack
from statistics import median

import httpx
from sqlalchemy import text

from fondaco.core.candles import DAY_US, Timeframe
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from fondaco.market.candles import fold, merge_candles
from fondaco.market.current import set_current_feed
from fondaco.market.messages import Source
from fondaco.market.partitions import Partitions
from fondaco.market.storage.plain import copy_all
from harness import Baseline, Stopwatch, durability, progress, report
from house import folder, fresh_database, running
from market_data import seeded_columns

TICKS = 50_000_000
QUICK_TICKS = 5_000_000
CHUNK = 100_000
TICK_GAP_US = 100_000
"""Ten ticks a second, so that 50 M of them are 58 days."""
REQUESTS = 300
SYMBOL = "BTCUSDT"
_GROUPED = text("""
SELECT date_bin('1 minute', time, '1970-01-01Z') AS open_time,
    (array_agg(price ORDER BY time, trade_id))[1], max(price), min(price),
    (array_agg(price ORDER BY time DESC, trade_id DESC))[1], sum(quantity)
FROM ticks WHERE source = 'binance' AND symbol = 'BTCUSDT' GROUP BY 1 ORDER BY 1 DESC LIMIT 1000
""")


async def candles_1000_p50(name: str, *, quick: bool) -> None:
    """Median time of GET /candles?limit=1000 from another process, against grouping the ticks on each read."""
    count = QUICK_TICKS if quick else TICKS
    async with fresh_database() as database:
        await fill(database, count)
        terms = await durability(database)
        async with AsyncExitStack() as stack:
            path = await stack.enter_async_context(folder())
            await stack.enter_async_context(serve_local_bus(Settings(data_dir=path).bus_socket, Settings().bus))
            serve = await stack.enter_async_context(running("serve", database.url, {"FONDACO_DATA_DIR": str(path)}))
            url = f"{serve.base_url}/candles"
            figures = {each: await asyncio.to_thread(request_ms, url, each) for each in ("1m", "5m")}
        grouped_ms = await naive_ms(database)
    baseline = Baseline("GROUP BY over ticks, SQL alone", grouped_ms)
    p99 = {timeframe: round(each[1], 2) for timeframe, each in figures.items()}
    p50 = {timeframe: round(each[0], 2) for timeframe, each in figures.items()}
    report(name, figures["1m"][0], "ms", baseline, ticks=count, requests=REQUESTS, p50_ms=p50, p99_ms=p99, **terms)


async def fill(database: Database, count: int) -> None:
    """Store a seeded walk with its candles, in chunks: the same steps as the recorder's, without the bus."""
    partitions = Partitions(database)
    watch = Stopwatch()
    for first in range(0, count, CHUNK):
        series = seeded_columns(SYMBOL, first, CHUNK, gap_us=TICK_GAP_US)
        days = range(int(series.columns.time_us[0]), int(series.columns.time_us[-1]) + DAY_US, DAY_US)
        await partitions.ensure(days)
        async with database.driver_transaction() as connection:
            await copy_all(connection, [series])
            await merge_candles(connection, fold(series))
        if first % (20 * CHUNK) == 0:
            progress(f"  stored {first + CHUNK:,} of {count:,} ticks ({watch.seconds():.0f} s)")
    async with database.transaction() as connection:
        await set_current_feed(
            connection, source=Source.BINANCE, label="benchmark", symbols=[SYMBOL], anchors={}, since_us=now_us()
        )
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))


def request_ms(url: str, timeframe: str) -> tuple[float, float]:
    """Median and 99th percentile of one client's requests on one connection."""
    parameters = {"asset": SYMBOL, "duration": Timeframe(timeframe).value, "limit": 1000}
    times = []
    with httpx.Client() as client:
        for _ in range(REQUESTS + 20):
            watch = Stopwatch()
            response = client.get(url, params=parameters)
            times.append(watch.seconds() * 1000)
            assert response.status_code == httpx.codes.OK, response.text
            assert len(response.json()["candles"]) == 1000
    counted = sorted(times[20:])
    return median(counted), counted[int(len(counted) * 0.99)]


async def naive_ms(database: Database) -> float:
    """Median of three reads of the same thousand minutes straight from the ticks."""
    times = []
    for _ in range(3):
        watch = Stopwatch()
        async with database.transaction(statement_timeout_ms=0) as connection:
            rows = (await connection.execute(_GROUPED)).all()
        assert len(rows) == 1000
        times.append(watch.seconds() * 1000)
        progress(f"  naive read: {times[-1]:,.0f} ms")
    return median(times)
