"""The words of the stream: what a client may say, the channels there are, and the frames that it gets.

Frames are JSON text. A frame of a channel is encoded once and the same text goes to every subscriber.
docs/stream.md describes the protocol, docs/errors.md its error codes.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgspec

from fondaco.core.candles import Timeframe
from fondaco.core.listings import Catalogue
from fondaco.market.messages import Source

ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "bad_json": "Send JSON text; the connection stays open.",
        "bad_message": "Send an object with `op` and the fields that docs/stream.md lists for it.",
        "binary_message": "Send text frames; binary ones are not read.",
        "message_too_long": "Send shorter messages, such as several subscribe messages; the stream closes with 1009.",
        "unknown_channel": "Channels are ticks:SYMBOL, candles:SYMBOL:TIMEFRAME, prices:SYMBOL and feed.",
        "unknown_symbol": "`GET /api/v1/symbols` lists the symbols of this house.",
        "unknown_timeframe": "Use one of 1m, 2m, 5m, 10m, 15m, 1h, 4h, 1d, 1w.",
        "too_many_subscriptions": "Unsubscribe from some channels, or open a second connection.",
        "too_many_connections": "The server has no room for another stream (close code 1013); try again later.",
        "going_away": "The server stops (close code 1001); connect again.",
    }
)
"""Every error code of the stream, with the sentence that docs/errors.md explains it with."""

MAX_SHOWN_CHARS = 60


class StreamError(Exception):
    """A message of a client that is refused by name; the connection stays."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        assert code in ERRORS
        self.code = code
        self.message = message


RequestId: TypeAlias = int | str | None


class Subscribe(msgspec.Struct, frozen=True, tag_field="op", tag="subscribe"):
    """Begin to listen; every channel answers with a snapshot, also one that was subscribed already."""

    channels: list[str]
    id: RequestId = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="op", tag="unsubscribe"):
    """Stop listening."""

    channels: list[str]
    id: RequestId = None


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping"):
    """Ask for a pong."""

    id: RequestId = None


ClientMessage: TypeAlias = Subscribe | Unsubscribe | Ping

_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(Subscribe | Unsubscribe | Ping)


def decode(text: str | None) -> ClientMessage:
    """Read a client's message, or refuse it by name. None is a binary frame."""
    if text is None:
        raise StreamError("binary_message", "This stream reads text frames only.")
    try:
        return _client_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise StreamError("bad_message", f"{error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise StreamError("bad_json", f"{error}.") from error


class Kind(StrEnum):
    """The kinds of channels."""

    TICKS = "ticks"
    CANDLES = "candles"
    PRICES = "prices"
    FEED = "feed"


class Channel(NamedTuple):
    """A channel. Only candles have a timeframe, only the feed has no symbol."""

    kind: Kind
    symbol: str = ""
    timeframe: Timeframe | None = None

    @property
    def name(self) -> str:
        """How it is written, such as ``candles:BTCUSDT:1m``."""
        return ":".join([each for each in self if each])


FEED = Channel(Kind.FEED)

_TIMEFRAMES: Mapping[str, Timeframe] = MappingProxyType({each.value: each for each in Timeframe})


def parse_channel(name: str, catalogue: Catalogue) -> Channel:
    """Read a channel's name, or refuse it by name. Symbols are read in every spelling."""
    kind, *rest = name.split(":")
    if (kind, len(rest)) not in {("ticks", 1), ("prices", 1), ("candles", 2), ("feed", 0)}:
        raise StreamError("unknown_channel", f"{_shown(name)} is no channel. {ERRORS['unknown_channel']}")
    if kind == Kind.FEED:
        return FEED
    instrument = catalogue.get(rest[0])
    if instrument is None:
        raise StreamError("unknown_symbol", f"{_shown(rest[0])} is none of {', '.join(catalogue.symbols)}.")
    if kind != Kind.CANDLES:
        return Channel(Kind(kind), instrument.symbol)
    timeframe = _TIMEFRAMES.get(rest[1])
    if timeframe is None:
        raise StreamError("unknown_timeframe", f"{_shown(rest[1])} is none of {', '.join(_TIMEFRAMES)}.")
    return Channel(Kind.CANDLES, instrument.symbol, timeframe)


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…")


class TickItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trade print on the wire: an array, because there are many."""

    id: int
    time_ms: int
    price: str
    quantity: str
    side: str


class CandleItem(msgspec.Struct, frozen=True, gc=False):
    """A candle on the wire; time in whole Unix seconds."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    closed: bool


class PriceItem(msgspec.Struct, frozen=True):
    """A quoted price."""

    symbol: str
    last: str
    bid: str
    ask: str
    time_ms: int


class FeedItem(msgspec.Struct, frozen=True):
    """The feed that runs now."""

    source: Source
    label: str
    symbols: tuple[str, ...]
    connected: bool
    since_ms: int


Data: TypeAlias = Sequence[TickItem] | Sequence[CandleItem] | PriceItem | FeedItem | None
"""What a channel carries; None is a price or a feed that nobody knows yet."""


class Snapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    """The whole state of a channel. Updates go on from its ``seq``."""

    channel: str
    seq: int
    source: Source | None
    data: Data


class Update(msgspec.Struct, frozen=True, tag_field="type", tag="update", omit_defaults=True):
    """What has changed. ``conflated`` frames were merged into this one, ``dropped`` ticks are missing from it."""

    channel: str
    seq: int
    data: Data
    conflated: int = 0
    dropped: int = 0


class Subscribed(msgspec.Struct, frozen=True, tag_field="type", tag="subscribed"):
    """The channels of a subscribe message, as the server spells them."""

    id: RequestId
    channels: list[str]


class Unsubscribed(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribed"):
    """The channels of an unsubscribe message, as the server spells them."""

    id: RequestId
    channels: list[str]


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    id: RequestId


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A message that was refused; ``id`` is null where it could not be read."""

    id: RequestId
    code: str
    message: str


_encoder = msgspec.json.Encoder()


def encode(frame: msgspec.Struct) -> bytes:
    """Write a frame as JSON."""
    return _encoder.encode(frame)


def merge_updates(older: Update, newer: Update, *, max_ticks: int) -> tuple[Update, int]:
    """Merge two updates of one channel for a slow reader; says how many ticks gave way.

    Ticks are kept, the newest ``max_ticks`` of them; of candles, prices and feeds the newest state is what counts.
    """
    data: Any = newer.data
    gave_way = 0
    if isinstance(newer.data, list) and isinstance(older.data, list):
        if newer.data and isinstance(newer.data[0], CandleItem):
            bars = {each.time: each for each in [*older.data, *newer.data]}
            data = [bars[time] for time in sorted(bars)]
        else:
            both = [*older.data, *newer.data]
            gave_way = max(0, len(both) - max_ticks)
            data = both[gave_way:]
    merged = Update(
        newer.channel,
        newer.seq,
        data,
        (older.conflated or 1) + (newer.conflated or 1),
        older.dropped + newer.dropped + gave_way,
    )
    return merged, gave_way
