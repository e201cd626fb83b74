"""What a follower needs of the projection: where the tables are, and to bring them on."""

from collections.abc import Sequence

from fondaco.engine.journal import Mark, Replayed
from fondaco.engine.projection.folding import ProjectedBatch
from fondaco.engine.projection.projection import Projection, ProjectionFencedError, open_projection
from fondaco.engine.store import FencedError
from fondaco.infra.database import Database


class TableProjector:
    """The projection as a follower sees it; opened anew whenever the follower asks where the tables are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._projection: Projection | None = None

    async def watermark(self) -> Mark:
        """How far the tables are."""
        self._projection = await open_projection(self._database)
        return Mark(*self._projection.watermark())

    async def write(self, batches: Sequence[Replayed]) -> None:
        """Bring the tables on by these batches, in one transaction. Raises `FencedError` when somebody else did."""
        assert self._projection is not None, "a follower asks where the tables are before it writes"
        try:
            await self._projection.write([ProjectedBatch(*each.mark, each.events) for each in batches])
        except ProjectionFencedError as error:
            raise FencedError(str(error)) from error
