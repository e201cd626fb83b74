"""The embedded Valkey: killed in every way, refused with a sentence, and what it has taken always there."""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.line import Reply, Wire
from fondaco.infra.embedded import MAX_SOCKET_PATH_BYTES
from fondaco.infra.house import HouseRunningError
from fondaco.infra.supervisor import Backoff, Program, Supervisor
from fondaco.infra.valkey import EmbeddedValkey, ValkeyError, running_valkey
from fondaco.infra.valkey.place import Place
from fondaco.infra.valkey.server import ENDING
from support import needs
from support.places import open_folder
from support.processes import SOURCES, is_running, running_with, script_that_says
from support.waiting import eventually

KEEPING = """
import asyncio, sys
from pathlib import Path
from fondaco.infra.valkey import running_valkey

async def main():
    async with running_valkey(Path(sys.argv[1]), command="keeper") as url:
        print(url.partition(":")[0], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
USING = KEEPING.replace("        await asyncio.Event().wait()\n", "")


@pytest.fixture
def house() -> Iterator[Path]:
    """Where a house may be, with a space and a quote in its path."""
    needs.valkey()
    with open_folder() as folder:
        yield folder / 'my "own" house'


async def call(url: str, *words: str) -> Reply:
    """Ask a server one question."""
    wire = Wire(Address(url), "test")
    await wire.open()
    try:
        return await wire.call(*words)
    finally:
        await wire.close()


@asynccontextmanager
async def keeper(house: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that runs the house's server; yields once the server is up."""
    async with script_that_says(KEEPING, str(house)) as (process, said):
        assert said.strip() in {b"unix", b"redis"}
        yield process


def server_of(house: Path) -> int:
    """The process that the lock names."""
    return int(Place(house / "valkey").lock_file.read_text())


def newest_file(house: Path) -> Path:
    """The file that the server appends to."""
    (found,) = (house / "valkey" / "data" / "appendonlydir").glob("*.incr.aof")
    return found


async def test_what_it_has_taken_is_there_again_at_the_same_address(house: Path) -> None:
    addresses = set()
    for number in range(2):
        async with running_valkey(house, command="test") as url:
            assert await call(url, "APPEND", "k", "v") == number + 1
            addresses.add(url)
    assert len(addresses) == 1
    assert running_with(str(house)) == []


async def test_it_keeps_what_it_takes_and_asks_for_the_password(house: Path) -> None:
    async with running_valkey(house, command="test") as url:
        told = await call(url, "CONFIG", "GET", "appendonly", "appendfsync", "maxmemory-policy", "bind")
        assert dict(zip(told[::2], told[1::2], strict=True)) == {
            b"appendonly": b"yes",
            b"appendfsync": b"always",
            b"maxmemory-policy": b"noeviction",
            b"bind": b"127.0.0.1",
        }
        place = Place(house / "valkey")
        secret = place.password()
        assert await call(place.tcp_url(), "PING") == b"PONG"
        for address in (url, place.tcp_url()):
            with pytest.raises(Exception, match="invalid username-password pair"):
                await call(address.replace(secret, "guessed"), "PING")
        with pytest.raises(Exception, match="protected config"):
            await call(url, "CONFIG", "SET", "dir", "/")
        (pid,) = running_with(str(house))
        seen = (Path("/proc") / str(pid) / "cmdline").read_bytes() + (Path("/proc") / str(pid) / "environ").read_bytes()
        assert secret.encode() not in seen + place.log_file.read_bytes()
    for private in (place.password_file, place.port_file, place.lock_file):
        assert private.stat().st_mode & 0o777 == 0o600
    for folder in (place.root, place.data):
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_kill_9_of_the_parent_leaves_no_server_behind_and_the_next_start_finds_the_data(house: Path) -> None:
    async with keeper(house) as parent:
        await call(EmbeddedValkey(house).url, "SET", "k", "kept")
        server = server_of(house)
        parent.kill()
        await parent.wait()
        # At once, while the server is still ending: the next start waits for it.
        async with running_valkey(house, command="test") as url:
            assert not is_running(server)
            assert await call(url, "GET", "k") == b"kept"
    assert running_with(str(house)) == []


async def test_kill_9_of_parent_and_server_together_loses_nothing(house: Path) -> None:
    async with keeper(house) as parent:
        await call(EmbeddedValkey(house).url, "SET", "k", "kept")
        parent.kill()
        os.kill(server_of(house), signal.SIGKILL)
        await parent.wait()
        async with running_valkey(house, command="test") as url:
            assert await call(url, "GET", "k") == b"kept"


async def test_a_killed_server_is_started_again_and_its_data_are_there(house: Path) -> None:
    valkey = EmbeddedValkey(house)
    url = valkey.prepare()
    supervisor = Supervisor([Program("bus", valkey.launch, ENDING)], lambda *_: None, Backoff(0.01, 0.1))
    try:
        await supervisor.start("bus")
        await call(url, "SET", "k", "kept")
        os.kill(server_of(house), signal.SIGKILL)

        async def is_back() -> bool:
            return supervisor.children["bus"].starts == 2

        await eventually(is_back)
        assert await call(url, "GET", "k") == b"kept"
    finally:
        await supervisor.stop()
    assert running_with(str(house)) == []


@pytest.mark.parametrize("lost_bytes", [1, 20])
async def test_a_last_entry_that_was_half_written_is_cut_off(house: Path, lost_bytes: int) -> None:
    async with running_valkey(house, command="test") as url:
        for key in ("whole", "half"):
            await call(url, "SET", key, "a value of some length")
    with newest_file(house).open("r+b") as file:
        file.truncate(newest_file(house).stat().st_size - lost_bytes)
    async with running_valkey(house, command="test") as url:
        assert await call(url, "KEYS", "*") == [b"whole"]


async def test_damage_in_the_middle_is_a_sentence_with_the_end_of_the_log(house: Path) -> None:
    async with running_valkey(house, command="test") as url:
        for key in ("one", "two"):
            await call(url, "SET", key, "v" * 100)
    content = newest_file(house).read_bytes()
    newest_file(house).write_bytes(content.replace(b"SET", b"\x00ET", 1).replace(b"*3", b"#3", 1))
    with pytest.raises(ValkeyError, match=r"(?s)The bus's server does not start; its log .*Bad file format"):
        async with running_valkey(house, command="test"):
            pass
    assert running_with(str(house)) == []


async def test_a_second_house_is_refused_with_the_first_ones_number_and_folder(house: Path) -> None:
    async with keeper(house) as parent:
        with pytest.raises(HouseRunningError) as refused:
            async with running_valkey(house, command="test"):
                pass
        assert str(refused.value) == (
            f"`keeper` (process {parent.pid}) is working on the data in {house}: wait until it has ended."
        )
        assert await call(EmbeddedValkey(house).url, "PING") == b"PONG"


async def test_whoever_holds_the_data_and_is_no_server_of_ours_is_named_and_left_alone(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fondaco.infra.valkey.server.LEFTOVER_WAIT_S", 0.05)
    place = EmbeddedValkey(house).place
    place.prepare()
    place.lock_file.write_text(str(os.getpid()))
    with place.lock_file.open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValkeyError, match=rf"Another server \(process {os.getpid()}\) uses .*: stop it"):
            async with running_valkey(house, command="test"):
                pass


async def test_a_port_that_was_taken_meanwhile_is_exchanged(house: Path) -> None:
    async with running_valkey(house, command="test"):
        taken = Place(house / "valkey").port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    async with server, running_valkey(house, command="test"):
        assert Place(house / "valkey").port() != taken


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_path_too_long_for_a_socket_is_served_over_tcp_alone(house: Path, extra: int) -> None:
    fill = MAX_SOCKET_PATH_BYTES - len(os.fsencode(house.parent)) - len("//valkey/socket")
    long_house = house.parent / ("x" * (fill + extra))
    async with running_valkey(long_house, command="test") as url:
        assert url.startswith("redis://" if extra else "unix://")
        assert await call(url, "PING") == b"PONG"


async def test_without_a_house_there_is_a_sentence_that_says_what_to_do(house: Path) -> None:
    with pytest.raises(ValkeyError, match=r"No house with a Valkey bus has been opened in .*: start one with"):
        _ = EmbeddedValkey(house).url


def test_a_normal_user_runs_it_too(house: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests run as a normal user already")
    user = pwd.getpwnam("nobody")
    home = house.parent / "home"
    home.mkdir(mode=0o700)
    shutil.chown(home, user.pw_uid, user.pw_gid)
    environment = {"PYTHONPATH": os.pathsep.join((str(SOURCES), sysconfig.get_path("purelib")))}
    for python in (sys.executable, "/usr/bin/python3"):  # the one that runs us may lie in a home that is closed
        try:
            done = subprocess.run(  # noqa: S603 - our own code
                [python, "-c", USING, str(home / "house")],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                env=environment,
                cwd=home,
                check=False,
                capture_output=True,
                text=True,
            )
        except OSError:
            continue
        if "ModuleNotFoundError" in done.stderr:
            continue
        assert (done.returncode, done.stdout) == (0, "unix\n"), done.stderr
        assert (home / "house" / "valkey" / "data").stat().st_uid == user.pw_uid
        return
    pytest.skip("an unprivileged user can reach no Python with our packages here")
