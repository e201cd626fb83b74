"""A house for tests in the browser: the real serve and record processes, with the test in the place of the feed.

So every price on the page is one that the test has sent, and a test waits for exactly that.
"""

import asyncio
import math
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from fondaco.core.candles import MINUTE_US
from fondaco.core.listings import Catalogue, instrument
from fondaco.core.money import parse_atoms
from fondaco.infra.bus.port import Bus
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.listening import listen, page_address
from fondaco.infra.settings import Settings
from fondaco.market.current import set_current_feed
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    TICKS_STREAM,
    FeedState,
    Source,
    Tick,
    TickBatch,
    encode_entry,
    quote_channel,
)
from fondaco.market.quotes import Quoter
from support.buses import connected
from support.waiting import eventually

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LABEL = "Simulated trades"
HISTORY_MINUTES = 620
"""More than one page of history, so that scrolling back has something to load."""
MISSING_MINUTES = range(10, 16)
"""So many minutes ago nothing was traded."""
TRADES_A_MINUTE = 10
PRICE_SCALE = 8
ATOMS_PER_UNIT = 10**8
STOP_WAIT_S = 20.0
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


class BrowserHouse:
    """What the tests of the page may do to a house."""

    def __init__(self, settings: Settings, database_url: str, listener: socket.socket, bus: Bus) -> None:
        self.base_url = page_address(listener)
        self._settings = settings
        self._database_url = database_url
        self._listener = listener
        self._bus = bus
        self._catalogue = Catalogue(instrument(pair, settings.market.scales) for pair in settings.market.pairs)
        self._quoter = Quoter({}, settings.market.default_markup_ppm)
        self._next_id = dict.fromkeys(SYMBOLS, 1)
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def trade(self, symbol: str, price: str, *, side: str = "buy") -> None:
        """Print one trade, now."""
        await self._send(symbol, [self._tick(symbol, price, now_us(), side=side)])

    async def start_recorder(self) -> None:
        """Start the recorder."""
        await self._start("record", database_url=self._database_url)

    async def start_server(self, *, database_url: str | None = None) -> None:
        """Start the server on the house's socket, as its supervisor does, and wait until it answers."""
        fd = self._listener.fileno()
        await self._start("serve", f"--listening-fd={fd}", database_url=database_url or self._database_url, fd=fd)
        await eventually(self._is_answering)

    async def crash_server(self) -> None:
        """End the server the hard way. Its socket stays open, and clients wait in the queue of it."""
        process = self._processes.pop("serve")
        process.kill()
        await process.wait()

    async def close(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self._processes.values():
            await asyncio.wait_for(process.wait(), STOP_WAIT_S)

    async def fill(self) -> None:
        """Say which feed runs, and send its history: some trades each minute, but for a hole."""
        since_us = now_us()
        database = Database(self._database_url, self._settings.database, application="test")
        async with database.transaction() as connection:
            await set_current_feed(
                connection, source=Source.SIMULATED, label=LABEL, symbols=SYMBOLS, anchors={}, since_us=since_us
            )
        await database.dispose()
        state = FeedState(Source.SIMULATED, LABEL, SYMBOLS, connected=True, since_us=since_us)
        await self._bus.set(FEED_KEY, msgspec.msgpack.encode(state))
        await self._bus.publish(FEED_CHANNEL, msgspec.msgpack.encode(state))
        for symbol, price in zip(SYMBOLS, (60_000, 3_000), strict=True):
            await self._send(symbol, self._history(symbol, price, since_us))
        await eventually(self._has_history)

    def _history(self, symbol: str, price: int, until_us: int) -> list[Tick]:
        minutes = [each for each in range(HISTORY_MINUTES, 0, -1) if each not in MISSING_MINUTES]
        steps = [each - part / TRADES_A_MINUTE for each in minutes for part in range(TRADES_A_MINUTE)]
        return [
            self._tick(
                symbol, f"{wave(price, ago):.2f}", until_us - int(ago * MINUTE_US), side="sell" if i % 3 else "buy"
            )
            for i, ago in enumerate(steps)
        ]

    def _tick(self, symbol: str, price: str, time_us: int, *, side: str = "buy") -> Tick:
        atoms = parse_atoms(price, PRICE_SCALE)
        assert isinstance(atoms, int)
        trade_id = self._next_id[symbol]
        self._next_id[symbol] += 1
        quantity = ATOMS_PER_UNIT // 20 + trade_id * 37 % 100 * (ATOMS_PER_UNIT // 100)
        return Tick(trade_id, time_us, atoms, quantity, side == "sell", time_us)

    async def _send(self, symbol: str, ticks: Sequence[Tick]) -> None:
        await self._bus.append(TICKS_STREAM, encode_entry(TickBatch(Source.SIMULATED, symbol, tuple(ticks))))
        quote = msgspec.json.encode(self._quoter.quote(ticks[-1], self._catalogue.by_symbol[symbol]))
        await self._bus.set(quote_channel(symbol), quote)
        await self._bus.publish(quote_channel(symbol), quote)

    async def _start(self, name: str, *words: str, database_url: str, fd: int | None = None) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "FONDACO_DATA_DIR": str(self._settings.data_dir),
            "FONDACO_MARKET__BATCH_WAIT_S": "0.1",
            "FONDACO_MARKET__PRICE_ROW_S": "0.1",
        }
        self._processes[name] = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fondaco", name, "--supervised", *words),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=() if fd is None else (fd,),
        )

    async def _is_answering(self) -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{self.base_url}/health")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def _has_history(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                f"{self.base_url}/api/v1/candles", params={"symbol": SYMBOLS[-1], "timeframe": "1m", "limit": 5000}
            )
        return answer.is_success and len(answer.json()["candles"]) >= HISTORY_MINUTES - len(MISSING_MINUTES)


@asynccontextmanager
async def browser_house(folder: Path, database_url: str) -> AsyncIterator[BrowserHouse]:
    """A house with some hours of history, stored; its processes end with the block."""
    settings = Settings(data_dir=folder)
    settings.run_dir.mkdir()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        await stack.enter_async_context(serve_local_bus(settings.bus_socket, settings.bus))
        bus = await stack.enter_async_context(connected(settings.bus_socket))
        house = BrowserHouse(settings, database_url, listener, bus)
        stack.push_async_callback(house.close)
        await house.start_server()
        await house.start_recorder()
        await house.fill()
        yield house


def wave(price: float, minutes_ago: float) -> float:
    """A price that wanders as markets do, and the same way each time."""
    swings = ((97, 60), (23.1, 25), (7.3, 9), (1.9, 6), (0.61, 5), (0.17, 4), (0.053, 3))
    return price * (1 + sum(size * math.sin(minutes_ago / period) for period, size in swings) / 10_000)
