"""Recovery from every snapshot comes to the same machine, and what is damaged is noticed, named and not used."""

import msgspec
import psycopg
import pytest

from fondaco.core.commands import HOUSE, encode_command
from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from fondaco.engine.journal import BEGINNING, ChainBrokenError, JournalGapError, commands_of, encoded, replayed
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import Standing, loaded, recovered, snapshot_of
from fondaco.engine.store import KEPT_SNAPSHOTS
from fondaco.infra.database import Database
from support.engines import leading, open_exchange, set_aside_often
from support.floor import ALICE, BOB, set_aside, submission


@pytest.fixture
async def batches(store: PostgresStore) -> int:
    """A journal of some batches, with a snapshot after each of the last three; returns how many batches."""
    async with leading(store) as leader:
        await open_exchange(leader.client)
        for account_id in (ALICE, BOB, ALICE, BOB):
            await set_aside_often(leader.client, account_id, 20)
    machine, mark = Machine(), BEGINNING
    rows = await store.rows_after(0, 1_000)
    for row in rows:
        mark, _ = replayed(machine, mark, row)
        if row in rows[-4:-1]:
            await store.save_snapshot(*snapshot_of(Standing(machine, mark)))
    assert len(await store.snapshots()) == KEPT_SNAPSHOTS
    return len(rows)


def execute(database: Database, statement: str, *values: object) -> None:
    """Damage something."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def next_events(standing: Standing) -> bytes:
    """What the machine tells of the next command."""
    machine = standing.machine
    machine.apply(submission(ALICE, set_aside(3), "next", machine.now_ns), machine.seq + 1, machine.now_ns)
    return machine.log.take()


async def test_from_every_snapshot_and_from_none_comes_the_same_machine_that_goes_on_the_same(
    store: PostgresStore, database: Database, batches: int
) -> None:
    found = []
    for left in range(KEPT_SNAPSHOTS, -1, -1):
        assert len(await store.snapshots()) == left
        standing = await recovered(store)
        assert standing.mark == await store.end()
        assert standing.mark.batch_no == batches
        found.append((state_hash(standing.machine), next_events(standing)))
        execute(database, "DELETE FROM snapshots WHERE batch_no = (SELECT max(batch_no) FROM snapshots)")
    assert len(set(found)) == 1
    assert len(found) == KEPT_SNAPSHOTS + 1


async def test_the_hash_of_a_snapshot_is_that_of_its_machine(store: PostgresStore, batches: int) -> None:
    head = (await store.snapshots())[0]
    machine, mark = Machine(), BEGINNING
    for row in await store.rows_after(0, batches):
        if row.batch_no <= head.mark.batch_no:
            mark, _ = replayed(machine, mark, row)
    assert (state_hash(machine), mark) == (head.state_hash, head.mark)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshot_parts SET body = set_byte(body, 100, get_byte(body, 100) # 1)",
        "UPDATE snapshot_parts SET body = substring(body FROM 1 FOR 50)",
        "DELETE FROM snapshot_parts",
        "UPDATE snapshots SET codec = 99",
        "UPDATE snapshots SET seq = seq - 1",
        "UPDATE snapshots SET chain_hash = state_hash",
    ],
)
async def test_a_damaged_snapshot_is_passed_over(
    store: PostgresStore, database: Database, batches: int, damage: str
) -> None:
    expected = next_events(await recovered(store))
    oldest = (await store.snapshots())[-1].mark
    execute(database, damage + " WHERE batch_no > %s", oldest.batch_no)
    assert (await loaded(store)).mark == oldest
    execute(database, damage + " WHERE batch_no = %s", oldest.batch_no)
    assert (await loaded(store)).mark == BEGINNING
    standing = await recovered(store)
    assert standing.mark.batch_no == batches
    assert next_events(standing) == expected


async def test_a_changed_command_is_found_and_its_batch_named(
    store: PostgresStore, database: Database, batches: int
) -> None:
    target = (await store.rows_after(batches - 1, 1))[0]
    commands = commands_of(target)
    body = msgspec.Raw(encode_command(set_aside(2, BOB)))
    commands[0] = msgspec.structs.replace(commands[0], body=body)
    execute(database, "UPDATE journal SET body = %s WHERE batch_no = %s", encoded(commands), target.batch_no)
    with pytest.raises(ChainBrokenError, match=f"differ in batch {batches} "):
        await recovered(store)


async def test_a_missing_batch_is_named(store: PostgresStore, database: Database, batches: int) -> None:
    execute(database, "DELETE FROM snapshots")
    execute(database, "DELETE FROM journal WHERE batch_no = %s", batches - 1)
    with pytest.raises(JournalGapError, match=f"goes on at batch {batches}, command"):
        await recovered(store)


async def test_an_empty_store_begins_with_an_empty_machine(store: PostgresStore) -> None:
    standing = await recovered(store)
    assert (standing.mark, standing.machine.seq) == (BEGINNING, 0)
    assert HOUSE not in standing.machine.house.accounts
