"""Ways to a bus for tests, the same in all but the wire: in this process, through a Unix socket, over Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus
from fondaco.infra.bus.socket import SocketBus, serve_local_bus
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.bus import ValkeyBus
from fondaco.infra.bus.valkey.line import Wire
from fondaco.infra.settings import BusSettings

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Bus]]
"""Makes one more connection to the bus under test."""
SETTLING = 4
"""Questions and answers in a row after which whatever a call does has been done."""


@asynccontextmanager
async def local_bus(settings: BusSettings) -> AsyncIterator[Connect]:
    """A bus inside this process."""
    bus = LocalBus(settings)

    @asynccontextmanager
    async def connect() -> AsyncIterator[Bus]:
        with bus.connect() as handle:
            yield handle

    yield connect


@asynccontextmanager
async def socket_bus(settings: BusSettings, path: Path) -> AsyncIterator[Connect]:
    """A bus behind a socket; closing a connection returns when the hub has noticed."""
    async with serve_local_bus(path, settings):

        @asynccontextmanager
        async def connect() -> AsyncIterator[Bus]:
            async with connected(path) as bus:
                yield bus
            async with connected(path) as other:
                await settled(other)

        yield connect


@asynccontextmanager
async def valkey_bus(settings: BusSettings, url: str) -> AsyncIterator[Connect]:
    """A bus over a Valkey server, which is emptied first."""
    address = Address(url)
    wire = Wire(address, "emptying")
    await wire.open()
    await wire.call("FLUSHALL")
    await wire.close()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Bus]:
        bus = ValkeyBus(address, settings)
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()

    yield connect


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[SocketBus]:
    """A client of the socket at ``path``."""
    bus = SocketBus(path)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


def order(entry_id: str) -> tuple[int, ...]:
    """Where an entry stands among the others. Ids are each bus's own; all are made of numbers."""
    return tuple(int(each) for each in entry_id.split("-"))


async def settled(*buses: Bus) -> None:
    """Return when whatever was sent before has been worked through: the hub answers in order, and so do we.

    A server of other machines needs a question, its answer and the bell's for each step; there this is likely, not
    sure.
    """
    for _ in range(SETTLING):
        for bus in buses:
            await bus.get("settled")
        for _ in range(4):
            await asyncio.sleep(0)
