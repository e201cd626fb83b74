"""Old journal in files: moved all or nothing, read as if it had stayed, and every damage noticed and named."""

from pathlib import Path

import psycopg
import pytest

from fondaco.core.snapshot import state_hash
from fondaco.engine import archive as module
from fondaco.engine import archiving
from fondaco.engine.archive import Archive
from fondaco.engine.archiving import Moved, archived, verified
from fondaco.engine.journal import BEGINNING, JournalError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import Standing, recovered, snapshot_of
from fondaco.engine.replaying import Until, replayed_until
from fondaco.infra.database import Database
from support.engines import leading, open_exchange, set_aside_often
from support.floor import ALICE, OPENING


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty one."""
    return Archive(tmp_path / "journal")


@pytest.fixture
async def store(database: Database, archive: Archive) -> PostgresStore:
    """A store that reads the archive, with a snapshot before the last of its batches."""
    store = PostgresStore(database, archive=archive)
    async with leading(store) as leader:
        await open_exchange(leader.client)
        for _ in range(6):
            await set_aside_often(leader.client, ALICE, 5)
    await keep_a_snapshot(store)
    async with leading(store) as leader:
        await set_aside_often(leader.client, ALICE, 5)
    return store


async def keep_a_snapshot(store: PostgresStore) -> None:
    """Of the journal's end."""
    await store.save_snapshot(*snapshot_of(await recovered(store)))


async def in_the_table(database: Database) -> list[int]:
    """Batches that the table has."""
    async with database.driver_transaction() as connection:
        rows = await (await connection.execute("SELECT batch_no FROM journal ORDER BY batch_no")).fetchall()
    return [row[0] for row in rows]


async def test_what_lies_before_the_snapshot_moves_and_everything_reads_as_before(
    store: PostgresStore, archive: Archive, database: Database
) -> None:
    before = await verified(store, archive)
    snapshot = (await store.snapshots())[0].mark
    moved = await archived(store, archive)
    assert moved == Moved(BEGINNING, snapshot, files=1)
    assert await in_the_table(database) == list(range(snapshot.batch_no + 1, (await store.end()).batch_no + 1))
    after = await verified(store, archive)
    assert (after.mark, state_hash(after.machine)) == (before.mark, state_hash(before.machine))
    assert (await recovered(store)).mark == before.mark
    assert (await replayed_until(store, Until(seq=len(OPENING) + 3))).seq == len(OPENING) + 3
    assert await archived(store, archive) == Moved(snapshot, snapshot, files=0)


async def test_the_archive_grows_file_by_file_and_stays_one_chain(
    store: PostgresStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "MAX_FILE_BYTES", 1)
    monkeypatch.setattr(archiving, "PAGE_ROWS", 4)
    assert (await archived(store, archive)).files > 1
    await keep_a_snapshot(store)
    async with leading(store) as leader:
        await set_aside_often(leader.client, ALICE, 5)
    assert (await archived(store, archive)).files == 1
    assert (await verified(store, archive)).mark == await store.end()
    files = archive.files()
    assert [file.first_batch for file in files[1:]] == [file.last_batch + 1 for file in files[:-1]]


async def test_the_last_batch_stays_for_it_is_the_journals_end(
    store: PostgresStore, archive: Archive, database: Database
) -> None:
    await keep_a_snapshot(store)
    end = await store.end()
    await archived(store, archive)
    assert await in_the_table(database) == [end.batch_no]
    assert await store.end() == end


async def test_a_move_that_was_cut_off_is_completed(
    store: PostgresStore, archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = await in_the_table(database)

    async def cut_off(batch_no: int) -> None:
        if batch_no:
            raise OSError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(store, "drop_until", cut_off)
        with pytest.raises(OSError, match="no more"):
            await archived(store, archive)
    assert await in_the_table(database) == batches, "in both places"
    assert (await archived(store, archive)).files == 0
    assert len(await in_the_table(database)) < len(batches)
    assert (await verified(store, archive)).mark == await store.end()


async def test_two_do_not_archive_at_once(store: PostgresStore, archive: Archive) -> None:
    with archive.held(), pytest.raises(JournalError, match="Another command"):
        await archived(store, archive)


async def test_without_a_snapshot_nothing_moves(store: PostgresStore, archive: Archive, database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DELETE FROM snapshots")
    assert (await archived(store, archive)).files == 0


async def test_an_archive_of_another_journal_is_left_alone(
    store: PostgresStore, archive: Archive, database: Database
) -> None:
    await archived(store, archive)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DELETE FROM journal")
    with pytest.raises(JournalError, match="was an old backup restored"):
        await archived(store, archive)


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (2, "cannot be read|has format"),
        (-10, "cannot be read|not of the size"),
        (None, "not of the size|cannot be read"),
    ],
)
async def test_a_damaged_file_is_named(store: PostgresStore, archive: Archive, offset: int | None, said: str) -> None:
    await archived(store, archive)
    (file,) = archive.files()
    body = bytearray(file.path.read_bytes())
    if offset is None:
        del body[-30:]
    else:
        body[offset] ^= 0xFF
    file.path.write_bytes(body)
    with pytest.raises(JournalError, match=rf"{file.path.name}.*({said})"):
        await verified(store, Archive(file.path.parent))


async def test_a_file_that_was_replaced_or_is_missing_is_noticed(
    store: PostgresStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "MAX_FILE_BYTES", 1)
    monkeypatch.setattr(archiving, "PAGE_ROWS", 4)
    await archived(store, archive)
    first, second, *_ = archive.files()
    other = Archive(first.path.parent / "other")
    with other.held():
        rows = archive.rows_after(0, 100)
        other.add([*rows[:-1], rows[-1]._replace(epoch=99)], BEGINNING)
    (changed,) = other.files()
    original = first.path.read_bytes()
    first.path.write_bytes(changed.path.read_bytes())
    with pytest.raises(JournalError, match=f"{second.path.name} does not carry the hash"):
        archive.check()
    first.path.write_bytes(original)
    archive.check()
    second.path.unlink()
    with pytest.raises(JournalError, match="does not carry the hash"):
        archive.check()


async def test_a_snapshot_that_is_not_what_the_journal_comes_to_is_noticed(
    store: PostgresStore, archive: Archive
) -> None:
    standing = await recovered(store)
    head, body = snapshot_of(Standing(standing.machine, standing.mark))
    await store.save_snapshot(head._replace(state_hash=bytes(32)), body)
    with pytest.raises(JournalError, match=f"The snapshot at batch {standing.mark.batch_no} is not what"):
        await verified(store, archive)


async def test_a_file_of_a_later_version_is_refused_by_name(
    store: PostgresStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORMAT", 2)
    await archived(store, archive)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="has format 2, and this version knows 1"):
        await verified(store, archive)
