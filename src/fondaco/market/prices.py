"""Rows of ``prices``: at most one per symbol every few seconds, with the quote and the last 24 hours.

``last`` is the newest stored trade, ``bid`` and ``ask`` the quoted prices round it; ``mid`` is halfway between them,
down to the atom, and ``spread`` ask minus bid (BHC-51). ``volume`` is that of the running minute. The 24 hours are the
1m candles that opened within them, and the change is against the first one's open. The house's own markets have no such
rows: nobody quotes them, their book says what is bid and asked.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from fondaco.core.candles import DAY_US, Timeframe
from fondaco.core.money import cut, pay_out
from fondaco.infra.database import Database, PsycopgConnection
from fondaco.market.messages import HOUSE_SOURCES, StoredCandle
from fondaco.market.partitions import moment
from fondaco.market.quotes import Quoter

CAUGHT_UP_US = 60_000_000
"""A series whose newest trade is younger than this has its history in: its first row is due at once."""
MOST_PERCENT = Decimal("999999.9999")
"""What ``change_percent_24h`` can hold; a move beyond it is shown as this."""

_STATISTICS = """
SELECT sum(volume), max(high), min(low), (array_agg(open ORDER BY open_time))[1] FROM candles
WHERE source = %s AND symbol = %s AND timeframe = '1m' AND open_time > %s AND open_time <= %s
"""
_INSERT = """
INSERT INTO prices (
    source, symbol, timestamp, last, bid, ask, mid, spread, volume,
    volume_24h, high_24h, low_24h, change_24h, change_percent_24h
) SELECT %(source)s, %(symbol)s, %(timestamp)s, %(last)s, %(bid)s, %(ask)s, %(mid)s, %(spread)s, %(volume)s,
    %(volume_24h)s, %(high_24h)s, %(low_24h)s, %(change_24h)s, %(change_percent_24h)s
WHERE NOT EXISTS (
    SELECT FROM prices WHERE source = %(source)s AND symbol = %(symbol)s
    AND timestamp > %(timestamp)s::timestamptz - %(every)s AND timestamp < %(timestamp)s::timestamptz + %(every)s
)
ON CONFLICT DO NOTHING
"""
"""Another recorder may have written a row a moment ago; together they keep to the interval."""


class Day(NamedTuple):
    """The last 24 hours of a series: base atoms and quote atoms."""

    volume: Decimal
    high: int
    low: int
    open: int


class PriceWriter:
    """Writes price rows for the symbols that a stored batch moved, each at most every ``every_s`` seconds."""

    def __init__(self, database: Database, quoter: Quoter, *, every_s: float) -> None:
        self._database = database
        self._quoter = quoter
        self._every_us = int(every_s * 1_000_000)
        self._written_us: dict[tuple[str, str], int] = {}
        self._caught_up: set[tuple[str, str]] = set()

    async def write(self, candles: Iterable[StoredCandle], *, now_us: int) -> None:
        """Write a row for each series that is due. Raises `DatabaseUnavailableError`; the next batch tries again."""
        quoted = (each for each in candles if each.source not in HOUSE_SOURCES)
        minutes = sorted((each for each in quoted if each.timeframe is Timeframe.M1), key=_open_time)
        newest = {(each.source.value, each.symbol): each for each in minutes}
        for key, each in newest.items():
            is_caught_up = now_us - each.candle.last_time_us < CAUGHT_UP_US
            if key not in self._written_us or (is_caught_up and key not in self._caught_up):
                self._written_us[key] = now_us - self._every_us if is_caught_up else now_us
            if is_caught_up:
                self._caught_up.add(key)
        # In key order, so that two recorders cannot wait for each other's rows in a circle.
        due = {key: newest[key] for key in sorted(newest) if now_us - self._written_us[key] >= self._every_us}
        if not due:
            return
        async with self._database.driver_transaction() as connection:
            for each in due.values():
                await self._write_one(connection, each)
        self._written_us.update(dict.fromkeys(due, now_us))

    async def _write_one(self, connection: PsycopgConnection, minute: StoredCandle) -> None:
        candle = minute.candle
        bid, ask = self._quoter.bid_and_ask(minute.symbol, candle.close)
        since = moment(candle.last_time_us - DAY_US)
        key = (minute.source.value, minute.symbol)
        cursor = await connection.execute(_STATISTICS, (*key, since, moment(candle.last_time_us)))
        row = await cursor.fetchone()
        assert row is not None, "an aggregate always answers"
        day = Day(*row)
        change = candle.close - day.open
        row_values = {
            "source": minute.source.value,
            "symbol": minute.symbol,
            "timestamp": moment(candle.last_time_us),
            "every": timedelta(microseconds=self._every_us),
            "last": candle.close,
            "bid": bid,
            "ask": ask,
            "mid": pay_out(bid + ask, 2),
            "spread": ask - bid,
            "volume": candle.volume,
            "volume_24h": day.volume,
            "high_24h": day.high,
            "low_24h": day.low,
            "change_24h": change,
            "change_percent_24h": percent(change, day.open),
        }
        await connection.execute(_INSERT, row_values)


def percent(change: int, base: int) -> Decimal:
    """A change in percent, cut to four places, within what the column holds."""
    exact = Decimal(cut(change * 1_000_000, base)).scaleb(-4)
    return max(-MOST_PERCENT, min(MOST_PERCENT, exact))


def _open_time(stored: StoredCandle) -> int:
    return stored.open_time_us
