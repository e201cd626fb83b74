"""What market data asks of the jobs process: old ticks go, partitions are ready, and a change of feed is announced.

Candles are never purged: they are small, and what charts of the past are made of (EXP-38).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database
from fondaco.infra.jobs import PeriodicJob
from fondaco.infra.outbox import Deliver
from fondaco.infra.settings import MarketSettings
from fondaco.market.messages import FEED_CHANGED, FEED_CHANNEL, FEED_KEY, FeedState
from fondaco.market.partitions import WEEK_US, Partitions, drop_partition, moment, standing_weeks

log = structlog.get_logger()

PURGE_SLICE_US = 3_600_000_000
"""Time span whose ticks one transaction of a purge deletes, in the week that is not dropped as a whole."""
PURGE_STATEMENT_MS = 600_000
"""Longest statement of a purge: the ticks of a week are counted before they are dropped."""
PURGE_LOCK_MS = 2_000
"""A purge that cannot get its lock so soon gives up until its next turn, instead of holding up everyone behind it."""


def market_jobs(settings: MarketSettings) -> list[PeriodicJob]:
    """The periodic work of market data."""
    jobs = [PeriodicJob("make_partitions", "5 */6 * * *", make_partitions)]
    if settings.retention_days is not None:
        older_than = timedelta(days=settings.retention_days)

        async def purge(database: Database, now_us: int) -> None:
            await purge_ticks(database, older_than, now_us)

        jobs.append(PeriodicJob("purge_ticks", "20 3 * * *", purge))
    return jobs


def market_handlers(bus: Bus) -> Mapping[str, Deliver]:
    """Who takes the outbox's topics of market data."""

    async def feed_changed(_topic: str, body: Mapping[str, Any], _id: UUID) -> None:
        await announce_feed(bus, msgspec.convert(body, FeedState))

    return {FEED_CHANGED: feed_changed}


async def purge_ticks(database: Database, older_than: timedelta, now_us: int) -> int:
    """Drop ticks older than this; returns how many. Candles stay.

    Weeks that lie wholly before the limit are dropped with their partition; of the week that the limit falls into, the
    older ticks are deleted slice by slice, each in a transaction of its own.
    """
    limit_us = now_us - older_than // timedelta(microseconds=1)
    async with database.transaction() as connection:
        weeks = [week_us for week_us in await standing_weeks(connection) if week_us < limit_us]
    purged = 0
    for week_us in weeks:
        if week_us + WEEK_US <= limit_us:
            purged += await _drop(database, week_us)
        else:
            purged += await _delete(database, week_us, limit_us)
    log.info("ticks.purged", ticks=purged, before=moment(limit_us).isoformat())
    return purged


async def make_partitions(database: Database, now_us: int) -> None:
    """Have this week's and next week's partition ready, so that no recorder waits for one."""
    await Partitions(database).ensure([now_us, now_us + WEEK_US])


async def announce_feed(bus: Bus, changed: FeedState) -> None:
    """Tell listeners which feed readers see now, unless the feed itself has said something newer in the meantime."""
    said = await bus.get(FEED_KEY)
    newest = changed if said is None else max(msgspec.msgpack.decode(said, type=FeedState), changed, key=_since_us)
    body = msgspec.msgpack.encode(newest)
    if newest is changed:
        await bus.set(FEED_KEY, body)
    await bus.publish(FEED_CHANNEL, body)


def _since_us(state: FeedState) -> int:
    return state.since_us


@asynccontextmanager
async def _maintenance(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction with the purge's limits instead of a request's."""
    async with database.transaction() as connection:
        await connection.execute(
            text("SELECT set_config('statement_timeout', :longest, true), set_config('lock_timeout', :lock, true)"),
            {"longest": str(PURGE_STATEMENT_MS), "lock": str(PURGE_LOCK_MS)},
        )
        yield connection


async def _drop(database: Database, week_us: int) -> int:
    async with _maintenance(database) as connection:
        return await drop_partition(connection, week_us)


async def _delete(database: Database, week_us: int, limit_us: int) -> int:
    deleted = 0
    for start_us in range(week_us, limit_us, PURGE_SLICE_US):
        end_us = min(start_us + PURGE_SLICE_US, limit_us)
        async with _maintenance(database) as connection:
            result = await connection.execute(
                text("DELETE FROM ticks WHERE time >= :start AND time < :end"),
                {"start": moment(start_us), "end": moment(end_us)},
            )
        deleted += result.rowcount
    return deleted
