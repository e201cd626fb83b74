"""A whole engine in one process for tests of what stands round it: it leads, its tables follow, the edge listens.

For gateways and queries; the engine's own parts are tested one by one on `support.engines`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from fondaco.engine.client import EngineClient
from fondaco.engine.follower import Follower
from fondaco.engine.live import LiveHouse, Part
from fondaco.engine.postgres_store import PostgresStore
from fondaco.infra.database import Database
from support.engines import follower_of, leading, running

PATIENCE_S = 20.0


class House(NamedTuple):
    """What a test works with."""

    client: EngineClient
    live: LiveHouse
    database: Database

    async def caught_up(self) -> None:
        """Wait until the edge knows all that was answered."""
        async with asyncio.timeout(PATIENCE_S):
            await self.live.come_to(await self.client.read(lambda machine: machine.seq))


@asynccontextmanager
async def whole_engine(database: Database, parts: Sequence[Part] = ()) -> AsyncIterator[House]:
    """Lead, follow and listen until the block ends."""
    store = PostgresStore(database)
    async with leading(store) as leader, following(store, database):
        live = LiveHouse(leader.client, database, parts)
        async with kept_up(live):
            yield House(leader.client, live, database)


@asynccontextmanager
async def kept_up(live: LiveHouse) -> AsyncIterator[None]:
    """Have a live view listen until the block ends."""
    listening = asyncio.ensure_future(live.run())
    try:
        await asyncio.wait_for(live.ready.wait(), PATIENCE_S)
        yield
    finally:
        listening.cancel()
        await asyncio.wait((listening,))


@asynccontextmanager
async def following(store: PostgresStore, database: Database) -> AsyncIterator[Follower]:
    """Have the tables follow the journal until the block ends."""
    follower = await follower_of(store, database)
    async with running(follower):
        yield follower
