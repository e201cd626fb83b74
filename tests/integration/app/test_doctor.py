"""``fondaco doctor`` as people run it: a house that is well, and houses with something broken."""

import asyncio
import os
import signal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from fondaco.engine.projection.audit import CHECKS
from support.houses import command, running_house
from support.places import open_folder
from support.processes import is_running
from support.waiting import eventually

NOBODY = "postgresql://u:hunter2@127.0.0.1:1/x"
BROKEN = {
    "gaps": "INSERT INTO gaps VALUES ('replay', 'BTCUSDT', 1, 5, 3, now(), now(), now(), NULL)",
    "quarantine": "INSERT INTO quarantine VALUES (gen_random_uuid(), 'replay', NULL, 'odd', '{', now())",
    "outbox": "INSERT INTO outbox VALUES (gen_random_uuid(), 't', 'k', '{}', 'dead', 20, now(), now(), NULL, 'no')",
    "jobs": "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('house', 'x', 'failed')",
}
PARTS = {
    "settings",
    "folder",
    "disk",
    "clock",
    "house",
    "processes",
    "bus",
    "database",
    "durability",
    "clocks",
    "schema",
    *(check.part for check in CHECKS),
    "memory",
}


async def doctor(data_dir: Path, **environment: str) -> tuple[int, dict[str, set[str]], str]:
    """Run it; returns the exit code, the parts by level, and all that it said."""
    code, said, complaint = await command(["doctor"], data_dir, environment)
    assert complaint == ""
    levels: dict[str, set[str]] = {"ok": set(), "warn": set(), "fail": set()}
    for line in said.splitlines()[:-1]:
        level, part, _ = line.split(maxsplit=2)
        levels[level].add(part)
    return code, levels, said


async def test_a_running_house_is_well_and_a_stopped_one_is_not() -> None:
    with open_folder() as folder:
        data_dir = folder / "house"
        async with running_house(data_dir) as house:
            await eventually(house.has_candles)
            await eventually(house.is_ready)
            code, levels, said = await doctor(data_dir)
            assert (code, levels["warn"], levels["fail"]) == (0, set(), set()), said
            assert levels["ok"] == {*PARTS, *BROKEN, "feed"}
            assert house.address in said
            await a_hanging_house_is_seen(house.process.pid, house.pids("fondaco record"), data_dir)
            assert await house.stop() == 0
        code, levels, said = await doctor(data_dir)
        assert (code, levels["warn"]) == (0, {"house", "database"}), said


async def a_hanging_house_is_seen(supervisor: int, record: list[int], data_dir: Path) -> None:
    """It neither answers nor starts again what ends."""
    os.kill(supervisor, signal.SIGSTOP)
    try:
        (pid,) = record
        os.kill(pid, signal.SIGKILL)

        async def is_dead() -> bool:
            return not is_running(pid)

        await eventually(is_dead)
        code, levels, said = await doctor(data_dir)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert (code, levels["fail"]) == (1, {"processes", "bus"}), said
    assert "not running now: record;" in said


async def test_what_was_left_undone_is_worth_knowing(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL search_path TO public, procrastinate")
        for statement in BROKEN.values():
            connection.execute(statement.encode())
    code, levels, said = await doctor(tmp_path, DATABASE_URL=database_url)
    assert (code, levels["fail"]) == (0, set()), said
    assert set(BROKEN) <= levels["warn"]
    assert "1: 3 trades are known to be missing" in said


async def test_a_database_that_may_lose_commits_fails(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    code, levels, said = await doctor(tmp_path, DATABASE_URL=database_url)
    assert (code, levels["fail"]) == (1, {"durability"}), said
    assert "synchronous_commit is off" in said


@pytest.mark.parametrize("statement", ["UPDATE alembic_version SET version_num = '0001'", "DROP TABLE alembic_version"])
async def test_a_schema_that_is_behind_fails_and_its_tables_are_not_asked(
    statement: str, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())
    code, levels, said = await doctor(tmp_path, DATABASE_URL=database_url)
    assert (code, levels["fail"]) == (1, {"schema"}), said
    assert "gaps" not in levels["ok"] | levels["warn"]
    assert "fondaco db migrate" in said


async def test_a_database_that_is_away_fails_without_its_password(tmp_path: Path) -> None:
    code, levels, said = await doctor(tmp_path, DATABASE_URL=NOBODY)
    assert (code, levels["fail"]) == (1, {"database"})
    assert "hunter2" not in said


async def test_a_wrong_setting_is_the_first_and_last_thing_it_says(tmp_path: Path) -> None:
    code, said, _ = await command(["doctor"], tmp_path, {"FONDACO_LOG_LEVEL": "loud"})
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("fail  settings    The setting log_level (FONDACO_LOG_LEVEL) is wrong")


def test_it_makes_nothing(tmp_path: Path) -> None:
    asyncio.run(doctor(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
