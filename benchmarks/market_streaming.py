"""Streaming: from a frame on an exchange's socket to a subscriber's, through feed, bus and server.

Each of those is a process of its own. This one plays the exchange and all the subscribers, and hosts the bus. A print
is timed from just before its frame is written to just after a subscriber has read the frame with its trade id; one
frame in `DECODE_ONE_IN` is decoded.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from time import perf_counter

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


class Exchange(WSListener):
    """Writes trades to whoever connects, as Binance's combined stream does."""

    def __init__(self) -> None:
        self.transports: list[WSTransport] = []
        self.written_at: dict[int, float] = {}
        self.last_id = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take in the feed."""
        self.transports.append(transport)

    async def write(self, seconds: float) -> None:
        """Write `TICKS_PER_S` trades a second, a few at a time."""
        per_burst = int(TICKS_PER_S * BURST_S)
        start, first_id = perf_counter(), self.last_id
        while (elapsed := perf_counter() - start) < seconds:
            while self.last_id - first_id < elapsed * TICKS_PER_S:
                for _ in range(per_burst):
                    self.last_id += 1
                    self._write_one(self.last_id)
            await asyncio.sleep(BURST_S)

    def _write_one(self, trade_id: int) -> None:
        symbol = SYMBOLS[trade_id % len(SYMBOLS)]
        frame = (
            f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1723161255343,"s":"{symbol}","t":{trade_id},'
            f'"p":"61837.63000000","q":"0.02000000","T":{1_723_161_255_342 + trade_id // 5},"m":true,"M":true}}}}'
        )
        self.written_at[trade_id] = perf_counter()
        for transport in self.transports:
            transport.send(WSMsgType.TEXT, frame.encode())


class Subscriber(WSListener):
    """Subscribes to one symbol's ticks, counts frames and times one in `DECODE_ONE_IN`."""

    def __init__(self, symbol: str, exchange: Exchange, delays_ms: list[float]) -> None:
        self._channel = f"ticks:{symbol}"
        self._exchange = exchange
        self._delays_ms = delays_ms
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
        read_at = perf_counter()
        message = json.loads(frame.get_payload_as_utf8_text())
        if message["type"] == "update":
            self._delays_ms.extend(1000 * (read_at - self._exchange.written_at[tick[0]]) for tick in message["data"])


async def wire_to_subscriber_p99(name: str, *, quick: bool) -> None:
    """99th percentile of a print's way to a subscriber, in milliseconds."""
    exchange, delays_ms = Exchange(), list[float]()
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
        subscribers = [Subscriber(SYMBOLS[number % len(SYMBOLS)], exchange, delays_ms) for number in range(SUBSCRIBERS)]
        url = f"{serve.base_url.replace('http', 'ws')}/api/v1/stream"
        transports = [(await ws_connect(lambda each=each: each, url))[0] for each in subscribers]
        await exchange.write(2)  # warm-up
        delays_ms.clear()
        before = {each.name: process_cpu_s(each.pid) for each in (serve, feed)}
        seconds = QUICK_SECONDS if quick else SECONDS
        progress(f"  {TICKS_PER_S} ticks/s to {SUBSCRIBERS} subscribers for {seconds} s")
        await exchange.write(seconds)
        cpu = {each.name: process_cpu_s(each.pid) - before[each.name] for each in (serve, feed)}
        for transport in transports:
            transport.disconnect()
    ordered = sorted(delays_ms)
    percentiles = {f"p{at}": round(ordered[int(len(ordered) * at / 100)], 2) for at in (50, 90, 99)}
    report(
        name,
        percentiles["p99"],
        "ms",
        None,
        **percentiles,
        timed=len(ordered),
        cpu_share={each: round(used / seconds, 2) for each, used in cpu.items()},
        frames=sum(each.frames for each in subscribers),
    )
