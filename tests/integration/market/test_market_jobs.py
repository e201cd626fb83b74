"""The market's jobs: old ticks go and candles stay, partitions are ready, and a change of feed is announced."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from fondaco.core.candles import Timeframe
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.outbox import Courier
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.current import set_current_feed
from fondaco.market.jobs import (
    announce_feed,
    make_partitions,
    market_handlers,
    market_jobs,
    purge_ticks,
)
from fondaco.market.messages import FEED_CHANNEL, FEED_KEY, FeedState, Source, Tick
from fondaco.market.partitions import WEEK_US, standing_weeks
from fondaco.market.storage.writing import PURGE_SLICE_US
from support.stored import batch, candles_of, store_all, ticks_of

DAY_US = 86_400_000_000
LIMIT_US = 1_723_161_600_000_000  # Friday, 2024-08-09
MONDAY_US = Timeframe.W1.open_time_us(LIMIT_US)
NOW_US = LIMIT_US + 30 * DAY_US
THIRTY_DAYS = timedelta(days=30)
TIMES_US = (
    MONDAY_US - WEEK_US - 1,
    MONDAY_US - WEEK_US,
    MONDAY_US - 1,
    MONDAY_US,
    LIMIT_US - PURGE_SLICE_US,
    LIMIT_US - 1,
    LIMIT_US,
    LIMIT_US + WEEK_US,
)


async def store(database: Database) -> None:
    """A tick at each moment round the edges of weeks, slices and the limit."""
    ticks = [
        Tick(number, at_us, 100, 5, buyer_is_maker=False, received_us=at_us) for number, at_us in enumerate(TIMES_US)
    ]
    await store_all(database, [batch(ticks)])


async def weeks(database: Database) -> list[int]:
    """The weeks that have a partition."""
    async with database.transaction() as connection:
        return await standing_weeks(connection)


async def test_a_purge_drops_what_is_older_than_the_limit_and_nothing_else(database: Database) -> None:
    await store(database)
    assert await purge_ticks(database, THIRTY_DAYS, NOW_US) == 6
    assert [tick.time_us for tick in await ticks_of(database)] == [LIMIT_US, LIMIT_US + WEEK_US]
    assert await weeks(database) == [MONDAY_US, MONDAY_US + WEEK_US], "weeks wholly before the limit go as a whole"
    assert await purge_ticks(database, THIRTY_DAYS, NOW_US) == 0


async def test_candles_stay_when_their_ticks_are_purged(database: Database) -> None:
    """EXP-38."""
    await store(database)
    before = {timeframe: await candles_of(database, timeframe) for timeframe in Timeframe}
    await purge_ticks(database, THIRTY_DAYS, NOW_US)
    assert {timeframe: await candles_of(database, timeframe) for timeframe in Timeframe} == before


async def test_a_week_that_ends_at_the_limit_is_dropped_whole(database: Database) -> None:
    await store(database)
    await purge_ticks(database, timedelta(0), MONDAY_US)
    assert await weeks(database) == [MONDAY_US, MONDAY_US + WEEK_US]
    assert [tick.time_us for tick in await ticks_of(database)] == list(TIMES_US[3:])


async def test_a_purge_that_cannot_have_its_lock_gives_up_and_loses_nothing(database: Database) -> None:
    await store(database)
    async with database.transaction() as reader:
        await reader.execute(text("SELECT count(*) FROM ticks"))
        with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
            await purge_ticks(database, THIRTY_DAYS, NOW_US)
    assert len(await ticks_of(database)) == len(TIMES_US)


async def test_late_ticks_of_a_purged_week_are_stored_again(database: Database) -> None:
    await store(database)
    await purge_ticks(database, THIRTY_DAYS, NOW_US)
    await store(database)
    assert len(await ticks_of(database)) == len(TIMES_US)


async def test_this_weeks_and_next_weeks_partition_are_made_ahead(database: Database) -> None:
    await make_partitions(database, LIMIT_US)
    await make_partitions(database, LIMIT_US)
    assert await weeks(database) == [MONDAY_US, MONDAY_US + WEEK_US]


def test_ticks_are_purged_daily_only_where_the_settings_say_so() -> None:
    always = ["make_partitions", "settle_candles"]
    assert [job.name for job in market_jobs(MarketSettings())] == always
    assert [job.name for job in market_jobs(MarketSettings(retention_days=30))] == [*always, "purge_ticks"]


async def test_the_daily_purge_keeps_as_many_days_as_the_settings_say(database: Database) -> None:
    await store(database)
    *_, purge = market_jobs(MarketSettings(retention_days=30))
    await purge.run(database, NOW_US)
    assert len(await ticks_of(database)) == 2


async def test_a_change_of_feed_is_announced_once_it_is_committed(database: Database) -> None:
    bus = LocalBus(BusSettings())
    courier = Courier(database, market_handlers(bus))
    async with bus.subscribe(FEED_CHANNEL) as messages:
        async with database.transaction() as connection:
            await set_current_feed(
                connection, source=Source.REPLAY, label="x", symbols=["BTCUSDT"], anchors={}, since_us=NOW_US
            )
            assert await courier.deliver_batch() == 0
        assert await courier.deliver_batch() == 1
        said = msgspec.msgpack.decode((await anext(messages)).body, type=FeedState)
    assert said == FeedState(Source.REPLAY, "x", ("BTCUSDT",), connected=False, since_us=NOW_US)
    assert await bus.get(FEED_KEY) == msgspec.msgpack.encode(said)


@pytest.mark.parametrize(("later_us", "wins"), [(1, True), (0, True), (-1, False)])
async def test_an_announcement_that_comes_late_does_not_undo_what_the_feed_has_said(
    later_us: int, *, wins: bool
) -> None:
    bus = LocalBus(BusSettings())
    changed = FeedState(Source.REPLAY, "x", ("BTCUSDT",), connected=False, since_us=NOW_US)
    said = msgspec.structs.replace(changed, connected=True, since_us=NOW_US + later_us)
    await bus.set(FEED_KEY, msgspec.msgpack.encode(said))
    async with bus.subscribe(FEED_CHANNEL) as messages:
        await announce_feed(bus, changed)
        told = msgspec.msgpack.decode((await anext(messages)).body, type=FeedState)
    assert told == (said if wins else changed)
    assert await bus.get(FEED_KEY) == msgspec.msgpack.encode(told)
