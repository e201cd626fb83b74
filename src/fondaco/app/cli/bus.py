"""``fondaco bus …``."""

import asyncio

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.report import StreamLag, lag
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings
from fondaco.infra.valkey import EmbeddedValkey
from fondaco.market.messages import TICKS_STREAM

STREAMS = (TICKS_STREAM,)


def check() -> None:
    """Look at the server."""
    settings = begin("check")
    address = Address(settings.bus.url or _own(settings).url)
    try:
        streams = asyncio.run(lag(address, settings.bus, STREAMS))
    except BusUnavailableError as error:
        raise UserError(str(error)) from error
    say(f"The bus at {address} answers.")
    for line in (line for each in streams for line in _lines(each)):
        say(line)


def url() -> None:
    """Print the address."""
    settings = begin("url")
    say(settings.bus.url or _own(settings).tcp_url)


def _own(settings: Settings) -> EmbeddedValkey:
    if not settings.bus.is_valkey:
        raise UserError(
            "The bus of this house is the local one, which has no server: see docs/operations.md for another."
        )
    return EmbeddedValkey(settings.data_dir)


def _lines(stream: StreamLag) -> list[str]:
    lines = [f"{stream.name}: {stream.entries} entries, {stream.held_bytes} bytes"]
    for group in stream.groups:
        waiting = "an unknown number" if group.waiting is None else group.waiting
        lines.append(f"  {group.name}: {waiting} waiting, {group.unacknowledged} handed out and not acknowledged")
        lines += [f"    {each.name} holds {each.holds}, silent for {each.silent_ms} ms" for each in group.readers]
    return lines
