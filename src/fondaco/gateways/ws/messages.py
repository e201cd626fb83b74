"""The words of the stream: what a client may say, the channels there are, and the frames that it gets.

Frames are JSON text. A frame of a channel is encoded once and the same text goes to every subscriber.
docs/stream.md describes the protocol, docs/errors.md its error codes.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fondaco.core.candles import Timeframe
from fondaco.core.listings import Catalogue
from fondaco.domains.trading.api import MAX_KEY
from fondaco.domains.trading.shapes import Answered, Asked, Id, NewOrder, OrderChange, Symbol
from fondaco.market.messages import Source

ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "bad_json": "Send JSON text; the connection stays open.",
        "bad_message": "Send an object with `op` and the fields that docs/stream.md lists for it.",
        "binary_message": "Send text frames; binary ones are not read.",
        "message_too_long": "Send shorter messages, such as several subscribe messages; the stream closes with 1009.",
        "unknown_channel": "Channels are ticks:SYMBOL, candles:SYMBOL:TIMEFRAME, prices:SYMBOL, feed, book:SYMBOL, "
        "trades:SYMBOL, quotes:SYMBOL and account:ID.",
        "unknown_symbol": "`GET /api/v1/symbols` lists the symbols of the feed, `GET /api/v1/instruments` the markets.",
        "unknown_timeframe": "Use one of 1m, 2m, 5m, 10m, 15m, 1h, 4h, 1d, 1w.",
        "too_many_subscriptions": "Unsubscribe from some channels, or open a second connection.",
        "not_signed_in": 'Say who you are first: `{"op": "auth", "token": …}`.',
        "already_signed_in": "Open another connection for another user.",
        "engine_away": "The house's exchange is not there for a moment; say the same again. Nothing was done.",
        "too_slow": "Account frames were read too slowly (close code 4008); connect again where `resume` says.",
        "too_many_connections": "The server has no room for another stream (close code 1013); try again later.",
        "going_away": "The server stops (close code 1001); connect again.",
    }
)
"""Every error code of the stream, with the sentence that docs/errors.md explains it with."""

MAX_SHOWN_CHARS = 60
MAX_TOKEN: Final = 4_096
"""Characters of a token. What is longer is none."""


class StreamError(Exception):
    """A message of a client that is refused by name; the connection stays."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        assert code in ERRORS
        self.code = code
        self.message = message


RequestId: TypeAlias = int | str | None


class Subscribe(msgspec.Struct, frozen=True, tag_field="op", tag="subscribe"):
    """Begin to listen; every channel answers with a snapshot, also one that was subscribed already.

    An account's channel goes on after a command instead, where that is given and not too long ago.
    """

    channels: list[str]
    id: RequestId = None
    after_seq: int | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="op", tag="unsubscribe"):
    """Stop listening."""

    channels: list[str]
    id: RequestId = None


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping"):
    """Ask for a pong."""

    id: RequestId = None


class Authenticate(msgspec.Struct, frozen=True, tag_field="op", tag="auth", forbid_unknown_fields=True):
    """Say who is there. A token never stands in an address, where logs would keep it."""

    token: Annotated[str, Meta(max_length=MAX_TOKEN)]
    id: RequestId = None


CommandId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_KEY, pattern="^[!-~]*$")]
"""A client's own id of a command: sent again, it gets the same answer and nothing is done twice."""


class Place(NewOrder, frozen=True, kw_only=True, tag_field="op", tag="place"):
    """Place an order."""

    id: RequestId = None
    command_id: CommandId | None = None


class Amend(OrderChange, frozen=True, kw_only=True, tag_field="op", tag="amend"):
    """Change an order that rests."""

    order_id: Id
    id: RequestId = None
    command_id: CommandId | None = None


class Cancel(Asked, frozen=True, kw_only=True, tag_field="op", tag="cancel"):
    """Take an order back."""

    account_id: Id
    order_id: Id
    id: RequestId = None
    command_id: CommandId | None = None


class CancelAll(Asked, frozen=True, kw_only=True, tag_field="op", tag="cancel_all"):
    """Take back every order of an account, or those of one symbol."""

    account_id: Id
    symbol: Symbol | None = None
    id: RequestId = None
    command_id: CommandId | None = None


OrderMessage: TypeAlias = Place | Amend | Cancel | CancelAll
ClientMessage: TypeAlias = Subscribe | Unsubscribe | Ping | Authenticate | OrderMessage

_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


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


class _Identified(msgspec.Struct, frozen=True):
    id: RequestId = None


_identified_decoder = msgspec.json.Decoder(_Identified)


def request_id_of(text: str | None) -> RequestId:
    """The id of a message that was refused: whoever sent many must know which one. None where it cannot be read."""
    try:
        return _identified_decoder.decode(text or "").id
    except (msgspec.DecodeError, RecursionError):
        return None


class Kind(StrEnum):
    """The kinds of channels."""

    TICKS = "ticks"
    CANDLES = "candles"
    PRICES = "prices"
    FEED = "feed"
    BOOK = "book"
    TRADES = "trades"
    QUOTES = "quotes"
    ACCOUNT = "account"
    MARGIN = "margin"
    """Not subscribed by itself: frames beside an account's own, of which only the newest counts."""


HOUSE_KINDS: Final = frozenset({Kind.BOOK, Kind.TRADES, Kind.QUOTES, Kind.ACCOUNT})
"""Channels of the house's own exchange and desk. The others show the market that the feed brings."""


class Channel(NamedTuple):
    """A channel. Only candles have a timeframe, only books, trades and quotes a prefix, only accounts an id."""

    kind: Kind
    symbol: str = ""
    timeframe: Timeframe | None = None
    prefix: str = ""
    account_id: int = 0

    @property
    def name(self) -> str:
        """How it is written, such as ``candles:BTCUSDT:1m``."""
        if self.account_id:
            return f"{self.kind}:{self.account_id}"
        return self.prefix + ":".join([each for each in self[:3] if each])


FEED = Channel(Kind.FEED)


def margin_channel(account_id: int) -> Channel:
    """Under which the frames wait that tell how an account's margin stands."""
    return Channel(Kind.MARGIN, account_id=account_id)


_TIMEFRAMES: Mapping[str, Timeframe] = MappingProxyType({each.value: each for each in Timeframe})


def parse_channel(name: str, catalogue: Catalogue) -> Channel:
    """Read a channel's name, or refuse it by name. Symbols are read in every spelling."""
    kind, *rest = name.split(":")
    if (kind, len(rest)) not in {("ticks", 1), ("prices", 1), ("candles", 2), ("feed", 0)}:
        raise StreamError("unknown_channel", f"{shown(name)} is no channel. {ERRORS['unknown_channel']}")
    if kind == Kind.FEED:
        return FEED
    instrument = catalogue.get(rest[0])
    if instrument is None:
        raise StreamError("unknown_symbol", f"{shown(rest[0])} is none of {', '.join(catalogue.symbols)}.")
    if kind != Kind.CANDLES:
        return Channel(Kind(kind), instrument.symbol)
    timeframe = _TIMEFRAMES.get(rest[1])
    if timeframe is None:
        raise StreamError("unknown_timeframe", f"{shown(rest[1])} is none of {', '.join(_TIMEFRAMES)}.")
    return Channel(Kind.CANDLES, instrument.symbol, timeframe)


def shown(text: str) -> str:
    """A client's text as an error repeats it: quoted and cut."""
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


class SignedIn(msgspec.Struct, frozen=True, tag_field="type", tag="signed_in"):
    """The client is this user from here on."""

    id: RequestId
    user_id: str


class Answer(msgspec.Struct, frozen=True, tag_field="type", tag="answer"):
    """The engine's answer to a command: what the HTTP API answers to the same."""

    id: RequestId
    data: Answered


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A message that was refused; ``id`` is null where it could not be read."""

    id: RequestId
    code: str
    message: str
    seq: int | UnsetType = UNSET
    """The number of the command that was refused, where it got one."""
    retry_after_s: float | UnsetType = UNSET
    resume: dict[str, int] | UnsetType = UNSET
    """Of a client that is cut off: the last command that it was told of, by account channel."""


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
