"""Recorded trades: files of several formats, plain or gzipped, read into columns of whole numbers.

| format | how it is recognised | symbol |
|---|---|---|
| raw WebSocket lines ``{"recv_ns":…,"msg":…}`` | the first line | each message's |
| Binance trades csv, with or without header | the header, or 7 columns | the file's name |
| Binance aggregate trades csv, with or without header | the header, or 8 columns | the file's name |
| Tardis trades csv | the header | each row's |

A file is streamed; no line of it is kept but those that are refused, and of them only the first `MAX_REFUSED`. Symbols
that are not in the catalogue are passed over: a recording may hold more than the house lists. The ticks of a symbol
come out in order of trade id, each id once (a recording may hold a message twice).
"""

import gzip
import re
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import msgspec
import numpy as np

from fondaco.core.candles import TickColumns
from fondaco.core.listings import Catalogue
from fondaco.market.feeds.port import FeedError
from fondaco.market.messages import Refused, Source, Tick
from fondaco.market.normalise import Misfit, PrintText, refuse, to_tick
from fondaco.wire.binance import FrameProblem, decode_print

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Longest line that is read as one: a depth snapshot is the longest that a recording holds."""
MAX_REFUSED = 1_000
"""Refused lines of one file that are kept; more are only counted."""
MAX_TICKS = 20_000_000
"""Most ticks of one file: they are held in memory, 33 bytes each."""
MICROSECONDS_FROM = 10**14
"""Binance's files of 2025 and later count microseconds: 1973 as those, the year 5138 as milliseconds."""
MAX_NAMED_SYMBOLS = 10
"""Unlisted symbols of a file that an error names."""
MAX_DIGITS = 19
"""Longest whole number in a csv field."""

_GZIP_MAGIC = b"\x1f\x8b"
_FILE_NAME = re.compile(
    r"^[a-z]+_(?P<market>spot|usdm)_(?P<symbol>[a-z0-9]+)_|^(?P<public>[A-Z0-9]+)-(?:trades|aggTrades)-"
)
_BOOLEANS: Mapping[str, bool] = {"true": True, "True": True, "false": False, "False": False}
_SELLER_TAKES: Mapping[str, bool] = {"sell": True, "buy": False}


UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
"""What reading a file raises when it is missing, torn or no text."""


class RecordingError(FeedError):
    """A file that cannot be replayed."""


class Recording(NamedTuple):
    """The trades of one file, a set of columns for each symbol."""

    market: str
    series: Mapping[str, TickColumns]
    refused: tuple[Refused, ...]
    refused_count: int


class _Found(NamedTuple):
    symbol: str
    text: PrintText


_Outcome: TypeAlias = _Found | str | None
"""What one line holds: a print, the reason why it is none, or nothing of interest."""


class FileName(NamedTuple):
    """What the name of a recording says: its market (``spot`` or ``usdm``) and its symbol."""

    market: str
    symbol: str | None


def read_file_name(path: Path) -> FileName:
    """Read ``binance_spot_btcusdt_…`` (ours) or ``BTCUSDT-trades-…`` (Binance's own)."""
    found = _FILE_NAME.match(path.name)
    if found is None:
        return FileName("spot", None)
    return FileName(found["market"] or "spot", (found["symbol"] or found["public"]).upper())


def load_recording(path: Path, catalogue: Catalogue, *, received_us: int, max_ticks: int = MAX_TICKS) -> Recording:
    """Read a file of recorded trades.

    Raises:
        RecordingError: it is missing, unreadable, too large, of no known format, or holds no trade of a listed symbol.
    """
    reading = _Reading(catalogue, received_us, max_ticks)
    name = read_file_name(path)
    try:
        with path.open("rb") as plain:
            is_gzip = plain.read(2) == _GZIP_MAGIC
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            _read_lines(lines_of(file), reading, path, name)
    except UNREADABLE as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"The recording {path} cannot be read: {detail}.") from error
    return _finish(reading, path, name)


def lines_of(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """Lines of a file, the longest ones in pieces."""
    return iter(partial(file.readline, MAX_LINE_BYTES), b"")


def _read_lines(lines: Iterator[bytes], reading: "_Reading", path: Path, name: FileName) -> None:
    first = next(lines, b"")
    parse = _parser_of(first, path, name)
    if first[:1].isdigit() or first.startswith(b"{"):
        reading.take(first, parse(first))
    for line in lines:
        reading.take(line, parse(line))
        if reading.count > reading.max_ticks:
            raise RecordingError(f"The recording {path} holds more than {reading.max_ticks:,} trades; cut it up.")


def _finish(reading: "_Reading", path: Path, name: FileName) -> Recording:
    if not reading.series:
        passed_over = f"; it holds {', '.join(sorted(reading.unlisted))}" if reading.unlisted else ""
        listed = ", ".join(reading.catalogue.symbols)
        raise RecordingError(f"The recording {path} holds no trade of the listed pairs ({listed}){passed_over}.")
    series = {symbol: columns.in_order() for symbol, columns in sorted(reading.series.items())}
    return Recording(name.market, series, tuple(reading.refused), reading.refused_count)


def _parser_of(first: bytes, path: Path, name: FileName) -> Callable[[bytes], _Outcome]:
    """Recognise the format by the first line."""
    if first.startswith(b"{") and b'"msg"' in first:
        return _parse_raw
    if first.startswith(b"exchange,symbol,timestamp,"):
        return partial(_parse_csv, read=_read_tardis)
    columns = first.count(b",") + 1 if first[:1].isdigit() else 0
    is_aggregates = first.startswith(b"agg_trade_id,") or columns == _AGGREGATE_COLUMNS
    is_trades = first.startswith(b"id,price,qty,") or columns == _TRADE_COLUMNS
    if not (is_aggregates or is_trades):
        raise RecordingError(
            f"The recording {path} is in no format that can be replayed: raw WebSocket lines, Binance trades or "
            "aggregate trades as csv, or Tardis trades as csv."
        )
    if name.symbol is None:
        raise RecordingError(
            f"The recording {path} does not say its symbol; call it binance_spot_btcusdt_… or BTCUSDT-trades-…."
        )
    places = _AGGREGATE_PLACES if is_aggregates else _TRADE_PLACES
    return partial(_parse_csv, read=partial(_read_binance, symbol=name.symbol, places=places))


class _RawLine(msgspec.Struct, frozen=True):
    msg: msgspec.Raw


_raw_decoder = msgspec.json.Decoder(_RawLine)


def _parse_raw(line: bytes) -> _Outcome:
    if b'rade"' not in line:  # neither "trade" nor "aggTrade" nor a stream of theirs: spares decoding most lines
        return None
    try:
        found = decode_print(_raw_decoder.decode(line).msg)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return FrameProblem.MALFORMED_JSON.value
    if found is None:
        return None
    if isinstance(found, FrameProblem):
        return found.value
    return _Found(
        found.symbol,
        PrintText(found.trade_id, found.time_ms * 1000, found.price, found.quantity, found.buyer_is_maker),
    )


class _Places(NamedTuple):
    """Where a csv row has its trade id, price, quantity, time and maker flag, and how many fields it has at least."""

    trade_id: int
    price: int
    quantity: int
    time: int
    buyer_is_maker: int


_TRADE_PLACES = _Places(trade_id=0, price=1, quantity=2, time=4, buyer_is_maker=5)
_AGGREGATE_PLACES = _Places(trade_id=0, price=1, quantity=2, time=5, buyer_is_maker=6)
_TRADE_COLUMNS = 7
_AGGREGATE_COLUMNS = 8
_TARDIS_COLUMNS = 8


def _parse_csv(line: bytes, *, read: Callable[[list[str]], _Outcome]) -> _Outcome:
    try:
        text = line.decode("ascii").strip()
    except UnicodeDecodeError:
        return FrameProblem.WRONG_TYPE.value
    return read(text.split(",")) if text else None


def _read_binance(row: list[str], *, symbol: str, places: _Places) -> _Outcome:
    if len(row) <= max(places):
        return FrameProblem.MISSING_FIELD.value
    trade_id, time, maker = (
        whole_number(row[places.trade_id]),
        whole_number(row[places.time]),
        row[places.buyer_is_maker],
    )
    if trade_id is None:
        return Misfit.BAD_TRADE_ID.value
    if time is None:
        return Misfit.BAD_TIME.value
    if maker not in _BOOLEANS:
        return FrameProblem.WRONG_TYPE.value
    time_us = time if time >= MICROSECONDS_FROM else time * 1000
    return _Found(symbol, PrintText(trade_id, time_us, row[places.price], row[places.quantity], _BOOLEANS[maker]))


def _read_tardis(row: list[str]) -> _Outcome:
    if len(row) < _TARDIS_COLUMNS:
        return FrameProblem.MISSING_FIELD.value
    _, symbol, time, _, trade_id, side, price, quantity, *_ = row
    id_, time_us = whole_number(trade_id), whole_number(time)
    if id_ is None:
        return Misfit.BAD_TRADE_ID.value
    if time_us is None:
        return Misfit.BAD_TIME.value
    if side not in _SELLER_TAKES:
        return FrameProblem.WRONG_TYPE.value
    return _Found(symbol, PrintText(id_, time_us, price, quantity, _SELLER_TAKES[side]))


def whole_number(text: str) -> int | None:
    """Read a plain whole number; ``int()`` alone also takes signs, spaces, underscores and foreign digits."""
    return int(text) if len(text) <= MAX_DIGITS and text.isascii() and text.isdecimal() else None


class _Columns:
    """Growing columns of one symbol."""

    def __init__(self) -> None:
        self.time_us = array("q")
        self.trade_id = array("q")
        self.price = array("q")
        self.quantity = array("q")
        self.buyer_is_maker = array("b")

    def append(self, tick: Tick) -> None:
        self.time_us.append(tick.time_us)
        self.trade_id.append(tick.trade_id)
        self.price.append(tick.price)
        self.quantity.append(tick.quantity)
        self.buyer_is_maker.append(tick.buyer_is_maker)

    def in_order(self) -> TickColumns:
        """The columns by trade id, the first of each id."""
        trade_id, rows = np.unique(np.frombuffer(self.trade_id, np.int64), return_index=True)
        return TickColumns(
            np.frombuffer(self.time_us, np.int64)[rows],
            trade_id,
            np.frombuffer(self.price, np.int64)[rows],
            np.frombuffer(self.quantity, np.int64)[rows],
            np.frombuffer(self.buyer_is_maker, np.bool_)[rows],
        )


class _Reading:
    """What has been read of a file so far."""

    def __init__(self, catalogue: Catalogue, received_us: int, max_ticks: int) -> None:
        self.catalogue = catalogue
        self.max_ticks = max_ticks
        self.series: dict[str, _Columns] = {}
        self.unlisted: set[str] = set()
        self.count = 0
        self.refused: list[Refused] = []
        self.refused_count = 0
        self._received_us = received_us

    def take(self, line: bytes, outcome: _Outcome) -> None:
        """Add one line's print to its symbol's columns, or keep it as refused."""
        if outcome is None:
            return
        if isinstance(outcome, str):
            self._refuse(line, outcome, None)
            return
        instrument = self.catalogue.by_symbol.get(outcome.symbol)
        if instrument is None:
            if len(self.unlisted) < MAX_NAMED_SYMBOLS:
                self.unlisted.add(outcome.symbol[:MAX_DIGITS])
            return
        tick = to_tick(outcome.text, instrument, received_us=self._received_us)
        if isinstance(tick, str):
            self._refuse(line, tick, instrument.symbol)
            return
        self.series.setdefault(instrument.symbol, _Columns()).append(tick)
        self.count += 1

    def _refuse(self, line: bytes, reason: str, symbol: str | None) -> None:
        self.refused_count += 1
        if len(self.refused) < MAX_REFUSED:
            frame = line.rstrip(b"\r\n")
            self.refused.append(
                refuse(frame, reason, source=Source.REPLAY, symbol=symbol, received_us=self._received_us)
            )
