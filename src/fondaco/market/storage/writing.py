"""What both kinds of house write in the same way: columns of a batch, the quarantine, and the deletion of old ticks."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.candles import TickColumns
from fondaco.infra.database import Database, PsycopgConnection
from fondaco.market.copying import SeriesTicks
from fondaco.market.messages import Refused, TickBatch
from fondaco.market.partitions import moment

MAX_RAW_CHARS = 1_000
"""How much of a refused message is kept."""
QUARANTINE_IDS = UUID("6f0daca0-0000-5000-8000-000000000001")
"""Name space of quarantine ids: the id is derived from the message, so a message delivered again is stored once."""
PURGE_SLICE_US = 3_600_000_000
"""Time span whose ticks one transaction of a purge deletes, where they are not dropped as a whole."""
PURGE_STATEMENT_MS = 600_000
"""Longest statement of a purge: the ticks of a week are counted before they are dropped."""
PURGE_LOCK_MS = 2_000
"""A purge that cannot get its lock so soon gives up until its next turn, instead of holding up everyone behind it."""

Row = tuple[int, int, int, int, bool]
"""Time, trade id, price, quantity, and whether the buyer was the maker."""

_QUARANTINE = """
INSERT INTO quarantine (id, source, symbol, reason, raw, received_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


def by_series(batches: Sequence[TickBatch]) -> list[SeriesTicks]:
    """Gather ticks into columns, one set for each source and symbol.

    All in the order of the primary key: two recorders that store the same ticks at once then wait for each other's rows
    in one order, and cannot deadlock.
    """
    gathered: dict[tuple[str, str], list[TickBatch]] = {}
    for batch in batches:
        gathered.setdefault((batch.source.value, batch.symbol), []).append(batch)
    series = []
    for (source, symbol), parts in sorted(gathered.items()):
        ticks = [tick for part in parts for tick in part.ticks]
        if ticks:
            ticks.sort(key=attrgetter("time_us", "trade_id"))
            columns = _columns([(t.time_us, t.trade_id, t.price, t.quantity, t.buyer_is_maker) for t in ticks])
            received_us = np.fromiter((tick.received_us for tick in ticks), np.int64, len(ticks))
            series.append(SeriesTicks(source, symbol, columns, received_us))
    return series


def inserted_series(rows: Iterable[tuple[Any, ...]]) -> list[SeriesTicks]:
    """What an ``INSERT … RETURNING`` says was new: source, symbol and a `Row` each. When received is not asked."""
    gathered: dict[tuple[str, str], list[Row]] = {}
    for source, symbol, *values in rows:
        gathered.setdefault((source, symbol), []).append(tuple(values))
    return [
        SeriesTicks(source, symbol, _columns(values), np.zeros(len(values), np.int64))
        for (source, symbol), values in sorted(gathered.items())
    ]


def count(series: Iterable[SeriesTicks]) -> int:
    """How many ticks there are."""
    return sum(len(one.received_us) for one in series)


async def quarantine(connection: PsycopgConnection, refused: Sequence[Refused]) -> None:
    """Keep refused messages with their reasons."""
    if refused:
        await connection.cursor().executemany(_QUARANTINE, [_quarantine_row(each) for each in refused])


@asynccontextmanager
async def maintenance(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction with the purge's limits instead of a request's."""
    async with database.transaction() as connection:
        await connection.execute(
            text("SELECT set_config('statement_timeout', :longest, true), set_config('lock_timeout', :lock, true)"),
            {"longest": str(PURGE_STATEMENT_MS), "lock": str(PURGE_LOCK_MS)},
        )
        yield connection


async def delete_ticks(database: Database, start_us: int, limit_us: int) -> int:
    """Delete the ticks of a span slice by slice, oldest first, each in a transaction of its own."""
    deleted = 0
    for slice_us in range(start_us, limit_us, PURGE_SLICE_US):
        end_us = min(slice_us + PURGE_SLICE_US, limit_us)
        async with maintenance(database) as connection:
            result = await connection.execute(
                text("DELETE FROM ticks WHERE time >= :start AND time < :end"),
                {"start": moment(slice_us), "end": moment(end_us)},
            )
        deleted += result.rowcount
    return deleted


def _columns(rows: Sequence[Row]) -> TickColumns:
    time_us, trade_id, price, quantity, buyer_is_maker = zip(*rows, strict=True)
    return TickColumns(
        np.array(time_us, np.int64),
        np.array(trade_id, np.int64),
        np.array(price, np.int64),
        np.array(quantity, np.int64),
        np.array(buyer_is_maker, np.bool_),
    )


def _quarantine_row(refused: Refused) -> tuple[Any, ...]:
    raw = refused.raw[:MAX_RAW_CHARS].replace("\x00", "\\0")
    key = f"{refused.source}|{refused.symbol}|{refused.received_us}|{raw}"
    return (
        uuid5(QUARANTINE_IDS, key),
        refused.source.value,
        refused.symbol,
        refused.reason,
        raw,
        moment(refused.received_us),
    )
