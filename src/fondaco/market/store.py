"""The door through which every tick enters the database, exactly once, whatever kind of house it is.

The kind is looked up when the first batch comes, since the tables may not stand before that, and then remembered: a
house changes its kind once in its life, and a recorder that runs meanwhile meets an error and is started again.
"""

from fondaco.infra.database import Database
from fondaco.market.storage.choose import storage_of
from fondaco.market.storage.port import Batch, Storage, StoredBatch
from fondaco.market.storage.writing import MAX_RAW_CHARS

__all__ = ["MAX_RAW_CHARS", "Batch", "StoredBatch", "TickStore"]


class TickStore:
    """Stores batches of ticks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._storage: Storage | None = None

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store a batch; on return it is committed.

        Raises:
            DatabaseUnavailableError: nothing was stored, or the answer to the commit was lost; storing it again is
            safe.
        """
        if self._storage is None:
            self._storage = await storage_of(self._database)
        return await self._storage.store(batch, now_us=now_us)
