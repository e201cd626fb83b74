"""Order entry over the stream into one serving process whose engine answers at once, so only the edge costs.

Each client has `UNDER_WAY` orders under way, as a program that trades would. Frames go out ready-made and masked with
zeros; of what comes back the frames are counted.
"""

import asyncio
from typing import Final

from sqlalchemy import insert

from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.gateways.ws.stream import STREAM_PATH
from fondaco.infra.ids import new_id
from harness import RUNS, Baseline, Stopwatch, progress, report
from house import fresh_database, process_cpu_s
from trading_edge import BODY, serving

ORDERS: Final = 40_000
QUICK_ORDERS: Final = 4_000
CLIENTS: Final = 8
UNDER_WAY: Final = 50
WANTED_ORDERS_S: Final = 8_000
SHORT_BYTES: Final = 126
MASKED: Final = 0x80
TEXT: Final = 0x81
PLACE: Final = b'{"op":"place","id":1,' + BODY[1:]


async def entry(name: str, *, quick: bool) -> None:
    """Orders a second that one serving process can take in over sockets, by the processor time that each costs it."""
    count = QUICK_ORDERS if quick else ORDERS
    async with fresh_database() as database:
        user_id = new_id()
        async with database.transaction() as connection:
            row = {"id": user_id, "email": "a@b.c", "role": UserRole.USER, "status": UserState.ACTIVE}
            await connection.execute(insert(UserRow).values(row))
        async with serving(database.url, str(user_id)) as (pid, port):
            costs, rates = [], []
            await _send_all(port, str(user_id), count // 10)
            for _ in range(RUNS):
                before_s, watch = process_cpu_s(pid), Stopwatch()
                await _send_all(port, str(user_id), count)
                rates.append(count / watch.seconds())
                costs.append((process_cpu_s(pid) - before_s) / count * 1_000_000)
    median_us = sorted(costs)[RUNS // 2]
    progress(f"  {name}: {median_us:.0f} µs of processor time an order, {max(rates):,.0f} answered a second at best")
    report(
        name,
        1_000_000 / median_us,
        "orders/s",
        Baseline("what one process is to take in", WANTED_ORDERS_S),
        orders=count,
        clients=CLIENTS,
        under_way=UNDER_WAY,
        cpu_us_an_order=[round(each, 1) for each in costs],
        answered_a_second=round(max(rates)),
    )


async def _send_all(port: int, user_id: str, count: int) -> None:
    await asyncio.gather(*(_client(port, user_id, count // CLIENTS) for _ in range(CLIENTS)))


async def _client(port: int, user_id: str, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {STREAM_PATH} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_frame(b'{"op":"auth","token":"dev:%s"}' % user_id.encode()))
    assert b"signed_in" in await _receive(reader)
    place = _frame(PLACE)
    writer.write(place * min(UNDER_WAY, count))
    sent = min(UNDER_WAY, count)
    for _ in range(count):
        answer = await _receive(reader)
        assert b'"answer"' in answer, answer
        if sent < count:
            writer.write(place)
            sent += 1
    writer.close()
    await writer.wait_closed()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    _, length = await reader.readexactly(2)
    if length == SHORT_BYTES:
        length = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(length)


def _frame(payload: bytes) -> bytes:
    """A text frame as clients send it, masked with zeros."""
    length = len(payload)
    if length < SHORT_BYTES:
        head = bytes((TEXT, MASKED | length))
    else:
        head = bytes((TEXT, MASKED | SHORT_BYTES)) + length.to_bytes(2, "big")
    return head + bytes(4) + payload
