"""Two recorders share a Valkey bus; they, Valkey and PostgreSQL are killed with signal 9: the tables equal the source.

What EXP-11, EXP-12 and EXP-14 promise, at its worst: entries are acknowledged after their commit, handed on by readers
that died, and stored once, whoever stores them.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fondaco.app.migrations import migrate
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.bus import ValkeyBus
from fondaco.infra.bus.valkey.report import lag
from fondaco.infra.database import Database
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import BusSettings, DatabaseSettings
from fondaco.infra.valkey import EmbeddedValkey
from fondaco.market.messages import TICKS_STREAM
from support import needs
from support.crashing import entries_of, kill, recorder_process, source
from support.places import open_folder
from support.stored import gaps_of, ticks_of, verified
from support.waiting import eventually

CLAIM_IDLE_MS = 500
MAX_PAUSE_S = 0.3
PATIENCE_S = 60
RETRY_S = 0.05
RECORDERS = 2
MOST_AT_ONCE = 3


class Victims:
    """Both servers and the recorders, each started again after it has been killed."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder)
        self.valkey = EmbeddedValkey(folder)
        self.database_url = self.postgres.prepare()
        self.bus_url = self.valkey.prepare()
        self._folder = folder
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._starts: dict[str, Callable[[], Awaitable[asyncio.subprocess.Process]]] = {
            "postgres": self.postgres.launch,
            "valkey": self.valkey.launch,
            **{f"recorder {number}": self._recorder for number in range(RECORDERS)},
        }

    @property
    def names(self) -> Sequence[str]:
        """Everyone who may be killed."""
        return tuple(self._starts)

    async def start(self, *names: str) -> None:
        """Start some, in this order."""
        for name in names:
            self._running[name] = await self._starts[name]()

    async def kill(self, *names: str) -> None:
        """Kill some, then start them again in the same order."""
        for name in names:
            await kill(self._running[name])
        await self.start(*names)

    async def end(self) -> None:
        """Kill what still runs."""
        for process in reversed(self._running.values()):
            await kill(process)

    async def _recorder(self) -> asyncio.subprocess.Process:
        return await recorder_process(
            self._folder,
            DATABASE_URL=self.database_url,
            FONDACO_BUS__URL=self.bus_url,
            FONDACO_BUS__CLAIM_IDLE_MS=str(CLAIM_IDLE_MS),
        )


@asynccontextmanager
async def house() -> AsyncIterator[tuple[Victims, Bus]]:
    """Everyone running, and our own connection to their bus."""
    needs.valkey()
    with open_folder() as folder:
        victims = Victims(folder / "house")
        try:
            await victims.start("postgres", "valkey")
            await asyncio.to_thread(migrate, victims.database_url, DatabaseSettings())
            await victims.start(*victims.names[2:])
            bus = ValkeyBus(Address(victims.bus_url), BusSettings(claim_idle_ms=CLAIM_IDLE_MS))
            await bus.open()
            yield victims, bus
            await bus.close()
        finally:
            await victims.end()


async def hand_over(bus: Bus, bodies: Sequence[bytes]) -> None:
    """Append as a feed does: until the bus has taken it, even if that means twice."""
    for body in bodies:
        while True:
            try:
                await bus.append(TICKS_STREAM, body)
                break
            except BusUnavailableError:
                await asyncio.sleep(RETRY_S)


async def nothing_is_left(url: str) -> bool:
    """Whether everything was acknowledged and forgotten."""
    try:
        (stream,) = await lag(Address(url), BusSettings(), (TICKS_STREAM,))
    except BusUnavailableError:
        return False
    return (stream.entries, stream.held_bytes) == (0, 0) and all(not each.unacknowledged for each in stream.groups)


async def prove(*, ticks: int, kills: int, seed: int) -> None:
    stored = source(ticks, seed)
    numbers = random.Random(seed + 1)
    entries = entries_of(stored)
    async with house() as (victims, bus):
        for part in range(kills + 1):
            # Out of order across the parts, as after a reconnect; more of them than one recorder gathers.
            handing = asyncio.create_task(hand_over(bus, entries[part :: kills + 1]))
            await asyncio.sleep(numbers.uniform(0, MAX_PAUSE_S))
            if part < kills:
                await victims.kill(*numbers.sample(victims.names, numbers.randint(1, MOST_AT_ONCE)))
            await handing
        await eventually(lambda: nothing_is_left(victims.bus_url), patience_s=PATIENCE_S)
        database = Database(victims.database_url, DatabaseSettings(), application="test")
        assert await ticks_of(database) == sorted(stored, key=lambda tick: (tick.time_us, tick.trade_id))
        assert [week.different for week in await verified(database)] == [0]
        assert all(missing == 0 and is_filled for _, _, missing, is_filled in await gaps_of(database))
        await database.dispose()


async def test_two_recorders_and_both_servers_killed_in_the_middle_lose_nothing_and_double_nothing() -> None:
    await prove(ticks=6_000, kills=5, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(20))
async def test_they_are_killed_many_times(seed: int) -> None:
    await prove(ticks=40_000, kills=20, seed=seed)
