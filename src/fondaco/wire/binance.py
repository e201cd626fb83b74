"""Binance's public trades: bytes of one WebSocket frame in, a typed print or a named problem out; old trades of REST.

Only what a print needs is read (EXP-2); every other field is skipped without making an object of it. Prices and
quantities stay the text that Binance sent. Frames of other kinds (depth, book ticker, answers to requests) are told
apart from malformed ones, because a recording holds many of them and a broken print must not hide among them.

The common frame, ``{"stream":"btcusdt@trade","data":{…}}``, takes one pass; all else takes the slower second look.
"""

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec


class FrameProblem(StrEnum):
    """Why a frame is no print. The values are stable: they stand in the quarantine table."""

    MALFORMED_JSON = "malformed_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"


class Trade(msgspec.Struct, tag_field="e", tag="trade", frozen=True, gc=False):
    """One trade, of the stream ``SYMBOL@trade``."""

    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    time_ms: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", frozen=True, gc=False):
    """The fills of one taker order at one price, of ``SYMBOL@aggTrade``; ``trade_id`` is the aggregate's id."""

    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    time_ms: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class PastTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade of ``GET /api/v3/historicalTrades``."""

    trade_id: int = msgspec.field(name="id")
    price: str
    quantity: str = msgspec.field(name="qty")
    time_ms: int = msgspec.field(name="time")
    buyer_is_maker: bool = msgspec.field(name="isBuyerMaker")


Print: TypeAlias = Trade | AggTrade

_PRINT_KINDS = frozenset({"trade", "aggTrade"})


class _Combined(msgspec.Struct, frozen=True, gc=False):
    data: Print


class _Envelope(msgspec.Struct, frozen=True):
    """The outside of any frame. The last fields mark messages that carry no event name: answers and book frames."""

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    last_update_id: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="lastUpdateId")
    u: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Event(msgspec.Struct, frozen=True):
    e: str = ""


SERVER_SHUTDOWN: Final = b"serverShutdown"

_decode_combined = msgspec.json.Decoder(_Combined).decode
_print_decoder: msgspec.json.Decoder[Print] = msgspec.json.Decoder(Trade | AggTrade)
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_event = msgspec.json.Decoder(_Event).decode

decode_past_trades = msgspec.json.Decoder(list[PastTrade]).decode
"""Read an answer of ``GET /api/v3/historicalTrades``; raises `msgspec.DecodeError` on anything else."""

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8, or nested deeper than the interpreter's stack allows."""


def trade_stream(symbol: str) -> str:
    """Name of a symbol's trade stream."""
    return f"{symbol.lower()}@trade"


def combined_url(base_url: str, symbols: tuple[str, ...]) -> str:
    """Address that delivers the trades of all symbols over one connection."""
    return f"{base_url.rstrip('/')}/stream?streams={'/'.join(map(trade_stream, symbols))}"


def decode_print(frame: bytes | msgspec.Raw) -> Print | FrameProblem | None:
    """Read one frame.

    Returns:
        The print, or the problem that a frame which should be one has, or None for a frame of another kind.
    """
    try:
        return _decode_combined(frame).data
    except _NOT_JSON:
        return _look_again(frame)


def announces_shutdown(frame: bytes) -> bool:
    """Tell whether a frame that is no print says that Binance is about to end the connection."""
    if SERVER_SHUTDOWN not in frame:
        return False
    try:
        envelope = _decode_envelope(frame)
        body = frame if isinstance(envelope.data, msgspec.UnsetType) else envelope.data
        return _decode_event(body).e.encode() == SERVER_SHUTDOWN
    except _NOT_JSON:
        return False


def _look_again(frame: bytes | msgspec.Raw) -> Print | FrameProblem | None:
    try:
        return _decode_uncommon(frame)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        return FrameProblem.MISSING_FIELD if missing else FrameProblem.WRONG_TYPE
    except _NOT_JSON:
        return FrameProblem.MALFORMED_JSON


def _decode_uncommon(frame: bytes | msgspec.Raw) -> Print | FrameProblem | None:
    envelope = _decode_envelope(frame)
    body = frame if isinstance(envelope.data, msgspec.UnsetType) else envelope.data
    kind = _decode_event(body).e or envelope.stream.partition("@")[2]
    if kind in _PRINT_KINDS:
        return _print_decoder.decode(body)
    return None if kind or _is_nameless(envelope) else FrameProblem.MISSING_FIELD


def _is_nameless(envelope: _Envelope) -> bool:
    """Tell whether a frame is of a kind that Binance sends without an event name."""
    marks = (envelope.result, envelope.error, envelope.last_update_id, envelope.u)
    return any(not isinstance(mark, msgspec.UnsetType) for mark in marks)
