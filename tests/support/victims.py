"""Nodes and a database server for tests that kill them with signal 9 and start them again."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fondaco.app.migrations import migrate
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings
from support.crashing import kill
from support.places import open_folder

TESTS = Path(__file__).parents[1]
NODES = {"one": "lead", "two": "follow"}
BACK_WITHIN_S = 25
"""A dead leader's place is taken, and commands are answered again, within this time whatever was killed."""
RESTART_S = 0.1


class Victims:
    """A database server and two nodes, each started again whenever it has ended.

    Args:
        folder: for the server's data and the nodes' answers.
        script: what a node runs, of tests/support. Its arguments are the database's address, the role, a file for its
            answers, and the rest.
        rest: further arguments.
    """

    def __init__(self, folder: Path, script: str, rest: Sequence[str] = ()) -> None:
        self._script, self._rest = script, rest
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
                *(sys.executable, str(TESTS / "support" / self._script), self.url, role),
                *(str(self._folder / f"{name}.answers"), *self._rest),
                env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"},
            )
            await self._nodes[name].wait()
            await asyncio.sleep(RESTART_S)


@asynccontextmanager
async def victims(script: str, rest: Sequence[str] = ()) -> AsyncIterator[Victims]:
    """Two nodes on a migrated database, until the block ends."""
    with open_folder() as folder:
        running = Victims(folder, script, rest)
        await running.start_server()
        try:
            await asyncio.to_thread(migrate, running.url, DatabaseSettings())
            running.start_nodes()
            yield running
        finally:
            await running.end()
