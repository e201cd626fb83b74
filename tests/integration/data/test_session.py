"""The data layer over a real database: one session, both query styles, cached reads that share nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import IntegrityError, MultipleResultsFound
from sqlalchemy.orm.exc import DetachedInstanceError

from fondaco.data import CachePolicy, HouseSession, OtherLoopError, UserError, WrongWordError, run
from fondaco.data.tables import MarketFeedRow, OutboxRow, Source, TickHeadRow
from fondaco.infra.database import DatabaseUnavailableError, shared_database
from fondaco.infra.outbox import enqueue
from fondaco.infra.settings import DatabaseSettings, Settings
from support.waiting import eventually

SINCE = datetime(2024, 8, 9, tzinfo=UTC)
MINUTE = CachePolicy(fresh_s=60, stale_s=10)


class Asked(NamedTuple):
    """A session, the clock of its cache, and the statements that reached the database."""

    house: HouseSession
    clock: list[float]
    statements: list[str]


@pytest.fixture
async def asked(database_url: str) -> AsyncIterator[Asked]:
    """A session of the test's own database."""
    settings = Settings(database_url=database_url, database=DatabaseSettings(pool_size=1, pool_wait_s=0.2))
    clock, statements = [0.0], list[str]()
    client = shared_database(database_url, settings.database, application="script")

    @event.listens_for(client.engine.sync_engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:  # noqa: ANN401 - SQLAlchemy's hook
        if "set_config" not in statement:
            statements.append(statement)

    house = HouseSession(lambda: settings, clock_s=lambda: clock[0])
    yield Asked(house, clock, statements)
    await house.close()


def feed(symbol: str, label: str = "a file") -> MarketFeedRow:
    return MarketFeedRow(symbol=symbol, source=Source.REPLAY, label=label, since=SINCE)


async def test_an_insert_returns_the_row_as_the_database_made_it(asked: Asked) -> None:
    """BHC-3: in one statement."""
    row = await asked.house.insert(feed("BTCUSDT"))
    assert row.created_at == row.updated_at
    assert (row.symbol, row.source) == ("BTCUSDT", Source.REPLAY)
    assert len(asked.statements) == 1


async def test_find_returns_the_one_row_that_meets_all_conditions(asked: Asked) -> None:
    """BHC-3."""
    house = asked.house
    for symbol in ("BTCUSDT", "ETHUSDT"):
        await house.insert(feed(symbol))
    found = await house.find(MarketFeedRow, MarketFeedRow.symbol == "ETHUSDT", MarketFeedRow.source == Source.REPLAY)
    assert found is not None
    assert found.symbol == "ETHUSDT"
    assert found.source is Source.REPLAY
    assert await house.find(MarketFeedRow, MarketFeedRow.symbol == "SOLUSDT") is None
    with pytest.raises(MultipleResultsFound, match="market_feeds"):
        await house.find(MarketFeedRow, MarketFeedRow.source == Source.REPLAY)


async def test_select_joins_tables(asked: Asked) -> None:
    """BHC-3."""
    house = asked.house
    await house.insert(feed("BTCUSDT"))
    await house.insert(TickHeadRow(source=Source.REPLAY, symbol="BTCUSDT", trade_id=7, time=SINCE))
    joined = select(MarketFeedRow, TickHeadRow.trade_id).join(TickHeadRow, TickHeadRow.symbol == MarketFeedRow.symbol)
    ((row, trade_id),) = await house.select(joined)
    assert (row.label, trade_id) == ("a file", 7)


@pytest.mark.parametrize("cache", [None, MINUTE], ids=["anew", "cached"])
async def test_only_the_columns_that_are_named_are_fetched(asked: Asked, cache: CachePolicy | None) -> None:
    """EXD-7: what is not needed is not read, and is not taken for empty."""
    await asked.house.insert(feed("BTCUSDT"))
    asked.statements.clear()
    condition = MarketFeedRow.symbol == "BTCUSDT"
    row = await asked.house.find(MarketFeedRow, condition, columns=[MarketFeedRow.label], cache=cache)
    assert row is not None
    assert row.label == "a file"
    (statement,) = asked.statements
    assert "label" in statement
    assert "since" not in statement
    with pytest.raises(DetachedInstanceError):
        _ = row.since
    assert await asked.house.select(select(MarketFeedRow.label).where(condition), cache=cache) == [("a file",)]


async def test_a_cached_read_asks_again_only_when_its_time_is_over(asked: Asked) -> None:
    """EXD-3, EXD-4: 60 seconds fresh, 10 more stale and refreshed behind the reader."""
    house, clock, statements = asked
    await house.insert(feed("BTCUSDT", "old"))
    label = select(MarketFeedRow.label)
    assert await house.select(label, cache=MINUTE) == [("old",)]
    async with house.transaction() as session:
        await session.execute(update(MarketFeedRow).values(label="new"))
    statements.clear()
    clock[0] = 59.9
    assert await house.select(label, cache=MINUTE) == [("old",)]
    assert statements == []
    clock[0] = 60
    assert await house.select(label, cache=MINUTE) == [("old",)]

    async def is_refreshed() -> bool:
        return await house.select(label, cache=MINUTE) == [("new",)]

    await eventually(is_refreshed)
    assert len(statements) == 1
    clock[0] = 60 + 70
    assert await house.select(label, cache=MINUTE) == [("new",)]
    assert len(statements) == 2


async def test_many_who_miss_at_once_make_one_query(asked: Asked) -> None:
    """EXD-3."""
    await asked.house.insert(feed("BTCUSDT"))
    asked.statements.clear()
    reads = [asked.house.select(select(func.count()).select_from(MarketFeedRow), cache=MINUTE) for _ in range(200)]
    assert await asyncio.gather(*reads) == [[(1,)]] * 200
    assert len(asked.statements) == 1


async def test_what_a_caller_does_to_a_row_shows_nowhere_else(asked: Asked) -> None:
    house = asked.house
    async with house.transaction() as session:
        await enqueue(await session.connection(), "t", "k", {"user": [1]})
    whole, body = select(OutboxRow), select(OutboxRow.body, OutboxRow.topic)
    for _ in range(2):
        ((row,),) = await house.select(whole, cache=MINUTE)
        assert (row.topic, row.body) == ("t", {"user": [1]})
        row.topic = "changed"
        row.body["user"].append(2)
        ((read, topic),) = await house.select(body, cache=MINUTE)
        assert (read, topic) == ({"user": [1]}, "t")
        read["user"].clear()


async def test_a_cached_answer_never_reaches_another_user(asked: Asked) -> None:
    """The key holds every bound parameter: the same statement for another symbol is another read."""
    house = asked.house
    for symbol in ("AUSDT", "BUSDT"):
        await house.insert(feed(symbol, f"of {symbol}"))

    async def label(symbol: str) -> str:
        row = await house.find(MarketFeedRow, MarketFeedRow.symbol == symbol, cache=MINUTE)
        assert row is not None
        return row.label

    for _ in range(2):
        assert [await label(symbol) for symbol in ("AUSDT", "BUSDT")] == ["of AUSDT", "of BUSDT"]


async def test_a_wrong_word_never_reaches_the_database(asked: Asked) -> None:
    """EXD-5: in an insert as in a condition."""
    wrong = feed("BTCUSDT")
    wrong.source = "bybit"  # type: ignore[assignment] # mypy refuses it too; this is for those who do not run it
    with pytest.raises(WrongWordError, match="bybit"):
        await asked.house.insert(wrong)
    with pytest.raises(WrongWordError, match="btcusdt"):
        await asked.house.find(MarketFeedRow, MarketFeedRow.symbol == "btcusdt", cache=MINUTE)
    assert asked.statements == []


async def test_a_transaction_that_raises_leaves_nothing(asked: Asked) -> None:
    async def insert_and_fail() -> None:
        async with asked.house.transaction() as session:
            session.add(feed("BTCUSDT"))
            await session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await insert_and_fail()
    assert await asked.house.find(MarketFeedRow) is None
    await asked.house.insert(feed("BTCUSDT"))
    with pytest.raises(IntegrityError):
        await asked.house.insert(feed("BTCUSDT"))


async def test_the_database_away_is_unavailable_and_what_is_kept_still_serves(asked: Asked) -> None:
    house, clock, _ = asked
    await house.insert(feed("BTCUSDT"))
    label = select(MarketFeedRow.label)
    await house.select(label, cache=MINUTE)
    async with house.transaction():  # it holds the only connection
        clock[0] = 69
        assert await house.select(label, cache=MINUTE) == [("a file",)]
        clock[0] = 70
        with pytest.raises(DatabaseUnavailableError):
            await house.select(label, cache=MINUTE)
    assert await house.select(label, cache=MINUTE) == [("a file",)]


def test_without_a_house_the_first_use_says_so(tmp_path: Path) -> None:
    """EXD-1: importing and making a session asks for nothing; using one does."""
    house = HouseSession(lambda: Settings(data_dir=tmp_path))
    with pytest.raises(UserError, match="start one with `fondaco up`, or set DATABASE_URL"):
        asyncio.run(house.select(select(MarketFeedRow)))


def test_connections_follow_to_the_next_event_loop_but_not_into_two(database_url: str) -> None:
    house = HouseSession(lambda: Settings(database_url=database_url))

    async def rows() -> int:
        return len(await house.select(select(MarketFeedRow), cache=MINUTE))

    assert [asyncio.run(rows()), asyncio.run(rows())] == [0, 0]
    assert run(rows()) == 0
    with pytest.raises(OtherLoopError, match="stay in one"):
        asyncio.run(rows())
    run(house.close())
