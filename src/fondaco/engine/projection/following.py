"""The projection between the journal and its tables: what the follower writes with, and what a rebuild reads from."""

from collections.abc import Sequence

from fondaco.core.machine import Machine
from fondaco.engine.journal import BEGINNING, Committed, Mark, replayed
from fondaco.engine.projection.projection import Projection, open_projection
from fondaco.engine.recovery import PAGE_ROWS
from fondaco.engine.store import Store
from fondaco.infra.database import Database


class TablesProjector:
    """The follower's projector: it opens the projection anew whenever the follower asks how far the tables are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._projection: Projection | None = None

    async def watermark(self) -> Mark:
        """How far the tables are."""
        self._projection = await open_projection(self._database)
        return self._projection.watermark()

    async def write(self, batches: Sequence[Committed]) -> None:
        """Bring the tables on by these batches, in one transaction. Raises `FencedError` when somebody else did."""
        projection = self._projection or await open_projection(self._database)
        self._projection = projection
        await projection.write(batches)


class JournalReplay:
    """The journal done again from its beginning, for a rebuild."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._machine = Machine()
        self._mark = BEGINNING

    async def next_run(self) -> Sequence[Committed]:
        """The batches of the next page; none at the journal's end. Raises `JournalError`."""
        run = []
        for row in await self._store.rows_after(self._mark.batch_no, PAGE_ROWS):
            done = replayed(self._machine, self._mark, row)
            self._mark = done.mark
            run.append(done)
        return run
