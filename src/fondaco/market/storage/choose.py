"""Which kind of house a database is: asked of the database itself, by what ``ticks`` and ``candles`` are in it."""

from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.market.storage.hypertable import HypertableStorage
from fondaco.market.storage.plain import PlainStorage
from fondaco.market.storage.port import Storage


class Kind(StrEnum):
    """What a house is. ``unfinished`` lies between the other two: `fondaco db timescale` was cut off, or is at it."""

    PLAIN = "plain"
    UNFINISHED = "unfinished"
    TIMESCALE = "timescale"


class HouseUnfinishedError(DatabaseUnavailableError):
    """The house is between its two kinds. It is waited for, like a database that is away."""


KIND = """
SELECT ticks.relkind::text, candles.relkind::text FROM pg_class AS ticks, pg_class AS candles
WHERE ticks.oid = to_regclass('ticks') AND candles.oid = to_regclass('candles')
"""
_KINDS = {("p", "r"): Kind.PLAIN, ("r", "r"): Kind.UNFINISHED, ("r", "v"): Kind.TIMESCALE}


def kind_of(row: tuple[str, str] | None) -> Kind:
    """What the answer to `KIND` means. Raises `DatabaseUnavailableError` before the first migration."""
    if row is None:
        raise DatabaseUnavailableError("the tables of market data are not there yet")
    return _KINDS[row]


async def house_kind(connection: AsyncConnection) -> Kind:
    """What the house is."""
    row = (await connection.execute(text(KIND))).one_or_none()
    return kind_of(None if row is None else (row[0], row[1]))


async def storage_of(database: Database) -> Storage:
    """The house's storage.

    Raises:
        HouseUnfinishedError: the house is being moved to TimescaleDB.
        DatabaseUnavailableError: the database is away, or has no tables yet.
    """
    async with database.transaction() as connection:
        kind = await house_kind(connection)
    if kind is Kind.UNFINISHED:
        raise HouseUnfinishedError("this house is on its way to TimescaleDB; `fondaco db timescale` completes it")
    return PlainStorage(database) if kind is Kind.PLAIN else HypertableStorage(database)
