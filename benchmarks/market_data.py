"""Ticks for the benchmarks: the recorded day of BTCUSDT where it lies beside the checkout, else a seeded walk."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fondaco.core.candles import TickColumns
from fondaco.core.listings import Catalogue, instrument
from fondaco.infra.settings import Settings
from fondaco.market.copying import SeriesTicks
from fondaco.market.feeds.recordings import load_recording
from fondaco.market.messages import Source, Tick, TickBatch, encode_entry

RECORDING = "binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz"
START_US = 1_723_161_254_000_000


def described() -> str:
    """Which data there are, for the details of a figure."""
    return f"recorded {RECORDING}, looped" if _path().exists() else "seeded walk"


def loop_of_ticks(count: int) -> list[Tick]:
    """That many ticks with contiguous ids, the recording over and over."""
    once = list(_recorded()) if _path().exists() else list(_walk(20_000))
    span_us = once[-1].time_us - once[0].time_us + 1_000_000
    ticks = []
    for number in range(count):
        loop, at = divmod(number, len(once))
        tick = once[at]
        time_us = tick.time_us + loop * span_us
        ticks.append(Tick(number + 1, time_us, tick.price, tick.quantity, tick.buyer_is_maker, time_us))
    return ticks


def entries(ticks: list[Tick], symbol: str, per_entry: int) -> list[bytes]:
    """Ticks as the bus carries them."""
    batches = (ticks[start : start + per_entry] for start in range(0, len(ticks), per_entry))
    return [encode_entry(TickBatch(Source.BINANCE, symbol, tuple(batch))) for batch in batches]


def seeded_columns(symbol: str, first: int, count: int, *, gap_us: int) -> SeriesTicks:
    """A stretch of a seeded walk as columns, for filling large tables."""
    random = np.random.default_rng(first)
    number = np.arange(first, first + count)
    price = 6_000_000_000_000 + 1_000_000 * np.cumsum(random.integers(-50, 51, count))
    time_us = START_US + number * gap_us
    quantity = random.integers(1_000, 10_000_000, count)
    columns = TickColumns(time_us, number + 1, price, quantity, random.integers(0, 2, count).astype(np.bool_))
    return SeriesTicks(Source.BINANCE.value, symbol, columns, time_us)


def _path() -> Path:
    return Settings().recorded_data / RECORDING


def _recorded() -> Iterator[Tick]:
    catalogue = Catalogue([instrument("BTC/USDT", {})])
    return _ticks(load_recording(_path(), catalogue, received_us=START_US).series["BTCUSDT"])


def _walk(count: int) -> Iterator[Tick]:
    return _ticks(seeded_columns("BTCUSDT", 0, count, gap_us=33_000).columns)


def _ticks(columns: TickColumns) -> Iterator[Tick]:
    for time_us, trade_id, price, quantity, is_maker in zip(*(each.tolist() for each in columns), strict=True):
        yield Tick(trade_id, time_us, price, quantity, is_maker, time_us)
