"""The bus between the processes of a house; `port.Bus` says what it does, `open_bus` connects to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.bus.socket import SocketBus
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings

HUB_WAIT_S = 5.0
"""How long a process waits at its start for the house's hub."""
HUB_RETRY_S = 0.05


class NoHouseError(BusUnavailableError, UserError):
    """No hub answers at the place where this house's would be."""


@asynccontextmanager
async def open_bus(settings: Settings, *, wait_s: float = HUB_WAIT_S) -> AsyncIterator[Bus]:
    """Connect to the bus of the house that runs here.

    Raises:
        NoHouseError: nothing has answered for ``wait_s`` seconds.
    """
    bus = SocketBus(settings.bus_socket)
    await _open(bus, settings, wait_s)
    try:
        yield bus
    finally:
        await bus.close()


async def _open(bus: SocketBus, settings: Settings, wait_s: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        try:
            return await bus.open()
        except OSError as error:
            if loop.time() >= until:
                raise NoHouseError(
                    f"No house is running here: start one with `fondaco up` (nothing answers at {settings.bus_socket})."
                ) from error
        await asyncio.sleep(HUB_RETRY_S)
