"""The embedded PostgreSQL: as root and not, killed in every way, refused with a sentence, and its data always there."""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest

from fondaco.infra.embedded import MAX_SOCKET_PATH_BYTES
from fondaco.infra.house import HouseRunningError
from fondaco.infra.postgres import EmbeddedPostgres, PostgresError, postgres_for_tests, running_postgres
from fondaco.infra.postgres.cluster import server_of
from fondaco.infra.postgres.place import Place, database_account
from fondaco.infra.postgres.programs import version
from fondaco.infra.postgres.server import ENDING
from fondaco.infra.supervisor import Backoff, Program, Supervisor
from support.places import open_folder
from support.processes import SOURCES, is_running, running_with, script_that_says
from support.waiting import eventually

KEEPING = """
import asyncio, sys
from pathlib import Path
from fondaco.infra.postgres import running_postgres

async def main():
    async with running_postgres(Path(sys.argv[1]), command="keeper") as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
USING = """
import sys, psycopg
from pathlib import Path
from fondaco.infra.postgres import postgres_for_tests
with postgres_for_tests(Path(sys.argv[1])) as url, psycopg.connect(url) as connection:
    print(connection.execute("SELECT current_user || '@' || current_database()").fetchone()[0])
"""


@pytest.fixture(scope="module")
def house() -> Iterator[Path]:
    """A house that has run before, with a space in its path. Who breaks something in it mends it again."""
    with open_folder() as folder:
        house = folder / "my house"
        (house / "postgres" / "data.new").mkdir(parents=True)  # left by a first start that was interrupted
        (house / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
        with postgres_for_tests(house) as url, psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (what text)")
            connection.execute("INSERT INTO kept VALUES ('everything')")
        yield house


@contextmanager
def changed(file: Path, change: Callable[[str], str]) -> Iterator[None]:
    """A file with another content, for as long as the block runs."""
    before = file.read_text()
    file.write_text(change(before))
    try:
        yield
    finally:
        file.write_text(before)


@asynccontextmanager
async def keeper(house: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that runs the house's server; yields once the server is up."""
    async with script_that_says(KEEPING, str(house)) as (process, said):
        assert said.startswith(b"postgresql://")
        yield process


def refuses(house: Path, sentence: str) -> None:
    """The server does not start there, and says why."""
    with pytest.raises(PostgresError, match=sentence), postgres_for_tests(house):
        pass


def kept(url: str) -> str:
    """What the house has kept."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT what FROM kept").fetchone()
        assert row is not None
        return str(row[0])


async def test_data_are_there_again_at_the_same_address(house: Path) -> None:
    addresses = set()
    for _ in range(2):
        async with running_postgres(house, command="test") as url:
            assert kept(url) == "everything"
            addresses.add(url)
    assert len(addresses) == 1
    assert server_of(house / "postgres" / "data") is None


def test_an_interrupted_first_start_is_begun_again(house: Path) -> None:
    assert not (house / "postgres" / "data.new").exists()
    assert (house / "postgres" / "data").exists()


async def test_the_address_is_known_before_the_server_runs(house: Path) -> None:
    assert EmbeddedPostgres(house).prepare() == EmbeddedPostgres(house).url


async def test_what_is_committed_is_safe_and_the_password_is_asked_for(house: Path) -> None:
    async with running_postgres(house, command="test") as url:
        with psycopg.connect(url) as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
            assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
            encoding = connection.execute(
                "SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database"
            ).fetchall()
            assert set(encoding) == {("C.UTF-8", "UTF8")}
        place = Place(house / "postgres")
        tcp = place.tcp_url()
        assert kept(tcp) == "everything"
        for address in (url, tcp):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(address.replace(place.password_file.read_text(), "guessed"))
    assert place.password_file.stat().st_mode & 0o777 == 0o600
    assert place.data.stat().st_mode & 0o777 == 0o700


async def test_kill_9_of_the_parent_leaves_no_server_behind_and_the_next_start_finds_the_data(house: Path) -> None:
    async with keeper(house) as parent:
        server = server_of(house / "postgres" / "data")
        assert server is not None
        parent.kill()
        await parent.wait()
        # At once, while the server is still ending: the next start waits for it.
        async with running_postgres(house, command="test") as url:
            assert not is_running(server)
            assert kept(url) == "everything"
    assert running_with(str(house)) == []


async def test_kill_9_of_parent_and_server_together_loses_nothing(house: Path) -> None:
    async with keeper(house) as parent:
        server = server_of(house / "postgres" / "data")
        assert server is not None
        parent.kill()
        os.kill(server, signal.SIGKILL)
        await parent.wait()
        assert (house / "postgres" / "data" / "postmaster.pid").exists()
        async with running_postgres(house, command="test") as url:
            assert kept(url) == "everything"


async def test_a_note_of_a_dead_server_whose_number_is_somebody_elses_now_stops_nobody(house: Path) -> None:
    note = house / "postgres" / "data" / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{note.parent}\n1795207620\n5432\n\n\n\nready\n")
    async with running_postgres(house, command="test") as url:
        assert kept(url) == "everything"


async def test_a_server_that_somebody_else_started_there_is_named_and_left_alone(house: Path) -> None:
    data = house / "postgres" / "data"
    foreign = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import signal; print(flush=True); signal.pause()"),
        cwd=data,
        stdout=asyncio.subprocess.PIPE,
    )
    assert foreign.stdout is not None
    await foreign.stdout.readline()
    (data / "postmaster.pid").write_text(f"{foreign.pid}\n")
    try:
        with pytest.raises(PostgresError, match=rf"did not start \(process {foreign.pid}\) is using .*: stop it"):
            async with running_postgres(house, command="test"):
                pass
        assert is_running(foreign.pid)
    finally:
        foreign.kill()
        await foreign.wait()


async def test_a_killed_server_is_started_again_and_its_data_are_there(house: Path) -> None:
    postgres = EmbeddedPostgres(house)
    url = postgres.prepare()
    backoff = Backoff(first_s=0.01, longest_s=0.1)
    supervisor = Supervisor([Program("database", postgres.launch, ENDING)], lambda *_: None, backoff)
    try:
        await supervisor.start("database")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE also_kept AS SELECT 1")
        first = supervisor.children["database"].process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)

        async def is_back() -> bool:
            return supervisor.children["database"].starts == 2

        await eventually(is_back)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM also_kept").fetchone() == (1,)
    finally:
        await supervisor.stop()
    assert running_with(str(house)) == []


async def test_a_second_house_is_refused_with_the_first_ones_number_and_folder(house: Path) -> None:
    async with keeper(house) as parent:
        with pytest.raises(HouseRunningError) as refused:
            async with running_postgres(house, command="test"):
                pass
        assert str(refused.value) == (
            f"`keeper` (process {parent.pid}) is working on the data in {house}: wait until it has ended."
        )
        assert kept(EmbeddedPostgres(house).url) == "everything"


def test_an_owner_that_has_not_yet_said_who_it_is_is_refused_too(house: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True)
    (house / "run" / "house.lock").write_text(f'{{"pid":{int(gone.stdout)},"command":"an earlier one","address":null}}')
    with (house / "run" / "house.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sentence = "Another process is just opening the house"
        with pytest.raises(HouseRunningError, match=sentence), postgres_for_tests(house):
            pass


@pytest.mark.parametrize("extra", [0, 1])
def test_a_path_too_long_for_a_socket_is_served_over_tcp_alone(tmp_path: Path, extra: int) -> None:
    socket_length = len("/socket/.s.PGSQL.65535")
    fill = MAX_SOCKET_PATH_BYTES - len(os.fsencode(tmp_path.resolve())) - socket_length - 1
    place = Place(tmp_path / ("x" * (fill + extra)))
    place.prepare()
    assert place.has_usable_socket == (extra == 0)
    assert ("host=" in place.url()) == (extra == 0)


@pytest.mark.parametrize("name", ["x" * 120, "a, b"])
def test_a_server_without_a_socket_works(house: Path, name: str) -> None:
    odd = house.rename(house.with_name(name))
    try:
        with postgres_for_tests(odd) as url:
            assert "host=" not in url
            assert kept(url) == "everything"
    finally:
        odd.rename(house)


def test_a_relative_path_works(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.parent)
    with postgres_for_tests(Path(house.name)) as url:
        assert kept(url) == "everything"


def test_another_major_version_is_a_sentence(house: Path) -> None:
    major = version().partition(".")[0]
    with changed(house / "postgres" / "data" / "PG_VERSION", lambda _: "15\n"):
        refuses(house, rf"written by PostgreSQL 15, and this is PostgreSQL {major}: docs/runbooks/")


def test_a_lost_password_is_a_sentence(house: Path) -> None:
    password = house / "postgres" / "password"
    away = password.rename(password.with_name("away"))
    try:
        refuses(house, "password is missing beside")
    finally:
        away.rename(password)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(house: Path) -> None:
    with changed(house / "postgres" / "data" / "postgresql.auto.conf", lambda text: f"{text}no_such_setting = 7\n"):
        refuses(house, r"(?s)The database does not start.*no_such_setting")


async def test_a_port_that_was_taken_meanwhile_is_exchanged(house: Path) -> None:
    place = Place(house / "postgres")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", place.port())
    async with server:
        taken = place.port()
        async with running_postgres(house, command="test") as url:
            assert place.port() != taken
            assert kept(url) == "everything"


def test_a_full_disk_is_a_sentence() -> None:
    with open_folder() as folder, small_disk(folder / "disk", "40m"):
        refuses(folder / "disk" / "house", "No space left on device")


def test_as_root_a_folder_that_the_database_user_cannot_pass_is_a_sentence(tmp_path: Path) -> None:
    if database_account(tmp_path / "none") is None:
        pytest.skip("only root's server runs as another user")
    tmp_path.chmod(0o700)
    refuses(tmp_path / "house", "may not reach or run its programs: choose another place")
    assert running_with(str(tmp_path)) == []


def test_a_normal_user_runs_the_wheels_own_programs() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests run as a normal user already")
    with open_folder() as folder:
        user = pwd.getpwnam("nobody")
        home = folder / "home"
        home.mkdir(mode=0o700)
        shutil.chown(home, user.pw_uid, user.pw_gid)
        used = as_user(user, home, USING, str(home / "my house"))
        assert used == "fondaco@fondaco\n"
        assert not (home / "my house" / "postgres" / "programs").exists()
        assert (home / "my house" / "postgres" / "data").stat().st_uid == user.pw_uid


def as_user(user: pwd.struct_passwd, home: Path, code: str, *arguments: str) -> str:
    """What this code prints when an unprivileged user runs it."""
    environment = {"PYTHONPATH": os.pathsep.join((str(SOURCES), sysconfig.get_path("purelib")))}

    def run(python: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own code
            [python, "-c", *words],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            env=environment,
            cwd=home,
            check=False,
            capture_output=True,
            text=True,
        )

    for python in (sys.executable, "/usr/bin/python3"):  # the one that runs us may lie in a home that is closed
        try:
            loads = run(python, "import fondaco.infra.postgres, psycopg").returncode == 0
        except OSError:
            continue
        if loads:
            used = run(python, code, *arguments)
            assert used.returncode == 0, used.stderr
            return used.stdout
    pytest.skip("an unprivileged user can reach no Python with our packages here")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system that is full soon."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:  # noqa: S603 - our own words
        pytest.skip("a small disk cannot be mounted here: not root, or not allowed")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - our own words, wherever it is
