"""Proves stored candles against the ticks: rebuilds each one from scratch and compares bit for bit.

The rebuild is a plain GROUP BY, on purpose not the merge that made the candles, so that a fault in one does not hide in
the other. Work goes week by week and series by series: a week holds whole candles of every timeframe, and is one
partition. With TimescaleDB, whatever is not refreshed yet is refreshed first. A candle whose ticks have been purged in
part cannot be rebuilt; it is counted apart and never called right or wrong.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database
from fondaco.market.partitions import WEEK_US, moment, moment_us
from fondaco.market.storage.choose import storage_of

_COMPARED = (
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "taker_volume",
    "taker_quote_volume",
    "trades",
    "first_time",
    "first_trade_id",
    "last_time",
    "last_trade_id",
)
MAX_SHOWN = 20
"""Differing candles that are named per week; the rest is counted."""


class Difference(NamedTuple):
    """A candle that does not equal its ticks: which, and in which columns (or ``missing``, ``surplus`` as a whole)."""

    timeframe: str
    open_time: datetime
    columns: tuple[str, ...]


class WeekVerified(NamedTuple):
    """What one week of one series came to."""

    source: str
    symbol: str
    week: datetime
    equal: int
    different: int
    unverifiable: int
    shown: tuple[Difference, ...]


_SERIES = text("""
SELECT
    source, symbol,
    (SELECT min(c.open_time) FROM candles c WHERE c.source = s.source AND c.symbol = s.symbol),
    (SELECT max(c.open_time) FROM candles c WHERE c.source = s.source AND c.symbol = s.symbol),
    (SELECT min(t.time) FROM ticks t WHERE t.source = s.source AND t.symbol = s.symbol),
    (SELECT max(t.time) FROM ticks t WHERE t.source = s.source AND t.symbol = s.symbol)
FROM (SELECT source, symbol FROM tick_heads UNION SELECT DISTINCT source, symbol FROM candles) AS s
ORDER BY 1, 2
""")

_FIRST_TICK = text("SELECT min(time) FROM ticks WHERE source = :source AND symbol = :symbol")

_COMPARE = text(f"""
WITH frames (timeframe, length) AS (
    VALUES {", ".join(f"('{each.value}', interval '{each.length_us // 1_000_000} seconds')" for each in Timeframe)}
), rebuilt AS (
    SELECT
        f.timeframe,
        date_bin(f.length, t.time, timestamptz '1970-01-05Z') AS open_time,
        date_bin(f.length, t.time, timestamptz '1970-01-05Z') + f.length AS close_time,
        (array_agg(t.price ORDER BY t.time, t.trade_id))[1] AS open,
        max(t.price) AS high,
        min(t.price) AS low,
        (array_agg(t.price ORDER BY t.time DESC, t.trade_id DESC))[1] AS close,
        sum(t.quantity) AS volume,
        sum(t.price::numeric * t.quantity) AS quote_volume,
        coalesce(sum(t.quantity) FILTER (WHERE NOT t.buyer_is_maker), 0) AS taker_volume,
        coalesce(sum(t.price::numeric * t.quantity) FILTER (WHERE NOT t.buyer_is_maker), 0) AS taker_quote_volume,
        count(*) AS trades,
        min(t.time) AS first_time,
        (array_agg(t.trade_id ORDER BY t.time, t.trade_id))[1] AS first_trade_id,
        max(t.time) AS last_time,
        (array_agg(t.trade_id ORDER BY t.time DESC, t.trade_id DESC))[1] AS last_trade_id
    FROM ticks t CROSS JOIN frames f
    WHERE t.source = :source AND t.symbol = :symbol AND t.time >= :week AND t.time < :week_end
    GROUP BY f.timeframe, f.length, 2
), stored AS (
    SELECT timeframe, open_time, {", ".join(_COMPARED)} FROM candles
    WHERE source = :source AND symbol = :symbol AND open_time >= :week AND open_time < :week_end
)
SELECT
    coalesce(r.timeframe, s.timeframe), coalesce(r.open_time, s.open_time),
    r.timeframe IS NULL AS surplus, s.timeframe IS NULL AS missing,
    coalesce(s.first_time < :first_tick, CAST(:first_tick AS timestamptz) IS NULL) AS unverifiable,
    ARRAY[{", ".join(f"r.{name} IS DISTINCT FROM s.{name}" for name in _COMPARED)}]
FROM rebuilt r FULL JOIN stored s ON r.timeframe = s.timeframe AND r.open_time = s.open_time
ORDER BY 2, 1
""")  # noqa: S608 - made of the column names above, nothing from outside


async def verify_candles(database: Database) -> AsyncIterator[WeekVerified]:
    """Compare every candle with its ticks; yields after each week of each series, so that long work shows progress."""
    await (await storage_of(database)).settle()
    async with database.transaction() as connection:
        series = (await connection.execute(_SERIES)).all()
    for source, symbol, *edges in series:
        edges_us = [moment_us(edge) for edge in edges if edge is not None]
        week_us = Timeframe.W1.open_time_us(min(edges_us))
        while week_us <= max(edges_us):
            async with database.transaction(statement_timeout_ms=0) as connection:
                yield await _verify_week(connection, source, symbol, week_us)
            week_us += WEEK_US


async def _verify_week(connection: AsyncConnection, source: str, symbol: str, week_us: int) -> WeekVerified:
    key = {"source": source, "symbol": symbol}
    first_tick = (await connection.execute(_FIRST_TICK, key)).scalar()
    span = {"week": moment(week_us), "week_end": moment(week_us + WEEK_US)}
    rows = (await connection.execute(_COMPARE, {**key, **span, "first_tick": first_tick})).all()
    unverifiable = equal = 0
    differences: list[Difference] = []
    for timeframe, open_time, is_surplus, is_missing, is_unverifiable, differs in rows:
        if is_unverifiable:
            unverifiable += 1
        elif not any(differs):
            equal += 1
        else:
            columns = tuple(name for name, differ in zip(_COMPARED, differs, strict=True) if differ)
            whole = ("surplus",) if is_surplus else ("missing",) if is_missing else columns
            differences.append(Difference(timeframe, open_time, whole))
    return WeekVerified(
        source, symbol, moment(week_us), equal, len(differences), unverifiable, tuple(differences[:MAX_SHOWN])
    )
