"""A node that loses the store while it takes over ends as one that is to be started again, and lets go of the lease."""

import asyncio

import pytest

from fondaco.engine.journal import JournalRow
from fondaco.engine.node import Node
from fondaco.engine.sequencer import Bounds
from fondaco.engine.simulation.ground import Ground, SimulatedStore
from fondaco.engine.simulation.luck import NONE, Luck
from fondaco.engine.simulation.tables import SimulatedProjector, Tables
from fondaco.engine.simulation.virtual_time import VirtualTimeLoop
from fondaco.engine.store import Identity, StoreLostError
from fondaco.infra.database import DatabaseUnavailableError


class LostOnceHeld(SimulatedStore):
    """A store that goes away as soon as somebody holds the lease."""

    async def rows_after(self, batch_no: int, limit: int) -> list[JournalRow]:
        """Nobody reads the journal with the lease in hand."""
        if self._ground.holder is not None:
            raise DatabaseUnavailableError("gone")
        return await super().rows_after(batch_no, limit)


def test_a_node_that_loses_the_store_while_it_takes_over_starts_over() -> None:
    ground, luck = Ground(), Luck("seed", NONE)
    node = Node(
        LostOnceHeld(ground, luck),
        SimulatedProjector(Tables(), ground, luck),
        Identity("node", ""),
        Bounds(10, 10),
        snapshot_commands=10,
        led=lambda _: pytest.fail("it cannot lead"),
    )
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, pytest.raises(StoreLostError, match="taking over"):
        runner.run(node.lead_or_follow())
    assert ground.holder is not None
    assert not ground.holder.is_open
