"""`fondaco candles verify` finds every kind of damage and calls nothing wrong that is right."""

import pytest

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database
from fondaco.market.messages import Tick
from support.stored import batch, execute, store_all, verified
from support.ticks import MOMENT_US

WEEK_US = Timeframe.W1.length_us


async def fill(database: Database) -> None:
    stored = [
        Tick(number, MOMENT_US + number * 37_000_000, 1000 + number % 7, number + 1, number % 3 == 0, MOMENT_US)
        for number in range(200)
    ]
    later = [Tick(1000, MOMENT_US + 2 * WEEK_US, 5, 5, buyer_is_maker=True, received_us=MOMENT_US)]
    await store_all(database, [batch(stored[:77]), batch(stored[77:], later)])


async def test_candles_of_several_weeks_verify(database: Database) -> None:
    await fill(database)
    weeks = await verified(database)
    assert [week.different for week in weeks] == [0, 0, 0]
    assert sum(week.equal for week in weeks) > 200
    assert sum(week.unverifiable for week in weeks) == 0


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE candles SET volume = volume + 1 WHERE timeframe = '4h' AND trades > 50", "volume"),
        ("UPDATE candles SET close = close + 1 WHERE timeframe = '1w' AND trades = 1", "close"),
        ("UPDATE candles SET first_trade_id = 7 WHERE timeframe = '1d' AND trades = 1", "first_trade_id"),
        ("DELETE FROM candles WHERE timeframe = '10m' AND open_time = '2024-08-09'", "missing"),
        ("DELETE FROM candles WHERE timeframe = '1w' AND trades = 1", "missing"),
        ("UPDATE candles SET open_time = open_time + interval '20 minutes' WHERE timeframe = '1h'", "surplus"),
    ],
)
async def test_damage_is_found_and_named(database: Database, damage: str, found: str) -> None:
    await fill(database)
    await execute(database, damage)
    differences = [difference for week in await verified(database) for difference in week.shown]
    assert found in {column for difference in differences for column in difference.columns}


async def test_candles_whose_ticks_were_purged_are_counted_apart(database: Database) -> None:
    await fill(database)
    await execute(database, "DELETE FROM ticks WHERE trade_id < 100")
    weeks = await verified(database)
    assert sum(week.different for week in weeks) == 0
    assert weeks[0].unverifiable > 0
    assert weeks[0].equal > 0


async def test_an_empty_house_verifies(database: Database) -> None:
    assert await verified(database) == []
