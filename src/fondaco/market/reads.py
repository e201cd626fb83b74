"""What readers see of the market: the queries behind the HTTP API and the streams.

A reader sees one source per symbol, the one that ``market_feeds`` names. Every query here is one indexed statement with
bound parameters; text of a caller never becomes part of it. Rows come back as plain tuples of whole numbers: what they
look like on a wire is the gateway's business.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.candles import Timeframe
from fondaco.infra.database import PsycopgConnection
from fondaco.market.candles import stored_candle
from fondaco.market.messages import Source, StoredCandle
from fondaco.market.partitions import moment
from fondaco.market.tables import CandleRow

FIRST_US = 0
END_US = 253_402_300_799_000_000
"""1970 and the last second of 9999: the bounds of a range that names none."""


class CurrentFeed(NamedTuple):
    """The source that readers of a symbol see, and its label for people."""

    symbol: str
    source: str
    label: str


class Range(NamedTuple):
    """Which rows: from ``from_us`` (inclusive) to ``to_us`` (exclusive), the newest ``limit`` of them."""

    from_us: int
    to_us: int
    limit: int


Bar: TypeAlias = tuple[int, int, int, int, int, str]
"""A candle for the chart of EXP-40: open time in seconds, open, high, low, close, volume. A plain tuple, as the driver
makes it: there are a thousand in an answer. The volume is the text of a whole number: it may go beyond 64 bits."""


class FullBar(NamedTuple):
    """A candle with everything that the chart of the terminal shows."""

    open_s: int
    close_s: int
    open: int
    high: int
    low: int
    close: int
    volume: Decimal
    quote_volume: Decimal
    trades: int
    gap: bool


class Print(NamedTuple):
    """A trade print of an outside market."""

    trade_id: int
    time: datetime
    price: int
    quantity: int
    buyer_is_maker: bool


class Price(NamedTuple):
    """Quote and day statistics of a symbol at a moment."""

    symbol: str
    source: str
    timestamp: datetime
    last: int
    bid: int
    ask: int
    mid: int
    spread: int
    volume: Decimal
    volume_24h: Decimal
    high_24h: int
    low_24h: int
    change_24h: int
    change_percent_24h: Decimal


class MissingTrades(NamedTuple):
    """A gap in a symbol's trade ids."""

    symbol: str
    source: str
    after_trade_id: int
    before_trade_id: int
    missing: int
    from_time: datetime
    to_time: datetime
    detected_at: datetime
    filled_at: datetime | None
    absent: int
    attempts: int
    tried_at: datetime | None
    problem: str | None


_SOURCE = text("SELECT source FROM market_feeds WHERE symbol = :symbol")
_FEEDS = text("SELECT symbol, source, label FROM market_feeds ORDER BY symbol")

_RECENT_BARS: Final = """
    SELECT extract(epoch FROM open_time)::int8, open, high, low, close, volume::text FROM candles
    WHERE source = (SELECT source FROM market_feeds WHERE symbol = %(symbol)s)
        AND symbol = %(symbol)s AND timeframe = %(timeframe)s
    ORDER BY open_time DESC LIMIT %(limit)s
    """

_BARS = text(
    """
    WITH lost AS (
        SELECT range_agg(tstzrange(from_time, to_time, '[]')) AS spans FROM gaps
        WHERE source = :source AND symbol = :symbol AND filled_at IS NULL AND from_time < :to AND to_time >= :from
    )
    SELECT extract(epoch FROM open_time)::int8, extract(epoch FROM close_time)::int8, open, high, low, close,
        volume, quote_volume, trades, coalesce(spans && tstzrange(open_time, close_time), false)
    FROM candles, lost
    WHERE source = :source AND symbol = :symbol AND timeframe = :timeframe
        AND open_time >= :from AND open_time < :to
    ORDER BY open_time DESC LIMIT :limit
    """
)

_PRINTS = text(
    """
    SELECT trade_id, time, price, quantity, buyer_is_maker FROM ticks
    WHERE source = :source AND symbol = :symbol AND trade_id < :before_id
        AND time >= :from AND time < least(:to, coalesce((
            SELECT close_time + interval '1 minute' FROM candles
            WHERE source = :source AND symbol = :symbol AND timeframe = '1m' AND first_trade_id < :before_id
            ORDER BY open_time DESC LIMIT 1
        ), :from))
    ORDER BY time DESC, trade_id DESC LIMIT :limit
    """
)
"""Ticks have no index on the id; the minutes know when it was, so a page deep in history does not walk all later ticks.
The minute of slack is for ids that came out of order."""

_PRICES = text(
    """
    SELECT f.symbol, f.source, p.timestamp, p.last, p.bid, p.ask, p.mid, p.spread, p.volume, p.volume_24h,
        p.high_24h, p.low_24h, p.change_24h, p.change_percent_24h
    FROM market_feeds f CROSS JOIN LATERAL (
        SELECT * FROM prices WHERE source = f.source AND symbol = f.symbol ORDER BY timestamp DESC LIMIT 1
    ) p
    WHERE f.symbol = ANY(:symbols) ORDER BY f.symbol
    """
)

_GAPS = text(
    """
    SELECT g.symbol, g.source, g.after_trade_id, g.before_trade_id, g.missing, g.from_time, g.to_time, g.detected_at,
        g.filled_at, g.absent, g.attempts, g.tried_at, g.problem
    FROM market_feeds f JOIN gaps g ON g.source = f.source AND g.symbol = f.symbol
    WHERE f.symbol = ANY(:symbols) AND (g.filled_at IS NULL) = coalesce(CAST(:open AS boolean), g.filled_at IS NULL)
    ORDER BY g.from_time DESC, g.symbol, g.after_trade_id DESC LIMIT :limit
    """
)

_CANDLES = CandleRow.__table__


async def current_feeds(connection: AsyncConnection) -> list[CurrentFeed]:
    """Every symbol that ever had a feed, with the source that readers see."""
    return [CurrentFeed(*row) for row in await connection.execute(_FEEDS)]


async def current_source(connection: AsyncConnection, symbol: str) -> Source | None:
    """The source that readers of a symbol see, or None while no feed brought it."""
    found = (await connection.execute(_SOURCE, {"symbol": symbol})).scalar()
    return None if found is None else Source(found)


async def recent_bars(connection: PsycopgConnection, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
    """The newest bars of a symbol, oldest first (EXP-42, EXP-43). The busiest query, so it goes straight to psycopg."""
    wanted = {"symbol": symbol, "timeframe": timeframe.value, "limit": limit}
    rows: list[Bar] = await (await connection.execute(_RECENT_BARS, wanted)).fetchall()
    rows.reverse()
    return rows


async def bars(
    connection: AsyncConnection, source: Source, symbol: str, timeframe: Timeframe, wanted: Range
) -> list[FullBar]:
    """The newest bars that open in a range, oldest first; each says whether trades are known to be missing in it."""
    rows = await connection.execute(
        _BARS,
        {"source": source.value, "symbol": symbol, "timeframe": timeframe.value, **_bounds(wanted)},
    )
    return [FullBar(*row) for row in reversed(rows.all())]


async def prints(
    connection: AsyncConnection, source: Source, symbol: str, wanted: Range, *, before_id: int
) -> list[Print]:
    """The newest trade prints of a range with an id below ``before_id``, newest first."""
    rows = await connection.execute(
        _PRINTS, {"source": source.value, "symbol": symbol, "before_id": before_id, **_bounds(wanted)}
    )
    return [Print(*row) for row in rows]


async def latest_prices(connection: AsyncConnection, symbols: Sequence[str]) -> list[Price]:
    """The newest price row of each of these symbols."""
    return [Price(*row) for row in await connection.execute(_PRICES, {"symbols": list(symbols)})]


async def missing_trades(
    connection: AsyncConnection, symbols: Sequence[str], *, is_open: bool | None, limit: int
) -> list[MissingTrades]:
    """The newest gaps of these symbols: the open ones, the filled ones, or (None) both."""
    rows = await connection.execute(_GAPS, {"symbols": list(symbols), "open": is_open, "limit": limit})
    return [MissingTrades(*row) for row in rows]


async def latest_candles(
    connection: AsyncConnection, source: Source, symbol: str, timeframe: Timeframe, limit: int
) -> list[StoredCandle]:
    """The newest candles of a series in full, newest first: what a live board starts from."""
    rows = await connection.execute(
        _CANDLES.select()
        .where(
            _CANDLES.c.source == source.value,
            _CANDLES.c.symbol == symbol,
            _CANDLES.c.timeframe == timeframe.value,
        )
        .order_by(_CANDLES.c.open_time.desc())
        .limit(limit)
    )
    return [stored_candle(row) for row in rows]


async def is_alive(connection: AsyncConnection) -> None:
    """Ask the database for nothing; raises `DatabaseUnavailableError` through the transaction when it is away."""
    await connection.execute(text("SELECT 1"))


def _bounds(wanted: Range) -> dict[str, object]:
    return {"from": moment(wanted.from_us), "to": moment(wanted.to_us), "limit": wanted.limit}
