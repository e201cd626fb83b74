"""What travels on the bus's socket: length-prefixed msgpack frames, one frozen struct per message.

A request carries a number of the client's choosing and its reply carries the same one, so requests are pipelined. A
watcher is known by the number of the request that opened it and is read with `Next`, one batch at a time: what a slow
consumer has not asked for yet waits in the hub, where it is bounded. `Publish`, `Release` and `Unwatch` have no
reply.
"""

from typing import TypeAlias

import msgspec

from fondaco.infra.bus.hub import MAX_BODY_BYTES
from fondaco.infra.bus.port import Entry, Message
from fondaco.infra.framing import FrameProtocol, framed

MAX_FRAME_BYTES = MAX_BODY_BYTES + 1024 * 1024
"""Longest frame: the longest body and room for what goes with it."""


class Append(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Add an entry. Answered with `Appended`, as late as there is room."""

    request: int
    stream: str
    body: bytes


class Read(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Take entries. Answered with `Entries`."""

    request: int
    stream: str
    group: str
    max_entries: int
    wait_s: float


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Strike entries off. Answered with `Done`."""

    request: int
    stream: str
    group: str
    entry_ids: tuple[str, ...]


class Release(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Give back entries that arrived for a caller who had stopped waiting."""

    stream: str
    group: str
    entry_ids: tuple[str, ...]


class Publish(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Send to whoever is subscribed now."""

    channel: str
    body: bytes


class Set(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Keep a last value. Answered with `Done`."""

    request: int
    key: str
    body: bytes


class Get(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Ask for a last value. Answered with `Value`."""

    request: int
    key: str


class WatchStream(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """Begin to watch a stream. Answered with `Done`."""

    request: int
    stream: str
    group: str


class WatchChannels(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Begin to listen to channels. Answered with `Done`."""

    request: int
    channels: tuple[str, ...]


class Next(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Ask for what a watcher has, when it has something. Answered with `Entries` or `Messages`."""

    request: int
    watcher: int


class Unwatch(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """End a watcher."""

    watcher: int


class Done(msgspec.Struct, frozen=True, array_like=True, tag=64):
    """It has been done."""

    request: int


class Appended(msgspec.Struct, frozen=True, array_like=True, tag=65):
    """The entry is in the stream."""

    request: int
    entry_id: str


class Entries(msgspec.Struct, frozen=True, array_like=True, tag=66):
    """Entries read or watched."""

    request: int
    items: list[Entry]


class Messages(msgspec.Struct, frozen=True, array_like=True, tag=67):
    """Messages of a subscription."""

    request: int
    items: list[Message]


class Value(msgspec.Struct, frozen=True, array_like=True, tag=68):
    """A last value, or none."""

    request: int
    body: bytes | None


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=69):
    """The bus could not do it: the client raises `BusUnavailableError` with this sentence."""

    request: int
    reason: str


Question: TypeAlias = Append | Read | Ack | Set | Get | WatchStream | WatchChannels | Next
"""Requests that have a reply."""
Request: TypeAlias = Question | Release | Publish | Unwatch
Reply: TypeAlias = Done | Appended | Entries | Messages | Value | Failed

request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
reply_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def encode_frame(message: Request | Reply) -> bytearray:
    """Pack a message with its length in front. Raises `FrameTooLongError`."""
    return framed(message, MAX_FRAME_BYTES)


class BusProtocol(FrameProtocol):
    """One end of a connection."""

    max_frame_bytes = MAX_FRAME_BYTES

    def send(self, message: Request | Reply) -> None:
        """Write a message, or nothing when the connection is going away."""
        self.write(encode_frame(message))
