"""Where the engine keeps what must outlive it: the journal, the lease of who may write to it, and snapshots.

Many may read; one may write, and only through the `Lease` that it holds. `fondaco.engine.postgres_store` is the real
one. How long ago the writer was last alive is measured on the store's own clock, so no two machines' clocks are ever
compared.
"""

from typing import Final, NamedTuple, Protocol

from fondaco.engine.journal import JournalRow, Mark

STALE_S: Final = 2.0
"""A writer that has not been heard of for so long may be turned out."""
BEAT_S: Final = 0.5
"""How often a writer with nothing to write says that it is alive. Well below `STALE_S`."""
KEPT_SNAPSHOTS: Final = 3
SNAPSHOT_CODEC: Final = 1
"""How a snapshot is written: what `Machine.dump` returned."""


class FencedError(Exception):
    """Somebody else writes now: holds the lease, or has moved the watermark.

    Nothing of this was written, and nothing ever will be by whoever hears this.
    """


class StoreLostError(Exception):
    """The session with the store is lost. Whether what was just being committed is there, only the journal knows."""


class Identity(NamedTuple):
    """Who asks for the lease."""

    holder: str
    """For people."""
    address: str
    """Where clients reach it."""


class SnapshotHead(NamedTuple):
    """What is known of a snapshot without reading it."""

    mark: Mark
    state_hash: bytes
    codec: int
    rules_version: int
    byte_count: int


class Lease(Protocol):
    """The right to write the journal, as long as nobody else has taken it."""

    @property
    def epoch(self) -> int:
        """Which lease this is. Each one's number is above that of the one before."""
        ...

    @property
    def clock_ns(self) -> int:
        """What the store's clock showed when the lease was taken."""
        ...

    async def append(self, row: JournalRow) -> None:
        """Commit a batch. Raises `FencedError` or `StoreLostError`; after either the lease is of no use."""
        ...

    async def beat(self) -> int:
        """Say that the writer is alive; returns the command that the tables have come to. Raises as `append` does."""
        ...

    async def aclose(self) -> None:
        """Let go of it."""
        ...


class Store(Protocol):
    """The journal and its snapshots. Every method but `Lease`'s raises `DatabaseUnavailableError` while it is away."""

    async def acquire(self, holder: str, address: str, *, evict: bool = False) -> Lease | None:
        """Take the lease, or None when somebody else has it.

        Args:
            holder: who asks, for people.
            address: where clients reach it.
            evict: end the session of a holder that has not been heard of for `STALE_S`.
        """
        ...

    async def heartbeat_age_s(self) -> float | None:
        """How long ago the lease's holder was last heard of; None when there never was one."""
        ...

    async def end(self) -> Mark:
        """The journal's end."""
        ...

    async def rows_after(self, batch_no: int, limit: int) -> list[JournalRow]:
        """The batches after that one, at most so many."""
        ...

    async def batch_until(self, seq: int, now_ns: int) -> int:
        """The last batch that ends neither after this command nor after this moment; 0 when there is none."""
        ...

    async def save_snapshot(self, head: SnapshotHead, body: bytes) -> None:
        """Keep a snapshot, and of all only the newest `KEPT_SNAPSHOTS`. One that is there already stays as it is."""
        ...

    async def snapshots(self) -> list[SnapshotHead]:
        """Those that are kept, newest first."""
        ...

    async def snapshot_body(self, batch_no: int) -> bytes:
        """What was dumped. Empty when the snapshot is gone."""
        ...


class ThinnedStore(Store, Protocol):
    """A store that can let old journal go."""

    async def drop_until(self, batch_no: int) -> None:
        """Forget the batches up to that one, which are in the archive; the last of all stays, for it is the end."""
        ...
