"""The store of a simulation: what is on disk, and the sessions that may break on the way to it.

It keeps to the same contract as PostgreSQL: a commit is there or not, batch numbers are a primary key, a lease ends
with its session, and a session that was turned out cannot commit under an epoch that is over.
"""

import asyncio
from typing import Final

import msgspec

from fondaco.engine.journal import BEGINNING, JournaledCommand, JournalRow, Mark
from fondaco.engine.simulation.luck import Commit, Luck
from fondaco.engine.store import KEPT_SNAPSHOTS, STALE_S, FencedError, Lease, SnapshotHead, Store, StoreLostError
from fondaco.infra.database import DatabaseUnavailableError

STORE_EPOCH_NS: Final = 1_700_000_000_000_000_000
"""What the store's clock shows when the loop's time is 0."""

commands_of = msgspec.msgpack.Decoder(list[JournaledCommand]).decode


class Ground:
    """What survives everything."""

    def __init__(self) -> None:
        self.rows: list[JournalRow] = []
        self.sent: list[tuple[int, str]] = []
        """Account and command id of each command in the journal."""
        self.epoch = 0
        self.holder: Session | None = None
        self.heard_s = 0.0
        self.snapshots: dict[int, tuple[SnapshotHead, bytes]] = {}
        self.is_away = False
        self.tables_seq = 0
        """How far the tables are, as the store tells the leader."""

    @property
    def end(self) -> Mark:
        """The journal's end."""
        return self.rows[-1].end if self.rows else BEGINNING

    def commit(self, row: JournalRow) -> None:
        """A row is on disk."""
        self.rows.append(row)
        self.sent += [(each.account_id, each.command_id) for each in commands_of(row.body)]


class Session:
    """A connection to the store, and whether it still stands."""

    def __init__(self) -> None:
        self.is_open = True


class SimulatedLease:
    """The lease that a session holds."""

    def __init__(self, ground: Ground, luck: Luck, session: Session) -> None:
        self._ground = ground
        self._luck = luck
        self._session = session
        self.epoch = ground.epoch
        self.clock_ns = STORE_EPOCH_NS + int(_now_s() * 10**9)

    async def append(self, row: JournalRow) -> None:
        """Commit a batch, as luck will have it."""
        fate = self._luck.commit()
        await self._luck.wait_ms(0, 4)
        if fate is Commit.STALLS:
            await self._luck.wait_ms(1_000, 6_000)
        if fate is Commit.FAILS:
            self._session.is_open = False
        self._must_hold()
        self._must_be_next(row.batch_no)
        self._ground.commit(row)
        self._ground.heard_s = _now_s()
        if fate is Commit.IS_AMBIGUOUS:
            self._session.is_open = False
            raise StoreLostError("the connection broke while a batch was being committed")
        await self._luck.wait_ms(0, 4)

    async def beat(self) -> int:
        """Say that the writer is alive."""
        await self._luck.wait_ms(0, 2)
        self._must_hold()
        self._ground.heard_s = _now_s()
        return self._ground.tables_seq

    async def aclose(self) -> None:
        """End the session, and with it the lease."""
        self._session.is_open = False

    def _must_be_next(self, batch_no: int) -> None:
        """Batch numbers are the journal's primary key."""
        if batch_no != self._ground.end.batch_no + 1:
            raise StoreLostError(f"batch {batch_no} is there already, or would leave a gap")

    def _must_hold(self) -> None:
        if not self._session.is_open or self._ground.is_away:
            self._session.is_open = False
            raise StoreLostError("the connection is gone")
        if self._ground.epoch != self.epoch:
            raise FencedError(f"epoch {self.epoch} is over")


class SimulatedStore(Store):
    """A node's way to the ground."""

    def __init__(self, ground: Ground, luck: Luck) -> None:
        self._ground = ground
        self._luck = luck

    async def acquire(self, holder: str, address: str, *, evict: bool = False) -> Lease | None:
        """Take the lease when nobody has it, or turn out who has fallen silent."""
        del holder, address
        await self._reach()
        ground = self._ground
        if ground.holder is not None and ground.holder.is_open:
            if not evict or _now_s() - ground.heard_s < STALE_S:
                return None
            if not self._luck.strikes(self._luck.chances.eviction_misses):
                ground.holder.is_open = False
        ground.epoch += 1
        ground.holder = Session()
        ground.heard_s = _now_s()
        return SimulatedLease(ground, self._luck, ground.holder)

    async def heartbeat_age_s(self) -> float | None:
        """How long ago the leader was last heard of."""
        await self._reach()
        return _now_s() - self._ground.heard_s if self._ground.epoch else None

    async def end(self) -> Mark:
        """The journal's end."""
        await self._reach()
        return self._ground.end

    async def rows_after(self, batch_no: int, limit: int) -> list[JournalRow]:
        """The batches after that one."""
        await self._reach()
        return self._ground.rows[batch_no : batch_no + limit]

    async def batch_until(self, seq: int, now_ns: int) -> int:
        """The last batch that ends neither after this command nor after this moment."""
        await self._reach()
        return sum(each.last_seq <= seq and each.last_ns <= now_ns for each in self._ground.rows)

    async def save_snapshot(self, head: SnapshotHead, body: bytes) -> None:
        """Keep a snapshot, and of all only the newest few."""
        await self._reach()
        kept = self._ground.snapshots
        kept.setdefault(head.mark.batch_no, (head, body))
        for batch_no in sorted(kept)[:-KEPT_SNAPSHOTS]:
            del kept[batch_no]

    async def snapshots(self) -> list[SnapshotHead]:
        """Those that are kept, newest first."""
        await self._reach()
        return [self._ground.snapshots[batch_no][0] for batch_no in sorted(self._ground.snapshots, reverse=True)]

    async def snapshot_body(self, batch_no: int) -> bytes:
        """What was dumped."""
        await self._reach()
        found = self._ground.snapshots.get(batch_no)
        return b"" if found is None else found[1]

    async def _reach(self) -> None:
        await self._luck.wait_ms(0, 2)
        if self._ground.is_away:
            raise DatabaseUnavailableError("The simulated store is away.")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
