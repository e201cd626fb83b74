"""Weekly partitions of ``ticks``, made on demand.

Weeks begin on Monday, UTC, as 1w candles do. A partition is made in a transaction of its own before the first tick of
its week is written, under a transaction-scoped advisory lock, so that several recorders can want it at once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database

PARTITIONS_LOCK = 0x_F0DACB
PREFIX = "ticks_"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK_US = Timeframe.W1.length_us


def moment(time_us: int) -> datetime:
    """A moment as the database takes it."""
    return EPOCH + timedelta(microseconds=time_us)


def moment_us(time: datetime) -> int:
    """A moment as the core takes it: whole microseconds since 1970. Exact, no float."""
    return (time - EPOCH) // timedelta(microseconds=1)


class Partitions:
    """Makes the partitions that ticks need, and remembers which stand already."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standing: set[int] = set()

    async def ensure(self, times_us: Iterable[int]) -> None:
        """Make the partitions of these moments that do not stand yet."""
        weeks = {Timeframe.W1.open_time_us(time_us) for time_us in times_us}
        missing = sorted(weeks - self._standing)
        if not missing:
            return
        async with self._database.transaction() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITIONS_LOCK})
            for week_us in missing:
                await make_partition(connection, week_us)
        self._standing.update(missing)

    def forget(self) -> None:
        """Ask the database again next time: a purge may have dropped some."""
        self._standing.clear()


async def make_partition(connection: AsyncConnection, week_us: int) -> None:
    """Make the partition of the week that begins at ``week_us``, unless it stands."""
    start, end = moment(week_us), moment(week_us + WEEK_US)
    await connection.execute(
        # Dates made here from integers, never text from outside: DDL takes no bound parameters.
        text(
            f"CREATE TABLE IF NOT EXISTS {partition_name(week_us)} PARTITION OF ticks "
            f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    )


def partition_name(week_us: int) -> str:
    """Name of a week's partition: the date of its Monday."""
    return f"{PREFIX}{moment(week_us):%Y%m%d}"


async def standing_weeks(connection: AsyncConnection) -> list[int]:
    """The weeks that have a partition, oldest first, each by its beginning."""
    names = await connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ticks'::regclass")
    )
    return sorted(moment_us(datetime.strptime(name, f"{PREFIX}%Y%m%d").replace(tzinfo=UTC)) for name in names.scalars())


async def drop_partition(connection: AsyncConnection, week_us: int) -> int:
    """Drop the partition of the week that begins at ``week_us``; returns how many ticks went with it."""
    name = partition_name(week_us)
    dropped = await connection.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608 - made from an integer
    await connection.execute(text(f"DROP TABLE {name}"))
    return int(dropped)
