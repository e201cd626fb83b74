"""`fondaco engine`, `fondaco follower` and `fondaco replay` as they are run: they lead, stand by, stop and tell."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest

from fondaco.app.migrations import migrate
from fondaco.core.snapshot import state_hash
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import recovered, snapshot_of
from fondaco.engine.store import STALE_S
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from support.crashing import kill
from support.engines import leading, open_exchange, set_aside_often
from support.floor import ALICE, OPENING
from support.houses import command
from support.waiting import eventually

FAILED = 1


@asynccontextmanager
async def process(name: str, url: str, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of the engine's processes, as the supervisor runs it."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fondaco", name, "--supervised"),
        env=os.environ | {"DATABASE_URL": url, "FONDACO_DATA_DIR": str(data_dir)},
    )
    try:
        yield running
    finally:
        await kill(running)


async def holds_the_lease(url: str, name: str) -> None:
    """The process of this name leads, and has beaten since it began to."""

    async def does() -> bool:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT holder FROM leases WHERE heartbeat_at > now() - interval '1 s'").fetchone()
        return row is not None and row[0].startswith(f"{name} of ")

    await eventually(does)


async def stopped(running: asyncio.subprocess.Process) -> int:
    """Told to stop; returns the exit code."""
    running.send_signal(signal.SIGTERM)
    return await running.wait()


async def test_the_engine_leads_the_follower_takes_over_and_the_engine_follows_when_it_is_back(
    database_url: str, tmp_path: Path
) -> None:
    async with process("engine", database_url, tmp_path) as engine:
        await holds_the_lease(database_url, "engine")
        async with process("follower", database_url, tmp_path) as follower:
            await kill(engine)
            await holds_the_lease(database_url, "follower")
            async with process("engine", database_url, tmp_path) as again:
                assert await stopped(follower) == 0
                await holds_the_lease(database_url, "engine")
                assert await stopped(again) == 0


async def test_an_engine_whose_lease_is_taken_ends_and_says_why(database_url: str, tmp_path: Path) -> None:
    async with process("engine", database_url, tmp_path) as engine:
        await holds_the_lease(database_url, "engine")
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE leases SET epoch = epoch + 1")
        assert await asyncio.wait_for(engine.wait(), 10 * STALE_S) == FAILED


async def test_processes_wait_for_tables_that_are_not_there_yet(empty_database_url: str, tmp_path: Path) -> None:
    async with process("engine", empty_database_url, tmp_path):
        await asyncio.to_thread(migrate, empty_database_url, DatabaseSettings())
        await holds_the_lease(empty_database_url, "engine")


async def test_a_replay_prints_the_state_of_the_moment_that_was_asked_for(database: Database, tmp_path: Path) -> None:
    store = PostgresStore(database)
    async with leading(store) as leader:
        await open_exchange(leader.client)
        await set_aside_often(leader.client, ALICE, 5)
    known = {"DATABASE_URL": database.url}
    code, said, _ = await command(["replay"], tmp_path, known)
    expected = state_hash((await recovered(store)).machine)
    assert (code, said.splitlines()[1]) == (0, f"state {expected.hex()}")
    code, said, _ = await command(["replay", "--until", str(len(OPENING) + 2)], tmp_path, known)
    assert (code, said.splitlines()[0]) == (0, ANY)
    assert said.startswith(f"command {len(OPENING) + 2} at ")
    assert f"account {ALICE} USDT available 9999999.99999998 held 0.00000002" in said.splitlines()


async def test_a_broken_journal_is_a_sentence(database: Database, tmp_path: Path) -> None:
    async with leading(PostgresStore(database)) as leader:
        await open_exchange(leader.client)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE journal SET chain_hash = %s WHERE batch_no = 1", (bytes(32),))
    code, said, complaint = await command(["replay"], tmp_path, {"DATABASE_URL": database.url})
    assert (code, said) == (2, "")
    assert complaint.splitlines()[-1].startswith("fondaco: The journal and this machine differ in batch 1 ")


async def test_old_journal_is_moved_and_the_whole_of_it_verified_and_damage_is_named(
    database: Database, tmp_path: Path
) -> None:
    known = {"DATABASE_URL": database.url}
    store = PostgresStore(database)
    async with leading(store) as leader:
        await open_exchange(leader.client)
    assert (await command(["journal", "archive"], tmp_path, known))[1].startswith("Nothing was moved")
    await store.save_snapshot(*snapshot_of(await recovered(store)))
    async with leading(store) as leader:
        await set_aside_often(leader.client, ALICE, 5)
    code, said, _ = await command(["journal", "archive"], tmp_path, known)
    assert code == 0
    assert said.startswith(f"Batches 1 to {(await store.snapshots())[0].mark.batch_no} (commands 1 to {len(OPENING)})")
    code, said, _ = await command(["journal", "verify"], tmp_path, known)
    assert (code, said.startswith(f"The journal is whole: {len(OPENING) + 5} commands in ")) == (0, True)
    for file in (tmp_path / "journal").iterdir():
        file.unlink()
    code, said, _ = await command(["journal", "verify"], tmp_path, known)
    assert code == FAILED
    assert said.startswith("The journal goes on at batch ")


@pytest.mark.parametrize("words", ["tomorrow", "12:00"])
async def test_a_moment_that_is_none_is_a_sentence(words: str, tmp_path: Path) -> None:
    code, _, complaint = await command(["replay", "--until", words], tmp_path)
    assert (code, complaint.count("\n")) == (2, 1)
