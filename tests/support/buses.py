"""Two ways to a bus for tests, the same in all but the wire: in this process, and through a Unix socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus
from fondaco.infra.bus.socket import SocketBus, serve_local_bus
from fondaco.infra.settings import BusSettings

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Bus]]
"""Makes one more connection to the bus under test."""


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
async def connected(path: Path) -> AsyncIterator[SocketBus]:
    """A client of the socket at ``path``."""
    bus = SocketBus(path)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


async def settled(*buses: Bus) -> None:
    """Return when whatever was sent before has been worked through: the hub answers in order, and so do we."""
    for _ in range(2):
        for bus in buses:
            await bus.get("settled")
        for _ in range(4):
            await asyncio.sleep(0)
