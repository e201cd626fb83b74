"""The engine's store in PostgreSQL.

The writer's lease is two things at once. An advisory lock, held by the very session that inserts, is free the moment
that session ends, however it ends. The epoch in the row of ``leases`` is what makes a zombie harmless: one statement
inserts a batch, takes that row ``FOR SHARE`` and finds it only under its own epoch. Whoever takes over updates the row
first and looks for the journal's end only then. So an insert of the one before is either done by then, and seen, or
comes to nothing.

This session needs a server connection of its own. Everything else works through a transaction-mode pooler.
"""

import asyncio
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from fondaco.engine.archive import Archive
from fondaco.engine.journal import BEGINNING, JournalRow, Mark
from fondaco.engine.store import KEPT_SNAPSHOTS, STALE_S, FencedError, SnapshotHead, StoreLostError
from fondaco.engine.tables import PROJECTION
from fondaco.infra.database import Database, libpq_url, one_line, translated_errors
from fondaco.infra.errors import UserError

LEASE: Final = "engine"
LEASE_LOCK: Final = 0x466F_6E64
"""The number of the advisory lock. Below 2^31, so that it stands in ``pg_locks`` as it is."""
EVICTION_WAIT_MS: Final = 5_000
"""How long a session that was told to end may take to."""
CONNECT_TIMEOUT_S: Final = 5
STATEMENT_TIMEOUT_MS: Final = 10_000
"""The server gives up a commit that takes longer."""
ANSWER_WAIT_S: Final = 15.0
"""A server that has not answered by then is lost, whatever its connection says."""
PART_BYTES: Final = 8 * 1024 * 1024
"""Snapshots are stored in pieces of this size."""
MUST_BE_ON: Final = ("fsync", "full_page_writes", "synchronous_commit")

_LOCK = "SELECT pg_try_advisory_lock(%s)"
_AGE = """
SELECT EXTRACT(EPOCH FROM clock_timestamp() - GREATEST(
    heartbeat_at, (SELECT written_at FROM journal ORDER BY batch_no DESC LIMIT 1)
))::float8 FROM leases WHERE name = %s
"""
_EVICT = """
SELECT pg_terminate_backend(pg_locks.pid, %s) FROM pg_locks
JOIN pg_database ON pg_database.oid = pg_locks.database AND pg_database.datname = current_database()
JOIN leases ON leases.name = %s AND leases.backend_pid = pg_locks.pid
WHERE pg_locks.locktype = 'advisory' AND pg_locks.objid = %s AND pg_locks.granted
"""
_TAKE = """
INSERT INTO leases AS lease (name, epoch, holder, address, backend_pid, heartbeat_at)
VALUES (%s, 1, %s, %s, pg_backend_pid(), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET epoch = lease.epoch + 1, holder = EXCLUDED.holder, address = EXCLUDED.address,
    backend_pid = EXCLUDED.backend_pid, heartbeat_at = EXCLUDED.heartbeat_at
RETURNING epoch, (EXTRACT(EPOCH FROM heartbeat_at) * 1000000)::bigint
"""
_APPEND = """
INSERT INTO journal (batch_no, first_seq, last_seq, epoch, codec, rules_version, last_ns, chain_hash, body, written_at)
SELECT %s, %s, %s, %s, %s, %s, %s, %b, %b, clock_timestamp()
FROM leases WHERE name = %s AND epoch = %s FOR SHARE
"""
_BEAT = """
WITH beat AS (
    UPDATE leases SET heartbeat_at = clock_timestamp() WHERE name = %s AND epoch = %s RETURNING epoch
)
SELECT COALESCE((SELECT seq FROM watermarks WHERE name = %s), 0) FROM beat
"""
_ROWS = """
SELECT batch_no, first_seq, last_seq, epoch, codec, rules_version, last_ns, chain_hash, body
FROM journal WHERE batch_no > %s ORDER BY batch_no LIMIT %s
"""
_END = "SELECT batch_no, last_seq, chain_hash FROM journal ORDER BY batch_no DESC LIMIT 1"
_UNTIL = "SELECT COALESCE(max(batch_no), 0) FROM journal WHERE last_seq <= %s AND last_ns <= %s"
_DROP = "DELETE FROM journal WHERE batch_no <= %s AND batch_no < (SELECT max(batch_no) FROM journal)"
_SAVE = """
INSERT INTO snapshots (batch_no, seq, chain_hash, state_hash, codec, rules_version, byte_count, created_at)
VALUES (%s, %s, %b, %b, %s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING
"""
_SAVE_PART = "INSERT INTO snapshot_parts (batch_no, part_no, body) VALUES (%s, %s, %b)"
_OLD = "(SELECT batch_no FROM snapshots ORDER BY batch_no DESC LIMIT 1 OFFSET %s)"
_DROP_PARTS = f"DELETE FROM snapshot_parts WHERE batch_no <= {_OLD}"  # noqa: S608 - a constant of ours
_DROP_HEADS = f"DELETE FROM snapshots WHERE batch_no <= {_OLD}"  # noqa: S608 - a constant of ours
_SNAPSHOTS = """
SELECT batch_no, seq, chain_hash, state_hash, codec, rules_version, byte_count FROM snapshots ORDER BY batch_no DESC
"""
_HOLDER = "SELECT epoch, address FROM leases WHERE name = %s"
_PARTS = "SELECT body FROM snapshot_parts WHERE batch_no = %s ORDER BY part_no"


class PostgresLease:
    """The lease, on the session that inserts."""

    def __init__(self, connection: psycopg.AsyncConnection[TupleRow], epoch: int, clock_ns: int) -> None:
        self.epoch = epoch
        self.clock_ns = clock_ns
        self._connection = connection

    async def append(self, row: JournalRow) -> None:
        """Commit a batch, in one round trip."""
        cursor = await self._execute(_APPEND, (*row, LEASE, self.epoch))
        if cursor.rowcount != 1:
            raise self._fenced()

    async def beat(self) -> int:
        """Say that the writer is alive; returns the command that the tables have come to."""
        found = await (await self._execute(_BEAT, (LEASE, self.epoch, PROJECTION))).fetchone()
        if found is None:
            raise self._fenced()
        return int(found[0])

    async def aclose(self) -> None:
        """End the session, and with it the lock."""
        await self._connection.close()

    async def _execute(self, statement: LiteralString, values: tuple[Any, ...]) -> psycopg.AsyncCursor[TupleRow]:
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return await self._connection.execute(statement, values, prepare=True)
        except UniqueViolation as error:
            raise self._fenced() from error
        except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
            raise StoreLostError(f"The engine's session with the database is lost: {one_line(error)}.") from error

    def _fenced(self) -> FencedError:
        return FencedError(f"Another engine has taken over: the lease of epoch {self.epoch} is over.")


class PostgresStore:
    """As `fondaco.engine.store.Store` says.

    Args:
        database: for all that reads.
        direct_url: an address that leads to the server itself, for the lease; the database's own when left out.
        archive: where batches are that the table has no more.
    """

    def __init__(self, database: Database, direct_url: str | None = None, archive: Archive | None = None) -> None:
        self._database = database
        self._direct_url = direct_url or database.url
        self._archive = archive

    async def acquire(self, holder: str, address: str, *, evict: bool = False) -> PostgresLease | None:
        """Take the lease. Raises `UserError` when the server would lose what it has acknowledged."""
        with translated_errors():
            connection = await psycopg.AsyncConnection.connect(
                libpq_url(self._direct_url),
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="fondaco engine's lease",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
            )
            try:
                lease = await _taken(connection, holder, address, evict=evict)
            except BaseException:  # whatever it is: the session must not outlive it
                await connection.close()
                raise
            if lease is None:
                await connection.close()
            return lease

    async def heartbeat_age_s(self) -> float | None:
        """By the server's clock. A committed batch is a heartbeat, too."""
        async with self._database.driver_transaction() as connection:
            return await _age_s(connection)

    async def end(self) -> Mark:
        """The last batch."""
        async with self._database.driver_transaction() as connection:
            found = await (await connection.execute(_END)).fetchone()
        return BEGINNING if found is None else Mark(*found)

    async def rows_after(self, batch_no: int, limit: int) -> list[JournalRow]:
        """Batches in order."""
        async with self._database.driver_transaction() as connection:
            cursor = await connection.execute(_ROWS, (batch_no, limit), binary=True)
            rows = [JournalRow(*row) for row in await cursor.fetchall()]
        if self._archive is not None and rows and rows[0].batch_no != batch_no + 1:
            return await asyncio.to_thread(self._archive.rows_after, batch_no, limit) or rows
        return rows

    async def batch_until(self, seq: int, now_ns: int) -> int:
        """Looks through the whole journal but for its bodies, which lie apart."""
        async with self._database.driver_transaction() as connection:
            found = await (await connection.execute(_UNTIL, (seq, now_ns))).fetchone()
        assert found is not None, "an aggregate always returns a row"
        return int(found[0])

    async def drop_until(self, batch_no: int) -> None:
        """The last batch of all stays."""
        async with self._database.driver_transaction() as connection:
            await connection.execute(_DROP, (batch_no,))

    async def save_snapshot(self, head: SnapshotHead, body: bytes) -> None:
        """All of it in one transaction."""
        mark = head.mark
        async with self._database.driver_transaction() as connection:
            values = (*mark, head.state_hash, head.codec, head.rules_version, head.byte_count)
            if (await connection.execute(_SAVE, values)).rowcount == 0:
                return
            for part_no, start in enumerate(range(0, len(body), PART_BYTES)):
                await connection.execute(_SAVE_PART, (mark.batch_no, part_no, body[start : start + PART_BYTES]))
            for statement in (_DROP_PARTS, _DROP_HEADS):
                await connection.execute(statement, (KEPT_SNAPSHOTS,))

    async def snapshots(self) -> list[SnapshotHead]:
        """Newest first."""
        async with self._database.driver_transaction() as connection:
            rows = await (await connection.execute(_SNAPSHOTS)).fetchall()
        return [SnapshotHead(Mark(*row[:3]), *row[3:]) for row in rows]

    async def snapshot_body(self, batch_no: int) -> bytes:
        """Its parts, put together."""
        async with self._database.driver_transaction() as connection:
            cursor = await connection.execute(_PARTS, (batch_no,), binary=True)
            return b"".join([row[0] async for row in cursor])


async def _taken(
    connection: psycopg.AsyncConnection[TupleRow], holder: str, address: str, *, evict: bool
) -> PostgresLease | None:
    await _require_durability(connection)
    if not await _locked(connection):
        age_s = await _age_s(connection)
        if not evict or age_s is None or age_s < STALE_S:
            return None
        await connection.execute(_EVICT, (EVICTION_WAIT_MS, LEASE, LEASE_LOCK))
        if not await _locked(connection):
            return None  # another standby was faster
    found = await (await connection.execute(_TAKE, (LEASE, holder, address))).fetchone()
    assert found is not None, "the row is there now"
    epoch, clock_us = found
    return PostgresLease(connection, epoch, clock_us * 1_000)


async def _locked(connection: psycopg.AsyncConnection[TupleRow]) -> bool:
    found = await (await connection.execute(_LOCK, (LEASE_LOCK,))).fetchone()
    assert found is not None, "a function always returns"
    return bool(found[0])


async def _age_s(connection: psycopg.AsyncConnection[TupleRow]) -> float | None:
    found = await (await connection.execute(_AGE, (LEASE,))).fetchone()
    return None if found is None else found[0]


async def _require_durability(connection: psycopg.AsyncConnection[TupleRow]) -> None:
    for name in MUST_BE_ON:
        found = await (await connection.execute("SELECT current_setting(%s)", (name,))).fetchone()
        if found is None or found[0] == "off":
            raise UserError(
                f"The database has {name} off: it would lose orders that were acknowledged. "
                "Switch it on (ALTER SYSTEM), or the engine does not start."
            )


class Holder(NamedTuple):
    """Who took the lease last. It may have died since."""

    epoch: int
    address: str
    """Where it is reached; empty when it is not."""


async def current_lease(database: Database) -> Holder:
    """Who leads, as far as the lease says; epoch 0 when nobody ever did."""
    async with database.driver_transaction() as connection:
        found = await (await connection.execute(_HOLDER, (LEASE,))).fetchone()
    return Holder(0, "") if found is None else Holder(*found)
