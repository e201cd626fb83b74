"""The watermark of the tables: how far they are, moved only by whom it was last moved by."""

from collections.abc import Sequence
from typing import Final

from fondaco.engine.journal import BEGINNING, Mark, Replayed
from fondaco.engine.postgres_store import PROJECTION
from fondaco.engine.store import FencedError
from fondaco.infra.database import Database

_FIND: Final = "SELECT batch_no, seq, chain_hash FROM watermarks WHERE name = %s"
_MOVE: Final = """
INSERT INTO watermarks AS found (name, batch_no, seq, chain_hash, updated_at) VALUES (%s, %s, %s, %b, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET batch_no = EXCLUDED.batch_no, seq = EXCLUDED.seq, chain_hash = EXCLUDED.chain_hash,
    updated_at = EXCLUDED.updated_at
WHERE found.batch_no = %s
"""


class WatermarkProjector:
    """A projector that writes no table: it checks the journal to its end and says how far it has come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watermark(self) -> Mark:
        """How far the journal has been checked."""
        async with self._database.driver_transaction() as connection:
            found = await (await connection.execute(_FIND, (PROJECTION,))).fetchone()
        return BEGINNING if found is None else Mark(*found)

    async def write(self, batches: Sequence[Replayed]) -> None:
        """Move the watermark on. Raises `FencedError` when it is not where it was left."""
        before = batches[0].mark.batch_no - 1
        async with self._database.driver_transaction() as connection:
            moved = await connection.execute(_MOVE, (PROJECTION, *batches[-1].mark, before))
        if moved.rowcount != 1:
            raise FencedError(f"The watermark is no longer at batch {before}: somebody else moves it.")
