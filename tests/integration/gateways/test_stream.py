"""The stream over real sockets: snapshots, updates, slow readers, a database or bus that is away, and goodbyes."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from fondaco.core.candles import Timeframe
from fondaco.gateways.ws.stream import STREAM_PATH
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings, StreamSettings
from fondaco.market.messages import Quote, Source, Tick
from support.house import House, StreamClient, stream_client
from support.ticks import naive_candles
from support.waiting import eventually

START_US = 1_723_161_240_000_000
MINUTE_US = 60_000_000
MOST_FRAMES_IN_BUFFERS = 10_000
"""Frames of 3 kB that the kernel and the transport may take before a client that reads nothing is found out."""


def tick(trade_id: int, *, minute: int = 0, price: int = 6_183_763_000_000) -> Tick:
    at_us = START_US + minute * MINUTE_US + trade_id
    return Tick(trade_id, at_us, price + trade_id, 2_000_000, buyer_is_maker=trade_id % 2 == 0, received_us=at_us)


def bars_of(ticks: list[Tick], timeframe: Timeframe = Timeframe.M1) -> dict[int, tuple[float, float, int]]:
    """Close, volume and number of trades by time, as the stream tells them."""
    found = naive_candles(ticks, timeframe).items()
    return {bar // 1_000_000: (each.close / 10**8, each.volume / 10**8, each.trades) for bar, each in found}


def told_bars(data: list[dict[str, Any]]) -> dict[int, tuple[float, float, int]]:
    return {each["time"]: (each["close"], each["volume"], each["trades"]) for each in data}


async def hear_until(client: StreamClient, snapshot: dict[str, Any], bars: dict[int, tuple[float, float, int]]) -> None:
    """Apply what follows a snapshot until the channel's bars are as expected; the sequence must have no hole."""
    held, seq = told_bars(snapshot["data"]), snapshot["seq"]
    while held != bars:
        frame = await client.hear()
        if frame.get("channel") != snapshot["channel"]:
            continue
        if frame["type"] == "snapshot":
            held = told_bars(frame["data"])
        else:
            assert frame["seq"] == seq + frame.get("conflated", 1)
            held |= told_bars(frame["data"])
        seq = frame["seq"]


async def test_trades_reach_subscribers_before_they_are_stored(lonely_house: House) -> None:
    await lonely_house.say_feed()
    async with lonely_house.served(), stream_client(lonely_house) as client:
        ticks, candles = await client.subscribe("ticks:BTCUSDT", "candles:BTCUSDT:1m")
        assert (ticks["data"], ticks["source"], candles["data"]) == ([], "replay", [])
        await lonely_house.bring([tick(1), tick(2)])
        frames = {frame["channel"]: frame for frame in [await client.hear(), await client.hear()]}
        assert frames["ticks:BTCUSDT"] == {
            "type": "update",
            "channel": "ticks:BTCUSDT",
            "seq": ticks["seq"] + 1,
            "data": [
                [1, START_US // 1000, "61837.63000001", "0.02000000", "buy"],
                [2, START_US // 1000, "61837.63000002", "0.02000000", "sell"],
            ],
        }
        assert frames["candles:BTCUSDT:1m"]["data"] == [
            {
                "time": START_US // 1_000_000,
                "open": 61837.63000001,
                "high": 61837.63000002,
                "low": 61837.63000001,
                "close": 61837.63000002,
                "volume": 0.04,
                "trades": 2,
                "closed": True,
            }
        ]


async def test_a_snapshot_joins_what_is_stored_and_what_is_on_its_way(house: House) -> None:
    await house.show_feed()
    early = [tick(each, minute=each // 4) for each in range(1, 9)]
    entry = await house.bring(early[:6])
    await house.commit(entry)
    await house.bring(early[6:])
    async with house.served(), stream_client(house) as client:
        minutes, _ = await client.subscribe("candles:BTCUSDT:1m", "candles:BTCUSDT:1h")
        await hear_until(client, minutes, bars_of(early))


async def test_candles_stay_right_while_commits_overtake_ticks(house: House) -> None:
    await house.show_feed()
    all_ticks = [tick(each, minute=each // 10) for each in range(1, 41)]
    async with house.served(), stream_client(house) as client:
        (snapshot,) = await client.subscribe("candles:BTCUSDT:1m")
        entries = [await house.bring(all_ticks[at : at + 5]) for at in range(0, 40, 5)]
        await house.commit(*entries[::2])
        await hear_until(client, snapshot, bars_of(all_ticks))
        await house.commit(*entries[1::2])
        await eventually(lambda: settled(house))
        await client.say(op="subscribe", channels=["candles:BTCUSDT:1m"])
        while (await client.hear())["type"] != "subscribed":
            pass
        assert told_bars((await client.hear())["data"]) == bars_of(all_ticks)


async def settled(house: House) -> bool:
    board = house.app.stream.board
    return not board._pending and not board._early


async def test_history_is_read_from_the_database_and_again_when_the_feed_changes(house: House) -> None:
    await house.show_feed(Source.REPLAY)
    replayed = [tick(each, minute=each) for each in range(1, 6)]
    simulated = [tick(each, minute=each, price=5) for each in range(1, 4)]
    await house.commit(await house.bring(replayed))
    await house.commit(await house.bring(simulated, source=Source.SIMULATED))
    async with house.served(), stream_client(house) as client:
        (snapshot,) = await client.subscribe("candles:BTCUSDT:1m")
        await hear_until(client, snapshot, bars_of(replayed))
        await house.say_feed(Source.SIMULATED)
        while (changed := await client.hear())["source" if "source" in changed else "type"] != "simulated":
            pass
        await hear_until(client, changed, bars_of(simulated))


async def test_the_snapshot_has_the_newest_candles_and_no_more_than_the_setting(database: Database) -> None:
    house = House(Settings(stream=StreamSettings(snapshot_candles=3)), database)
    await house.show_feed()
    stored = [tick(each, minute=each) for each in range(1, 8)]
    await house.commit(await house.bring(stored))
    async with house.served(), stream_client(house) as client:
        (snapshot,) = await client.subscribe("candles:BTCUSDT:1m")
        await hear_until(client, snapshot, bars_of(stored[-3:]))


async def test_streams_work_while_the_database_is_away_and_read_history_once_it_is_back(
    settings: Settings, database: Database, away: Database
) -> None:
    house = House(settings, database)
    await house.show_feed()
    stored = [tick(each, minute=each) for each in range(1, 4)]
    entry = await house.bring(stored)
    await house.commit(entry)
    house.app.stream._listener._database = away
    async with house.served(), stream_client(house) as client:
        (snapshot,) = await client.subscribe("candles:BTCUSDT:1m")
        on_its_way = tick(9, minute=9)
        await house.bring([on_its_way])
        await hear_until(client, snapshot, bars_of([on_its_way]))
        house.app.stream._listener._database = database
        while (whole := await client.hear())["type"] != "snapshot":
            pass
        await hear_until(client, whole, bars_of([*stored, on_its_way]))


async def test_prices_and_the_feed_are_told_and_their_last_state_opens_the_channel(lonely_house: House) -> None:
    house = lonely_house
    await house.say_feed()
    await house.quote(Quote("BTCUSDT", "61837.63", "61831.44", "61843.81", 1723161254014))
    async with house.served(), stream_client(house) as client:
        price, feed, nothing = await client.subscribe("prices:BTCUSDT", "feed", "prices:ETHUSDT")
        assert price["data"] == {
            "symbol": "BTCUSDT",
            "last": "61837.63",
            "bid": "61831.44",
            "ask": "61843.81",
            "time_ms": 1723161254014,
        }
        assert (feed["source"], feed["data"]["since_ms"]) == ("replay", 5000)
        assert nothing["data"] is None
        await house.quote(Quote("BTCUSDT", "61837.64", "61831.45", "61843.82", 1723161254015))
        assert (await client.hear())["data"]["last"] == "61837.64"
        await house.say_feed(Source.BINANCE)
        while (frame := await client.hear())["channel"] != "feed":
            pass
        assert frame["data"]["source"] == "binance"


async def test_a_bus_that_went_away_heals(lonely_house: House) -> None:
    house = lonely_house
    await house.say_feed()
    with house.bus.connect() as lost:
        house.app.stream._listener._bus = lost
        async with house.served(), stream_client(house) as client:
            await client.subscribe("ticks:BTCUSDT")
            await house.bring([tick(1)])
            await client.hear()
            lost.close()
            house.app.stream._listener._bus = house.bus
            while (frame := await client.hear())["type"] != "snapshot":
                pass
            await house.bring([tick(2)])
            ids = {row[0] for row in frame["data"]}
            while not {1, 2} <= ids:  # what was not acknowledged is brought again
                ids |= {row[0] for row in (await client.hear())["data"]}


async def test_a_reader_that_does_not_read_blocks_nobody_and_later_gets_the_newest(away: Database) -> None:
    most = 100
    house = House(Settings(stream=StreamSettings(max_waiting_ticks=most)), away)
    await house.say_feed()
    ids = count(1)
    async with house.served(), stream_client(house) as reader, sleeper(house) as asleep:
        await reader.subscribe("ticks:BTCUSDT")
        outbox = await only_waiting_outbox(house, lambda: house.bring([tick(next(ids)) for _ in range(50)]))
        for _ in range(200):
            await house.bring([tick(next(ids)) for _ in range(50)])
        last = next(ids) - 1
        seen = 0
        while seen < last:  # the reader is served all the same
            seen = (await reader.hear())["data"][-1][0]
        waiting = next(iter(outbox._items.values()))
        assert len(outbox._items) == 1
        assert len(waiting.data) <= most
        frame: dict[str, Any] = {}
        while "dropped" not in frame or frame["data"][-1][0] < last:
            frame = await asleep.hear()
            rows = [row[0] for row in frame.get("data", [])]
            assert rows == sorted(rows)
        assert len(frame["data"]) == most
        assert frame["conflated"] > 1


async def only_waiting_outbox(house: House, bring: Any) -> Any:  # noqa: ANN401 - the outbox's private parts
    """Bring ticks until one session has fallen behind, which takes as much as its socket buffers."""
    for _ in range(MOST_FRAMES_IN_BUFFERS):
        await bring()
        await asyncio.sleep(0.001)
        for session in house.app.stream._sessions:
            if any(type(each).__name__ == "Update" for each in session.outbox._items.values()):
                return session.outbox
    raise AssertionError("whoever does not read is sent more than any buffer holds")


class Sleeper:
    """A client that reads nothing until it is asked, with small buffers."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def hear(self) -> dict[str, Any]:
        """Read one frame."""
        _, length = struct.unpack("!BB", await self._reader.readexactly(2))
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        frame: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return frame


@asynccontextmanager
async def sleeper(house: House) -> AsyncIterator[Sleeper]:
    """A client of the ticks channel that does not read after its handshake."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(0)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", house.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    writer.write(
        f"GET {STREAM_PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    message = b'{"op":"subscribe","channels":["ticks:BTCUSDT"]}'
    writer.write(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message)  # masked with zeros
    yield Sleeper(reader)
    writer.close()


async def test_a_hundred_clients_get_the_very_same_frame(lonely_house: House) -> None:
    house = lonely_house
    await house.say_feed()
    async with house.served():
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(stream_client(house)) for _ in range(100)]
            for client in clients:
                await client.subscribe("ticks:BTCUSDT")
            await house.bring([tick(1)])
            assert len({await client.connection.recv() for client in clients}) == 1
        await eventually(lambda: nobody_left(house))


async def nobody_left(house: House) -> bool:
    return not house.app.stream._sessions and not house.app.stream._topics


async def test_a_symbol_that_is_not_subscribed_is_not_heard(lonely_house: House) -> None:
    house = lonely_house
    await house.say_feed(symbols=["BTCUSDT", "ETHUSDT"])
    async with house.served(), stream_client(house) as client:
        await client.subscribe("ticks:BTCUSDT")
        await house.bring([tick(1)], symbol="ETHUSDT")
        await house.bring([tick(2)], symbol="BTCUSDT")
        assert (await client.hear())["channel"] == "ticks:BTCUSDT"
        assert (await client.ask(op="unsubscribe", channels=["ticks:btc"], id=1))["type"] == "unsubscribed"
        await house.bring([tick(3)], symbol="BTCUSDT")
        assert await client.ask(op="ping", id=2) == {"type": "pong", "id": 2}


async def test_a_server_that_stops_says_goodbye(lonely_house: House) -> None:
    async with lonely_house.served() as server, stream_client(lonely_house) as client:
        await client.subscribe("feed")
        server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "going_away")


async def test_nothing_runs_while_nothing_changes(lonely_house: House) -> None:
    house = lonely_house
    await house.say_feed()
    flushes = 0
    flush = house.app.stream.flush

    def counted() -> None:
        nonlocal flushes
        flushes += 1
        flush()

    house.app.stream.flush = counted  # type: ignore[method-assign] # to count
    async with house.served(), stream_client(house) as client:
        await client.subscribe("ticks:BTCUSDT")
        await house.bring([tick(1)])
        await client.hear()
        before = flushes
        for _ in range(20):
            await client.ask(op="ping")
            await asyncio.sleep(2 * house.settings.stream.flush_ms / 1000)
        assert flushes <= before + 1
