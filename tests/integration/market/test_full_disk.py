"""A full disk: nothing is stored by halves, the recorder's batch waits, and once there is room again it goes in."""

import asyncio

from fondaco.app.migrations import migrate
from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.messages import Tick
from fondaco.market.store import Batch, TickStore
from support.places import small_disk
from support.stored import batch, candles_of, ticks_of
from support.ticks import MOMENT_US

DISK_BYTES = 220 * 1024 * 1024
FILLER_BYTES = 100 * 1024 * 1024
TICKS_PER_BATCH = 5_000
MOST_BATCHES = 200
STOP_WAIT_S = 20
TRIES = 100


def numbered(number: int) -> Batch:
    first = number * TICKS_PER_BATCH
    return batch(
        Tick(first + each, MOMENT_US + (first + each) * 1000, 100, 1, buyer_is_maker=False, received_us=MOMENT_US)
        for each in range(TICKS_PER_BATCH)
    )


async def test_what_the_full_disk_refused_is_stored_when_there_is_room_again() -> None:
    with small_disk(DISK_BYTES) as disk:
        postgres = EmbeddedPostgres(disk / "house")
        url = postgres.prepare()
        server = await postgres.launch()
        await asyncio.to_thread(migrate, url, DatabaseSettings())
        filler = disk / "filler"
        await asyncio.to_thread(filler.write_bytes, bytes(FILLER_BYTES))
        database = Database(url, DatabaseSettings(pool_wait_s=0.5), application="test")
        store = TickStore(database)

        stored = await _store_until_refused(store)
        await asyncio.to_thread(filler.unlink)

        if server.returncode is None:
            await _wait_a_moment(server)
        if server.returncode is not None:  # it stops itself rather than go on without its log
            server = await postgres.launch()
        await _insist(store, numbered(stored))
        assert [tick.trade_id for tick in await ticks_of(database)] == list(range((stored + 1) * TICKS_PER_BATCH))
        minutes = await candles_of(database, Timeframe.M1)
        assert sum(candle.trades for candle in minutes.values()) == (stored + 1) * TICKS_PER_BATCH
        await database.dispose()
        server.terminate()
        await asyncio.wait_for(server.wait(), STOP_WAIT_S)


async def _store_until_refused(store: TickStore) -> int:
    """Fill the disk; returns the number of the batch that did not go in."""
    for number in range(MOST_BATCHES):
        try:
            await store.store(numbered(number), now_us=0)
        except DatabaseUnavailableError:
            return number
    raise AssertionError("the disk never filled up")


async def _wait_a_moment(server: asyncio.subprocess.Process) -> None:
    """A server that panicked may need a moment to be gone; one that only refused stays."""
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(server.wait())), 2)
    except TimeoutError:
        return


async def _insist(store: TickStore, refused: Batch) -> None:
    """Try again as the recorder does."""
    for _ in range(TRIES):
        try:
            await store.store(refused, now_us=0)
        except DatabaseUnavailableError:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the database did not come back")
