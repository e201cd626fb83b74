"""The recorder batches by count and by time, acknowledges after the commit, and waits out what is away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from sqlalchemy import text

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.messages import (
    RECORDERS,
    STORED_CHANNEL,
    TICKS_STREAM,
    Source,
    Tick,
    TickBatch,
    decode_stored,
    encode_entry,
)
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import Batch, StoredBatch, TickStore
from support.stored import execute, ticks_of
from support.ticks import MOMENT_US
from support.waiting import eventually

NEVER_S = 3600.0


class WatchedStore(TickStore):
    """The real store, which also notes the size of each batch and can be told that the database is away."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sizes: list[int] = []
        self.away_for = 0

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store as ever, unless away."""
        if self.away_for:
            self.away_for -= 1
            raise DatabaseUnavailableError("gone to lunch")
        self.sizes.append(sum(len(each.ticks) for each in batch.ticks))
        return await super().store(batch, now_us=now_us)


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    hub = LocalBus(BusSettings())
    yield hub
    hub.close()


def entry(first_id: int, count: int) -> bytes:
    ticks = tuple(
        Tick(each, MOMENT_US + each * 1000, 100 + each, 1, buyer_is_maker=False, received_us=MOMENT_US)
        for each in range(first_id, first_id + count)
    )
    return encode_entry(TickBatch(Source.BINANCE, "BTCUSDT", ticks))


def recorder(bus: Bus, store: TickStore, database: Database, **changes: float) -> Recorder:
    settings = MarketSettings.model_validate({"batch_size": 100, "batch_wait_s": NEVER_S, **changes})
    return Recorder(bus, store, PriceWriter(database, Quoter({}, 100), every_s=0), settings)


async def running(worker: Recorder, until: Callable[[], Awaitable[bool]]) -> None:
    """Run the recorder until something holds, then stop it."""
    task = asyncio.create_task(worker.run())
    await eventually(until)
    worker.stop()
    await task


async def is_acknowledged(bus: LocalBus) -> bool:
    """Nothing is left that a new reader of the group would be given."""
    with bus.connect() as other:
        async with other.tail(TICKS_STREAM, RECORDERS) as entries:
            try:
                await asyncio.wait_for(anext(entries), 0.05)
            except TimeoutError:
                return True
    return False


async def test_a_batch_is_written_at_100_ticks_gathered_across_reads(bus: LocalBus, database: Database) -> None:
    """EXP-12."""
    store = WatchedStore(database)
    worker = recorder(bus, store, database)
    task = asyncio.create_task(worker.run())
    for start in range(1, 100):
        await bus.append(TICKS_STREAM, entry(start, 1))
    await asyncio.sleep(0)
    assert store.sizes == []
    await bus.append(TICKS_STREAM, entry(100, 1))
    await eventually(lambda: is_acknowledged(bus))
    worker.stop()
    await task
    assert store.sizes == [100]
    assert len(await ticks_of(database)) == 100


async def test_fewer_are_written_when_the_wait_is_over(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    await bus.append(TICKS_STREAM, entry(1, 3))
    await running(recorder(bus, store, database, batch_wait_s=0.1), lambda: is_acknowledged(bus))
    assert store.sizes == [3]


async def test_a_stop_writes_what_has_been_read(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    worker = recorder(bus, store, database)
    await bus.append(TICKS_STREAM, entry(1, 3))

    async def has_read() -> bool:
        return bool(worker._gathered.entries)

    await running(worker, has_read)
    assert store.sizes == [3]
    assert await is_acknowledged(bus)


async def test_a_recorder_that_is_behind_writes_large_but_bounded_batches(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    for start in range(0, 5_000, 500):
        await bus.append(TICKS_STREAM, entry(start, 500))
    await running(recorder(bus, store, database, batch_max=2_000), lambda: is_acknowledged(bus))
    assert max(store.sizes) == 2_000
    assert sum(store.sizes) == 5_000


async def test_nothing_is_lost_or_double_while_the_database_is_away(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    store.away_for = 3
    for start in range(0, 500, 50):
        await bus.append(TICKS_STREAM, entry(start, 50))
    await running(recorder(bus, store, database), lambda: is_acknowledged(bus))
    assert [tick.trade_id for tick in await ticks_of(database)] == list(range(500))


async def test_entries_are_acknowledged_only_after_their_commit(bus: LocalBus, database: Database) -> None:
    """EXP-14."""
    store = WatchedStore(database)
    store.away_for = 10**6
    await bus.append(TICKS_STREAM, entry(1, 100))
    worker = recorder(bus, store, database)

    async def has_tried() -> bool:
        return store.away_for < 10**6

    await running(worker, has_tried)
    assert not await is_acknowledged(bus)


async def test_what_a_dead_recorder_held_goes_to_the_next(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    await bus.append(TICKS_STREAM, entry(1, 30))
    with bus.connect() as dying:
        assert len(await dying.read(TICKS_STREAM, RECORDERS, max_entries=10, wait_s=1)) == 1
    await running(recorder(bus, store, database, batch_wait_s=0.05), lambda: is_acknowledged(bus))
    assert len(await ticks_of(database)) == 30


async def test_entries_that_cannot_be_stored_are_quarantined_and_block_nothing(
    bus: LocalBus, database: Database
) -> None:
    store = WatchedStore(database)
    price = (100 + 77).to_bytes(1)
    too_large = entry(77, 1).replace(b"\xcc" + price, b"\xcf" + (2**64 - 1).to_bytes(8))
    assert too_large != entry(77, 1)
    for body in (entry(1, 2), b"\xc1 rubbish", too_large, entry(3, 2)):
        await bus.append(TICKS_STREAM, body)
    await running(recorder(bus, store, database, batch_wait_s=0.05), lambda: is_acknowledged(bus))
    async with database.transaction() as connection:
        reasons = (await connection.execute(text("SELECT reason, raw FROM quarantine"))).all()
    assert [reason for reason, _ in reasons] == ["undecodable_entry"] * 2
    assert any("rubbish" in raw for _, raw in reasons)
    assert len(await ticks_of(database)) == 4


async def test_each_commit_is_announced_with_its_entries_and_candles(bus: LocalBus, database: Database) -> None:
    entry_id = await bus.append(TICKS_STREAM, entry(1, 100))
    async with bus.subscribe(STORED_CHANNEL) as messages:
        await running(recorder(bus, WatchedStore(database), database), lambda: is_acknowledged(bus))
        said = decode_stored((await anext(messages)).body)
    assert said.entry_ids == (entry_id,)
    assert sum(each.candle.trades for each in said.candles if each.timeframe == "1m") == 100


async def test_a_price_row_carries_the_quote_and_the_day(bus: LocalBus, database: Database) -> None:
    await bus.append(TICKS_STREAM, entry(0, 20_000))
    await running(recorder(bus, WatchedStore(database), database), lambda: is_acknowledged(bus))
    async with database.transaction() as connection:
        (row,) = (await connection.execute(text("SELECT * FROM prices"))).mappings()
    assert (row["last"], row["low_24h"], row["high_24h"]) == (20_099, 100, 20_099)
    assert (row["bid"], row["ask"]) == (20_096, 20_102)
    assert (row["mid"], row["spread"]) == (20_099, 6)
    assert (row["change_24h"], str(row["change_percent_24h"])) == (19_999, "19999.0000")
    assert row["volume_24h"] == 20_000


async def test_a_purge_of_a_partition_does_not_stop_the_recorder(bus: LocalBus, database: Database) -> None:
    store = WatchedStore(database)
    worker = recorder(bus, store, database, batch_wait_s=0.05)
    await bus.append(TICKS_STREAM, entry(1, 2))
    task = asyncio.create_task(worker.run())
    await eventually(lambda: is_acknowledged(bus))
    await execute(database, "DROP TABLE ticks_20240805")
    await bus.append(TICKS_STREAM, entry(3, 2))
    await eventually(lambda: is_acknowledged(bus))
    worker.stop()
    await task
    assert [tick.trade_id for tick in await ticks_of(database)] == [3, 4]


@pytest.mark.parametrize(("history_s", "expected"), [(0, [1, 1, 1, 2, 2]), (3600, [0, 0, 0, 1, 1])])
async def test_price_rows_come_at_their_interval_and_the_first_once_history_is_in(
    database: Database, history_s: int, expected: list[int]
) -> None:
    store, prices = TickStore(database), PriceWriter(database, Quoter({}, 100), every_s=10)
    written = []
    for second in (0, 1, 5, 11, 12):
        time_us = MOMENT_US + (second - history_s) * 1_000_000
        tick = Tick(second, time_us, 100, 1, buyer_is_maker=False, received_us=MOMENT_US)
        stored = await store.store(Batch([TickBatch(Source.BINANCE, "BTCUSDT", (tick,))], []), now_us=0)
        await prices.write(stored.candles, now_us=MOMENT_US + second * 1_000_000)
        async with database.transaction() as connection:
            written.append((await connection.execute(text("SELECT count(*) FROM prices"))).scalar_one())
    assert written == expected
