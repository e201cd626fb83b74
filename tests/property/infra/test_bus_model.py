"""The bus inside a process against its naive model."""

from contextlib import AbstractAsyncContextManager

from hypothesis import settings

from fondaco.infra.settings import BusSettings
from support.bus_machine import BusMachine
from support.buses import Connect, local_bus


class LocalBusMachine(BusMachine):
    """The model beside a bus in this process."""

    def open_bus(self, settings: BusSettings) -> AbstractAsyncContextManager[Connect]:
        """A fresh bus."""
        return local_bus(settings)


TestLocalBusAgainstTheModel = LocalBusMachine.TestCase
TestLocalBusAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
