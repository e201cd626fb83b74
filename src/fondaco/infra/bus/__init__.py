"""The bus between the processes of a house; `port.Bus` says what it does, `open_bus` connects to it."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, cast

from fondaco.infra.bus.port import Bus, NoHouseError
from fondaco.infra.bus.socket import SocketBus
from fondaco.infra.settings import Settings
from fondaco.infra.valkey import EmbeddedValkey

__all__ = ["HUB_WAIT_S", "NoHouseError", "open_bus"]

HUB_WAIT_S = 5.0
"""How long a process waits at its start for the house's bus."""
HUB_RETRY_S = 0.05
VALKEY = "fondaco.infra.bus.valkey.opening"


class _Opening(Protocol):
    """What the module `VALKEY` has; loaded only where it is used, since it adds a tenth of a second to a start."""

    def open_valkey_bus(
        self, url: str, settings: Settings, *, wait_s: float, must_answer: bool
    ) -> AbstractAsyncContextManager[Bus]: ...


@asynccontextmanager
async def open_bus(settings: Settings, *, wait_s: float = HUB_WAIT_S, must_answer: bool = True) -> AsyncIterator[Bus]:
    """Connect to the bus of the house that runs here, or to the server that the settings name.

    Args:
        settings: of the house.
        wait_s: how long to wait for an answer.
        must_answer: whether to give up then. A process of a house that runs goes on: a server may be away for longer,
            and comes back. The hub of a house does not: it dies with its house.

    Raises:
        NoHouseError: nothing has answered for ``wait_s`` seconds.
        UserError: the server cannot be used, in a sentence.
    """
    if settings.bus.is_valkey:
        url = settings.bus.url or EmbeddedValkey(settings.data_dir).url
        opening = cast("_Opening", importlib.import_module(VALKEY))
        async with opening.open_valkey_bus(url, settings, wait_s=wait_s, must_answer=must_answer) as valkey_bus:
            yield valkey_bus
        return
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
