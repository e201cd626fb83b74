"""History for the first start of a replay: closed 1m candles of before the recording, told as prints.

Where the folder has a recorded 1m candle file of the same market that reaches up to the recording's first minute, its
candles are used; otherwise the recording's own minutes, repeated backwards. Each candle becomes up to four prints,
open, the two extremes, close, such that the candle folded from them equals it in open, high, low, close and volume.
Prints are numbered downwards from the recording's first trade id, so the series has no gap where the two meet; where
that id leaves no room, as at a market's very first trades, the oldest minutes are left out.

Candle files hold the shortest decimal text of a float64. They are read as decimal text, never as float; digits of a
volume beyond the asset's scale are cut off. A minute without volume, or with fewer atoms of it than prints, had no
trade that could be told and is left out.
"""

import gzip
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog

from fondaco.core.candles import MINUTE_US, Candle, TickColumns, fold_minutes
from fondaco.core.listings import Instrument
from fondaco.core.money import AmountProblem, parse_positive_atoms
from fondaco.market.feeds.recordings import UNREADABLE, whole_number

log = structlog.get_logger()

PRINT_OFFSETS_US = (0, 20_000_000, 40_000_000, 59_999_000)
"""Where in its minute each of a candle's prints stands."""


class Minute(NamedTuple):
    """A closed 1m candle, in atoms."""

    open_time_us: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class _Print(NamedTuple):
    time_us: int
    price: int
    quantity: int
    buyer_is_maker: bool


def prints_of(minute: Minute) -> list[_Print]:
    """Tell a candle as prints: up moves taken by buyers, down moves by sellers. Empty when the volume is too small."""
    extremes = (minute.low, minute.high) if minute.close >= minute.open else (minute.high, minute.low)
    path = (minute.open, *extremes, minute.close)
    # A price that stays is no print of its own.
    prices = [price for at, price in enumerate(path) if at == 0 or price != path[at - 1]]
    if minute.volume < len(prices):
        return []
    share, rest = divmod(minute.volume, len(prices))
    quantities = [share] * (len(prices) - 1) + [share + rest]
    before = [minute.open, *prices]
    return [
        _Print(minute.open_time_us + offset_us, price, quantity, price < previous)
        for offset_us, price, quantity, previous in zip(PRINT_OFFSETS_US, prices, quantities, before, strict=False)
    ]


def history_columns(minutes: Sequence[Minute], *, first_trade_id: int) -> TickColumns:
    """The prints of minutes in order of time, numbered so that ``first_trade_id`` follows the last of them."""
    told = deque(prints_of(minute) for minute in minutes)
    count = sum(map(len, told))
    while count > first_trade_id:
        count -= len(told.popleft())
    prints = [each for minute in told for each in minute]
    return TickColumns(
        np.array([each.time_us for each in prints], np.int64),
        np.arange(first_trade_id - len(prints), first_trade_id, dtype=np.int64),
        np.array([each.price for each in prints], np.int64),
        np.array([each.quantity for each in prints], np.int64),
        np.array([each.buyer_is_maker for each in prints], np.bool_),
    )


def recorded_minutes(
    folder: Path, instrument: Instrument, *, market: str, before_us: int, wanted: int
) -> list[Minute] | None:
    """The last minutes before a moment from a candle file in the folder; None when no file has them all."""
    for path in sorted(folder.glob(f"binance_{market}_{instrument.symbol.lower()}_1m_*.csv*")):
        try:
            minutes = _last_minutes(path, instrument, before_us=before_us, wanted=wanted)
        except UNREADABLE as error:
            # The recording itself is well, and there is another way to a history.
            log.warning("history.candles_unreadable", path=str(path), error=str(error))
            continue
        if len(minutes) == wanted and minutes[-1].open_time_us == before_us - MINUTE_US:
            return list(minutes)
    return None


def _last_minutes(path: Path, instrument: Instrument, *, before_us: int, wanted: int) -> deque[Minute]:
    minutes: deque[Minute] = deque(maxlen=wanted)
    for minute in _read_minutes(path, instrument):
        if minute.open_time_us >= before_us:
            break
        if prints_of(minute):
            minutes.append(minute)
    return minutes


def own_minutes(columns: TickColumns, *, first_minute_us: int, span_us: int, wanted: int) -> list[Minute]:
    """The recording's minutes as they were if it had looped before its beginning, the last ``wanted`` of them."""
    # The end of one loop and the beginning of the next share a minute: laid out on one span, they join.
    looped_us = first_minute_us - span_us + (columns.time_us - first_minute_us) % span_us
    folded = sorted(fold_minutes(columns._replace(time_us=looped_us)).items(), reverse=True)
    loops = -(-wanted // len(folded))
    minutes = [
        _minute(open_time_us - loop * span_us, candle) for loop in range(loops) for open_time_us, candle in folded
    ]
    return minutes[:wanted][::-1]


def _minute(open_time_us: int, candle: Candle) -> Minute:
    return Minute(open_time_us, candle.open, candle.high, candle.low, candle.close, candle.volume)


def _read_minutes(path: Path, instrument: Instrument) -> Iterator[Minute]:
    is_gzip = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="ascii") if is_gzip else path.open(encoding="ascii") as file:
        for line in file:
            minute = _read_minute(line.strip().split(","), instrument)
            if minute is not None:
                yield minute


def _read_minute(row: Sequence[str], instrument: Instrument) -> Minute | None:
    """Read a candle row; None for the header and for a row that is no possible candle."""
    time_ms = whole_number(row[0]) if len(row) == len(Minute._fields) else None
    if time_ms is None:
        return None
    *prices, volume = row[1:]
    open_, high, low, close = (parse_positive_atoms(text, instrument.price_scale) for text in prices)
    atoms = parse_positive_atoms(cut_decimals(volume, instrument.quantity_scale), instrument.quantity_scale)
    values = (open_, high, low, close, atoms)
    if any(isinstance(value, AmountProblem) for value in values):
        return None
    minute = Minute(time_ms * 1000, *(int(value) for value in values))
    is_possible = minute.low <= min(minute.open, minute.close) and max(minute.open, minute.close) <= minute.high
    return minute if is_possible else None


def cut_decimals(text: str, scale: int) -> str:
    """Leave out the decimals of a plain number beyond a scale."""
    whole, point, fraction = text.partition(".")
    return f"{whole}.{fraction[:scale]}" if point and fraction[:scale] else whole
