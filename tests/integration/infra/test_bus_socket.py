"""What only the bus behind a socket has to show: its place, and what happens when one end goes away."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fondaco.infra.bus import NoHouseError, open_bus
from fondaco.infra.bus.frames import MAX_FRAME_BYTES, Get, encode_frame
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.bus.socket import MAX_APPENDS_IN_FLIGHT, SocketBus, serve_local_bus
from fondaco.infra.framing import LENGTH_BYTES
from fondaco.infra.settings import BusSettings, Settings
from fondaco.infra.unix_sockets import MAX_ADDRESS_BYTES, SocketTakenError
from support.buses import connected, settled

LONG_S = 60.0
ROUNDS = 1_000
"""Turns of the event loop, or replies, after which a condition that should have come about has not."""

READER = """
import asyncio, sys
from pathlib import Path
from fondaco.infra.bus.socket import SocketBus

async def main():
    bus = SocketBus(Path(sys.argv[1]))
    await bus.open()
    print(len(await bus.read("s", "g", max_entries=2, wait_s=60)), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket of this test's house lies."""
    return tmp_path / "run" / "bus.sock"


async def test_without_a_house_there_is_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoHouseError, match="No house is running here: start one with `fondaco up`"):
        async with open_bus(Settings(data_dir=tmp_path), wait_s=0.1):
            pass


async def test_a_process_that_starts_before_its_house_waits_for_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(stack.enter_async_context(open_bus(settings, wait_s=LONG_S)))
        await asyncio.sleep(0)
        await stack.enter_async_context(serve_local_bus(settings.bus_socket, settings.bus))
        bus = await opening
        await bus.set("k", b"v")
        assert await bus.get("k") == b"v"


async def test_only_the_owner_may_reach_the_socket_and_it_goes_with_its_house(path: Path) -> None:
    async with serve_local_bus(path, BusSettings()):
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    with pytest.raises(FileNotFoundError):
        mode(path)


async def test_a_second_house_is_refused_and_the_first_goes_on(path: Path) -> None:
    async with serve_local_bus(path, BusSettings()) as bus, connected(path) as client:
        with pytest.raises(SocketTakenError, match="running here already"):
            async with serve_local_bus(path, BusSettings()):
                pass
        await client.set("k", b"v")
        assert await bus.get("k") == b"v"


async def test_the_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serve_local_bus(path, BusSettings()), connected(path) as client:
        assert await client.get("k") is None


@pytest.mark.parametrize("beyond", [0, 1, 100])
async def test_a_path_longer_than_a_socket_address_works(tmp_path: Path, beyond: int) -> None:
    folder = tmp_path / "x"
    length = MAX_ADDRESS_BYTES + beyond - len(os.fsencode(tmp_path / "x" / "bus.sock"))
    folder = tmp_path / ("x" * (length + 1))
    path = folder / "bus.sock"
    assert len(os.fsencode(path)) == MAX_ADDRESS_BYTES + beyond
    async with serve_local_bus(path, BusSettings()), connected(path) as client:
        await client.set("k", b"v")
        assert await client.get("k") == b"v"


async def test_calls_and_iterators_fail_while_the_house_is_away_and_work_when_it_is_back(path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve_local_bus(path, BusSettings(stream_max_bytes=1)):
            bus = await stack.enter_async_context(connected(path))
            entries = await stack.enter_async_context(bus.tail("s", "g"))
            messages = await stack.enter_async_context(bus.subscribe("c"))
            await bus.append("s", b"fills the stream")
            await anext(entries)
            waiting = [
                asyncio.ensure_future(each)
                for each in (
                    bus.append("s", b"waits for room"),
                    bus.read("other", "g", max_entries=1, wait_s=LONG_S),
                    anext(entries),
                    anext(messages),
                )
            ]
            await settled(bus)
            assert not any(each.done() for each in waiting)
        for each in waiting:
            with pytest.raises(BusUnavailableError):
                await each
        for refused in (bus.append("s", b""), bus.get("k"), bus.publish("c", b""), anext(entries), anext(messages)):
            with pytest.raises(BusUnavailableError):
                await refused
        async with serve_local_bus(path, BusSettings()):
            await back(bus)
            await bus.set("k", b"v")
            assert await bus.get("k") == b"v"
            with pytest.raises(BusUnavailableError):
                await anext(messages)


async def test_an_id_of_a_house_that_died_names_nothing_in_the_next(path: Path) -> None:
    async with serve_local_bus(path, BusSettings()) as bus:
        old = await bus.append("s", b"old")
    async with serve_local_bus(path, BusSettings()) as bus:
        new = await bus.append("s", b"new")
        assert [each.body for each in await bus.read("s", "g", max_entries=2, wait_s=0)] == [b"new"]
        await bus.ack("s", "g", [old])
        async with bus.tail("s", "g") as entries:
            assert (await anext(entries)).id == new > old


async def test_what_a_killed_process_held_is_handed_to_another(path: Path) -> None:
    async with serve_local_bus(path, BusSettings()) as bus:
        for number in range(3):
            await bus.append("s", bytes([number]))
        reader = await asyncio.create_subprocess_exec(sys.executable, "-c", READER, path, stdout=subprocess.PIPE)
        assert reader.stdout is not None
        assert int(await reader.stdout.readline()) == 2
        assert [each.body for each in await bus.read("s", "g", max_entries=9, wait_s=0)] == [b"\2"]
        reader.kill()
        returned = await bus.read("s", "g", max_entries=9, wait_s=LONG_S)
        assert [each.body for each in returned] == [b"\0", b"\1"]
        await reader.wait()


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\0\0\0\1\xc1", id="no msgpack"),
        pytest.param(b"\0\0\0\2\x91\x63", id="a message that nobody knows"),
        pytest.param((MAX_FRAME_BYTES + 1).to_bytes(LENGTH_BYTES, "big"), id="a frame too long"),
    ],
)
async def test_garbage_costs_its_sender_the_connection_and_nobody_else(path: Path, garbage: bytes) -> None:
    async with serve_local_bus(path, BusSettings()), connected(path) as other:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(garbage)
        assert await reader.read() == b""
        writer.close()
        assert await other.get("k") is None


async def test_a_client_that_never_takes_its_replies_is_no_longer_listened_to(path: Path) -> None:
    """Otherwise the replies that wait for it would fill the hub's memory."""
    async with serve_local_bus(path, BusSettings()) as bus, connected(path) as other:
        await bus.set("k", bytes(1_000_000))
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(path))
            deaf.settimeout(0)
            refusals = 0
            for asked in range(200 * ROUNDS):
                try:
                    deaf.send(encode_frame(Get(asked, "k")))
                    refusals = 0
                except BlockingIOError:
                    refusals += 1
                    await other.get("nothing")  # lets the hub read, if it wants to
                if refusals == ROUNDS:
                    break
            assert refusals == ROUNDS


async def test_appends_beyond_the_limit_in_flight_wait_in_the_client_and_keep_their_order(path: Path) -> None:
    async with serve_local_bus(path, BusSettings(stream_max_bytes=1)) as hub, connected(path) as bus:
        count = 3 * MAX_APPENDS_IN_FLIGHT
        writing = [asyncio.create_task(bus.append("s", each.to_bytes(2, "big"))) for each in range(count)]
        await settled(bus)
        assert len(hub._hub.stream("s").writers) == MAX_APPENDS_IN_FLIGHT
        bodies = []
        for _ in range(count):
            (entry,) = await hub.read("s", "g", max_entries=1, wait_s=LONG_S)
            bodies.append(int.from_bytes(entry.body))
            await hub.ack("s", "g", [entry.id])
        assert bodies == list(range(count))
        await asyncio.gather(*writing)


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


async def back(bus: Bus) -> None:
    """Wait until the client has connected again."""
    assert isinstance(bus, SocketBus)
    async with asyncio.timeout(LONG_S):
        while True:
            try:
                await bus.get("back")
            except BusUnavailableError:
                await asyncio.sleep(0.01)
            else:
                return
