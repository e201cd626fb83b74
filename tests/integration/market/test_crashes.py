"""kill -9 of the recorder and of PostgreSQL in the middle of it: afterwards the tables equal the source."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fondaco.app.migrations import migrate
from fondaco.infra.bus.port import Bus
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.database import Database
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import BusSettings, DatabaseSettings, Settings
from fondaco.market.messages import RECORDERS, TICKS_STREAM
from support.crashing import entries_of, kill, recorder_process, source
from support.places import open_folder
from support.stored import gaps_of, ticks_of, verified
from support.waiting import eventually

MAX_PAUSE_S = 0.3
PATIENCE_S = 60


class Victims:
    """A database server and a recorder, each started again whenever it has been killed."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder)
        self.url = self.postgres.prepare()
        self._folder = folder
        self._server: asyncio.subprocess.Process | None = None
        self._recorder: asyncio.subprocess.Process | None = None

    async def start_server(self) -> None:
        """Start PostgreSQL; it recovers by itself from what it was killed in."""
        self._server = await self.postgres.launch()

    async def start_recorder(self) -> None:
        """Start `fondaco record` as the supervisor would."""
        self._recorder = await recorder_process(self._folder, DATABASE_URL=self.url)

    async def kill_server(self) -> None:
        """Kill with signal 9, then start it again."""
        await kill(self._server)
        await self.start_server()

    async def kill_recorder(self) -> None:
        """Kill with signal 9, then start it again."""
        await kill(self._recorder)
        await self.start_recorder()

    async def kill_server_then_recorder(self, held: Callable[[], Awaitable[None]]) -> None:
        """Kill the recorder while it holds what the dead server cannot take; then start both again."""
        await kill(self._server)
        await held()
        await self.kill_recorder()
        await self.start_server()

    async def end(self) -> None:
        """Kill what still runs."""
        await kill(self._recorder)
        await kill(self._server)


@asynccontextmanager
async def house() -> AsyncIterator[tuple[Victims, Bus]]:
    with open_folder() as folder:
        victims = Victims(folder / "house")
        await victims.start_server()
        await asyncio.to_thread(migrate, victims.url, DatabaseSettings())
        settings = Settings(data_dir=folder / "house")
        async with serve_local_bus(settings.bus_socket, BusSettings()) as bus:
            await victims.start_recorder()
            try:
                yield victims, bus
            finally:
                await victims.end()


async def prove(*, ticks: int, kills: int, seed: int) -> None:
    stored = source(ticks, seed)
    numbers = random.Random(seed + 1)
    async with house() as (victims, bus):
        entries = entries_of(stored)
        for part in range(kills + 1):
            bodies = entries[part :: kills + 1]  # out of order across the parts, as after a reconnect

            async def hand_over(bodies: list[bytes] = bodies) -> None:
                for body in bodies:
                    await bus.append(TICKS_STREAM, body)
                await asyncio.sleep(numbers.uniform(0, MAX_PAUSE_S))

            if part % 3 == 2:
                await victims.kill_server_then_recorder(hand_over)
            else:
                await hand_over()
                if part < kills:
                    await (victims.kill_server() if part % 3 == 1 else victims.kill_recorder())

        async def all_acknowledged() -> bool:
            async with bus.tail(TICKS_STREAM, RECORDERS) as left:
                try:
                    await asyncio.wait_for(anext(left), 0.05)
                except TimeoutError:
                    return True
            return False

        await eventually(all_acknowledged, patience_s=PATIENCE_S)
        database = Database(victims.url, DatabaseSettings(), application="test")
        assert await ticks_of(database) == sorted(stored, key=lambda tick: (tick.time_us, tick.trade_id))
        assert [week.different for week in await verified(database)] == [0]
        assert all(missing == 0 and is_filled for _, _, missing, is_filled in await gaps_of(database))
        await database.dispose()


async def test_a_recorder_and_a_database_killed_in_the_middle_lose_nothing_and_double_nothing() -> None:
    await prove(ticks=6_000, kills=6, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
async def test_they_are_killed_many_times(seed: int) -> None:
    await prove(ticks=40_000, kills=24, seed=seed)
