"""Our candles of recorded trades are the exchange's own, and a day that overflows 64 bits loads and verifies."""

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fondaco.core.candles import MINUTE_US, Timeframe
from fondaco.core.money import parse_positive_atoms
from fondaco.infra.database import Database
from fondaco.market.messages import Tick
from fondaco.market.store import Batch
from support import needs
from support.stored import batch, candles_of, gaps_of, store_all, verified

FIRST_MINUTE_US = 1_723_161_300_000_000
"""2024-08-08 23:55, the first of the ten whole minutes of the recording."""
APRIL_5_US = 1_680_652_800_000_000


def atoms(text: str, scale: int = 8) -> int:
    value = parse_positive_atoms(text, scale)
    assert isinstance(value, int), (text, value)
    return value


def recorded_trades(path: Path) -> Iterator[Tick]:
    """Binance's own layout of daily trade files."""
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            time_us = int(row["time"]) * 1000
            is_maker = row["is_buyer_maker"] == "true"
            yield Tick(int(row["id"]), time_us, atoms(row["price"]), atoms(row["qty"]), is_maker, time_us)


def aggregated_trades(path: Path, quantity_scale: int) -> Iterator[Tick]:
    """Binance's layout of aggregated trades, which has no header."""
    with gzip.open(path, "rt") as lines:
        for aggregate_id, price, quantity, _first, _last, time_ms, is_maker, _best in csv.reader(lines):
            time_us = int(time_ms) * 1000
            quantity_atoms = atoms(quantity, quantity_scale)
            yield Tick(int(aggregate_id), time_us, atoms(price), quantity_atoms, is_maker == "True", time_us)


def recorded_candles(path: Path) -> dict[int, tuple[list[int], Decimal]]:
    """Open, high, low and close in atoms, and the volume, keyed by open time in microseconds."""
    with gzip.open(path, "rt") as lines:
        return {
            int(row["open_time"]) * 1000: (
                [atoms(row[name]) for name in ("open", "high", "low", "close")],
                Decimal(row["volume"]),
            )
            for row in csv.DictReader(lines)
        }


def batches(stored: list[Tick], size: int, symbol: str) -> list[Batch]:
    return [batch(stored[start : start + size], symbol=symbol) for start in range(0, len(stored), size)]


async def test_our_minutes_are_the_recorded_minutes(database: Database) -> None:
    trades = list(recorded_trades(needs.recorded("binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz")))
    theirs = recorded_candles(needs.recorded("binance_spot_btcusdt_1m_2024-07-26_2024-08-25.csv.gz"))
    assert await store_all(database, batches(trades, 700, "BTCUSDT")) == 19_904
    ours = await candles_of(database, Timeframe.M1)
    for minute in range(10):
        open_time_us = FIRST_MINUTE_US + minute * MINUTE_US
        candle, (prices, volume) = ours[open_time_us], theirs[open_time_us]
        assert [candle.open, candle.high, candle.low, candle.close] == prices
        assert abs(Decimal(candle.volume).scaleb(-8) / volume - 1) < Decimal("1e-8")
    assert await gaps_of(database) == []
    assert [week.different for week in await verified(database)] == [0]


async def test_our_five_minutes_are_the_recorded_five_minutes(database: Database) -> None:
    trades = list(recorded_trades(needs.recorded("binance_spot_btcusdt_trades_2023-04-05.csv.gz")))
    theirs = recorded_candles(needs.recorded("binance_spot_btcusdt_5m_2023-01-01_2023-12-30.csv.gz"))
    assert await store_all(database, batches(trades, 100, "BTCUSDT")) == 3_144
    candle = (await candles_of(database, Timeframe.M5))[APRIL_5_US]
    prices, volume = theirs[APRIL_5_US]
    assert [candle.open, candle.high, candle.low, candle.close] == prices
    assert abs(Decimal(candle.volume).scaleb(-8) / volume - 1) < Decimal("1e-8")


@pytest.mark.parametrize("quantity_scale", [2, 8])
async def test_a_day_of_pepe_loads_and_verifies(database: Database, quantity_scale: int) -> None:
    path = needs.recorded("binance_spot_pepeusdt_aggtrades_2024-10-27.csv.gz")
    trades = list(aggregated_trades(path, quantity_scale))
    assert await store_all(database, batches(trades, 10_000, "PEPEUSDT")) == 57_229
    (day,) = (await candles_of(database, Timeframe.D1, "PEPEUSDT")).values()
    assert day.volume == sum(tick.quantity for tick in trades)
    assert (day.volume > 2**63) == (quantity_scale == 8)
    weeks = await verified(database)
    assert sum(week.different for week in weeks) == 0
    assert sum(week.equal for week in weeks) > 1440
