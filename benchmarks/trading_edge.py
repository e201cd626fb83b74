"""The edge alone: orders over HTTP into one serving process whose engine answers at once, so only the edge costs.

The process is the one that serves the house, on its own event loop: uvicorn, front door, actor, JSON, atoms, command.
Baseline: the same through the framework, which is what a slash at the end of the path leads to.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from sqlalchemy import insert

from fondaco.app.processes.parts import run, settle
from fondaco.core.commands import Command
from fondaco.core.listings import Asset, Instrument
from fondaco.core.replies import Answer, OrderPlaced
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, AccountStatus, OrderState, World
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.live import Listing, LiveHouse, Owner
from fondaco.engine.remote import RemoteEngine
from fondaco.gateways.rest.app import build_app
from fondaco.gateways.server import HouseServer
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from fondaco.infra.settings import ServeSettings, Settings
from harness import RUNS, Baseline, Stopwatch, progress, report
from house import STOP_WAIT_S, answering, free_port, fresh_database, process_cpu_s

ORDERS: Final = 40_000
QUICK_ORDERS: Final = 4_000
CLIENTS: Final = 32
ACCOUNT: Final = 1_000
SYMBOL: Final = "BTCUSDT"
TERMS: Final = Terms(
    world=World.TRADING,
    instrument=Instrument(SYMBOL, Asset("BTC"), Asset("USDT")),
    tick=10**6,
    lot=10**5,
    max_price_ticks=10**8,
    max_order_lots=10**6,
)
BODY: Final = (
    b'{"account_id":1000,"symbol":"BTCUSDT","side":"buy","type":"limit","quantity":"0.015","price":"61837.63",'
    b'"client_order_id":"4711","time_in_force":"gtc"}'
)
SHORT, LONG = "/api/v1/orders", "/api/v1/orders/"


class PromptEngine(RemoteEngine):
    """Accepts every order at once and remembers none."""

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Accept it."""
        del account_id, command, command_id, not_after_ns
        return Answer(1, is_duplicate=False, reply=OrderPlaced(1_001, OrderState.OPEN, 0, 0, 0))


async def edge(name: str, *, quick: bool) -> None:
    """Orders a second that one serving process can take in, by the processor time that each costs it."""
    count = QUICK_ORDERS if quick else ORDERS
    async with fresh_database() as database:
        user_id = new_id()
        async with database.transaction() as connection:
            row = {"id": user_id, "email": "a@b.c", "role": UserRole.USER, "status": UserState.ACTIVE}
            await connection.execute(insert(UserRow).values(row))
        async with serving(database.url, str(user_id)) as (pid, port):
            token = f"dev:{user_id}"
            ours = await _median_us(pid, port, SHORT, token, count)
            theirs = await _median_us(pid, port, LONG, token, count)
    progress(f"  {name}: {ours[0]:.0f} µs of processor time an order, through the framework {theirs[0]:.0f}")
    report(
        name,
        1_000_000 / ours[0],
        "orders/s",
        Baseline("the same through the framework", 1_000_000 / theirs[0]),
        orders=count,
        clients=CLIENTS,
        cpu_us_an_order=[round(each, 1) for each in ours[1]],
        cpu_us_through_framework=[round(each, 1) for each in theirs[1]],
        answered_a_second=round(ours[2]),
    )


async def _median_us(pid: int, port: int, path: str, token: str, count: int) -> tuple[float, list[float], float]:
    """Processor time of an order in the median run, in every run, and how many were answered a second at best."""
    costs, rates = [], []
    await _send_all(port, path, token, count // 10)
    for _ in range(RUNS):
        before_s, watch = process_cpu_s(pid), Stopwatch()
        await _send_all(port, path, token, count)
        rates.append(count / watch.seconds())
        costs.append((process_cpu_s(pid) - before_s) / count * 1_000_000)
    return sorted(costs)[RUNS // 2], costs, max(rates)


async def _send_all(port: int, path: str, token: str, count: int) -> None:
    request = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    await asyncio.gather(*(_client(port, request, count // CLIENTS) for _ in range(CLIENTS)))


async def _client(port: int, request: bytes, count: int) -> None:
    """Send orders one after the other on one connection, each when the last was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201"), head
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def serving(url: str, user_id: str) -> AsyncIterator[tuple[int, int]]:
    """The serving process and its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, url, user_id, str(port))
    try:
        answer = await answering(f"http://127.0.0.1:{port}/health")
        assert answer.status_code == httpx.codes.OK
        yield process.pid, port
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)


async def _serve(url: str, user_id: str, port: int) -> None:
    settings = Settings(serve=ServeSettings(development_tokens=True))
    database = Database(url, settings.database, application="benchmark")
    engine = PromptEngine(database, b"")
    live = LiveHouse(engine, database)
    live.listings[World.TRADING, SYMBOL] = Listing(TERMS, is_active=True)
    live.accounts[ACCOUNT] = Owner(ACCOUNT, user_id, World.TRADING, AccountKind.SPOT, "USDT", AccountStatus.ACTIVE)
    live.ready.set()
    app = build_app(settings, database, LocalBus(settings.bus), engine, live, page=None)
    settle()
    with socket.create_server(("127.0.0.1", port)) as listener:
        await HouseServer(app, settings).serve([listener])
    await database.dispose()


if __name__ == "__main__":
    run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
