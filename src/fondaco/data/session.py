"""The house's database, ready for a script: found, connected and pooled at the first use, one client a process.

`HouseSession` adds to `infra.database.Database` what a person's own script wants and the house's code does not need:
it finds the house by itself, speaks in objects of the tables, and caches reads that say how old they may be. Making
one does nothing; it connects when it is first asked. It belongs to the event loop that asks first, and to the next one
once that loop is closed.

What is read outside a transaction comes back detached: plain objects, whose unread columns raise instead of querying.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.engine import FrozenResult
from sqlalchemy.exc import MultipleResultsFound, StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, load_only
from sqlalchemy.sql.selectable import Select

from fondaco.data.cache import CachePolicy, ReadCache
from fondaco.data.results import handed_out, key_of, weight_of
from fondaco.infra.answering import answering_url
from fondaco.infra.columns import WrongWordError
from fondaco.infra.database import Base, Database, shared_database
from fondaco.infra.settings import Settings

R = TypeVar("R", bound=Base)
Ts = TypeVarTuple("Ts")

MAX_CACHED_ROWS = 100_000
"""Most that the cache keeps: rows, with one more for each result. What was read longest ago goes first."""
HOUSE_WAIT_S = 5.0
"""How long the first use waits for a house that is just starting."""


class OtherLoopError(RuntimeError):
    """Connections belong to the event loop that opened them, and that one is still in use."""


class HouseSession:
    """The house's database.

    Args:
        load: where the settings come from, read at the first use.
        clock_s: seconds that only ever grow, for the cache.
        max_cached_rows: the cache's limit.
    """

    def __init__(
        self,
        load: Callable[[], Settings] = Settings,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        max_cached_rows: int = MAX_CACHED_ROWS,
    ) -> None:
        self._load_settings = load
        self._cache: ReadCache[Any] = ReadCache(max_cached_rows, weight_of, clock_s)
        self._database: Database | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            UserError: no house is running, and DATABASE_URL names no database either.
            DatabaseUnavailableError: the database cannot be reached now.
            WrongWordError: a value is none of its column's; it was not sent.
        """
        database = await self._opened()
        with _plain_errors():
            # The session joins that transaction and leaves its end to it; objects keep their values after it.
            async with (
                database.transaction() as connection,
                AsyncSession(connection, expire_on_commit=False) as session,
            ):
                yield session
                await session.flush()

    async def find(
        self,
        table: type[R],
        *conditions: ColumnElement[bool],
        columns: Sequence[InstrumentedAttribute[object]] = (),
        cache: CachePolicy | None = None,
    ) -> R | None:
        """The one row that meets all conditions, or None.

        Args:
            table: its class.
            conditions: such as ``CandleRow.symbol == "BTCUSDT"``.
            columns: which to read; all when none is named. The others raise when they are asked for.
            cache: how old the answer may be; it is read anew each time without.

        Raises:
            MultipleResultsFound: several rows do.
        """
        statement = select(table).where(*conditions).limit(2)
        if columns:
            statement = statement.options(load_only(*columns, raiseload=True))
        rows = await self.select(statement, cache=cache)
        if len(rows) > 1:
            raise MultipleResultsFound(f"More than one row of {table.__tablename__} meets the conditions.")
        return rows[0][0] if rows else None

    async def select(self, statement: Select[*Ts], *, cache: CachePolicy | None = None) -> Sequence[Row[*Ts]]:
        """Every row of a ``select``: of whole tables, named columns, joins.

        Args:
            statement: the select.
            cache: how old the answer may be; it is read anew each time without.
        """
        read = partial(self._read, statement)
        if cache is None:
            return (await read())().all()
        await self._opened()
        return handed_out(await self._cache.read(key_of(statement), cache, read))

    async def insert(self, row: R) -> R:
        """Insert a row and return it as the database made it, with what the database itself filled in (BHC-3)."""
        async with self.transaction() as session:
            session.add(row)
        return row

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def close(self) -> None:
        """Close every connection and forget the house. The next use finds it anew."""
        self._cache.clear()
        database, self._database, self._loop = self._database, None, None
        if database is not None:
            await database.dispose()

    async def _read(self, statement: Select[*Ts]) -> FrozenResult[*Ts]:
        async with self.transaction() as session:
            return (await session.execute(statement)).freeze()

    async def _opened(self) -> Database:
        """The client, found at the first use."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            await self._move(loop)
        async with self._opening:
            if self._database is None:
                settings = self._load_settings()
                url = await answering_url(settings, wait_s=HOUSE_WAIT_S)
                self._database = shared_database(url, settings.database, application="script")
        return self._database

    async def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a loop that is closed for this one: neither connections nor waiting reads can come along."""
        if self._loop is not None and not self._loop.is_closed():
            raise OtherLoopError(
                "The house's connections belong to another event loop, which is still in use: "
                "stay in one, or `await house.close()` there first."
            )
        left, self._database = self._database, None
        self._loop, self._opening = loop, asyncio.Lock()
        self._cache.clear()
        if left is not None:
            await left.dispose()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Raise what a column said about a wrong word, not the statement that it stood in."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, WrongWordError):
            raise error.orig from None
        raise
