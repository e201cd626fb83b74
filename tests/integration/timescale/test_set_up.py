"""`fondaco db timescale`: from every state to the same house, without losing a candle (EXP-30, EXP-32 to EXP-36)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from fondaco.core.candles import Candle, Timeframe
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.candles import fold, merge_candles
from fondaco.market.gaps import ledger_gaps
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.partitions import Partitions
from fondaco.market.storage.aggregates import AGGREGATES
from fondaco.market.storage.choose import HouseUnfinishedError, Kind, house_kind, storage_of
from fondaco.market.storage.conversion import ConversionError, convert
from fondaco.market.storage.hypertable import insert_new
from fondaco.market.storage.writing import by_series
from support.houses import command
from support.places import open_folder
from support.stored import batch, candles_of, execute, store_all, ticks_of, verified
from support.ticks import MOMENT_US, naive_candles

LENGTHS = {each: timedelta(microseconds=each.length_us) for each in Timeframe}
DAY = timedelta(days=1)


def walk(*, of: int = 300) -> list[Tick]:
    """Trades of some hours, three to a millisecond, of which the first in time has the highest price."""
    return [
        Tick(
            trade_id=1000 + number,
            time_us=MOMENT_US + number // 3 * 61_000_000,
            price=5000 - number * 7919 % 101,
            quantity=number % 17 + 1,
            buyer_is_maker=number % 3 == 0,
            received_us=MOMENT_US,
        )
        for number in range(of)
    ]


async def everything(database: Database) -> dict[Timeframe, dict[int, Candle]]:
    """Every candle of the usual symbol."""
    return {timeframe: await candles_of(database, timeframe) for timeframe in Timeframe}


def naive(ticks: list[Tick]) -> dict[Timeframe, dict[int, Candle]]:
    """What these ticks make."""
    return {timeframe: naive_candles(ticks, timeframe) for timeframe in Timeframe}


async def set_up(database: Database, say: Callable[[str], None] = lambda _: None) -> None:
    """Run it."""
    await convert(database.url, DatabaseSettings(), say)


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    async with database.transaction() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]


async def kind(database: Database) -> Kind:
    """What the house is."""
    async with database.transaction() as connection:
        return await house_kind(connection)


async def test_an_empty_house_gets_a_hypertable_on_time_and_nine_aggregates(house: Database) -> None:
    """EXP-30, EXP-32: ticks and candles are what readers knew, and nothing but ticks is stored by us."""
    assert await kind(house) is Kind.TIMESCALE
    dimensions = await rows(house, "SELECT hypertable_name, column_name FROM timescaledb_information.dimensions")
    assert ("ticks", "time") in dimensions
    found = await rows(
        house, "SELECT view_name, materialized_only FROM timescaledb_information.continuous_aggregates ORDER BY 1"
    )
    assert found == sorted((f"candles_{each}", False) for each in Timeframe)


async def test_a_second_run_changes_nothing(house: Database) -> None:
    """EXP-30, EXP-35: a hypertable and policies that are there are tolerated, and what stands is not made anew."""
    await store_all(house, [batch(walk())])
    objects = "SELECT oid::int8, relname::text FROM pg_class WHERE relname !~ '^(pg_|_?compress)' ORDER BY 1"
    jobs = "SELECT job_id, proc_name, config::text FROM timescaledb_information.jobs ORDER BY 1"
    before = (await rows(house, objects), await rows(house, jobs), await everything(house))
    said: list[str] = []
    await set_up(house, said.append)
    assert said == ["This house has TimescaleDB: nothing to change."]
    assert (await rows(house, objects), await rows(house, jobs), await everything(house)) == before


async def test_each_aggregate_has_the_refresh_policy_of_the_source_system(house: Database) -> None:
    """EXP-34: look-back as given, end offset and schedule one bucket. The other four follow the pattern."""
    found = await rows(
        house,
        """
        SELECT a.view_name, (j.config ->> 'start_offset')::interval, (j.config ->> 'end_offset')::interval,
            j.schedule_interval
        FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates a
            ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
        """,
    )
    given = {"1m": 1, "2m": 2, "5m": 7, "10m": 14, "1d": 90}
    chosen = {"15m": 21, "1h": 30, "4h": 60, "1w": 365}
    look_backs = given | chosen
    assert sorted(found) == sorted(
        (f"candles_{each}", look_backs[each] * DAY, LENGTHS[each], LENGTHS[each]) for each in Timeframe
    )


async def test_a_policy_that_somebody_changed_is_tolerated_and_a_missing_one_is_added(house: Database) -> None:
    """EXP-35."""
    await execute(house, "SELECT remove_continuous_aggregate_policy('candles_1d')")
    await execute(house, "SELECT remove_continuous_aggregate_policy('candles_5m')")
    await execute(
        house,
        "SELECT add_continuous_aggregate_policy('candles_5m', start_offset => interval '3 days', "
        "end_offset => interval '10 minutes', schedule_interval => interval '1 hour')",
    )
    await set_up(house)
    found = await rows(
        house,
        "SELECT (config ->> 'start_offset')::interval FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_refresh_continuous_aggregate' ORDER BY 1",
    )
    days = [1, 2, 3, 14, 21, 30, 60, 90, 365]
    assert found == [(each * DAY,) for each in days]


async def test_no_name_needs_quotes(house: Database) -> None:
    """EXP-36: nothing has a capital, so nothing is folded."""
    names = await rows(
        house,
        "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = current_schema()::regnamespace",
    )
    assert len(names) > 100
    assert [pair for pair in names if any(name != name.lower() for name in pair)] == []


async def test_a_plain_house_keeps_its_ticks_and_candles_bit_for_bit(plain_house: Database) -> None:
    """EXP-33 with it: open and close follow time and trade id, and three trades share each millisecond."""
    await fill_plain(plain_house, walk())
    await set_up(plain_house)
    assert await kind(plain_house) is Kind.TIMESCALE
    assert await ticks_of(plain_house) == walk()
    assert await everything(plain_house) == naive(walk())
    assert sum(week.different for week in await verified(plain_house)) == 0


async def test_candles_whose_ticks_were_purged_are_kept(plain_house: Database) -> None:
    ticks = walk()
    await fill_plain(plain_house, ticks)
    await execute(plain_house, "DELETE FROM ticks WHERE trade_id < 1150")
    await set_up(plain_house)
    assert await everything(plain_house) == naive(ticks)
    late = Tick(77, MOMENT_US, 1, 1, buyer_is_maker=True, received_us=0)
    assert await store_all(plain_house, [batch([late])]) == 0, "its candle could not be made anew"
    after = Tick(2000, ticks[-1].time_us + 1, 1, 1, buyer_is_maker=True, received_us=0)
    assert await store_all(plain_house, [batch([after])]) == 1
    assert await everything(plain_house) == naive([*ticks, after])
    assert await rows(plain_house, "SELECT reason FROM quarantine") == [("purged_already",)]


async def test_aggregates_of_another_version_are_made_anew_and_keep_purged_candles(plain_house: Database) -> None:
    """EXP-35: old aggregates are dropped and recreated."""
    await fill_plain(plain_house, walk())
    await execute(plain_house, "DELETE FROM ticks WHERE trade_id < 1150")
    await set_up(plain_house)
    oid = "SELECT 'candles_1m'::regclass::oid::int8"
    before = await rows(plain_house, oid)
    await execute(plain_house, "COMMENT ON VIEW candles IS 'fondaco aggregates of before'")
    await set_up(plain_house)
    assert await rows(plain_house, oid) != before
    assert await everything(plain_house) == naive(walk())


async def test_candles_that_are_not_what_their_ticks_make_stop_it_and_stay(plain_house: Database) -> None:
    await fill_plain(plain_house, walk())
    await execute(plain_house, "UPDATE candles SET volume = volume + 1 WHERE timeframe = '4h'")
    damaged = await everything(plain_house)
    with pytest.raises(ConversionError, match=r"4h BTCUSDT 2024-08-08T20:00Z.*candles verify"):
        await set_up(plain_house)
    assert await everything(plain_house) == damaged
    with pytest.raises(HouseUnfinishedError, match="fondaco db timescale"):
        await storage_of(plain_house)
    await execute(plain_house, "UPDATE candles SET volume = volume - 1 WHERE timeframe = '4h'")
    await set_up(plain_house)
    assert await everything(plain_house) == naive(walk())


class CutError(Exception):
    """The run ends here."""


async def test_a_run_that_is_cut_off_anywhere_is_completed_by_another(plain_house: Database) -> None:
    """EXP-35: readers see the same candles in every state in between."""
    await fill_plain(plain_house, walk())
    cuts = 0
    while True:
        try:
            await set_up(plain_house, cutting_at(cuts))
            break
        except CutError:
            cuts += 1
            assert await everything(plain_house) == naive(walk())
    assert cuts > len(AGGREGATES)
    assert await kind(plain_house) is Kind.TIMESCALE
    assert await everything(plain_house) == naive(walk())
    assert await ticks_of(plain_house) == walk()


async def test_the_command_says_what_it_does_and_ends_with_0(plain_house: Database, plain_url: str) -> None:
    """EXP-35, by the command line; the ticks are those of before."""
    await fill_plain(plain_house, walk(of=30))
    await plain_house.dispose()
    with open_folder() as folder:
        code, out, err = await command(["db", "timescale"], folder, {"DATABASE_URL": plain_url})
        assert (code, out.splitlines()[-1]) == (0, "This house has TimescaleDB now."), err
        code, out, err = await command(["candles", "verify"], folder, {"DATABASE_URL": plain_url})
    assert (code, " 0 differ, 0 have lost" in out) == (0, True), out + err


async def test_a_server_without_timescaledb_is_refused_and_the_connection_closed(database_url: str) -> None:
    """EXP-35: a failing exit code, and nobody is left connected."""
    with open_folder() as folder:
        code, _, err = await command(["db", "timescale"], folder, {"DATABASE_URL": database_url})
    assert code != 0
    assert "This server has no TimescaleDB" in err
    with psycopg.connect(database_url) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fondaco timescale'"
        assert connection.execute(query).fetchone() == (0,)


async def test_any_other_error_stops_it_in_a_sentence_and_holds_nothing(plain_house: Database) -> None:
    """EXP-35: whoever comes next finds the tables unlocked and the house as it was."""
    await fill_plain(plain_house, walk(of=30))
    await execute(plain_house, "CREATE VIEW in_the_way AS SELECT * FROM ticks")
    with pytest.raises(ConversionError, match=r"could not be set up: cannot drop table ticks_plain.*again"):
        await set_up(plain_house)
    assert await kind(plain_house) is Kind.PLAIN
    await execute(plain_house, "DROP VIEW in_the_way")
    await execute(plain_house, "LOCK TABLE ticks, candles IN ACCESS EXCLUSIVE MODE NOWAIT")
    await set_up(plain_house)
    assert await everything(plain_house) == naive(walk(of=30))


def cutting_at(number: int) -> Callable[[str], None]:
    """Ends the run at the so many-th thing that it says."""
    said: list[str] = []

    def say(words: str) -> None:
        if len(said) == number:
            raise CutError(words)
        said.append(words)

    return say


async def fill_plain(database: Database, ticks: list[Tick]) -> None:
    """Ticks and candles as a plain recorder leaves them, without its COPY, which PGlite does not have."""
    series = by_series([TickBatch(Source.BINANCE, "BTCUSDT", tuple(ticks))])
    await Partitions(database).ensure(tick.time_us for tick in ticks)
    async with database.driver_transaction() as connection:
        added = await insert_new(connection, series)
        await merge_candles(connection, (each for one in added for each in fold(one)))
        await ledger_gaps(connection, added, now_us=0)
