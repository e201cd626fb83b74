"""Projects batches of a test's exchange into tables and reads them back."""

from collections.abc import Collection, Sequence
from itertools import count
from typing import Any

from fondaco.engine.journal import Committed
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.projection.rebuilding import TABLES, make_tables
from fondaco.infra.database import Database
from support.exchange import Crowd

schemas = (f"projected_{number}" for number in count())
"""Each projection of its own takes another schema, so that one database serves many examples."""


class Journal:
    """The batches of a test's exchange, a few at a time; more may come while somebody reads."""

    def __init__(self, batches: Sequence[Committed]) -> None:
        self.batches = list(batches)
        self.given = 0

    async def next_run(self) -> Sequence[Committed]:
        """The next few."""
        run = self.batches[self.given : self.given + 3]
        self.given += len(run)
        return run


def crowded(seed: int, batches: int, size: int = 12) -> list[Committed]:
    """Batches of a crowd that did so many commands in each."""
    crowd = Crowd(seed)
    crowd.exchange.cut()
    for _ in range(batches - 1):
        crowd.act(size)
        crowd.exchange.cut()
    return crowd.exchange.batches


async def project(database: Database, runs: Sequence[Sequence[Committed]], restarts: Collection[int] = ()) -> str:
    """Write runs into a schema of their own, some with a new projection; returns the schema."""
    schema = next(schemas)
    await make_tables(database, schema)
    projection = await open_projection(database, schema)
    for number, run in enumerate(runs):
        if number in restarts:
            projection = await open_projection(database, schema)
        await projection.write(run)
    return schema


async def contents(database: Database, schema: str = "public") -> dict[str, list[str]]:
    """Every row of every read model, as text."""
    return {
        table: sorted(row for (row,) in await rows_of(database, f"SELECT t::text FROM {schema}.{table} t"))  # noqa: S608 - names of ours
        for table in TABLES
    }


async def rows_of(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query returns."""
    async with database.driver_transaction() as connection:
        return await (await connection.execute(query.encode(), values or None)).fetchall()
