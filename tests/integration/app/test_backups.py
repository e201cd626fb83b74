"""``fondaco db backup`` and ``restore``: everything comes back row for row, or nothing changes (BHC-9)."""

import asyncio
import os
import re
import stat
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from fondaco.app import restores
from fondaco.app.backups import back_up, read_archive
from fondaco.app.migrations import migrate
from fondaco.app.restores import look_at, restore
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.jobs import SCHEMA
from fondaco.infra.outbox import enqueue
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.messages import Refused, Source, Tick
from fondaco.market.store import Batch
from support.houses import command, running_house
from support.places import open_folder, small_disk
from support.processes import running_with
from support.rows import digests
from support.stored import batch, store_all, verified
from support.ticks import MOMENT_US
from support.waiting import eventually

SETTINGS = DatabaseSettings()
A_JOB = "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('nobodys', 'some work')"
SMALL_DISK_BYTES = 1024 * 1024
STEP_US = 20_000_000


async def fill(url: str) -> None:
    """Put something into every kind of table: ticks of three weeks, candles, a gap, quarantine, outbox, jobs."""
    database = Database(url, SETTINGS, application="test")
    week_us = 7 * 86_400_000_000
    numbers = [*range(1, 40), *range(45, 60)]
    ticks = [
        Tick(n, MOMENT_US + n * STEP_US + n % 3 * week_us, 100 + n, n, buyer_is_maker=n % 2 == 0, received_us=MOMENT_US)
        for n in numbers
    ]
    refused = Refused(Source.BINANCE, "BTCUSDT", "not_json", 'odd: \\.\t\\N "\n', MOMENT_US)
    await store_all(database, [batch(ticks), Batch([], [refused])])
    async with database.transaction() as connection:
        await enqueue(connection, "a topic", "a key", {"text": "with 'quotes'\n\\."})
    async with database.driver_transaction() as driver:
        await driver.execute(f"SET LOCAL search_path TO {SCHEMA}")
        await driver.execute(A_JOB)
    await database.dispose()


async def backed_up(url: str, file: Path, *, replace: bool = False) -> list[str]:
    """Make a backup; returns the tables that were said to be at work."""
    tables: list[str] = []
    await back_up(url, SETTINGS, file, replace=replace, on_table=tables.append)
    return tables


async def restored(url: str, file: Path) -> None:
    """Restore into whatever is there."""
    await read_archive(file)
    await restore(url, SETTINGS, file, await look_at(url, SETTINGS), on_table=lambda _table: None)


async def test_every_table_comes_back_row_for_row(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    """BHC-9: also what could be taken for the end of a COPY."""
    file = tmp_path / "house.dump"
    await fill(database_url)
    tables = await backed_up(database_url, file)
    await restored(empty_database_url, file)
    came = digests(empty_database_url)
    assert came == digests(database_url)
    for table in ("candles", "gaps", "quarantine", "outbox", "tick_heads", "ticks_20240805"):
        assert came[f"public.{table}"][0] > 0
        assert table in tables
    assert came["procrastinate.procrastinate_jobs"][0] == 1
    database = Database(empty_database_url, SETTINGS, application="test")
    weeks = await verified(database)
    await database.dispose()
    assert sum(week.equal for week in weeks) > 0
    assert sum(week.different for week in weeks) == 0


async def test_what_was_there_goes_when_a_backup_takes_its_place(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "house.dump"
    await fill(database_url)
    await backed_up(database_url, file)
    migrate(empty_database_url, SETTINGS)
    await fill(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        for statement in (
            "CREATE TABLE later (id serial PRIMARY KEY, kind text)",
            "CREATE TYPE mood AS ENUM ('glad')",
            "CREATE VIEW seen AS SELECT * FROM candles",
            "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE SCHEMA other CREATE TABLE something (id int)",
        ):
            connection.execute(statement)
    await restored(empty_database_url, file)
    assert digests(empty_database_url) == digests(database_url)
    with psycopg.connect(empty_database_url) as connection:
        left = "SELECT to_regtype('mood'), to_regclass('seen'), to_regproc('one'), to_regnamespace('other')"
        assert connection.execute(left).fetchone() == (None, None, None, None)


async def test_a_running_house_is_backed_up_and_another_goes_on_from_it() -> None:
    with open_folder() as folder:
        one, other, file = folder / "one", folder / "other", folder / "house.dump"
        async with running_house(one) as house:
            await eventually(house.has_candles)
            assert (await command(["db", "backup", str(file)], one))[0] == 0
            code, _, said = await command(["db", "restore", "--replace", "--yes", str(file)], one)
            assert code == 2
            assert "A house is running here already" in said
            assert await house.stop() == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        code, said, _ = await command(["db", "restore", str(file)], other)
        assert (code, said.splitlines()[-1][:14]) == (0, "Restored from ")
        code, said, _ = await command(["candles", "verify"], other)
        assert code == 0
        assert re.search(r"^[1-9]\d* candles equal their trades, 0 differ", said, flags=re.MULTILINE)
        async with running_house(other, FONDACO_MARKET__BATCH_WAIT_S="0.2") as house:
            await eventually(house.is_ready)
            before = count_ticks(other)

            async def has_more() -> bool:
                return await asyncio.to_thread(count_ticks, other) > before

            await eventually(has_more)
            assert await house.stop() == 0


def count_ticks(data_dir: Path) -> int:
    """How many ticks a house that runs has stored."""
    with psycopg.connect(EmbeddedPostgres(data_dir).url) as connection:
        row = connection.execute("SELECT count(*) FROM ticks").fetchone()
    assert row is not None
    return int(row[0])


async def test_an_older_backup_is_migrated_forward(empty_database_url: str, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "old.dump"
    migrate(empty_database_url, SETTINGS, revision="0001")
    await backed_up(empty_database_url, file)
    assert (await read_archive(file)).revision == "0001"
    await restored(database_url, file)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT version_num > '0001' FROM alembic_version").fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


async def test_a_newer_backup_is_refused_by_name(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "new.dump"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await backed_up(database_url, file)
    with pytest.raises(UserError, match="made by a newer Fondaco: its schema is 9999, and this program knows"):
        await read_archive(file)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is no backup"),
        (b"-- PostgreSQL database dump", "is no backup"),
        (b"PGDMP", "is damaged or cut off"),
        (b"PGDMP" + bytes(1000), "is damaged or cut off"),
    ],
)
async def test_a_file_that_is_no_backup_is_refused(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "some.dump"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as caught:
        await read_archive(file)
    assert str(file) in str(caught.value)


async def test_a_backup_that_is_cut_off_changes_nothing(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "house.dump"
    await fill(database_url)
    await backed_up(database_url, file)
    before = digests(database_url)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 9 // 10])  # the contents' list stands in front
    target = await look_at(database_url, SETTINGS)
    with pytest.raises(UserError, match=r"the database is as it was \(pg_restore: .*end of file"):
        await restore(database_url, SETTINGS, file, target, on_table=lambda _table: None)
    assert digests(database_url) == before


async def test_a_dump_of_another_database_is_refused(server_url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no house yet"):
        await backed_up(server_url, tmp_path / "x.dump")
    assert names(tmp_path) == []


async def test_a_database_that_somebody_works_on_or_that_is_not_empty_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "house.dump"
    await backed_up(database_url, file)
    given = {"DATABASE_URL": database_url}
    code, _, said = await command(["db", "restore", str(file)], tmp_path, given)
    assert (code, said.count("\n")) == (2, 1)
    assert re.search(r"The database is not empty: it has \d+ tables. With --replace", said)
    code, _, said = await command(["db", "restore", "--replace", str(file)], tmp_path, given)
    assert (code, "say that you mean it with --yes" in said) == (2, True)
    with psycopg.connect(database_url, application_name="fondaco record"):
        code, _, said = await command(["db", "restore", "--replace", "--yes", str(file)], tmp_path, given)
    assert (code, said) == (2, "fondaco: A house works on that database (fondaco record): stop it first.\n")


async def test_a_house_that_is_just_ending_is_waited_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restores, "ENDING_WAIT_S", 60.0)
    with psycopg.connect(database_url, application_name="fondaco record") as ending:
        looking = asyncio.ensure_future(look_at(database_url, SETTINGS))

        async def has_looked() -> bool:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fondaco restore' AND query = 'COMMIT'"
            )
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                row = await (await connection.execute(query)).fetchone()
            return row is not None and row[0] > 0

        await eventually(has_looked)
        assert not looking.done()
        ending.close()
    assert (await looking).tables


async def test_a_backup_takes_no_files_place_unless_it_is_told_to(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "house.dump"
    file.write_text("precious")
    with pytest.raises(UserError, match="is there already"):
        await backed_up(database_url, file)
    with pytest.raises(UserError, match="is a folder"):
        await backed_up(database_url, tmp_path)
    with pytest.raises(UserError, match="There is no folder"):
        await backed_up(database_url, tmp_path / "none" / "house.dump")
    assert file.read_text() == "precious"
    await backed_up(database_url, file, replace=True)
    assert file.read_bytes()[:5] == b"PGDMP"
    assert names(tmp_path) == ["house.dump"]


async def test_a_full_disk_is_a_sentence_and_leaves_nothing(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "CREATE TABLE filler AS SELECT sha512(n::text::bytea) AS noise FROM generate_series(1, 40000) AS n"
        )
    with small_disk(SMALL_DISK_BYTES) as disk:
        file = disk / "house.dump"
        file.write_text("precious")
        with pytest.raises(UserError, match=r"is as it was \(pg_dump: .*No space left on device"):
            await backed_up(database_url, file, replace=True)
        assert file.read_text() == "precious"
        assert names(disk) == ["house.dump"]


async def test_a_backup_that_is_killed_leaves_no_file_and_shows_no_password(database_url: str, tmp_path: Path) -> None:
    password = urlsplit(database_url).password
    assert password
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE candles IN ACCESS EXCLUSIVE MODE")
        backup = await begun(["db", "backup", str(tmp_path / "house.dump")], tmp_path, database_url)
        await eventually(lambda: is_waiting(database_url))
        assert running_with("pg_dump --format=custom")
        assert [pid for pid in running_with("pg_dump") if password in command_line(pid)] == []
        backup.kill()
        await backup.wait()
        await eventually(lambda: nobody_runs(str(tmp_path)))
    assert not (tmp_path / "house.dump").exists()


async def test_a_restore_that_is_killed_leaves_the_old_state(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """Killed after it has dropped everything and made most of it anew."""
    file, old = tmp_path / "house.dump", database_url
    migrate(empty_database_url, SETTINGS)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE ztable AS SELECT 1 AS id")
    await backed_up(empty_database_url, file)
    await fill(old)
    before = digests(old)
    with psycopg.connect(old) as holder:
        holder.execute("CREATE TABLE ztable (id int)")  # not committed: whoever makes one of that name waits
        killed = await begun(["db", "restore", "--replace", "--yes", str(file)], tmp_path, old)
        await eventually(lambda: is_waiting(old))
        killed.kill()
        await killed.wait()
        await eventually(lambda: nobody_runs(str(file)))
        holder.rollback()

    async def is_as_it_was() -> bool:
        return await asyncio.to_thread(digests, old) == before

    await eventually(is_as_it_was)


async def begun(words: list[str], data_dir: Path, url: str) -> asyncio.subprocess.Process:
    """A command that runs."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fondaco", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "DATABASE_URL": url, "FONDACO_DATA_DIR": str(data_dir / "data")},
    )


async def is_waiting(url: str) -> bool:
    """Whether somebody waits for a lock in that database."""
    query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(query)).fetchone()
    return row is not None and row[0] > 0


async def nobody_runs(words: str) -> bool:
    """Whether no process has these words in its command line."""
    return running_with(words) == []


def command_line(pid: int) -> str:
    return (Path("/proc") / str(pid) / "cmdline").read_text(errors="replace")


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())
