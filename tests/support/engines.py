"""Engines for tests: a leader on a store, a follower of it, the open exchange of `support.floor`, and commands to it.

For what the engine itself must do; what stands round it is tested on `support.live`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from fondaco.core.commands import HOUSE, Command
from fondaco.core.replies import Answer, Refused
from fondaco.engine.follower import Follower
from fondaco.engine.leader import Leader
from fondaco.engine.port import Engine
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.engine.recovery import loaded, recovered
from fondaco.engine.sequencer import Bounds
from fondaco.engine.store import Identity, Store
from fondaco.infra.database import Database
from support.floor import OPENING, VALID_NS, set_aside

WIDE = Bounds(queue_commands=10_000, follower_lag=1_000_000)
STANDBY = Identity("standby", "there")
NEVER = 10**9
"""Commands between two snapshots, when a test wants none."""
_numbers = count()


@asynccontextmanager
async def leading(store: Store, bounds: Bounds = WIDE, *, address: str = "") -> AsyncIterator[Leader]:
    """An engine that leads until the block ends, and is stopped in order."""
    standing = await recovered(store)
    lease = await store.acquire("test", address)
    assert lease is not None
    leader = Leader(lease, standing, bounds)
    running = asyncio.ensure_future(leader.run())
    try:
        yield leader
    finally:
        leader.stop()
        await running


async def follower_of(store: PostgresStore, database: Database, *, snapshot_commands: int = NEVER) -> Follower:
    """A follower that begins where a node's would."""
    projector = TablesProjector(database)
    standing = await loaded(store, newest_batch_no=(await projector.watermark()).batch_no)
    return Follower(store, projector, standing, STANDBY, snapshot_commands=snapshot_commands)


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[None]:
    """Follows until the block ends."""
    task = asyncio.ensure_future(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def submit(client: Engine, account_id: int, command: Command, command_id: str = "") -> Answer:
    """Have a command done, under an id of its own unless one is given."""
    return await client.submit(
        account_id, command, command_id=command_id or f"t{next(_numbers)}", not_after_ns=time.time_ns() + VALID_NS
    )


async def open_exchange(client: Engine) -> None:
    """Do what opens the exchange of `support.floor`."""
    for number, command in enumerate(OPENING):
        answer = await submit(client, HOUSE, command, f"open-{number}")
        assert not isinstance(answer.reply, Refused), answer


async def set_aside_often(client: Engine, account_id: int, times: int) -> list[Answer]:
    """Submit so many commands at once; returns their answers in order."""
    return list(await asyncio.gather(*(submit(client, account_id, set_aside(1, account_id)) for _ in range(times))))
