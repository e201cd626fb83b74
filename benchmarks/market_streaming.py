"""Streaming: from a frame on an exchange's socket to a subscriber's, through feed, bus and server.

Each of those is a process of its own, and so are the subscribers; this one plays the exchange and hosts the bus. A
print is timed from just before its frame is written to just after a subscriber has read the frame with its trade id:
the id is the moment of writing, in microseconds of the clock that all processes share. One frame in `DECODE_ONE_IN` is
decoded.
"""

import asyncio
import json
import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from time import perf_counter
from typing import NamedTuple

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.settings import Settings
from harness import progress, report
from house import folder, fresh_database, process_cpu_s, running

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SUBSCRIBERS = 100
TICKS_PER_S = 5_000
BURST_S = 0.002
SECONDS = 15
QUICK_SECONDS = 5
DECODE_ONE_IN = 10
WARM_UP_S = 2
MAX_BURST = 200
"""Trades written in a row by an exchange that is behind, before others get their turn."""


class Exchange(WSListener):
    """Writes trades to whoever connects, as Binance's combined stream does."""

    def __init__(self) -> None:
        self.transports: list[WSTransport] = []
        self._last_id = 0
        self._count = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take in the feed."""
        self.transports.append(transport)

    async def write(self, seconds: float) -> None:
        """Write `TICKS_PER_S` trades a second, a few at a time."""
        start, written = perf_counter(), 0
        while (elapsed := perf_counter() - start) < seconds:
            due = int(elapsed * TICKS_PER_S) - written
            for _ in range(min(due, MAX_BURST)):
                self._write_one()
            written += min(due, MAX_BURST)
            await asyncio.sleep(BURST_S if due < MAX_BURST else 0)

    def _write_one(self) -> None:
        self._count += 1
        self._last_id = max(self._last_id + 1, _now_us())
        symbol = SYMBOLS[self._count % len(SYMBOLS)]
        frame = (
            f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1723161255343,"s":"{symbol}","t":{self._last_id},'
            f'"p":"61837.63000000","q":"0.02000000","T":{1_723_161_255_342 + self._count // 5},"m":true,"M":true}}}}'
        )
        for transport in self.transports:
            transport.send(WSMsgType.TEXT, frame.encode())


class Subscriber(WSListener):
    """Subscribes to one symbol's ticks, counts frames and times one in `DECODE_ONE_IN`."""

    def __init__(self, symbol: str) -> None:
        self._channel = f"ticks:{symbol}"
        self.delays_us: list[int] = []
        self.frames = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Subscribe."""
        request = {"op": "subscribe", "id": 1, "channels": [self._channel]}
        transport.send(WSMsgType.TEXT, json.dumps(request).encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count and now and then time."""
        del transport
        self.frames += 1
        if self.frames % DECODE_ONE_IN:
            return
        read_at_us = _now_us()
        message = json.loads(frame.get_payload_as_utf8_text())
        if message["type"] == "update":
            self.delays_us.extend(read_at_us - tick[0] for tick in message["data"])


class Timed(NamedTuple):
    """What the subscribers saw between two of our words."""

    delays_us: list[int]
    frames: int


def subscribers(url: str, parent: Connection) -> None:
    """The process of the subscribers: says when all are connected; a word begins the measurement, another ends it."""
    uvloop.run(_subscribe(url, parent))


async def _subscribe(url: str, parent: Connection) -> None:
    listeners = [Subscriber(SYMBOLS[number % len(SYMBOLS)]) for number in range(SUBSCRIBERS)]
    transports = [(await ws_connect(lambda each=each: each, url))[0] for each in listeners]
    parent.send("connected")
    await asyncio.to_thread(parent.recv)
    for each in listeners:
        each.delays_us.clear()
        each.frames = 0
    await asyncio.to_thread(parent.recv)
    delays_us = [delay for each in listeners for delay in each.delays_us]
    parent.send(Timed(delays_us, sum(each.frames for each in listeners)))
    for transport in transports:
        transport.disconnect()


@asynccontextmanager
async def subscribed(url: str) -> AsyncIterator[tuple[int, Connection]]:
    """The subscribers' process id and the line to them, once they are connected, for as long as the block runs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=subscribers, args=(url, theirs))
    process.start()
    try:
        await asyncio.to_thread(ours.recv)
        yield process.pid or 0, ours
        await asyncio.to_thread(process.join)
    finally:
        process.kill()


def _now_us() -> int:
    return int(perf_counter() * 1e6)


async def wire_to_subscriber_p99(name: str, *, quick: bool) -> None:
    """99th percentile of a print's way to a subscriber, in milliseconds."""
    exchange = Exchange()
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        database = await stack.enter_async_context(fresh_database())
        await stack.enter_async_context(serve_local_bus(Settings(data_dir=path).bus_socket, Settings().bus))
        server = await ws_create_server(lambda _: exchange, "127.0.0.1", 0)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        environment = {"FONDACO_DATA_DIR": str(path), "FONDACO_MARKET__BINANCE_WS_URL": f"ws://127.0.0.1:{port}"}
        serve = await stack.enter_async_context(running("serve", database.url, environment))
        feed = await stack.enter_async_context(running("feed", database.url, environment, feed="binance"))
        url = f"{serve.base_url.replace('http', 'ws')}/api/v1/stream"
        readers_pid, readers = await stack.enter_async_context(subscribed(url))
        await exchange.write(WARM_UP_S)
        readers.send("begin")
        pids = {"serve": serve.pid, "feed": feed.pid, "exchange and hub": os.getpid(), "subscribers": readers_pid}
        before = {each: process_cpu_s(pid) for each, pid in pids.items()}
        seconds = QUICK_SECONDS if quick else SECONDS
        progress(f"  {TICKS_PER_S} ticks/s to {SUBSCRIBERS} subscribers for {seconds} s")
        await exchange.write(seconds)
        cpu = {each: process_cpu_s(pid) - before[each] for each, pid in pids.items()}
        readers.send("end")
        timed: Timed = await asyncio.to_thread(readers.recv)
    ordered = sorted(timed.delays_us)
    percentiles = {f"p{at}": round(ordered[int(len(ordered) * at / 100)] / 1000, 2) for at in (50, 90, 99)}
    report(
        name,
        percentiles["p99"],
        "ms",
        None,
        **percentiles,
        timed=len(ordered),
        cpu_share={each: round(used / seconds, 2) for each, used in cpu.items()},
        frames=timed.frames,
    )
