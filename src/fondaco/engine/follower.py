"""The follower: applies the journal to a machine of its own, has the tables written, keeps snapshots, stands by.

It comes to the same events as the leader or stops and says where not. Whatever it does can be done again: tables move
together with their watermark, and a snapshot that is there stays as it is. When the leader has not been heard of for
`STALE_S`, it takes the lease and hands its machine over: nobody is closer to the journal's end.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from fondaco.engine.journal import Committed, Mark, replayed
from fondaco.engine.recovery import PAGE_ROWS, Standing, snapshot_of
from fondaco.engine.store import BEAT_S, STALE_S, FencedError, Identity, Lease, Store
from fondaco.infra.database import DatabaseUnavailableError

log = structlog.get_logger()

POLL_S: Final = 0.03
"""How long it waits before it looks for more, unless it is far behind. What gathers meanwhile is one transaction: many
small ones would take processor and disk from the leader."""
RETRY_S: Final = 0.25
"""Between two tries while the database is away."""


class Projector(Protocol):
    """Writes the tables that people read, from what the machine told."""

    async def watermark(self) -> Mark:
        """How far the tables are."""
        ...

    async def write(self, batches: Sequence[Committed]) -> None:
        """Bring the tables on by these batches, in one transaction. Raises `FencedError` when somebody else did."""
        ...


class Follower:
    """A reader of the journal that may become its writer.

    Args:
        store: of the engine.
        projector: writes the tables.
        standing: where to begin; not beyond where the tables are.
        identity: who takes over.
        snapshot_commands: a snapshot is written when so many commands have come since the last one.
    """

    def __init__(
        self,
        store: Store,
        projector: Projector,
        standing: Standing,
        identity: Identity,
        *,
        snapshot_commands: int,
    ) -> None:
        self.standing = standing
        """A machine of its own, and where in the journal it stands."""
        self._store = store
        self._projector = projector
        self._identity = identity
        self._snapshot_commands = snapshot_commands
        self._snapshot_seq = standing.mark.seq
        self._pending: list[Committed] = []
        self._watermark: Mark | None = None
        self._clock_s = asyncio.get_running_loop().time
        self._begun_s = self._clock_s()
        self._look_s = self._begun_s

    async def run(self) -> Lease:
        """Follow until it is time to lead; returns the lease. ``standing`` may be behind the journal's end by then.

        Raises:
            JournalError: the journal cannot be followed; the message says where and why.
        """
        is_away = False
        while True:
            try:
                lease = await self._step()
            except DatabaseUnavailableError as error:
                if not is_away:
                    log.info("follower.waits_for_database", error=str(error))
                is_away = True
                self._watermark = None  # what was being written may be there, or not
                await asyncio.sleep(RETRY_S)
                continue
            is_away = False
            if lease is not None:
                log.info("follower.takes_over", seq=self.standing.mark.seq, epoch=lease.epoch)
                return lease

    async def _step(self) -> Lease | None:
        if not self._pending:
            rows = await self._store.rows_after(self.standing.mark.batch_no, PAGE_ROWS)
            for row in rows:
                machine, mark = self.standing
                done = replayed(machine, mark, row)
                self.standing = Standing(machine, done.mark)
                self._pending.append(done)
        is_behind = len(self._pending) >= PAGE_ROWS
        await self._project()
        await self._keep_a_snapshot()
        if (lease := await self._lease_of_a_silent_leader()) is not None:
            return lease
        if not is_behind:
            await asyncio.sleep(POLL_S)
        return None

    async def _project(self) -> None:
        """Have the tables written that are not yet."""
        if self._watermark is None:
            self._watermark = await self._projector.watermark()
        written = self._watermark.batch_no
        self._pending = [each for each in self._pending if each.mark.batch_no > written]
        if not self._pending:
            return
        try:
            await self._projector.write(self._pending)
        except FencedError as error:
            log.info("follower.somebody_else_projects", error=str(error))
            self._watermark = None
        else:
            self._watermark = self._pending[-1].mark
            self._pending = []

    async def _keep_a_snapshot(self) -> None:
        if self._pending or self.standing.mark.seq - self._snapshot_seq < self._snapshot_commands:
            return
        head, body = snapshot_of(self.standing)
        await self._store.save_snapshot(head, body)
        self._snapshot_seq = head.mark.seq
        log.info("follower.snapshot", seq=head.mark.seq, bytes=head.byte_count)

    async def _lease_of_a_silent_leader(self) -> Lease | None:
        now_s = self._clock_s()
        if now_s < self._look_s:
            return None
        self._look_s = now_s + BEAT_S
        age_s = await self._store.heartbeat_age_s()
        # A leader that starts together with us, after a night, is given the time to say that it is there.
        if age_s is None or age_s < STALE_S or now_s < self._begun_s + STALE_S:
            return None
        return await self._store.acquire(*self._identity, evict=True)
