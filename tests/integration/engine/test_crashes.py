"""kill -9 of leader, standby and PostgreSQL under load: what was acknowledged is in the journal, and all agree."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from fondaco.app.migrations import migrate
from fondaco.core.machine import Machine
from fondaco.engine.journal import BEGINNING, Mark, commands_of, replayed
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.infra.database import Database
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings
from support.crashing import kill
from support.places import open_folder
from support.waiting import eventually

TESTS = Path(__file__).parents[2]
NODES = {"one": "lead", "two": "follow"}
MORE_ANSWERS = 200
"""So many must come between two crashes."""
BACK_WITHIN_S = 25
"""A dead leader's place is taken, and orders are answered again, within this time whatever was killed."""
RESTART_S = 0.1


class Victims:
    """A database server and two loaded nodes, each started again whenever it has ended."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder / "house")
        self.url = self.postgres.prepare()
        self._folder = folder
        self._server: asyncio.subprocess.Process | None = None
        self._nodes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def start_server(self) -> None:
        """Start PostgreSQL."""
        self._server = await self.postgres.launch()

    def start_nodes(self) -> None:
        """Keep both nodes running."""
        self._keepers = [asyncio.ensure_future(self._keep(name, role)) for name, role in NODES.items()]

    async def kill(self, name: str) -> None:
        """Kill with signal 9; what keeps it starts it again."""
        if name == "server":
            await kill(self._server)
            await self.start_server()
        else:
            await kill(self._nodes.get(name))

    def answers(self) -> list[tuple[int, str]]:
        """Every answer that a client has got so far: the command's number and its id."""
        text = "".join(file.read_text() for file in self._folder.glob("*.answers"))
        return [(int(seq), command_id) for seq, _, command_id in (line.partition(" ") for line in text.splitlines())]

    async def end(self) -> None:
        """Kill all."""
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        for process in self._nodes.values():
            await kill(process)
        await kill(self._server)

    async def _keep(self, name: str, role: str) -> None:
        while True:
            self._nodes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, str(TESTS / "support" / "loaded_engine.py"), self.url, role),
                str(self._folder / f"{name}.answers"),
                env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"},
            )
            await self._nodes[name].wait()
            await asyncio.sleep(RESTART_S)


@asynccontextmanager
async def victims() -> AsyncIterator[Victims]:
    with open_folder() as folder:
        running = Victims(folder)
        await running.start_server()
        try:
            await asyncio.to_thread(migrate, running.url, DatabaseSettings())
            running.start_nodes()
            yield running
        finally:
            await running.end()


async def prove(*, kills: int, seed: int) -> None:
    numbers = random.Random(seed)
    async with victims() as running:
        for _ in range(kills):
            await more_answers(running)
            await running.kill(numbers.choice(["one", "two", "server"]))
        await more_answers(running)
        for name in NODES:
            await running.kill(name)
        database = Database(running.url, DatabaseSettings(), application="test")
        store = PostgresStore(database)
        await holds_every_answer(store, running.answers())
        await tables_follow(store, database)
        await database.dispose()


async def more_answers(running: Victims) -> None:
    """Orders are answered, again."""
    before = len(running.answers())

    async def came() -> bool:
        return len(running.answers()) >= before + MORE_ANSWERS

    await eventually(came, patience_s=BACK_WITHIN_S)


async def holds_every_answer(store: PostgresStore, answers: list[tuple[int, str]]) -> None:
    """The journal has each acknowledged command under the number that was acknowledged, and replays to its end."""
    found: dict[int, str] = {}
    machine, mark, epochs = Machine(), BEGINNING, [0]
    while rows := await store.rows_after(mark.batch_no, 100):
        for row in rows:
            found.update(enumerate((each.command_id for each in commands_of(row)), row.first_seq))
            mark, _ = replayed(machine, mark, row)
            epochs.append(row.epoch)
    assert [(seq, found.get(seq)) for seq, command_id in answers if found.get(seq) != command_id] == []
    assert all(earlier <= later for earlier, later in pairwise(epochs))
    assert len(set(epochs)) > 1
    assert len(set(found.values())) == len(found) - found_again(found)


def found_again(found: dict[int, str]) -> int:
    """Commands that open the exchange are sent by each leader; no other id comes twice."""
    opening = [each for each in found.values() if each.startswith("open-")]
    return len(opening) - len(set(opening))


async def tables_follow(store: PostgresStore, database: Database) -> None:
    """The nodes that are started again bring the watermark to a place that the journal has, beyond the old end."""
    end = await store.end()

    async def is_there() -> bool:
        mark: Mark = await TablesProjector(database).watermark()
        if mark.batch_no < end.batch_no:
            return False
        (row,) = await store.rows_after(mark.batch_no - 1, 1)
        return row.end == mark

    await eventually(is_there)


@pytest.mark.timeout(240)
async def test_killed_leaders_standbys_and_databases_lose_no_acknowledged_order() -> None:
    await prove(kills=6, seed=3)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(5))
async def test_they_are_killed_many_times(seed: int) -> None:
    await prove(kills=40, seed=seed)
