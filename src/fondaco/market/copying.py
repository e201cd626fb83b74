"""Ticks as PostgreSQL's binary COPY rows, built by numpy for a whole batch at once.

Within one series (source and symbol) every row of ``ticks`` has the same width, so a batch is one structured array
whose memory *is* the wire format. A row at a time through Python costs ten times as much.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fondaco.core.candles import TickColumns

COLUMNS: Final = ("source", "symbol", "time", "trade_id", "price", "quantity", "buyer_is_maker", "received_at")
POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""PostgreSQL counts timestamps from 2000-01-01."""

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"


class SeriesTicks(NamedTuple):
    """Ticks of one series, ready to store. ``received_us`` stands beside the columns that candles need."""

    source: str
    symbol: str
    columns: TickColumns
    received_us: npt.NDArray[np.int64]


def copy_body(series: list[SeriesTicks]) -> bytes:
    """The whole body of a binary COPY into the columns `COLUMNS`."""
    return b"".join([HEADER, *(_rows(each).tobytes() for each in series), TRAILER])


def _rows(series: SeriesTicks) -> npt.NDArray[np.void]:
    source, symbol = series.source.encode(), series.symbol.encode()
    rows = np.zeros(len(series.received_us), _row_type(len(source), len(symbol)))
    rows["fields"] = len(COLUMNS)
    columns = {
        "source": source,
        "symbol": symbol,
        "time": series.columns.time_us - POSTGRES_EPOCH_US,
        "trade_id": series.columns.trade_id,
        "price": series.columns.price,
        "quantity": series.columns.quantity,
        "buyer_is_maker": series.columns.buyer_is_maker,
        "received_at": series.received_us - POSTGRES_EPOCH_US,
    }
    for name, values in columns.items():
        rows[f"{name}_bytes"] = rows.dtype[name].itemsize
        rows[name] = values
    return rows


def _row_type(source_bytes: int, symbol_bytes: int) -> np.dtype[np.void]:
    """A row: the number of fields, then each field's length in bytes and its value, big-endian."""
    widths = {
        "source": f"S{source_bytes}",
        "symbol": f"S{symbol_bytes}",
        "time": ">i8",
        "trade_id": ">i8",
        "price": ">i8",
        "quantity": ">i8",
        "buyer_is_maker": ">i1",
        "received_at": ">i8",
    }
    fields = [("fields", ">i2")]
    for name in COLUMNS:
        fields += [(f"{name}_bytes", ">i4"), (name, widths[name])]
    return np.dtype(fields)
