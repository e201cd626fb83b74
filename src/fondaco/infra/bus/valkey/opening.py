"""Opens the bus over Valkey or Redis. A module of its own, so that houses with the local bus do not load the client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from fondaco.infra.bus.port import Bus, BusUnavailableError, NoHouseError
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.bus import ValkeyBus
from fondaco.infra.bus.valkey.durability import NotDurableError
from fondaco.infra.settings import Settings

log = structlog.get_logger()

RETRY_S = 0.05


@asynccontextmanager
async def open_valkey_bus(url: str, settings: Settings, *, wait_s: float, must_answer: bool) -> AsyncIterator[Bus]:
    """What `fondaco.infra.bus.open_bus` does for this bus."""
    address = Address(url)
    bus = ValkeyBus(address, settings.bus)
    try:
        await _open(bus, wait_s)
    except NotDurableError:
        raise
    except BusUnavailableError as error:
        if must_answer:
            raise NoHouseError(
                f"{error} Start the house with `fondaco up --bus valkey`, or look at FONDACO_BUS__URL."
            ) from error
        log.warning("bus.away", error=str(error))
        bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def _open(bus: ValkeyBus, wait_s: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        try:
            return await bus.open()
        except NotDurableError:
            raise
        except BusUnavailableError:
            if loop.time() >= until:
                raise
        await asyncio.sleep(RETRY_S)
