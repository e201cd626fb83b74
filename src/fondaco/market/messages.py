"""What travels on the bus between feed, recorder and gateways: one frozen struct per message.

Honest prices go to the stream `TICKS_STREAM` for storage and charts; quoted prices (bid and ask round the honest one)
go to the symbol's channel and to the last-price key, and are all that anyone ever trades at.

Times are whole microseconds since 1970, UTC; prices quote atoms per base unit; quantities base atoms.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from fondaco.core.candles import Candle, Timeframe

TICKS_STREAM = "market.ticks"
RECORDERS = "recorders"
"""The consumer group that stores the stream: an entry is acknowledged only after its ticks are committed."""
STORED_CHANNEL = "market.stored"
FEED_KEY = "market.feed"
FEED_CHANNEL = "market.feed"
FEED_CHANGED = "market.feed_changed"
"""The outbox's topic for another feed: a `FeedState` as JSON."""


def quote_channel(symbol: str) -> str:
    """Channel of a symbol's quoted prices, and the key of its last one (EXP-3, EXP-C6)."""
    return f"market:{symbol}"


class Source(StrEnum):
    """Where a tick came from. Play data never mixes with real history: every table keys on it."""

    BINANCE = "binance"
    REPLAY = "replay"
    SIMULATED = "simulated"
    HOUSE = "house"
    """Trades of the house's own books, with real money."""
    HOUSE_DEMO = "house_demo"
    """The same with play money."""


HOUSE_SOURCES = frozenset({Source.HOUSE, Source.HOUSE_DEMO})
"""What no feed brings. Readers see it only where they name it."""


Atoms = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
"""A price or a quantity: positive, and what a BIGINT holds."""
TradeId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
TimeUs = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000_000)]
"""Up to the year 9999."""
SymbolCode = Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{1,40}$")]


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """One trade print of an outside market. ``time_us`` is the exchange's, ``received_us`` ours."""

    trade_id: TradeId
    time_us: TimeUs
    price: Atoms
    quantity: Atoms
    buyer_is_maker: bool
    received_us: TimeUs


class TickBatch(msgspec.Struct, frozen=True, tag="ticks"):
    """Ticks of one symbol from one read of the wire, in the order received.

    ``is_backfill`` marks ticks fetched afterwards, which are no news: they go into tables and candles, not on the tape.
    ``is_history`` marks those that a replayed or simulated feed makes up a past of: they are not quoted.
    """

    source: Source
    symbol: SymbolCode
    ticks: tuple[Tick, ...]
    is_backfill: bool = False
    is_history: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A message of the wire that is no tick: quarantined with its reason, so that it blocks nothing and is not lost."""

    source: Source
    symbol: str | None
    reason: str
    raw: str
    received_us: int


StreamEntry: TypeAlias = TickBatch | Refused

_entry_encoder = msgspec.msgpack.Encoder()
_entry_decoder: msgspec.msgpack.Decoder[StreamEntry] = msgspec.msgpack.Decoder(TickBatch | Refused)


def encode_entry(entry: StreamEntry) -> bytes:
    """Pack an entry of the ticks stream."""
    return _entry_encoder.encode(entry)


def decode_entry(body: bytes) -> StreamEntry:
    """Unpack an entry of the ticks stream; raises `msgspec.DecodeError` on anything else."""
    return _entry_decoder.decode(body)


class Quote(msgspec.Struct, frozen=True, rename="camel"):
    """A quoted price, with the field names and plain decimals that the source system's clients read (EXP-4, EXP-8).

    JSON on the channel ``market:SYMBOL`` and under the key of the same name. ``timestamp`` is Unix milliseconds.
    Prices are decimal text, never a float.
    """

    symbol: str
    original_price: str
    bid_price: str
    ask_price: str
    timestamp: int


class StoredCandle(msgspec.Struct, frozen=True):
    """A candle as it stands after a commit."""

    source: Source
    symbol: str
    timeframe: Timeframe
    open_time_us: int
    candle: Candle


class Stored(msgspec.Struct, frozen=True):
    """Said on `STORED_CHANNEL` after each commit: these entries are in the tables, and these candles changed.

    ``candle.trades`` only ever grows, so of two versions of one candle the one with more trades is the newer.
    """

    entry_ids: tuple[str, ...]
    candles: tuple[StoredCandle, ...]


# JSON, not MessagePack: the sums of a candle go beyond 64 bits, which MessagePack has no integers for.
_stored_encoder = msgspec.json.Encoder()
_stored_decoder = msgspec.json.Decoder(Stored)


def encode_stored(stored: Stored) -> bytes:
    """Pack what was said on `STORED_CHANNEL`."""
    return _stored_encoder.encode(stored)


def decode_stored(body: bytes) -> Stored:
    """Unpack a message of `STORED_CHANNEL`; raises `msgspec.DecodeError` on anything else."""
    return _stored_decoder.decode(body)


class FeedState(msgspec.Struct, frozen=True):
    """Which feed runs now, for people: said on `FEED_CHANNEL` and kept under `FEED_KEY`."""

    source: Source
    label: str
    symbols: tuple[str, ...]
    connected: bool
    since_us: int
