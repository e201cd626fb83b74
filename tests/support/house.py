"""A serving house for tests: the application over a real port of this machine, with a bus and a database to feed it."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from websockets import Origin
from websockets.asyncio.client import ClientConnection, connect

from fondaco.engine.live import LiveHouse
from fondaco.engine.port import Engine
from fondaco.engine.remote import RemoteEngine
from fondaco.gateways.rest.app import FrontDoor, build_app
from fondaco.gateways.server import HouseServer
from fondaco.gateways.ws.stream import STREAM_PATH
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from fondaco.market.current import set_current_feed
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    RECORDERS,
    STORED_CHANNEL,
    TICKS_STREAM,
    FeedState,
    Quote,
    Source,
    Stored,
    Tick,
    TickBatch,
    encode_entry,
    encode_stored,
    quote_channel,
)
from fondaco.market.store import Batch, TickStore


class House:
    """The application, what it reads from, and the doors to it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        page: Path | None = None,
        *,
        engine: Engine | None = None,
        live: LiveHouse | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.bus = LocalBus(settings.bus)
        engine = engine or RemoteEngine(database, bytes(32))
        self.live = live or LiveHouse(engine, database)
        self.app: FrontDoor = build_app(settings, database, self.bus, engine, self.live, page=page)
        self.store = TickStore(database)
        self.port = 0
        self.path = STREAM_PATH

    @property
    def stream_url(self) -> str:
        """Where the stream is, while it is served."""
        return f"ws://127.0.0.1:{self.port}{self.path}"

    def http(self) -> httpx.AsyncClient:
        """A client of the application that needs no port."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[HouseServer]:
        """Serve on a port that the kernel chooses, until the block ends."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = HouseServer(self.app, self.settings)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn tells it by a flag
                await asyncio.sleep(0.01)
            yield server
        finally:
            server.should_exit = True
            await serving
            listener.close()

    async def show_feed(self, source: Source = Source.REPLAY, symbols: Sequence[str] = ("BTCUSDT",)) -> None:
        """Let readers see this source, and say so as the feed process does."""
        async with self.database.transaction() as connection:
            await set_current_feed(
                connection, source=source, label=f"{source} for tests", symbols=symbols, anchors={}, since_us=0
            )
        await self.say_feed(source, symbols)

    async def say_feed(self, source: Source = Source.REPLAY, symbols: Sequence[str] = ("BTCUSDT",)) -> None:
        """Say on the bus alone which feed runs."""
        state = FeedState(source, f"{source} for tests", tuple(symbols), connected=True, since_us=5_000_000)
        await self.bus.set(FEED_KEY, msgspec.msgpack.encode(state))
        await self.bus.publish(FEED_CHANNEL, msgspec.msgpack.encode(state))

    async def bring(
        self, ticks: Iterable[Tick], symbol: str = "BTCUSDT", source: Source = Source.REPLAY
    ) -> tuple[str, TickBatch]:
        """Put ticks on the stream as the feed process does; returns the entry."""
        batch = TickBatch(source, symbol, tuple(ticks))
        return await self.bus.append(TICKS_STREAM, encode_entry(batch)), batch

    async def quote(self, quote: Quote) -> None:
        """Quote a price as the feed process does."""
        await self.bus.set(quote_channel(quote.symbol), msgspec.json.encode(quote))
        await self.bus.publish(quote_channel(quote.symbol), msgspec.json.encode(quote))

    async def commit(self, *entries: tuple[str, TickBatch]) -> None:
        """Store entries, acknowledge them and say so, as the recorder does."""
        await self.bus.read(TICKS_STREAM, RECORDERS, max_entries=1000, wait_s=0)
        done = await self.store.store(Batch([batch for _, batch in entries], []), now_us=0)
        entry_ids = tuple(entry_id for entry_id, _ in entries)
        await self.bus.ack(TICKS_STREAM, RECORDERS, entry_ids)
        stored = Stored(entry_ids, done.candles)
        await self.bus.publish(STORED_CHANNEL, encode_stored(stored))


def described_api(settings: Settings, database: Database) -> Litestar:
    """The API of an application that nobody asks: for its routes and its document."""
    return House(settings, database).app.api


@contextmanager
def served_in_a_thread(opening: Callable[[], AbstractAsyncContextManager[House]]) -> Iterator[str]:
    """A house with an engine, run beside tests that are not asynchronous; yields its address once it is open."""
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()
    is_over = asyncio.Event()

    async def serve() -> None:
        async with opening() as house, house.served():
            await house.live.ready.wait()
            address.set_result(f"http://127.0.0.1:{house.port}")
            await is_over.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except Exception as error:  # whoever waits for the address learns why there is none
            if address.done():
                raise
            address.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield address.result()
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
        loop.close()


class StreamClient:
    """A client of the stream that speaks in dictionaries."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: object) -> None:
        """Send a message."""
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """Receive one frame, decoded."""
        frame: dict[str, Any] = json.loads(await self.connection.recv())
        return frame

    async def ask(self, **message: object) -> dict[str, Any]:
        """Send a message and receive the frame that follows."""
        await self.say(**message)
        return await self.hear()

    async def subscribe(self, *channels: str) -> list[dict[str, Any]]:
        """Subscribe, and return the snapshots in the order asked for."""
        assert (await self.ask(op="subscribe", channels=channels))["type"] == "subscribed"
        return [await self.hear() for _ in channels]


@asynccontextmanager
async def stream_client(house: House, *, origin: str | None = None) -> AsyncIterator[StreamClient]:
    """Open a stream."""
    async with connect(house.stream_url, proxy=None, origin=Origin(origin) if origin else None) as connection:
        yield StreamClient(connection)
