"""Followers and nodes on a real database: the same chain, one who projects, a takeover when the leader is silent."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from fondaco.core.snapshot import state_hash
from fondaco.engine.follower import Follower
from fondaco.engine.journal import BEGINNING, ChainBrokenError, Committed
from fondaco.engine.leader import Leader
from fondaco.engine.node import Node
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.engine.recovery import loaded
from fondaco.engine.store import KEPT_SNAPSHOTS, STALE_S, Identity
from fondaco.infra.database import Database, DatabaseUnavailableError
from support.engines import (
    NEVER,
    STANDBY,
    WIDE,
    follower_of,
    leading,
    open_exchange,
    running,
    set_aside_often,
    submit,
)
from support.floor import ALICE, BOB, set_aside
from support.waiting import eventually


async def caught_up(store: PostgresStore, follower: Follower) -> None:
    """The follower has come to the journal's end."""

    async def has() -> bool:
        return follower.standing.mark == await store.end()

    await eventually(has)


async def test_a_follower_comes_to_the_leaders_state_and_moves_the_watermark(
    store: PostgresStore, database: Database
) -> None:
    follower = await follower_of(store, database)
    async with leading(store) as leader, running(follower):
        await open_exchange(leader.client)
        await set_aside_often(leader.client, ALICE, 200)
        state = await leader.client.read(state_hash)
        await caught_up(store, follower)
        assert state_hash(follower.standing.machine) == state

        async def watermark_is_there() -> bool:
            return await TablesProjector(database).watermark() == follower.standing.mark

        await eventually(watermark_is_there)


async def test_a_follower_keeps_the_newest_snapshots_and_the_next_one_begins_there(
    store: PostgresStore, database: Database
) -> None:
    follower = await follower_of(store, database, snapshot_commands=10)
    async with leading(store) as leader, running(follower):
        await open_exchange(leader.client)
        for _ in range(KEPT_SNAPSHOTS + 2):
            await set_aside_often(leader.client, ALICE, 10)
            await caught_up(store, follower)

        async def newest_is_there() -> bool:
            heads = await store.snapshots()
            return bool(heads) and follower.standing.mark.seq - heads[0].mark.seq < 10

        await eventually(newest_is_there)
        assert len(await store.snapshots()) <= KEPT_SNAPSHOTS
    second = await follower_of(store, database)
    assert second.standing.mark == (await store.snapshots())[0].mark


async def test_a_snapshot_beyond_the_tables_is_not_begun_from(store: PostgresStore, database: Database) -> None:
    follower = await follower_of(store, database, snapshot_commands=10)
    async with leading(store) as leader, running(follower):
        await open_exchange(leader.client)
        await caught_up(store, follower)

        async def is_kept() -> bool:
            return bool(await store.snapshots())

        await eventually(is_kept)
    async with database.driver_transaction() as connection:
        await connection.execute("DELETE FROM watermarks")
    assert (await follower_of(store, database)).standing.mark == BEGINNING


async def test_a_follower_stops_at_the_batch_where_it_comes_to_something_else(
    store: PostgresStore, database: Database
) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        await submit(leader.client, ALICE, set_aside(1))
    end = await store.end()
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE journal SET chain_hash = %s WHERE batch_no = %s", (bytes(32), end.batch_no))
    follower = await follower_of(store, database)
    with pytest.raises(ChainBrokenError, match=f"differ in batch {end.batch_no} "):
        await follower.run()


class Faulty(TablesProjector):
    """Loses the answer of its first write, as a database that goes away while it commits."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.tried: list[int] = []

    async def write(self, batches: Sequence[Committed]) -> None:
        """Write, and say the first time that nobody knows."""
        is_first = not self.tried
        self.tried += [batch.mark.batch_no for batch in batches]
        await super().write(batches)
        if is_first:
            raise DatabaseUnavailableError("gone")


async def test_a_write_in_doubt_is_looked_up_and_not_done_twice(store: PostgresStore, database: Database) -> None:
    projector = Faulty(database)
    follower = Follower(store, projector, await loaded(store), STANDBY, snapshot_commands=NEVER)
    async with leading(store) as leader, running(follower):
        await open_exchange(leader.client)
        await caught_up(store, follower)
        await set_aside_often(leader.client, ALICE, 10)
        await caught_up(store, follower)

        async def all_is_written() -> bool:
            return await projector.watermark() == follower.standing.mark

        await eventually(all_is_written)
    assert projector.tried == list(range(1, follower.standing.mark.batch_no + 1))


async def test_two_followers_share_the_watermark_and_neither_falls_out(
    store: PostgresStore, database: Database
) -> None:
    followers = [await follower_of(store, database) for _ in range(2)]
    async with leading(store) as leader, running(followers[0]), running(followers[1]):
        await open_exchange(leader.client)
        for _ in range(5):
            await set_aside_often(leader.client, BOB, 10)
        for follower in followers:
            await caught_up(store, follower)

        async def all_is_written() -> bool:
            return await TablesProjector(database).watermark() == await store.end()

        await eventually(all_is_written)


def node(store: PostgresStore, database: Database, leaders: "asyncio.Queue[Leader]", name: str) -> Node:
    """A node that says when it leads."""
    return Node(
        store,
        TablesProjector(database),
        Identity(name, "here"),
        WIDE,
        snapshot_commands=NEVER,
        led=leaders.put_nowait,
    )


async def test_the_standby_takes_over_when_the_leader_falls_silent_and_nothing_acknowledged_is_missing(
    store: PostgresStore, database: Database
) -> None:
    leaders: asyncio.Queue[Leader] = asyncio.Queue()
    first = asyncio.ensure_future(node(store, database, leaders, "first").lead_or_follow())
    leader = await leaders.get()
    await open_exchange(leader.client)
    standby = asyncio.ensure_future(node(store, database, leaders, "second").follow())
    answers = await set_aside_often(leader.client, ALICE, 100)
    zombie = leader.client
    silence(leader)
    clock_s = asyncio.get_running_loop().time
    begun_s = clock_s()
    waiting = asyncio.ensure_future(submit(zombie, ALICE, set_aside(1), "in doubt"))
    leader = await leaders.get()
    assert clock_s() - begun_s < STALE_S + 5
    assert await leader.client.read(lambda machine: machine.seq) == answers[-1].seq
    again = await submit(leader.client, ALICE, set_aside(1), "in doubt")
    assert (again.seq, again.is_duplicate) == (answers[-1].seq + 1, False)
    waiting.cancel()
    third = asyncio.ensure_future(node(store, database, leaders, "third").lead_or_follow())
    leader.stop()
    await standby
    assert await leaders.get() is not leader, "the one that came last has followed, and leads now"
    for task in (first, third):
        task.cancel()
    await asyncio.wait([first, third])
    with pytest.raises((OutcomeUnknownError, OverloadedError)):
        await submit(zombie, ALICE, set_aside(1))


def silence(leader: Leader) -> None:
    """Let a leader hang for good: it holds its lease and does not say a word."""

    async def hang(*_: object) -> int:
        await asyncio.Event().wait()
        return 0

    leader._lease.append = hang  # type: ignore[method-assign, assignment] # a disk that does not answer
    leader._lease.beat = hang  # type: ignore[method-assign] # the same
