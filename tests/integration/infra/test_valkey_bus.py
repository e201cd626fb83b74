"""What only the bus over Valkey has to show: readers that die, a server that goes away, and one not to be trusted."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from fondaco.infra.bus import NoHouseError, open_bus
from fondaco.infra.bus.hub import ENTRY_OVERHEAD_BYTES
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.bus.valkey.address import Address, BadAddressError
from fondaco.infra.bus.valkey.bus import ValkeyBus
from fondaco.infra.bus.valkey.durability import NotDurableError
from fondaco.infra.bus.valkey.line import Reply, Wire
from fondaco.infra.bus.valkey.names import held_bytes
from fondaco.infra.bus.valkey.report import lag
from fondaco.infra.log import redacted_text
from fondaco.infra.settings import BusSettings, Settings
from fondaco.infra.valkey import EmbeddedValkey
from support import needs
from support.buses import Connect, valkey_bus
from support.places import open_folder
from support.waiting import eventually

LONG_S = 60.0
TURNS = 10
"""Turns of the event loop after which a call has asked what it asks first."""
QUICK = BusSettings(claim_idle_ms=200)
"""A reader counts as dead after a fifth of a second, and says four times in it that it lives."""
PATIENT = BusSettings(claim_idle_ms=600_000)

READER = """
import asyncio, sys
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.bus import ValkeyBus
from fondaco.infra.settings import BusSettings

async def main():
    bus = ValkeyBus(Address(sys.argv[1]), BusSettings(claim_idle_ms=1000))
    await bus.open()
    print(len(await bus.read("s", "g", max_entries=2, wait_s=60)), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def connect(valkey_url: str) -> AsyncIterator[Connect]:
    """Connections to an empty server by readers that die soon."""
    async with valkey_bus(QUICK, valkey_url) as connect:
        yield connect


@pytest.fixture
async def server(valkey_url: str, connect: Connect) -> AsyncIterator[Wire]:
    """The server itself, to be asked in its own words."""
    del connect  # which empties it
    wire = Wire(Address(valkey_url), "test")
    await wire.open()
    yield wire
    await wire.close()


class Server:
    """A server of the test's own, which it may kill."""

    def __init__(self, folder: Path) -> None:
        self.valkey = EmbeddedValkey(folder)
        self.url = self.valkey.prepare()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, or start it again."""
        self.process = await self.valkey.launch()

    async def kill(self) -> None:
        """Kill it with signal 9."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()


@pytest.fixture
async def mortal() -> AsyncIterator[Server]:
    """A server that runs and may be killed."""
    needs.valkey()
    with open_folder() as folder:
        server = Server(folder / "house")
        await server.start()
        yield server
        await server.kill()


async def consumers(server: Wire) -> dict[str, int]:
    """The readers of the test's group, and how many entries each holds."""
    found = [
        dict(zip(each[::2], each[1::2], strict=True)) for each in await server.call("XINFO", "CONSUMERS", "s", "g")
    ]
    return {each[b"name"].decode(): each[b"pending"] for each in found}


async def fill(bus: Bus, count: int) -> list[str]:
    """Append numbered entries; returns their ids."""
    return [await bus.append("s", bytes([number])) for number in range(count)]


async def test_an_entry_has_one_field_named_data_and_an_id_of_the_servers(connect: Connect, server: Wire) -> None:
    """EXP-10."""
    async with connect() as bus:
        entry_id = await bus.append("s", b"{}")
    assert await server.call("XRANGE", "s", "-", "+") == [[entry_id.encode(), [b"data", b"{}"]]]


async def test_each_reader_has_a_name_of_its_own_with_host_and_process(connect: Connect, server: Wire) -> None:
    """EXP-11."""
    async with connect() as one, connect() as other:
        await fill(one, 2)
        for bus in (one, other):
            await bus.read("s", "g", max_entries=1, wait_s=0)
        names = await consumers(server)
    assert sorted(names.values()) == [1, 1]
    assert all(each.startswith(f"{socket.gethostname()}-{os.getpid()}-") for each in names)


async def test_what_strangers_write_is_handed_on_and_what_they_acknowledge_is_forgotten(
    connect: Connect, server: Wire
) -> None:
    async with connect() as bus:
        await server.call("XADD", "s", "*", "price", "1", "data", "with it")
        await server.call("XADD", "s", "*", "price", "1")
        entries = await bus.read("s", "g", max_entries=9, wait_s=0)
        assert [each.body for each in entries] == [b"with it", b"price 1"]
        await server.call("XACK", "s", "g", entries[0].id)
        await bus.ack("s", "g", [entries[1].id])
    assert await server.call("XLEN", "s") == 0
    assert await server.call("GET", held_bytes("s")) is None


async def test_the_stream_forgets_up_to_the_oldest_that_any_group_has_not_acknowledged(
    connect: Connect, server: Wire
) -> None:
    async with connect() as bus:
        ids = await fill(bus, 6)
        for group in ("a", "b"):
            await bus.read("s", group, max_entries=4, wait_s=0)
        await bus.ack("s", "a", [*ids[:2], ids[3]])
        assert await server.call("XLEN", "s") == 6
        await bus.ack("s", "b", ids[:4])
        assert [each for each, _ in await server.call("XRANGE", "s", "-", "+")] == [each.encode() for each in ids[2:]]
        assert int(await server.call("GET", held_bytes("s"))) == 4 * (ENTRY_OVERHEAD_BYTES + 1)
        await bus.ack("s", "a", [ids[2]])
        assert [each for each, _ in await server.call("XRANGE", "s", "-", "+")] == [each.encode() for each in ids[4:]]


async def test_what_a_killed_process_held_comes_back_once_it_has_been_silent_for_long(
    valkey_url: str, connect: Connect, server: Wire
) -> None:
    async with connect() as bus:
        await fill(bus, 3)
        reader = await asyncio.create_subprocess_exec(sys.executable, "-c", READER, valkey_url, stdout=subprocess.PIPE)
        assert reader.stdout is not None
        assert int(await reader.stdout.readline()) == 2
        (dead,) = await consumers(server)
        reader.kill()
        await reader.wait()
        assert [each.body for each in await bus.read("s", "g", max_entries=9, wait_s=0)] == [b"\2"]
        returned = await bus.read("s", "g", max_entries=9, wait_s=LONG_S)
        assert [each.body for each in returned] == [b"\0", b"\1"]
        assert dead not in await consumers(server)


async def test_a_reader_that_lives_keeps_what_it_holds_however_long_that_takes(connect: Connect, server: Wire) -> None:
    async with connect() as holder, connect() as other:
        await fill(holder, 2)
        assert len(await holder.read("s", "g", max_entries=9, wait_s=0)) == 2
        await other.read("s", "g", max_entries=9, wait_s=0)
        # As long as it takes until the other has looked for the dead many times.
        assert await other.read("s", "g", max_entries=9, wait_s=10 * QUICK.claim_idle_ms / 1_000) == []
        assert sorted((await consumers(server)).values()) == [0, 2]


async def test_a_beat_takes_nothing(connect: Connect, server: Wire) -> None:
    async with connect() as bus:
        assert await bus.read("s", "g", max_entries=9, wait_s=0) == []
        await server.call("XADD", "s", "*", "data", "unread")
        (silent_before,) = [each[5] for each in await server.call("XINFO", "CONSUMERS", "s", "g")]

        async def has_beaten() -> bool:
            (silent,) = [each[5] for each in await server.call("XINFO", "CONSUMERS", "s", "g")]
            return bool(silent < silent_before)

        await eventually(has_beaten)
        assert list((await consumers(server)).values()) == [0]
        assert [each.body for each in await bus.read("s", "g", max_entries=9, wait_s=0)] == [b"unread"]


async def test_dead_readers_that_hold_nothing_are_removed_and_none_that_holds_something_is(
    connect: Connect, server: Wire
) -> None:
    async with connect() as bus:
        (entry_id,) = await fill(bus, 1)
        await bus.read("s", "other", max_entries=9, wait_s=0)
        await bus.read("s", "g", max_entries=0, wait_s=0)
        await server.call("XGROUP", "CREATECONSUMER", "s", "g", "dead and empty")
        await server.call("XREADGROUP", "GROUP", "g", "dead with one", "STREAMS", "s", ">")

        async def is_removed() -> bool:
            return not {"dead and empty", "dead with one"} & set(await consumers(server))

        await eventually(is_removed)
        assert (await server.call("XPENDING", "s", "g"))[:2] == [1, entry_id.encode()], "its entry is still waited for"
        assert [each.id for each in await bus.read("s", "g", max_entries=9, wait_s=0)] == [entry_id]


async def test_a_killed_server_is_unavailable_and_its_stream_is_there_when_it_is_back(mortal: Server) -> None:
    bus = ValkeyBus(Address(mortal.url), PATIENT)
    await bus.open()
    await fill(bus, 3)
    held = await bus.read("s", "g", max_entries=2, wait_s=0)
    await bus.ack("s", "g", [held[0].id])
    async with bus.tail("s", "g") as entries, bus.subscribe("c") as messages:
        await anext(entries)
        waiting = [
            asyncio.ensure_future(each)
            for each in (bus.read("empty", "g", max_entries=1, wait_s=LONG_S), anext(messages))
        ]
        await mortal.kill()
        for each in waiting:
            with pytest.raises(BusUnavailableError):
                await each
        for refused in (bus.append("s", b""), bus.get("k"), bus.publish("c", b""), bus.ack("s", "g", [])):
            with pytest.raises(BusUnavailableError):
                await refused
        await mortal.start()
        # At once, although it was we who held the second: whoever lost its bus has let go of what it had read.
        found = await read_once_it_is_back(bus)
        assert [each.body for each in found] == [b"\1", b"\2"]
        with pytest.raises(BusUnavailableError):
            await anext(messages)
    await bus.close()


async def test_an_entry_that_was_on_its_way_to_a_cancelled_read_goes_to_another(mortal: Server) -> None:
    one, other = (ValkeyBus(Address(mortal.url), PATIENT) for _ in range(2))
    await one.open()
    await other.open()
    await one.read("s", "g", max_entries=1, wait_s=0.01)  # the bell hangs
    await other.append("s", b"here")
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(one.read("s", "g", max_entries=1, wait_s=LONG_S))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    mortal.process.send_signal(signal.SIGCONT)
    assert [each.body for each in await other.read("s", "g", max_entries=1, wait_s=LONG_S)] == [b"here"]
    await one.close()
    await other.close()


async def read_once_it_is_back(bus: Bus) -> list[Reply]:
    """Read from the test's stream, as soon as the bus is there again."""
    async with asyncio.timeout(LONG_S):
        while True:
            with contextlib.suppress(BusUnavailableError):
                return await bus.read("s", "g", max_entries=9, wait_s=0)
            await asyncio.sleep(0.01)


async def test_a_server_that_hangs_is_unavailable_within_bounds(
    mortal: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fondaco.infra.bus.valkey.line.ANSWER_WAIT_S", 0.2)
    bus = ValkeyBus(Address(mortal.url), PATIENT)
    await bus.open()
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGSTOP)
    with pytest.raises(BusUnavailableError, match=r"has not answered for 0\.2 s"):
        await bus.append("s", b"perhaps")
    mortal.process.send_signal(signal.SIGCONT)
    assert {each.body for each in await read_once_it_is_back(bus)} <= {b"perhaps"}
    await bus.close()


async def test_a_server_without_memory_takes_nothing_more_and_still_lets_go(mortal: Server) -> None:
    bus = ValkeyBus(Address(mortal.url), PATIENT)
    await bus.open()
    (entry_id,) = await fill(bus, 1)
    wire = Wire(Address(mortal.url), "test")
    await wire.open()
    await wire.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(BusUnavailableError, match="refused: command not allowed when used memory"):
        await bus.append("s", b"one more")
    assert [each.id for each in await bus.read("s", "g", max_entries=9, wait_s=0)] == [entry_id]
    await bus.ack("s", "g", [entry_id])
    assert (await wire.call("XLEN", "s"), await wire.call("GET", held_bytes("s"))) == (0, None)
    await wire.call("CONFIG", "SET", "maxmemory", "0")
    await bus.append("s", b"one more")
    await wire.close()
    await bus.close()


async def test_what_could_not_be_acknowledged_is_handed_out_again(mortal: Server) -> None:
    """Also when the server only refused, and no connection broke."""
    port = mortal.valkey.place.port()
    wire = Wire(Address(mortal.url), "test")
    await wire.open()
    await wire.call("ACL", "SETUSER", "reader", "on", ">reader", "~*", "&*", "+@all")
    bus = ValkeyBus(Address(f"redis://reader:reader@127.0.0.1:{port}/0"), PATIENT)
    await bus.open()
    (entry_id,) = await fill(bus, 1)
    await bus.read("s", "g", max_entries=9, wait_s=0)
    await wire.call("ACL", "SETUSER", "reader", "-xack")
    with pytest.raises(BusUnavailableError, match="refused"):
        await bus.ack("s", "g", [entry_id])
    assert [each.id for each in await read_once_it_is_back(bus)] == [entry_id]
    await wire.close()
    await bus.close()


async def test_a_server_that_forgot_the_scripts_gets_them_again(
    valkey_url: str, connect: Connect, server: Wire
) -> None:
    del valkey_url
    async with connect() as bus:
        await server.call("SCRIPT", "FLUSH")
        with pytest.raises(BusUnavailableError):
            await bus.append("s", b"")

        async def works() -> bool:
            try:
                return bool(await bus.append("s", b""))
            except BusUnavailableError:
                return False

        await eventually(works)


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
async def test_a_server_that_would_lose_trades_is_refused_in_one_sentence_unless_accepted(
    mortal: Server, name: str, value: str
) -> None:
    wire = Wire(Address(mortal.url), "test")
    await wire.open()
    await wire.call("CONFIG", "SET", "maxmemory", "1gb")
    await wire.call("CONFIG", "SET", name, value)
    settings = Settings(bus=BusSettings(url=mortal.url))
    with pytest.raises(
        NotDurableError, match=f"would lose trades in a crash \\({name} is '{value}'\\): set appendonly"
    ):
        async with open_bus(settings):
            pass
    async with open_bus(Settings(bus=BusSettings(url=mortal.url, accept_loss=True))) as bus:
        await bus.set("k", b"v")
    await wire.close()


async def test_a_server_that_forbids_the_question_is_used_with_a_warning(mortal: Server) -> None:
    wire = Wire(Address(mortal.url), "test")
    await wire.open()
    await wire.call("ACL", "SETUSER", "modest", "on", ">modest", "~*", "&*", "+@all", "-config", "-info")
    await wire.close()
    port = mortal.valkey.place.port()
    structlog.reset_defaults()
    with capture_logs() as logs:
        async with open_bus(Settings(bus=BusSettings(url=f"redis://modest:modest@127.0.0.1:{port}/0"))) as bus:
            await bus.set("k", b"v")
    assert [each["event"] for each in logs if each["log_level"] == "warning"] == ["bus.durability_unknown"]


async def test_no_error_and_no_address_that_is_shown_holds_the_password(mortal: Server) -> None:
    secret = mortal.valkey.place.password()
    address = Address(mortal.url)
    tcp = mortal.valkey.tcp_url
    assert secret in mortal.url
    assert secret in tcp
    for shown in (str(address), str(Address(tcp)), redacted_text(mortal.url), redacted_text(tcp)):
        assert secret not in shown
    await mortal.kill()
    with pytest.raises(NoHouseError, match="does not answer") as refused:
        async with open_bus(Settings(bus=BusSettings(url=tcp)), wait_s=0):
            pass
    assert secret not in str(refused.value) + repr(refused.value.__cause__)
    await mortal.start()
    wrong = mortal.valkey.tcp_url.replace(secret, "hunter2")
    with pytest.raises(NoHouseError, match="invalid username-password pair") as refused:
        async with open_bus(Settings(bus=BusSettings(url=wrong)), wait_s=0):
            pass
    assert "hunter2" not in str(refused.value) + repr(refused.value.__cause__)


@pytest.mark.parametrize("url", ["http://u:hunter2@x", "redis://u:hunter2@x:port", "redis://u:hunter2@x/0?no_such=1"])
def test_an_address_that_is_none_is_a_sentence_without_its_password(url: str) -> None:
    with pytest.raises(BadAddressError, match="FONDACO_BUS__URL") as refused:
        Address(url)
    assert "hunter2" not in str(refused.value)


async def test_a_process_of_a_house_that_runs_goes_on_without_its_server_and_finds_it_later(mortal: Server) -> None:
    await mortal.kill()
    settings = Settings(bus=BusSettings(url=mortal.url))
    async with open_bus(settings, wait_s=0, must_answer=False) as bus:
        with pytest.raises(BusUnavailableError, match="tried again"):
            await bus.get("k")
        await mortal.start()
        assert await read_once_it_is_back(bus) == []


async def test_how_far_readers_are_behind_can_be_seen(valkey_url: str, connect: Connect) -> None:
    async with connect() as bus:
        ids = await fill(bus, 5)
        await bus.read("s", "g", max_entries=3, wait_s=0)
        await bus.ack("s", "g", ids[:1])
        (stream,) = await lag(Address(valkey_url), QUICK, ("s", "no such stream"))
    assert (stream.name, stream.entries, stream.held_bytes) == ("s", 4, 4 * (ENTRY_OVERHEAD_BYTES + 1))
    ((name, waiting, unacknowledged, (reader,)),) = stream.groups
    assert (name, waiting, unacknowledged, reader.holds) == ("g", 2, 2, 2)


async def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="the kind is local, and yet there is a url"):
        BusSettings(kind="local", url="redis://x")
    assert BusSettings(url="redis://x").is_valkey
    assert not BusSettings().is_valkey
