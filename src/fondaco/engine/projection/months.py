"""Monthly partitions, made on demand by the one projection that may write.

A month begins at midnight UTC of its first day. A partition is made in the transaction that first needs it: whoever
holds the watermark is alone, so nobody else can want to make the same one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from fondaco.infra.database import PsycopgConnection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def month_of(ns: int) -> datetime:
    """The beginning of the month that a moment falls into."""
    return (EPOCH + timedelta(microseconds=ns // 1_000)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """The beginning of the next month."""
    return (month + timedelta(days=31)).replace(day=1)


def partition_name(table: str, month: datetime) -> str:
    """Name of a month's partition: ``orders_202611``."""
    return f"{table}_{month:%Y%m}"


async def make_partitions(connection: PsycopgConnection, wanted: Iterable[tuple[str, datetime]]) -> None:
    """Make these partitions, unless they stand."""
    for table, month in wanted:
        await connection.execute(
            # Names of ours and dates made here, never text from outside: DDL takes no bound parameters.
            f"CREATE TABLE IF NOT EXISTS {partition_name(table, month)} PARTITION OF {table} "
            f"FOR VALUES FROM ('{month.isoformat()}') TO ('{month_after(month).isoformat()}')".encode()
        )
