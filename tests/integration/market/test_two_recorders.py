"""Two recorders that write at once: no deadlock, no false gap that stays, no missing one, and one row of prices.

A deadlock shows: the server ends one of the two transactions, and `store` raises.
"""

import asyncio

from sqlalchemy import text

from fondaco.infra.database import Database
from fondaco.market.candles import fold, merge_candles
from fondaco.market.gaps import ledger_gaps
from fondaco.market.messages import Tick
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.store import TickStore, by_series
from support.stored import batch, gaps_of, store_all, ticks_of, verified
from support.ticks import MOMENT_US
from support.waiting import eventually

ROUNDS = 5
MANY = 4_000


def ticks(first: int, last: int) -> list[Tick]:
    """Ticks with these ids, a millisecond apart."""
    return [
        Tick(each, MOMENT_US + each * 1000, 100, 1, buyer_is_maker=False, received_us=0)
        for each in range(first, last + 1)
    ]


async def waits_for_a_lock(database: Database) -> bool:
    """Whether somebody in this database waits for another's transaction."""
    async with database.transaction() as connection:
        waiting = await connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
    return bool(waiting)


async def test_the_same_ticks_stored_at_once_in_opposite_order_do_not_deadlock(database: Database) -> None:
    one, other = TickStore(database), TickStore(database)
    for number in range(ROUNDS):
        new = ticks(number * MANY + 1, (number + 1) * MANY)
        done = await asyncio.gather(
            one.store(batch(new), now_us=0),
            other.store(batch(*([each] for each in reversed(new))), now_us=0),
        )
        assert sum(each.new_ticks for each in done) == MANY
    assert await ticks_of(database) == ticks(1, ROUNDS * MANY)
    assert [week.different for week in await verified(database)] == [0]


async def test_candles_are_locked_in_key_order_whatever_order_they_come_in(database: Database) -> None:
    one, other = (each for series in by_series(batch(ticks(1, 1)).ticks) for each in fold(series)[:2])

    async def second() -> None:
        async with database.driver_transaction() as connection:
            await merge_candles(connection, [other, one])

    async with database.driver_transaction() as connection:
        await merge_candles(connection, [one])
        waiting = asyncio.create_task(second())
        await eventually(lambda: waits_for_a_lock(database))
        await merge_candles(connection, [other])  # which the second must not hold while it waits for us
    await waiting


async def test_a_gap_that_is_only_another_recorders_uncommitted_batch_closes_itself(database: Database) -> None:
    await store_all(database, [batch(ticks(1, 100))])
    await store_all(database, [batch(ticks(201, 300))])
    assert await gaps_of(database) == [(100, 201, 100, False)]
    await store_all(database, [batch(ticks(101, 200))])
    assert await gaps_of(database) == [(100, 201, 0, True)]


async def test_two_first_batches_of_a_series_at_once_ledger_what_is_missing_between_them(database: Database) -> None:
    below, above = (by_series(batch(ticks(*each)).ticks) for each in ((1, 100), (201, 300)))

    async def second() -> None:
        async with database.driver_transaction() as connection:
            await ledger_gaps(connection, above, now_us=0)

    async with database.driver_transaction() as connection:
        await ledger_gaps(connection, below, now_us=0)
        waiting = asyncio.create_task(second())
        await eventually(lambda: waits_for_a_lock(database))
    await waiting
    assert await gaps_of(database) == [(100, 201, 100, False)]


async def test_two_recorders_keep_to_the_interval_of_price_rows_together(database: Database) -> None:
    store = TickStore(database)
    writers = [PriceWriter(database, Quoter({}, 100), every_s=10) for _ in range(2)]
    written = []
    for second in range(0, 31, 3):
        now_us = MOMENT_US + second * 1_000_000
        tick = Tick(second, now_us, 100, 1, buyer_is_maker=False, received_us=now_us)
        stored = await store.store(batch([tick]), now_us=0)
        await writers[second % 2].write(stored.candles, now_us=now_us)  # each sees every other batch
        async with database.transaction() as connection:
            written.append(await connection.scalar(text("SELECT count(*) FROM prices")))
    assert written == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
