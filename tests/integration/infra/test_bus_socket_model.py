"""The bus behind a socket against the same naive model as the bus inside a process."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from hypothesis import settings

from fondaco.infra.settings import BusSettings
from support.bus_machine import BusMachine
from support.buses import Connect, socket_bus


class SocketBusMachine(BusMachine):
    """The model beside a bus behind a socket."""

    def open_bus(self, settings: BusSettings) -> AbstractAsyncContextManager[Connect]:
        """A fresh hub in a folder of its own."""
        return bus_in_a_folder(settings)


@asynccontextmanager
async def bus_in_a_folder(limits: BusSettings) -> AsyncIterator[Connect]:
    """A hub that takes its folder away with it."""
    with tempfile.TemporaryDirectory() as folder:
        async with socket_bus(limits, Path(folder) / "bus.sock") as connect:
            yield connect


TestSocketBusAgainstTheModel = SocketBusMachine.TestCase
TestSocketBusAgainstTheModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
