"""The database: one client per process, one transaction per request or job, names by convention.

Every connection works through a transaction-mode pooler (BBX-3): no prepared statement, session setting or session lock
outlives its transaction. Handlers never commit: the transaction's block does, once, when it ends without an error.

What is *away* (no server, no free connection, a cancelled statement) raises `DatabaseUnavailableError`, which the edge
turns into 503 with Retry-After; what is *wrong* (an address that can never work) is `DatabaseMisconfiguredError`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.errors import UndefinedTable
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import DateTime, MetaData, func, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fondaco.infra.settings import DatabaseSettings

PsycopgConnection: TypeAlias = psycopg.AsyncConnection[TupleRow]

NAMES = {
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_unique",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""How indexes and constraints are named (BHC-12): ``idx_table_column``, ``table_column_kind``."""


class Base(DeclarativeBase):
    """The base of every table of ours. A docstring is a table's line of documentation, ``info["owner"]`` its owner."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy reads a plain dict here


class Timestamps:
    """Creation time filled by the database, update time changed by every write (BBX-5)."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class DatabaseUnavailableError(Exception):
    """The database cannot be reached now; trying again later may work."""


class DatabaseMisconfiguredError(Exception):
    """The address of the database can never work; the message says what to change."""


class Database:
    """The process's client of one database: an SQLAlchemy engine, and the driver's own pool for hot statements.

    `transaction` is for the breadth of the house. `driver_transaction` is for COPY and for the few statements where the
    0.7 ms that SQLAlchemy adds to an empty transaction count. Each keeps at most ``pool_size`` connections.
    """

    def __init__(self, url: str, settings: DatabaseSettings, *, application: str) -> None:
        self.url = url
        self._settings = settings
        self._application = f"fondaco {application}"
        self._pool: AsyncConnectionPool[PsycopgConnection] | None = None
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.pool_wait_s,
            pool_pre_ping=True,
            connect_args={
                # None turns server-side prepared statements off: a transaction-mode pooler hands each transaction
                # another server connection.
                "prepare_threshold": None,
                "connect_timeout": settings.connect_timeout_s,
                "application_name": self._application,
            },
        )

    @asynccontextmanager
    async def transaction(self, *, statement_timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Args:
            statement_timeout_ms: instead of the setting's; 0 for work that takes as long as it takes.
        """
        limit = self._settings.statement_timeout_ms if statement_timeout_ms is None else statement_timeout_ms
        with translated_errors():
            async with self.engine.begin() as connection:
                await connection.execute(
                    text("SELECT set_config('statement_timeout', :limit, true)"),
                    {"limit": str(limit)},
                )
                yield connection

    @asynccontextmanager
    async def driver_transaction(self) -> AsyncIterator[PsycopgConnection]:
        """One transaction on psycopg itself: committed when the block ends, rolled back when it raises."""
        with translated_errors():
            pool = await self._opened_pool()
            async with pool.connection() as connection:
                # One round trip for both. The pool's own context commits or rolls back.
                await connection.execute(
                    f"BEGIN; SET LOCAL statement_timeout = {self._settings.statement_timeout_ms:d}"
                )
                yield connection

    @asynccontextmanager
    async def outside_transaction(self) -> AsyncIterator[PsycopgConnection]:
        """A connection on which each statement is its own transaction: for those that refuse to run inside one."""
        with translated_errors():
            pool = await self._opened_pool()
            async with pool.connection() as connection:
                yield connection

    async def dispose(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _opened_pool(self) -> AsyncConnectionPool[PsycopgConnection]:
        """The driver's pool, opened at first use: it needs a running event loop."""
        if self._pool is None:
            self._pool = AsyncConnectionPool(
                libpq_url(self.url),
                min_size=0,
                max_size=self._settings.pool_size,
                timeout=self._settings.pool_wait_s,
                reconnect_timeout=self._settings.pool_wait_s,
                open=False,
                kwargs={
                    "autocommit": True,  # BEGIN is ours, so that it shares a round trip
                    "prepare_threshold": None,
                    "connect_timeout": self._settings.connect_timeout_s,
                    "application_name": self._application,
                },
            )
            await self._pool.open()
        return self._pool


_databases: dict[str, Database] = globals().get("_databases", {})
# globals() survives importlib.reload, so that reloading modules during development reuses the client (EXD-2).


def shared_database(url: str, settings: DatabaseSettings, *, application: str) -> Database:
    """The process's one database client for this address; a second call returns the same one (EXD-2, EXP-97)."""
    if url not in _databases:
        _databases[url] = Database(url, settings, application=application)
    return _databases[url]


def sqlalchemy_url(url: str) -> str:
    """Spell a PostgreSQL address for SQLAlchemy over psycopg.

    Accepts ``postgresql://`` and ``postgres://``; drops a Prisma-style ``schema=``, which libpq would refuse.

    Raises:
        DatabaseMisconfiguredError: the address names no PostgreSQL.
    """
    parts = urlsplit(libpq_url(url))
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))


def libpq_url(url: str) -> str:
    """Spell a PostgreSQL address for libpq and its tools. Raises `DatabaseMisconfiguredError` when it names none."""
    parts = urlsplit(url.strip())
    if parts.scheme not in {"postgresql", "postgres"}:
        raise DatabaseMisconfiguredError(
            f"DATABASE_URL must begin with postgresql:// (it begins with {parts.scheme or 'nothing'!r}); "
            "unset it to use the embedded database."
        )
    # The rest stays as it was written: to libpq a + is a plus, not a space.
    query = "&".join(each for each in parts.query.split("&") if each.partition("=")[0] != "schema")
    return urlunsplit(parts._replace(scheme="postgresql", query=query))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn "the database is away" in all its spellings into `DatabaseUnavailableError`; let our own bugs through."""
    try:
        yield
    except (PoolTimeoutError, InterfaceError, OperationalError) as error:
        raise DatabaseUnavailableError(one_line(error)) from error
    except DBAPIError as error:
        # A table that is not there yet: the first start's migrations are still running.
        if error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError | UndefinedTable):
            raise DatabaseUnavailableError(one_line(error)) from error
        raise
    except (PoolTimeout, UndefinedTable, psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
        raise DatabaseUnavailableError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """The first line of an error's message, without SQLAlchemy's links."""
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip().splitlines() or [type(error).__name__])[0]
