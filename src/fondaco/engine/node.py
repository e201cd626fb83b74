"""A node: one process with a machine, which leads or follows.

Both processes of a house, ``engine`` and ``follower``, are such nodes and differ in what they try first. When the
leader dies the follower leads; the one that is started again finds the lease taken, and follows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from fondaco.engine.follower import RETRY_S, Follower, Projector
from fondaco.engine.garbage import without_collections
from fondaco.engine.leader import Leader
from fondaco.engine.recovery import Standing, catching_up, loaded, recovered
from fondaco.engine.sequencer import Bounds
from fondaco.engine.store import Identity, Lease, Store, StoreLostError
from fondaco.infra.database import DatabaseUnavailableError

log = structlog.get_logger()
T = TypeVar("T")


class Node:
    """Leads or follows, until it is stopped.

    Args:
        store: of the engine.
        projector: writes the tables while this follows.
        identity: stands in the lease.
        bounds: how much may wait while this leads.
        snapshot_commands: see `Follower`.
        led: called with the leader as soon as this is one.
        clock_ns: see `Leader`.
        spent_ns: see `Leader`.
    """

    def __init__(  # noqa: PLR0913 - each is another thing, and a process has them all
        self,
        store: Store,
        projector: Projector,
        identity: Identity,
        bounds: Bounds,
        *,
        snapshot_commands: int,
        led: Callable[[Leader], None],
        clock_ns: Callable[[], int] = time.time_ns,
        spent_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._store = store
        self._projector = projector
        self._identity = identity
        self._bounds = bounds
        self._snapshot_commands = snapshot_commands
        self._led = led
        self._clock_ns = clock_ns
        self._spent_ns = spent_ns

    async def lead_or_follow(self) -> None:
        """Take the lease if it is free; follow otherwise. Returns when the leader was stopped; raises as it does."""
        with without_collections():
            standing = await patiently(lambda: recovered(self._store))
        lease = await patiently(lambda: self._store.acquire(*self._identity))
        if lease is None:
            log.info("engine.follows", why="another one leads")
            await self.follow()
        else:
            await self._lead(lease, standing)

    async def follow(self) -> None:
        """Follow, and lead when the leader falls silent. Returns and raises as `lead_or_follow`."""
        with without_collections():
            follower = await patiently(self._follower)
        lease = await follower.run()
        await self._lead(lease, follower.standing)

    async def _follower(self) -> Follower:
        """One that begins where the tables are, or before: what they lack it must tell them."""
        watermark = await self._projector.watermark()
        standing = await loaded(self._store, newest_batch_no=watermark.batch_no)
        return Follower(
            self._store, self._projector, standing, self._identity, snapshot_commands=self._snapshot_commands
        )

    async def _lead(self, lease: Lease, standing: Standing) -> None:
        try:
            # What the one before has written since we looked. With the lease in hand, nothing more can come.
            async for further in catching_up(self._store, standing):
                standing = further
                await lease.beat()
        except DatabaseUnavailableError as error:
            await lease.aclose()
            raise StoreLostError(f"it went away while this node was taking over: {error}") from error
        except BaseException:  # whatever it is: the lease must not outlive it
            await lease.aclose()
            raise
        leader = Leader(lease, standing, self._bounds, clock_ns=self._clock_ns, spent_ns=self._spent_ns)
        log.info("engine.leads", epoch=lease.epoch, seq=standing.mark.seq)
        self._led(leader)
        await leader.run()


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do something; while the database is away, again and again."""
    said = False
    while True:
        try:
            return await work()
        except DatabaseUnavailableError as error:
            if not said:
                log.info("engine.waits_for_database", error=str(error))
            said = True
        await asyncio.sleep(RETRY_S)
