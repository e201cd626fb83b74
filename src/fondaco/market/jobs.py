"""What market data asks of the jobs process: old ticks go, partitions are ready, and a change of feed is announced.

Candles are never purged: they are small, and what charts of the past are made of (EXP-38).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database
from fondaco.infra.jobs import PeriodicJob
from fondaco.infra.outbox import Deliver
from fondaco.infra.settings import MarketSettings
from fondaco.market.messages import FEED_CHANGED, FEED_CHANNEL, FEED_KEY, FeedState
from fondaco.market.partitions import WEEK_US, moment
from fondaco.market.storage.choose import storage_of

log = structlog.get_logger()


def market_jobs(settings: MarketSettings) -> list[PeriodicJob]:
    """The periodic work of market data."""
    jobs = [
        PeriodicJob("make_partitions", "5 */6 * * *", make_partitions),
        PeriodicJob("settle_candles", "*/5 * * * *", settle_candles),
    ]
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

    Whole weeks are dropped at once; of the one that the limit falls into, the older ticks are deleted slice by slice.

    Raises:
        PurgeRefusedError: candles would be lost.
    """
    limit_us = now_us - older_than // timedelta(microseconds=1)
    purged = await (await storage_of(database)).purge(limit_us)
    log.info("ticks.purged", ticks=purged, before=moment(limit_us).isoformat())
    return purged


async def make_partitions(database: Database, now_us: int) -> None:
    """Have room for this week's and next week's ticks, so that no recorder waits for it."""
    await (await storage_of(database)).make_ready([now_us, now_us + WEEK_US])


async def settle_candles(database: Database, now_us: int) -> None:
    """Bring candles up to date where late ticks are not in them yet, as after a crash: with TimescaleDB only."""
    del now_us  # the aggregates go by the database's clock
    await (await storage_of(database)).settle()


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
