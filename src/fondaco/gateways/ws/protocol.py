"""uvicorn's WebSocket protocol with one door more: write a frame that has been made already.

A frame from server to client is the same bytes for everyone, but uvicorn's `send` makes it anew for each, and a writer
task must be woken to call it: two thirds of the cost of a fan-out. `write_frame` hands ready bytes to the transport, as
long as the client keeps up; when it does not, the caller goes the ordinary way, where `send` waits.
"""

from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION: Final = "fondaco.frames"
"""Key of the ASGI extension: the scope's `write_frame`. Servers that lack it send frames the ordinary way."""

FINAL_TEXT = 0x81
SHORT, MEDIUM, LONG = 125, 126, 127
"""Payloads up to 125 bytes say their length in one byte; 126 and 127 announce two or eight further bytes (RFC 6455,
5.2).
"""
MEDIUM_BYTES = 0xFFFF


class FrameProtocol(WebSocketsSansIOProtocol):
    """Offers `write_frame` to the application. It must be served without compression."""

    def handle_connect(self, event: Request) -> None:
        """Accept the handshake, and put the extension into the scope before the application starts."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # a refused handshake has none
            extensions = cast("dict[str, Any]", self.scope["extensions"])  # uvicorn's type has no room for callables
            extensions[EXTENSION] = self.write_frame

    def write_frame(self, frame: bytes) -> bool:
        """Write a frame made by `text_frame`. False when the client is behind or leaving; nothing is written then."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or not self.handshake_complete:
            return False
        self.transport.write(frame)
        return True


def text_frame(payload: bytes) -> bytes:
    """A whole unmasked text frame, as servers send it."""
    length = len(payload)
    if length <= SHORT:
        return bytes((FINAL_TEXT, length)) + payload
    if length <= MEDIUM_BYTES:
        return bytes((FINAL_TEXT, MEDIUM)) + length.to_bytes(2, "big") + payload
    return bytes((FINAL_TEXT, LONG)) + length.to_bytes(8, "big") + payload
