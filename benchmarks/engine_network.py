"""Orders over the network: this process trades; `fondaco engine`, `follower` and `serve` are processes of their own.

All of them and the database share the machine's cores, so the clients here are as plain as clients can be: requests are
made and answers read by hand. Ten users own a hundred accounts each, and each command goes out under its user's name.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol, cast
from uuid import UUID

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from sqlalchemy import insert

from engine_durable import sql_rate
from engine_orders import ACCOUNTS, VALID_NS, Flow, Sent, opening
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import run
from fondaco.core.commands import CancelOrder, PlaceOrder
from fondaco.core.money import format_atoms
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, OrderCancelled, OrderPlaced, Refused, Reply
from fondaco.core.vocabulary import OrderState
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings, Settings
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import Running, folder, fresh_database, process_cpu_s, running

USERS: Final = 10
SECONDS: Final = 15.0
QUICK_SECONDS: Final = 3.0
WARM_UP_S: Final = 3.0
WS_IN_FLIGHT: Final = 40
"""Commands under way on each of the ten sockets."""
HTTP_CONNECTIONS: Final = 32
ROLES: Final = ("engine", "follower", "serve")
SLICE_S: Final = 0.002
"""How often commands leave when so many a second are wanted."""
WAL_SEGMENTS: Final = 160
"""Of 16 MB: about what this load writes between two checkpoints."""
IDS: Final = tuple(str(UUID(int=number + 1, version=4)) for number in range(USERS))


class House(NamedTuple):
    """The processes, and where they are reached."""

    url: str
    port: int
    pids: Mapping[str, int]

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds that each process has used."""
        return {name: process_cpu_s(pid) for name, pid in (("generator", os.getpid()), *self.pids.items())}


class Load(NamedTuple):
    """What a run came to."""

    rate: float
    p50_ms: float
    p99_ms: float
    filling_share: float
    refused: int
    cpu_s: dict[str, float]


class Said(msgspec.Struct):
    """What of an answer to a command counts here, from either API."""

    order_id: int = 0
    state: OrderState | None = None
    filled: str = "0"
    code: str = ""


class Frame(msgspec.Struct):
    """A frame of the stream."""

    type: str
    id: int | None = None
    data: Said | None = None
    code: str = ""


_frame = msgspec.json.Decoder(Frame).decode
_said = msgspec.json.Decoder(Said).decode
_encode = msgspec.json.Encoder().encode


def token(number: int) -> str:
    """What user number so says to be let in."""
    return f"dev:{IDS[number]}"


def user_of(sent: Sent) -> int:
    """Whose command it is."""
    return (sent.account_id - 1_000) // (ACCOUNTS // USERS)


def words_of(sent: Sent) -> dict[str, Any]:
    """A command as clients say it."""
    command = sent.command
    if isinstance(command, CancelOrder):
        return {"account_id": command.account_id, "order_id": command.order_id}
    assert isinstance(command, PlaceOrder)
    return {
        "account_id": command.account_id,
        "symbol": command.symbol,
        "side": "sell" if command.side else "buy",
        "type": "limit",
        "price": format_atoms(command.price, 8),
        "quantity": format_atoms(command.quantity, 8),
    }


def reply_of(said: Said) -> Reply:
    """What the flow wants to know of an answer."""
    if said.code:
        return Refused(Refusal(said.code))
    if said.state is None:
        return OrderCancelled(said.order_id, 0)
    return OrderPlaced(said.order_id, said.state, int(float(said.filled) > 0), 0, 0)


class Line(Protocol):
    """Carries commands to the house."""

    def send(self, number: int, sent: Sent) -> None:
        """Send one; `Trading.answered` is called with this number."""
        ...


class Trading:
    """Commands under way, and what became of them."""

    def __init__(self, seed: int) -> None:
        self.flow = Flow(seed)
        self.waits: list[float] = []
        self.refused = 0
        self.under_way: dict[int, tuple[Sent, float, Line]] = {}
        self.goes_on: Callable[[Line], None] = lambda _line: None
        self._number = 0

    def send(self, line_of: Callable[[Sent], Line]) -> None:
        """Send the next command."""
        sent = self.flow.next()
        line = line_of(sent)
        self._number += 1
        self.under_way[self._number] = (sent, time.perf_counter(), line)
        line.send(self._number, sent)

    def answered(self, number: int, said: Said) -> None:
        """It was answered."""
        sent, begun_s, line = self.under_way.pop(number)
        self.waits.append(time.perf_counter() - begun_s)
        self.refused += bool(said.code)
        self.flow.note(sent, Answer(0, is_duplicate=False, reply=reply_of(said)))
        self.goes_on(line)

    def begin_anew(self) -> None:
        """What came before was warming up."""
        self.waits.clear()
        self.refused = 0
        self.flow.commands = self.flow.filling = self.flow.cancelled = 0


class SocketLine(WSListener):
    """A WebSocket of one user."""

    def __init__(self, number: int, trading: Trading) -> None:
        self._number = number
        self._trading = trading
        self._transport: WSTransport | None = None
        self.is_known = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say who it is."""
        self._transport = transport
        transport.send(WSMsgType.TEXT, _encode({"op": "auth", "token": token(self._number), "id": 0}))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """An answer."""
        del transport
        told = _frame(frame.get_payload_as_memoryview())
        if told.type == "error" and told.id == 0:
            raise RuntimeError(told.code)
        if not told.id:
            self.is_known.set()
            return
        self._trading.answered(told.id, told.data or Said(code=told.code))

    def send(self, number: int, sent: Sent) -> None:
        """Send a command."""
        assert self._transport is not None, "it was connected"
        operation = "cancel" if isinstance(sent.command, CancelOrder) else "place"
        self._transport.send(WSMsgType.TEXT, _encode({"op": operation, "id": number, **words_of(sent)}))


class HttpLine(asyncio.Protocol):
    """A connection that is kept alive, with one request at a time."""

    def __init__(self, trading: Trading) -> None:
        self._trading = trading
        self._number = 0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        assert head[9:12] in {b"200", b"201", b"404", b"422"}, head
        self._trading.answered(self._number, _said(body))

    def send(self, number: int, sent: Sent) -> None:
        """Send a command."""
        self._number = number
        words = words_of(sent)
        if isinstance(sent.command, CancelOrder):
            line, body = f"DELETE /api/v1/orders/{words['order_id']}?account_id={words['account_id']}", b""
        else:
            line, body = "POST /api/v1/orders", _encode(words)
        head = (
            f"{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token(user_of(sent))}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        assert self._transport is not None, "it was connected"
        self._transport.write(head.encode() + body)


async def over_sockets(port: int, trading: Trading) -> Callable[[Sent], Line]:
    """Ten sockets; a command takes that of its user."""
    lines = [SocketLine(number, trading) for number in range(USERS)]
    for line in lines:
        await ws_connect(lambda each=line: each, f"ws://localhost:{port}/api/v1/stream")
        await line.is_known.wait()
    return lambda sent: lines[user_of(sent)]


async def flood_sockets(house: House, seconds: float) -> Load:
    """As many commands as come back, so many being under way."""
    trading = Trading(seed=time.monotonic_ns())
    line_of = await over_sockets(house.port, trading)
    return await _flooded(house, trading, seconds, USERS * WS_IN_FLIGHT, lambda _line: trading.send(line_of))


async def flood_http(house: House, seconds: float) -> Load:
    """As many requests as come back, one on each connection."""
    trading = Trading(seed=time.monotonic_ns())
    idle: deque[Line] = deque()
    for _ in range(HTTP_CONNECTIONS):
        _, line = await asyncio.get_running_loop().create_connection(lambda: HttpLine(trading), "localhost", house.port)
        idle.append(line)

    def again(line: Line) -> None:
        idle.append(line)
        trading.send(lambda _sent: idle.popleft())

    return await _flooded(house, trading, seconds, HTTP_CONNECTIONS, again, lambda _sent: idle.popleft())


async def _flooded(
    house: House,
    trading: Trading,
    seconds: float,
    under_way: int,
    again: Callable[[Line], None],
    first: Callable[[Sent], Line] | None = None,
) -> Load:
    trading.goes_on = again
    for _ in range(under_way):
        if first is not None:
            trading.send(first)
        else:
            again(cast("Line", None))
    await asyncio.sleep(WARM_UP_S)
    load = await _measured(house, trading, seconds)
    trading.goes_on = lambda _line: None
    while trading.under_way:  # noqa: ASYNC110 - they are answered by callbacks
        await asyncio.sleep(SLICE_S)
    return load


async def _measured(house: House, trading: Trading, seconds: float) -> Load:
    before = house.cpu_s()
    trading.begin_anew()
    watch = Stopwatch()
    await asyncio.sleep(seconds)
    took_s, flow = watch.seconds(), trading.flow
    used = {name: round(each - before[name], 1) for name, each in house.cpu_s().items()}
    waits = sorted(trading.waits)
    p50_s, p99_s = (waits[len(waits) * part // 100] for part in (50, 99))
    return Load(flow.commands / took_s, 1e3 * p50_s, 1e3 * p99_s, flow.filling_share, trading.refused, used)


async def at_a_rate(house: House, seconds: float, rate: float) -> Load:
    """So many commands a second, whatever is under way: who waits does not slow the others down."""
    trading = Trading(seed=time.monotonic_ns())
    line_of = await over_sockets(house.port, trading)
    sending = asyncio.ensure_future(_send_at(trading, line_of, rate))
    await asyncio.sleep(WARM_UP_S)
    load = await _measured(house, trading, seconds)
    sending.cancel()
    while trading.under_way:  # noqa: ASYNC110 - they are answered by callbacks
        await asyncio.sleep(SLICE_S)
    return load


async def _send_at(trading: Trading, line_of: Callable[[Sent], Line], rate: float) -> None:
    watch, sent = Stopwatch(), 0
    while True:
        while sent < watch.seconds() * rate:
            trading.send(line_of)
            sent += 1
        await asyncio.sleep(SLICE_S)


async def durable_ws(name: str, *, quick: bool) -> None:
    """Commands a second over the stream's order entry, each acknowledged after its commit."""
    await _rate(name, flood_sockets, "orders/s", quick=quick, sockets=USERS, under_way=USERS * WS_IN_FLIGHT)


async def durable_http(name: str, *, quick: bool) -> None:
    """Requests a second on connections that are kept alive, each acknowledged after its commit."""
    await _rate(name, flood_http, "requests/s", quick=quick, connections=HTTP_CONNECTIONS)


async def _rate(
    name: str, flood: Callable[[House, float], Coroutine[Any, Any, Load]], unit: str, *, quick: bool, **details: object
) -> None:
    async with open_house() as (house, database):
        theirs = await sql_rate(database)
        progress(f"  {name}: one SQL transaction an order {theirs:,.0f}/s")
        loads: list[Load] = []
        for _ in range(1 if quick else RUNS):
            loads.append(await asyncio.to_thread(run, flood(house, QUICK_SECONDS if quick else SECONDS)))
            progress(f"  {name}: {loads[-1].rate:,.0f}/s, p99 {loads[-1].p99_ms:.1f} ms")
        lag, terms = await _lag(database), await durability(database)
    median = sorted(loads)[len(loads) // 2]
    baseline = Baseline("one SQL transaction an order, 16 clients", theirs)
    runs = [round(each.rate) for each in loads]
    report(name, median.rate, unit, baseline, runs=runs, lag_at_the_end=lag, **_told(median), **details, **terms)


async def ack_p99(name: str, *, quick: bool) -> None:
    """The 99th percentile of the time to an acknowledgement, at half of what the sockets bear."""
    seconds = QUICK_SECONDS if quick else SECONDS
    async with open_house() as (house, _):
        most = await asyncio.to_thread(run, flood_sockets(house, QUICK_SECONDS))
        progress(f"  {name}: the sockets bear {most.rate:,.0f}/s")
        loads: list[Load] = []
        for _ in range(1 if quick else RUNS):
            loads.append(await asyncio.to_thread(run, at_a_rate(house, seconds, most.rate / 2)))
            progress(f"  {name}: {loads[-1].p99_ms:.1f} ms at {loads[-1].rate:,.0f}/s")
    median = sorted(loads, key=lambda each: each.p99_ms)[len(loads) // 2]
    runs = [round(each.p99_ms, 1) for each in loads]
    report(name, median.p99_ms, "ms", None, runs=runs, orders_per_s=round(median.rate), **_told(median))


def _told(load: Load) -> dict[str, object]:
    return {
        "p50_ms": round(load.p50_ms, 1),
        "p99_ms": round(load.p99_ms, 1),
        "filling_share": load.filling_share,
        "refused": load.refused,
        "cpu_s": load.cpu_s,
    }


async def _lag(database: Database) -> int:
    return (await PostgresStore(database).end()).seq - (await TablesProjector(database).watermark()).seq


@asynccontextmanager
async def open_house() -> AsyncIterator[tuple[House, Database]]:
    """A house with its exchange open."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        database = await stack.enter_async_context(fresh_database())
        settings = Settings(data_dir=path)
        await stack.enter_async_context(serve_local_bus(settings.bus_socket, settings.bus))
        await _age(database)
        await _admit(database)
        environment = {"FONDACO_DATA_DIR": str(path), "FONDACO_SERVE__DEVELOPMENT_TOKENS": "true"}
        processes: dict[str, Running] = {}
        for role in ROLES:
            processes[role] = await stack.enter_async_context(running(role, database.url, environment))
        await asyncio.to_thread(run, _open_exchange(settings, database.url))
        serve = processes["serve"].base_url
        pids = {role: each.pid for role, each in processes.items()}
        yield House(serve, int(serve.rpartition(":")[2]), pids), database


async def _age(database: Database) -> None:
    """Make the server one that has been at work: its write-ahead log has room that a checkpoint left.

    A new server fills each 16 MB of it with zeros first, while a commit waits: 50 ms here, every one to two seconds.
    """
    async with database.outside_transaction() as connection:
        for _ in range(WAL_SEGMENTS):
            await connection.execute("SELECT pg_logical_emit_message(false, '', 'x')")
            await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")


async def _admit(database: Database) -> None:
    rows = [
        {"id": UUID(each), "email": f"u{number}@example.com", "role": UserRole.USER, "status": UserState.ACTIVE}
        for number, each in enumerate(IDS)
    ]
    async with database.transaction() as connection:
        await connection.execute(insert(UserRow), rows)


async def _open_exchange(settings: Settings, url: str) -> None:
    database = Database(url, DatabaseSettings(), application="benchmark")
    async with remote_engine(settings, database) as engine:
        await engine.connected.wait()
        for sent in opening(IDS):
            not_after_ns = time.time_ns() + VALID_NS // 2
            answer = await engine.submit(
                sent.account_id, sent.command, command_id=sent.command_id, not_after_ns=not_after_ns
            )
            assert not isinstance(answer.reply, Refused), answer
    await database.dispose()
