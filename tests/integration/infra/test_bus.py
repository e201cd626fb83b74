"""What every bus must do (`fondaco.infra.bus.port`): one suite for all: in a process, behind a socket, over Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from fondaco.infra.bus.hub import ENTRY_OVERHEAD_BYTES, MAX_BATCH_BYTES, MAX_BODY_BYTES, BodyTooLargeError
from fondaco.infra.bus.port import Bus, BusUnavailableError, Message
from fondaco.infra.settings import BusSettings
from support.buses import Connect, local_bus, order, settled, socket_bus, valkey_bus

BODY_BYTES = 1_000 - ENTRY_OVERHEAD_BYTES
"""A body that makes its entry count a round thousand."""
LIMITS = BusSettings(stream_max_bytes=100_000, watcher_max_messages=20)
LONG_S = 60.0
"""A wait that no passing test sits out."""


MakeBus = Callable[[BusSettings], AbstractAsyncContextManager[Connect]]
"""Makes a fresh bus of the kind under test."""


@pytest.fixture(params=["local", "socket", "valkey"])
def make_bus(request: pytest.FixtureRequest, tmp_path: Path) -> MakeBus:
    """Which bus is under test."""
    match request.param:
        case "local":
            return local_bus
        case "socket":
            return lambda settings: socket_bus(settings, tmp_path / "bus.sock")
    url: str = request.getfixturevalue("valkey_url")
    return lambda settings: valkey_bus(settings, url)


@pytest.fixture
async def connect(make_bus: MakeBus) -> AsyncIterator[Connect]:
    """Connections to one bus with small limits."""
    async with make_bus(LIMITS) as connect:
        yield connect


@pytest.fixture
async def roomy(make_bus: MakeBus) -> AsyncIterator[Connect]:
    """Connections to one bus with the usual limits."""
    async with make_bus(BusSettings()) as connect:
        yield connect


async def read(bus: Bus, group: str = "g", *, max_entries: int = 1_000, wait_s: float = 0) -> list[bytes]:
    """Read bodies of the test's stream."""
    return [each.body for each in await bus.read("s", group, max_entries=max_entries, wait_s=wait_s)]


async def fill(bus: Bus, count: int, *, size: int = 4) -> list[str]:
    """Append numbered entries; returns their ids."""
    return [await bus.append("s", number.to_bytes(4, "big").ljust(size)) for number in range(count)]


async def test_entries_come_out_as_and_in_the_order_they_went_in(connect: Connect) -> None:
    async with connect() as bus:
        bodies = [b"", b"\x00\xff", b"same", b"same"]
        ids = [await bus.append("s", body) for body in bodies]
        entries = await bus.read("s", "g", max_entries=10, wait_s=0)
        assert [(each.id, each.body) for each in entries] == list(zip(ids, bodies, strict=True))
        assert ids == sorted(set(ids), key=order)


async def test_ten_thousand_entries_come_in_one_read(roomy: Connect) -> None:
    async with roomy() as bus:
        ids = await asyncio.gather(*(bus.append("s", b"small") for _ in range(10_001)))
        entries = await bus.read("s", "g", max_entries=10_000, wait_s=0)
        assert [each.id for each in entries] == ids[:10_000]
        await bus.ack("s", "g", ids)
        assert await read(bus, "late") == []


async def test_an_entry_is_handed_to_one_reader_of_a_group(connect: Connect) -> None:
    async with connect() as one, connect() as other:
        await fill(one, 5)
        first, second = await read(one, max_entries=2), await read(other)
        assert (len(first), len(second)) == (2, 3)
        assert not set(first) & set(second)
        assert await read(one) == []


async def test_every_group_gets_every_entry_and_the_stream_forgets_when_all_have_acknowledged(connect: Connect) -> None:
    async with connect() as bus:
        ids = await fill(bus, 3)
        assert len(await read(bus, "a")) == len(await read(bus, "b")) == 3
        await bus.ack("s", "a", ids)
        assert len(await read(bus, "late")) == 3, "b has not acknowledged them yet"
        await bus.ack("s", "b", ids)
        await bus.ack("s", "late", ids[:2])
        assert len(await read(bus, "later")) == 1


async def test_what_a_lost_reader_held_is_handed_out_again_oldest_first(connect: Connect) -> None:
    async with connect() as other:
        async with connect() as lost:
            ids = await fill(lost, 6)
            held = await read(lost, max_entries=4)
            await lost.ack("s", "g", ids[:1])
        assert [int.from_bytes(each) for each in held] == [0, 1, 2, 3]
        assert [int.from_bytes(each) for each in await read(other, max_entries=2)] == [1, 2]
        assert [int.from_bytes(each) for each in await read(other)] == [3, 4, 5]


async def test_acknowledged_entries_never_come_back(connect: Connect) -> None:
    async with connect() as other:
        async with connect() as lost:
            ids = await fill(lost, 3)
            await read(lost)
            await other.ack("s", "g", [ids[1]])  # whoever stored it may say so
            await lost.ack("s", "g", [ids[0], ids[0], "no such entry"])
            await lost.ack("s", "g", [ids[0]])
            await lost.ack("s", "no such group", ids)
            await lost.ack("no such stream", "g", ids)
        assert [int.from_bytes(each) for each in await read(other)] == [2]


async def test_a_read_waits_for_the_first_entry_and_no_longer_than_asked(connect: Connect) -> None:
    async with connect() as bus, connect() as writer:
        assert await read(bus, wait_s=0.01) == []
        reading = asyncio.create_task(read(bus, wait_s=LONG_S))
        await settled(bus)
        await writer.append("s", b"here")
        assert await reading == [b"here"]


async def test_every_waiting_reader_is_served(connect: Connect) -> None:
    async with connect() as one, connect() as two, connect() as writer:
        reading = [asyncio.create_task(read(bus, max_entries=1, wait_s=LONG_S)) for bus in (one, two)]
        await settled(one, two)
        await fill(writer, 2)
        assert sorted(await asyncio.gather(*reading)) == [[b"\0\0\0\0"], [b"\0\0\0\1"]]


async def test_entries_that_come_back_reach_every_waiting_reader(connect: Connect) -> None:
    async with connect() as one, connect() as two:
        async with connect() as lost:
            await fill(lost, 2)
            await read(lost)
            reading = [asyncio.create_task(read(bus, max_entries=1, wait_s=LONG_S)) for bus in (one, two)]
            await settled(one, two)
        assert sorted(await asyncio.gather(*reading)) == [[b"\0\0\0\0"], [b"\0\0\0\1"]]


async def test_a_reader_cancelled_while_its_entry_is_on_the_way_leaves_it_to_the_next(connect: Connect) -> None:
    async with connect() as one, connect() as two, connect() as writer:
        first = asyncio.create_task(read(one, wait_s=LONG_S))
        await settled(one)
        second = asyncio.create_task(read(two, wait_s=LONG_S))
        await settled(two)
        await writer.append("s", b"here")
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert await second == [b"here"]


async def test_an_entry_for_a_cancelled_read_goes_to_the_next(connect: Connect) -> None:
    async with connect() as bus, connect() as writer:
        reading = asyncio.create_task(read(bus, wait_s=LONG_S))
        await settled(bus)
        reading.cancel()
        await asyncio.wait([reading])
        await writer.append("s", b"here")
        assert await read(writer, wait_s=LONG_S) == [b"here"]


async def test_a_read_takes_no_more_bytes_than_a_frame_may_have(roomy: Connect) -> None:
    size = MAX_BATCH_BYTES // 2
    async with roomy() as bus:
        await fill(bus, 3, size=size)
        assert [len(await read(bus)) for _ in range(3)] == [2, 1, 0]


async def test_a_full_stream_makes_its_writers_wait_in_line_and_drops_nothing(connect: Connect) -> None:
    async with connect() as bus, connect() as writer:
        ids = await fill(writer, 101, size=BODY_BYTES)  # 100,000 bytes are not more than the limit; 101,000 are
        waiting = [asyncio.create_task(writer.append("s", bytes([each]) * BODY_BYTES)) for each in range(3)]
        await settled(writer)
        assert not any(each.done() for each in waiting)
        assert len(await read(bus)) == 101
        await bus.ack("s", "g", ids[:2])
        assert order(await waiting[0]) < order(await waiting[1])
        await settled(writer)
        assert not waiting[2].done()
        await bus.ack("s", "g", ids[2:])
        await waiting[2]
        assert [each[0] for each in await read(bus)] == [0, 1, 2]


async def test_a_writer_that_gives_up_waiting_leaves_the_line(connect: Connect) -> None:
    async with connect() as bus:
        ids = await fill(bus, 101, size=BODY_BYTES)
        async with connect() as other:
            lost = asyncio.create_task(other.append("s", b"lost"))
            await settled(other)
        with pytest.raises(BusUnavailableError):
            await lost
        waiting = asyncio.create_task(bus.append("s", b"kept"))
        await settled(bus)
        assert len(await read(bus)) == 101
        await bus.ack("s", "g", ids)
        await waiting
        assert await read(bus) == [b"kept"]


async def test_a_tail_shows_what_is_unacknowledged_and_then_what_is_new_and_takes_nothing(connect: Connect) -> None:
    async with connect() as bus, connect() as watcher:
        ids = await fill(bus, 3)
        await read(bus, max_entries=2)
        await bus.ack("s", "g", ids[:1])
        async with watcher.tail("s", "g") as entries:
            seen = [await anext(entries) for _ in range(2)]
            new = asyncio.ensure_future(anext(entries))
            await settled(watcher)
            new_id = await bus.append("s", b"new")
            assert [each.id for each in (*seen, await new)] == [*ids[1:], new_id]
        assert len(await read(bus)) == 2


async def test_tails_opened_while_entries_come_in_show_each_once_in_order(roomy: Connect) -> None:
    async with roomy() as bus, roomy() as watcher, AsyncExitStack() as tails:
        await fill(bus, 50)
        writing = asyncio.create_task(fill(bus, 200))
        seen = []
        while not writing.done():
            entries = await tails.enter_async_context(watcher.tail("s", "g"))
            seen.append([await anext(entries) for _ in range(250)])
        ids = [each.id for each in await bus.read("s", "g", max_entries=1_000, wait_s=0)]
        assert ids[50:] == writing.result()
        assert [[each.id for each in one] for one in seen] == [ids] * len(seen)


async def test_a_tail_longer_than_a_frame_comes_in_parts(roomy: Connect) -> None:
    async with roomy() as bus:
        ids = await fill(bus, 3, size=MAX_BATCH_BYTES)
        async with bus.tail("s", "g") as entries:
            assert [(await anext(entries)).id for _ in ids] == ids


async def test_a_watcher_is_cut_off_when_it_falls_behind_but_its_backlog_does_not_count(connect: Connect) -> None:
    async with connect() as bus, connect() as watcher:
        backlog, limit = 30, LIMITS.watcher_max_messages
        await fill(bus, backlog)
        async with watcher.tail("s", "g") as slow, watcher.tail("s", "g") as slower:
            await fill(bus, limit)
            assert len([await anext(slow) for _ in range(backlog + limit)]) == backlog + limit
            await fill(bus, 1)
            assert (await anext(slow)).body == bytes(4)
            with pytest.raises(BusUnavailableError, match="more than 20 messages"):
                await anext(slower)
            with pytest.raises(BusUnavailableError):
                await anext(slower)


async def test_a_cancelled_wait_for_the_next_message_loses_none(connect: Connect) -> None:
    async with connect() as bus, connect() as watcher, watcher.subscribe("c") as messages:
        waiting = asyncio.ensure_future(anext(messages))
        await settled(watcher)
        waiting.cancel()
        await asyncio.wait([waiting])
        await bus.publish("c", b"1")
        await bus.publish("c", b"2")
        assert [(await anext(messages)).body for _ in range(2)] == [b"1", b"2"]


async def test_a_channel_reaches_its_subscribers_once_each_and_patterns_match_beginnings(connect: Connect) -> None:
    async with (
        connect() as bus,
        bus.subscribe("market:BTCUSDT", "other") as exact,
        bus.subscribe("market:*", "market:BTC*", "market:BTCUSDT") as pattern,
        bus.subscribe("*") as everything,
        bus.subscribe("market:BTC") as nothing,
    ):
        sent = [Message("market:BTCUSDT", b"1"), Message("market", b"2"), Message("market:", b"3"), Message("z", b"4")]
        for each in (*sent, Message("other", b"5"), Message("market:*", b"6"), Message("market:BTC", b"7")):
            await bus.publish(*each)
        assert [(await anext(exact)).body for _ in range(2)] == [b"1", b"5"]
        assert [(await anext(pattern)).body for _ in range(4)] == [b"1", b"3", b"6", b"7"]
        assert [await anext(everything) for _ in range(4)] == sent
        assert (await anext(nothing)).body == b"7"


async def test_a_subscriber_is_cut_off_when_it_falls_behind_and_the_others_are_not(connect: Connect) -> None:
    async with connect() as bus, connect() as reader:
        async with reader.subscribe("c") as slow, reader.subscribe("c") as quick:
            for number in range(LIMITS.watcher_max_messages + 1):
                await bus.publish("c", bytes([number]))
                assert (await anext(quick)).body == bytes([number])
            with pytest.raises(BusUnavailableError, match="Start over"):
                await anext(slow)
        async with reader.subscribe("c") as again:
            await bus.publish("c", b"again")
            assert (await anext(again)).body == b"again"


async def test_a_key_keeps_its_last_value(connect: Connect) -> None:
    async with connect() as bus, connect() as other:
        assert await bus.get("k") is None
        await bus.set("k", b"1")
        await bus.set("k", b"")
        assert await other.get("k") == b""


async def test_the_longest_body_passes_and_a_longer_one_is_refused(connect: Connect) -> None:
    longest = bytes(MAX_BODY_BYTES)
    async with connect() as bus, bus.subscribe("c") as messages:
        await bus.set("k", longest)
        assert await bus.get("k") == longest
        await bus.append("s", longest)
        assert await read(bus) == [longest]
        await bus.publish("c", longest)
        assert (await anext(messages)).body == longest
        for refused in (
            bus.append("s", longest + b"."),
            bus.publish("c", longest + b"."),
            bus.set("k", longest + b"."),
        ):
            with pytest.raises(BodyTooLargeError):
                await refused


async def test_a_closed_connection_refuses_calls_and_ends_what_waits(connect: Connect) -> None:
    async with AsyncExitStack() as watchers:
        async with connect() as bus:
            reading = asyncio.create_task(read(bus, wait_s=LONG_S))
            watching = asyncio.ensure_future(anext(await watchers.enter_async_context(bus.tail("s", "g"))))
            await settled(bus)
        for waiting in (reading, watching):
            with pytest.raises(BusUnavailableError):
                await waiting
        for refused in (bus.append("s", b""), read(bus), bus.ack("s", "g", []), bus.publish("c", b""), bus.get("k")):
            with pytest.raises(BusUnavailableError):
                await refused


async def test_the_end_of_a_watch_ends_whoever_still_waits_for_its_next_message(connect: Connect) -> None:
    async with connect() as bus:
        async with bus.subscribe("c") as messages:
            watching = asyncio.ensure_future(anext(messages))
            await settled(bus)
        with pytest.raises(BusUnavailableError, match="has ended"):
            await watching
