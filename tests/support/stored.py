"""Reads the market's tables back, in the core's own terms, for comparison with a model."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from fondaco.core.candles import Candle, Timeframe
from fondaco.infra.database import Database
from fondaco.market.candles import stored_candle
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.store import Batch, TickStore
from fondaco.market.tables import CandleRow, GapRow, TickRow
from fondaco.market.verify import WeekVerified, verify_candles

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def batch(*parts: Iterable[Tick], symbol: str = "BTCUSDT", source: Source = Source.BINANCE) -> Batch:
    """A batch of one symbol's ticks, in as many entries as there are parts."""
    return Batch([TickBatch(source, symbol, tuple(part)) for part in parts], [])


async def store_all(database: Database, batches: Iterable[Batch], *, now_us: int = 0) -> int:
    """Store batches one after the other; returns how many ticks were new."""
    store = TickStore(database)
    return sum([(await store.store(each, now_us=now_us)).new_ticks for each in batches])


async def ticks_of(database: Database, symbol: str = "BTCUSDT") -> list[Tick]:
    """Every stored tick of a symbol, by time and id."""
    query = select(TickRow.__table__).where(TickRow.symbol == symbol).order_by(TickRow.time, TickRow.trade_id)
    async with database.transaction() as connection:
        rows = (await connection.execute(query)).all()
    return [Tick(r.trade_id, _us(r.time), r.price, r.quantity, r.buyer_is_maker, _us(r.received_at)) for r in rows]


async def candles_of(
    database: Database, timeframe: Timeframe, symbol: str = "BTCUSDT", source: Source = Source.BINANCE
) -> dict[int, Candle]:
    """Every stored candle of a symbol and timeframe, keyed by open time in microseconds."""
    query = (
        select(CandleRow.__table__)
        .where(CandleRow.symbol == symbol, CandleRow.timeframe == timeframe, CandleRow.source == source)
        .order_by(CandleRow.open_time)
    )
    async with database.transaction() as connection:
        rows = [stored_candle(tuple(row)) for row in (await connection.execute(query)).all()]
    return {row.open_time_us: row.candle for row in rows}


async def gaps_of(database: Database) -> list[tuple[int, int, int, bool]]:
    """Every gap as (after, before, missing, is filled), by id."""
    query = select(GapRow.after_trade_id, GapRow.before_trade_id, GapRow.missing, GapRow.filled_at)
    async with database.transaction() as connection:
        rows = (await connection.execute(query.order_by(GapRow.after_trade_id))).all()
    return [(after, before, missing, filled_at is not None) for after, before, missing, filled_at in rows]


async def verified(database: Database) -> list[WeekVerified]:
    """What `fondaco candles verify` would say, week by week."""
    return [week async for week in verify_candles(database)]


async def execute(database: Database, statement: str, **parameters: object) -> None:
    """Run one statement in its own transaction: to break something on purpose."""
    async with database.transaction() as connection:
        await connection.execute(text(statement), parameters)


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
