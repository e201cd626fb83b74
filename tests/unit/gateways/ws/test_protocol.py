"""Frames made by hand are the frames that the protocol's library makes."""

import pytest
from websockets.frames import Frame, Opcode

from fondaco.gateways.ws.protocol import text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_text_frame_is_as_the_library_writes_it_at_every_border_of_its_length(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
