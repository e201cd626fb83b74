"""Frames over a stream of bytes: a length in front, a MessagePack message behind it.

What the bus and the engine speak on their sockets. An end that sends what is no frame, or one that is too long, is cut
off; an end that does not read is noticed by ``writable``.
"""

import asyncio
from typing import Final, cast

import msgspec
import structlog

log = structlog.get_logger()

LENGTH_BYTES: Final = 4

_encoder = msgspec.msgpack.Encoder()


class FrameTooLongError(ValueError):
    """A frame longer than the connection bears."""


def framed(message: msgspec.Struct, max_bytes: int) -> bytearray:
    """Pack a message with its length in front. Raises `FrameTooLongError`."""
    frame = bytearray(LENGTH_BYTES)
    _encoder.encode_into(message, frame, LENGTH_BYTES)
    length = len(frame) - LENGTH_BYTES
    if length > max_bytes:
        raise FrameTooLongError(f"A frame may have {max_bytes} bytes here; this one has {length}.")
    frame[:LENGTH_BYTES] = length.to_bytes(LENGTH_BYTES, "big")
    return frame


class FrameProtocol(asyncio.Protocol):
    """One end of a connection: cuts the bytes into frames, and says when the other end does not keep up."""

    max_frame_bytes: int
    """Longest frame that is taken in."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self._received = bytearray()
        self._unsent = bytearray()

    def frame_received(self, frame: memoryview) -> None:
        """Handle one frame. The memory is only lent: copy what should stay."""
        raise NotImplementedError

    def closed(self) -> None:
        """The connection has gone."""
        raise NotImplementedError

    def write(self, frames: bytes | bytearray) -> None:
        """Write what `framed` has made, or nothing when the connection is going away."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frames)

    def write_soon(self, frame: bytes | bytearray) -> None:
        """Write it together with whatever else is written before the loop comes round."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsent += frame

    def flush(self) -> None:
        """Write now what was to be written soon."""
        unsent, self._unsent = self._unsent, bytearray()
        if unsent:
            self.write(unsent)

    def close(self) -> None:
        """End, once what was said has left."""
        self.flush()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Drop the connection."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self.writable.set()
        self.closed()

    def pause_writing(self) -> None:
        """The other end does not keep up."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The other end keeps up again."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Cut what has arrived into frames; drop the connection on anything that is no message of ours."""
        self._received += data
        try:
            used = self._handle_frames()
        except (msgspec.DecodeError, FrameTooLongError) as error:
            log.warning("socket.bad_frame", error=str(error))
            self._received = bytearray()
            self.abort()
            return
        del self._received[:used]

    def _handle_frames(self) -> int:
        """Handle every whole frame; return how many bytes they took."""
        start = 0
        with memoryview(self._received) as received:
            while len(received) - start >= LENGTH_BYTES:
                body = start + LENGTH_BYTES
                length = int.from_bytes(received[start:body], "big")
                if length > self.max_frame_bytes:
                    raise FrameTooLongError(f"{length} bytes were announced; {self.max_frame_bytes} is the limit.")
                if len(received) - body < length:
                    break
                self.frame_received(received[body : body + length])
                start = body + length
        return start
