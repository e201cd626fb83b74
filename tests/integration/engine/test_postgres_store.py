"""The store on a real PostgreSQL: one writer at a time, zombies fenced, and nothing in doubt that is not said to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from fondaco.engine import postgres_store
from fondaco.engine.journal import BEGINNING, JournalRow, Mark
from fondaco.engine.postgres_store import LEASE, LEASE_LOCK, PostgresLease, PostgresStore
from fondaco.engine.store import KEPT_SNAPSHOTS, STALE_S, FencedError, SnapshotHead, StoreLostError
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from support.waiting import eventually


def row(batch_no: int, body: bytes = b"body") -> JournalRow:
    """A batch of one command."""
    return JournalRow(batch_no, batch_no, batch_no, 1, 1, 1, batch_no * 1_000, bytes([batch_no]) * 32, body)


async def led(store: PostgresStore, name: str = "leader", *, evict: bool = False) -> PostgresLease:
    """The lease, which must be free."""
    lease = await store.acquire(name, "here", evict=evict)
    assert lease is not None
    return lease


def execute(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement beside everything else."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def silence(url: str) -> None:
    """Let the last sign of life lie so long back that the writer counts as dead."""
    execute(url, "UPDATE leases SET heartbeat_at = heartbeat_at - make_interval(secs => %s)", STALE_S)
    execute(url, "UPDATE journal SET written_at = written_at - make_interval(secs => %s)", STALE_S)


async def test_what_is_appended_is_read_again_in_order_and_page_by_page(store: PostgresStore) -> None:
    lease = await led(store)
    assert (await store.end(), await store.rows_after(0, 10)) == (BEGINNING, [])
    rows = [row(number, bytes(range(256)) * number) for number in (1, 2, 3)]
    for each in rows:
        await lease.append(each)
    assert await store.rows_after(0, 2) == rows[:2]
    assert await store.rows_after(2, 2) == rows[2:]
    assert await store.end() == Mark(3, 3, bytes([3]) * 32)
    await lease.aclose()


async def test_one_leads_at_a_time_and_the_next_one_has_a_higher_epoch(store: PostgresStore) -> None:
    first = await led(store)
    assert await store.acquire("second", "there") is None
    assert await store.acquire("second", "there", evict=True) is None, "the first one is alive"
    await first.aclose()
    second = await led(store, "second")
    assert second.epoch == first.epoch + 1
    await second.aclose()


async def test_one_that_is_silent_for_long_is_turned_out_only_by_whom_may_do_so(
    store: PostgresStore, database: Database
) -> None:
    first = await led(store)
    await first.append(row(1))
    silence(database.url)
    assert await store.acquire("second", "there") is None
    second = await led(store, "second", evict=True)
    with pytest.raises(StoreLostError):
        await first.append(row(2))
    await second.append(row(2))
    assert [each.epoch for each in await store.rows_after(0, 9)] == [1, 1]
    await second.aclose()


async def test_a_zombie_whose_session_lives_is_fenced_by_the_epoch(store: PostgresStore, database: Database) -> None:
    zombie = await led(store)
    await zombie._connection.execute("SELECT pg_advisory_unlock(%s)", (LEASE_LOCK,))
    second = await led(store, "second")
    for attempt in (zombie.append(row(1)), zombie.beat()):
        with pytest.raises(FencedError, match="epoch 1 is over"):
            await attempt
    assert await store.end() == BEGINNING
    await second.append(row(1))
    await zombie.aclose()
    await second.aclose()
    assert execute(database.url, "SELECT holder, address, epoch FROM leases") == [("second", "here", 2)]


async def test_a_takeover_waits_for_the_insert_that_is_under_way_and_then_sees_it(
    store: PostgresStore, database: Database
) -> None:
    zombie = await led(store)
    await zombie._connection.execute("SELECT pg_advisory_unlock(%s)", (LEASE_LOCK,))
    await zombie._connection.execute("BEGIN")
    await zombie.append(row(1))
    taking_over = asyncio.ensure_future(led(store, "second"))

    async def waits() -> bool:
        return bool(execute(database.url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    await eventually(waits)
    assert not taking_over.done()
    await zombie._connection.execute("COMMIT")
    second = await taking_over
    assert (await store.end()).batch_no == 1
    with pytest.raises(FencedError):
        await zombie.append(row(2))
    await zombie.aclose()
    await second.aclose()


async def test_an_insert_that_waits_for_a_takeover_comes_to_nothing(store: PostgresStore, database: Database) -> None:
    zombie = await led(store)
    with psycopg.connect(database.url) as takeover:
        takeover.execute("UPDATE leases SET epoch = epoch + 1 WHERE name = %s", (LEASE,))
        appending = asyncio.ensure_future(zombie.append(row(1)))

        async def waits() -> bool:
            return bool(execute(database.url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

        await eventually(waits)
    with pytest.raises(FencedError):
        await appending
    assert await store.end() == BEGINNING
    await zombie.aclose()


async def test_a_batch_that_is_there_already_is_never_written_again(store: PostgresStore) -> None:
    lease = await led(store)
    await lease.append(row(1))
    with pytest.raises(FencedError):
        await lease.append(row(1, b"other"))
    assert [each.body for each in await store.rows_after(0, 9)] == [b"body"]
    await lease.aclose()


async def test_a_commit_whose_answer_is_lost_is_said_to_be_in_doubt_and_may_well_be_there(
    store: PostgresStore, database: Database
) -> None:
    async with cuttable(database.url) as (url, cut):
        lease = await led(PostgresStore(database, url))
        await lease.append(row(1))
        cut.set()
        with pytest.raises(StoreLostError):
            await lease.append(row(2))
        await lease.aclose()

    async def is_there() -> bool:
        return (await store.end()).batch_no == 2

    await eventually(is_there)


@asynccontextmanager
async def cuttable(database_url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the server that, once told so, passes on what we say and ends instead of bringing the answer."""
    parts = urlsplit(database_url)
    ((port,),) = execute(database_url, "SHOW port")
    cut = asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_be_cut: bool) -> None:
        while data := await reader.read(65_536):
            if may_be_cut and cut.is_set():
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_server = await asyncio.open_connection("127.0.0.1", int(str(port)))
        await asyncio.gather(
            pump(reader, from_server, may_be_cut=False),
            pump(to_server, writer, may_be_cut=True),
            return_exceptions=True,
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    own_port = server.sockets[0].getsockname()[1]
    password = parts.netloc.rpartition("@")[0]
    async with server:
        yield urlunsplit(parts._replace(netloc=f"{password}@127.0.0.1:{own_port}", query="sslmode=disable")), cut


async def test_a_server_that_does_not_answer_is_lost_after_a_while(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "ANSWER_WAIT_S", 0.05)
    lease = await led(store)
    with psycopg.connect(database.url) as other:
        other.execute("SELECT FROM leases FOR UPDATE")
        with pytest.raises(StoreLostError):
            await lease.append(row(1))
    await lease.aclose()


async def test_a_beat_and_a_commit_are_signs_of_life_in_the_servers_time(
    store: PostgresStore, database: Database
) -> None:
    assert await store.heartbeat_age_s() is None
    lease = await led(store)
    for sign in (lease.beat(), lease.append(row(1))):
        silence(database.url)
        before = await store.heartbeat_age_s()
        await sign
        after = await store.heartbeat_age_s()
        assert before is not None
        assert after is not None
        assert before >= STALE_S
        assert after < before
    await lease.aclose()


async def test_a_beat_tells_how_far_the_tables_are(store: PostgresStore, database: Database) -> None:
    lease = await led(store)
    assert await lease.beat() == 0
    execute(database.url, "INSERT INTO watermarks VALUES ('projection', 3, 41, sha256(''), now())")
    assert await lease.beat() == 41
    await lease.aclose()


async def test_the_servers_clock_comes_with_the_lease(store: PostgresStore, database: Database) -> None:
    lease = await led(store)
    ((shown,),) = execute(database.url, "SELECT (EXTRACT(EPOCH FROM heartbeat_at) * 1000000)::bigint FROM leases")
    assert lease.clock_ns == int(str(shown)) * 1_000
    await lease.aclose()


async def test_a_server_that_would_lose_orders_is_refused_in_one_sentence(
    store: PostgresStore, database: Database
) -> None:
    execute(database.url, f"ALTER DATABASE {urlsplit(database.url).path[1:]} SET synchronous_commit = off")
    with pytest.raises(UserError, match="The database has synchronous_commit off"):
        await store.acquire("leader", "here")


async def test_the_newest_snapshots_are_kept_and_come_back_whole(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "PART_BYTES", 10)
    bodies = {number: bytes([number]) * (10 * number + number % 2) for number in range(1, KEPT_SNAPSHOTS + 3)}
    for number, body in bodies.items():
        head = SnapshotHead(Mark(number, number * 10, bytes(32)), bytes([number]) * 32, 1, 1, len(body))
        await store.save_snapshot(head, body)
        await store.save_snapshot(head, b"another")
    heads = await store.snapshots()
    assert [head.mark.batch_no for head in heads] == [5, 4, 3]
    assert [await store.snapshot_body(head.mark.batch_no) for head in heads] == [bodies[5], bodies[4], bodies[3]]
    assert (heads[0].mark.seq, heads[0].state_hash, heads[0].byte_count) == (50, b"\5" * 32, len(bodies[5]))
    assert await store.snapshot_body(1) == b""
