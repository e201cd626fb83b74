"""Candles in the database: merged in the transaction that stores their ticks, and verified against them.

The merge in SQL is `fondaco.core.candles.merge`, so late and out-of-order ticks come out right: open and close follow
the remembered first and last trade by (time, trade id). Rows are written in key order, so that recorders sharing the
work cannot deadlock.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg.rows import tuple_row

from fondaco.core.candles import Candle, Timeframe, fold_minutes, roll_up
from fondaco.infra.database import PsycopgConnection
from fondaco.market.copying import SeriesTicks
from fondaco.market.messages import Source, StoredCandle
from fondaco.market.partitions import moment, moment_us

_MERGE = "SELECT * FROM merge_candles(%s::candles[])"
"""The function stands in the migration of the table; it is `fondaco.core.candles.merge` in SQL."""


def fold(series: SeriesTicks) -> list[StoredCandle]:
    """What new ticks of one series add to each of the nine timeframes."""
    minutes = fold_minutes(series.columns)
    return [
        StoredCandle(Source(series.source), series.symbol, timeframe, open_time_us, candle)
        for timeframe in Timeframe
        for open_time_us, candle in roll_up(minutes, timeframe).items()
    ]


async def merge_candles(connection: PsycopgConnection, added: Iterable[StoredCandle]) -> tuple[StoredCandle, ...]:
    """Merge what new ticks add into the stored candles, in the caller's transaction; returns them as they stand now."""
    rows = sorted((_row(each) for each in added), key=lambda row: row[:4])
    if not rows:
        return ()
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    await cursor.execute(_MERGE, [records(rows)])
    return tuple(stored_candle(row) for row in await cursor.fetchall())


def records(rows: Iterable[Iterable[int | str]]) -> str:
    """Rows of whole numbers and plain codes as the text of an array of records, in the order of the table's columns.

    Ten times as fast as the driver's arrays, which must expect any text; ours need no escaping.
    """
    return "{" + ",".join(f'"({",".join(map(str, row))})"' for row in rows) + "}"


def stored_candle(row: Sequence[Any]) -> StoredCandle:
    """Read a row of ``candles``, its columns in the order of the table."""
    source, symbol, timeframe, open_time, _close_time, *values = row
    *prices_and_sums, trades, first_time, first_trade_id, last_time, last_trade_id = values
    edges = (moment_us(first_time), first_trade_id, moment_us(last_time), last_trade_id)
    candle = Candle(*[*map(int, prices_and_sums), trades, *edges])
    return StoredCandle(Source(source), symbol, Timeframe(timeframe), moment_us(open_time), candle)


def _row(stored: StoredCandle) -> tuple[int | str, ...]:
    *prices_and_sums, trades, first_us, first_trade_id, last_us, last_trade_id = msgspec.structs.astuple(stored.candle)
    return (
        stored.source.value,
        stored.symbol,
        stored.timeframe.value,
        moment(stored.open_time_us).isoformat(),
        moment(stored.open_time_us + stored.timeframe.length_us).isoformat(),
        *prices_and_sums,
        trades,
        moment(first_us).isoformat(),
        first_trade_id,
        moment(last_us).isoformat(),
        last_trade_id,
    )
