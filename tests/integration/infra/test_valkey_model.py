"""The bus over Valkey against the same naive model as the local ones."""

from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from fondaco.infra.settings import BusSettings
from support.bus_machine import BusMachine
from support.buses import Connect, valkey_bus


@pytest.fixture
def machine(valkey_url: str) -> type[BusMachine]:
    """The model beside a bus over the session's server, emptied for each run."""

    class ValkeyBusMachine(BusMachine):
        def open_bus(self, settings: BusSettings) -> AbstractAsyncContextManager[Connect]:
            return valkey_bus(settings, valkey_url)

    return ValkeyBusMachine


def test_the_bus_over_valkey_equals_the_model(machine: type[BusMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_bus_over_valkey_equals_the_model_for_long(machine: type[BusMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=300, stateful_step_count=60, deadline=None))
