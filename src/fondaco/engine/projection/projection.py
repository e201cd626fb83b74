"""The projection: writes what batches came to into the tables, and moves the watermark in the same transaction.

Invariants:
    The tables are what the batches up to the watermark come to; never more, never less.
    Only one projection can write: whoever moves the watermark names what it was, and a second one finds it moved.
    What owners must be told of stands in the outbox once: written where the watermark moves past it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from fondaco.engine.journal import BEGINNING, Committed, Mark
from fondaco.engine.projection.folding import Fold
from fondaco.engine.projection.months import make_partitions, month_after, month_of
from fondaco.engine.projection.notices import notify
from fondaco.engine.projection.read_models import BY_MONTH_ROWS
from fondaco.engine.projection.rows import Steps
from fondaco.engine.projection.writing import write
from fondaco.engine.store import FencedError
from fondaco.engine.tables import PROJECTION
from fondaco.infra.database import Database, PsycopgConnection

LIVE_SCHEMA: Final = "public"
PARTITIONED: Final = tuple(row.__tablename__ for row in BY_MONTH_ROWS)

_READ = "SELECT batch_no, seq, chain_hash FROM watermarks WHERE name = %s"
_BEGIN = """
INSERT INTO watermarks (name, batch_no, seq, chain_hash, updated_at) VALUES (%s, %s, %s, %b, clock_timestamp())
ON CONFLICT DO NOTHING
"""
_MOVE = """
UPDATE watermarks SET batch_no = %s, seq = %s, chain_hash = %b, updated_at = clock_timestamp()
WHERE name = %s AND batch_no = %s AND chain_hash = %b
"""
_STEPS = "SELECT world, symbol, tick, lot FROM trading_pairs"


class Projection:
    """The one that writes the tables; made by `open_projection`.

    Args:
        database: the tables' place.
        schema: where the tables stand.
        watermark: how far they have come.
        markets: the steps of every market that they know.
    """

    def __init__(self, database: Database, schema: str, watermark: Mark, markets: dict[tuple[str, str], Steps]) -> None:
        self._database = database
        self._schema = schema
        self._watermark = watermark
        self._markets = markets
        self._standing: set[tuple[str, datetime]] = set()

    def watermark(self) -> Mark:
        """How far the tables have come."""
        return self._watermark

    async def write(self, batches: Sequence[Committed]) -> None:
        """Write the batches that follow on the watermark, in one transaction.

        Raises:
            FencedError: somebody else has moved the watermark; nothing was written. A new one goes on from there.
            DatabaseUnavailableError: it may be that everything was written, or nothing. Open a new projection.
            RowMissingError: the tables are damaged; nothing was written.
        """
        if not batches:
            return
        first = self._watermark.batch_no + 1
        assert [each.mark.batch_no for each in batches] == list(range(first, first + len(batches)))
        fold = Fold(self._watermark.seq)
        fold.take(batches)
        end = batches[-1].mark
        assert fold.seq == end.seq
        markets = self._markets | {
            (terms.world, terms.instrument.symbol): Steps(terms.tick, terms.lot)
            for terms in (told.event.terms for told in fold.listed)
        }
        partitions = set(_partitions_of(fold)) - self._standing
        async with self._database.driver_transaction() as connection:
            await use_schema(connection, self._schema)
            await self._move(connection, end)
            await make_partitions(connection, sorted(partitions))
            await write(connection, fold, markets)
            await notify(connection, fold)
        # Only now: what was rolled back must not be remembered.
        self._watermark, self._markets = end, markets
        self._standing |= partitions

    async def _move(self, connection: PsycopgConnection, end: Mark) -> None:
        before = self._watermark
        cursor = await connection.execute(_MOVE, (*end, PROJECTION, before.batch_no, before.chain_hash))
        if cursor.rowcount == 0 and before == BEGINNING:
            cursor = await connection.execute(_BEGIN, (PROJECTION, *end))
        if cursor.rowcount != 1:
            raise FencedError(
                f"The tables are no longer at batch {before.batch_no}, where this projection left them: another writes."
            )


async def open_projection(database: Database, schema: str = LIVE_SCHEMA) -> Projection:
    """The projection, where the tables say that it stands."""
    async with database.driver_transaction() as connection:
        await use_schema(connection, schema)
        watermark = await read_watermark(connection)
        steps = await (await connection.execute(_STEPS)).fetchall()
    return Projection(database, schema, watermark, {(world, symbol): Steps(*rest) for world, symbol, *rest in steps})


async def read_watermark(connection: PsycopgConnection) -> Mark:
    """How far the tables have come."""
    found = await (await connection.execute(_READ, (PROJECTION,))).fetchone()
    return BEGINNING if found is None else Mark(*found)


async def use_schema(connection: PsycopgConnection, schema: str) -> None:
    """Let names without a schema mean this one's and no other's, until the transaction ends."""
    await connection.execute("SELECT set_config('search_path', %s, true)", (schema,))


def _partitions_of(fold: Fold) -> Iterator[tuple[str, datetime]]:
    """Where the rows that are made in this run lie: every month from its first moment to its last."""
    month, last = month_of(fold.begin_ns), month_of(fold.now_ns)
    while month <= last:
        yield from ((table, month) for table in PARTITIONED)
        month = month_after(month)
