"""A read sees what its reader was told of, or says that it is not there yet; many who wait ask one at a time."""

import asyncio

import pytest

from fondaco.core.commands import HOUSE, Deposit
from fondaco.core.replies import DONE
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.reading import NotThereYetError, Tables
from fondaco.infra.database import Database
from support.engines import open_exchange, submit
from support.floor import ALICE
from support.live import whole_engine
from support.projected import crowded

_TOTAL = "SELECT available FROM balances WHERE account_id = %s AND asset = 'USDT'"


async def test_who_was_answered_sees_what_was_done(database: Database) -> None:
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        tables = Tables(database, wait_s=20)
        seen: list[int] = []
        for _ in range(20):
            answer = await submit(house.client, HOUSE, Deposit(ALICE, "USDT", 1))
            assert answer.reply == DONE
            async with tables.read(answer.seq) as (connection, seq):
                assert seq >= answer.seq
                row = await (await connection.execute(_TOTAL, (ALICE,))).fetchone()
                assert row is not None
                seen.append(row[0])
    assert seen == list(range(seen[0], seen[0] + 20))


async def test_what_is_not_there_in_time_is_said(database: Database) -> None:
    tables = Tables(database, wait_s=0.1)
    async with tables.read() as reading:
        assert reading.seq == 0
    batches = crowded(1, 3)
    await (await open_projection(database)).write(batches)
    async with tables.read(batches[-1].mark.seq) as reading:
        assert reading.seq == batches[-1].mark.seq
    with pytest.raises(NotThereYetError) as raised:
        async with tables.read(batches[-1].mark.seq + 1):
            raise AssertionError("nothing must be read")
    assert (raised.value.seq, raised.value.after_seq) == (batches[-1].mark.seq, batches[-1].mark.seq + 1)


async def test_all_who_wait_go_on_when_the_tables_move(database: Database) -> None:
    """More of them than there are connections."""
    tables = Tables(database, wait_s=20)
    batches = crowded(2, 6)

    async def reader(seq: int) -> int:
        async with tables.read(seq) as reading:
            return reading.seq - seq

    waiting = [asyncio.create_task(reader(batches[number % 6].mark.seq)) for number in range(60)]
    projection = await open_projection(database)
    for batch in batches:
        await projection.write([batch])
    assert min(await asyncio.gather(*waiting)) >= 0
