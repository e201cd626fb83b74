"""Orders that are answered once they are on disk: the leader in this process, the follower in one of its own."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

from psycopg_pool import AsyncConnectionPool

from engine_orders import VALID_NS, Flow, Sent, opening
from fondaco.app.processes.parts import run
from fondaco.core.replies import Answer
from fondaco.engine.client import EngineClient
from fondaco.engine.leader import Leader
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.engine.recovery import recovered
from fondaco.engine.sequencer import Bounds
from fondaco.infra.database import Database, libpq_url
from fondaco.infra.settings import DatabaseSettings
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import STOP_WAIT_S, fresh_database, process_cpu_s

DURABLE_S = 30.0
QUICK_S = 3.0
CLIENTS = 2_000
"""Clients that each wait for an answer before they send the next command."""
SQL_CLIENTS = 16
SQL_S = 5.0
BOUNDS = Bounds(queue_commands=100_000, follower_lag=2**60)
POLL_S = 0.02

_TABLES = """
CREATE TABLE naive_balances (account_id bigint PRIMARY KEY, available bigint NOT NULL, held bigint NOT NULL);
CREATE TABLE naive_orders (
    order_id bigserial PRIMARY KEY, account_id bigint NOT NULL, symbol text NOT NULL, side text NOT NULL,
    price bigint NOT NULL, quantity bigint NOT NULL, state text NOT NULL
);
INSERT INTO naive_balances SELECT number, 1000000000, 0 FROM generate_series(0, 999) AS number;
"""
_HOLD = "UPDATE naive_balances SET available = available - 1, held = held + 1 WHERE account_id = %s AND available >= 1"
_ORDER = """
INSERT INTO naive_orders (account_id, symbol, side, price, quantity, state) VALUES (%s, 'S0USDT', 'buy', 1, 1, 'open')
"""


class Run(NamedTuple):
    """One run under load."""

    rate: float
    p50_ms: float
    p99_ms: float
    filling_share: float
    lag: int
    drain_s: float
    leader_cpu_s: float
    follower_cpu_s: float


async def durable_inprocess(name: str, *, quick: bool) -> None:
    """Orders and cancels a second, each acknowledged after its commit, while the follower keeps up as it can."""
    seconds = QUICK_S if quick else DURABLE_S
    async with fresh_database() as database:
        theirs = await sql_rate(database)
        progress(f"  {name}: one SQL transaction an order {theirs:,.0f}/s")
        # On a loop of its own: the one that the house's processes use, and which cannot start the server.
        burst, followed = await asyncio.to_thread(run, _led(name, database.url, seconds, 1 if quick else RUNS))
        terms = await durability(database)
    median = sorted(followed)[len(followed) // 2]
    report(
        name,
        median.rate,
        "orders/s",
        Baseline(f"one SQL transaction an order, {SQL_CLIENTS} clients", theirs),
        runs=[round(each.rate) for each in followed],
        seconds=seconds,
        clients=CLIENTS,
        filling_share=median.filling_share,
        p50_ms=round(median.p50_ms, 1),
        p99_ms=round(median.p99_ms, 1),
        lag_at_the_end=median.lag,
        drain_s=round(median.drain_s, 2),
        leader_and_clients_cpu_s=round(median.leader_cpu_s, 1),
        follower_cpu_s=round(median.follower_cpu_s, 1),
        follower_stopped=round(burst.rate),
        **terms,
    )


async def _led(name: str, url: str, seconds: float, times: int) -> tuple[Run, list[Run]]:
    """One leader for all: a run with the follower stopped, and some with it."""
    database = Database(url, DatabaseSettings(), application="benchmark")
    async with _leading(PostgresStore(database)) as leader:
        await asyncio.gather(*(_submit(leader.client, sent) for sent in opening()))
        burst = await _run(database, leader, seconds / 3, None)
        progress(f"  {name}: follower stopped {burst.rate:,.0f}/s")
        followed = []
        with _following(url) as follower_pid:
            progress(f"  {name}: the follower has caught up after {await _drained(database):.1f} s")
            for _ in range(times):
                followed.append(await _run(database, leader, seconds, follower_pid))
                progress(f"  {name}: {followed[-1].rate:,.0f}/s")
    await database.dispose()
    return burst, followed


async def _run(database: Database, leader: Leader, seconds: float, follower_pid: int | None) -> Run:
    flow, waits = Flow(time.monotonic_ns()), list[float]()
    own_s, follower_s = process_cpu_s(os.getpid()), _cpu_s(follower_pid)
    watch = Stopwatch()
    await asyncio.gather(*(_client(leader.client, flow, watch, seconds, waits) for _ in range(CLIENTS)))
    took_s = watch.seconds()
    own_s, follower_s = process_cpu_s(os.getpid()) - own_s, _cpu_s(follower_pid) - follower_s
    lag = (await PostgresStore(database).end()).seq - (await TablesProjector(database).watermark()).seq
    drain_s = 0.0 if follower_pid is None else await _drained(database)
    waits.sort()
    p50_s, p99_s = (waits[len(waits) * part // 100] for part in (50, 99))
    share = flow.filling_share
    return Run(flow.commands / took_s, 1e3 * p50_s, 1e3 * p99_s, share, lag, drain_s, own_s, follower_s)


@contextmanager
def _following(url: str) -> Iterator[int]:
    """`fondaco follower` as it is run; yields its process's number."""
    process = subprocess.Popen(
        (sys.executable, "-m", "fondaco", "follower", "--supervised"),
        env=os.environ | {"DATABASE_URL": url, "FONDACO_LOG_LEVEL": "warning"},
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(STOP_WAIT_S)


async def _client(client: EngineClient, flow: Flow, watch: Stopwatch, seconds: float, waits: list[float]) -> None:
    while (begun_s := watch.seconds()) < seconds:
        sent = flow.next()
        flow.note(sent, await _submit(client, sent))
        waits.append(watch.seconds() - begun_s)


async def _submit(client: EngineClient, sent: Sent) -> Answer:
    return await client.submit(
        sent.account_id, sent.command, command_id=sent.command_id, not_after_ns=time.time_ns() + VALID_NS // 2
    )


@asynccontextmanager
async def _leading(store: PostgresStore) -> AsyncIterator[Leader]:
    standing = await recovered(store)
    lease = await store.acquire("benchmark", "")
    assert lease is not None
    leader = Leader(lease, standing, BOUNDS)
    leading = asyncio.ensure_future(leader.run())
    yield leader
    leader.stop()
    await leading


async def _drained(database: Database) -> float:
    """Seconds until the follower has come to the journal's end."""
    watch = Stopwatch()
    end = await PostgresStore(database).end()
    while (await TablesProjector(database).watermark()).seq < end.seq:  # noqa: ASYNC110 - it moves in another process
        await asyncio.sleep(POLL_S)
    return watch.seconds()


def _cpu_s(pid: int | None) -> float:
    return 0.0 if pid is None else process_cpu_s(pid)


async def sql_rate(database: Database) -> float:
    """Orders a second when each is a transaction of its own, with nothing but a hold and a row."""
    async with database.driver_transaction() as connection:
        await connection.execute(_TABLES)
    done = 0
    watch = Stopwatch()

    async def work(pool: AsyncConnectionPool, number: int) -> None:
        nonlocal done
        async with pool.connection() as connection:
            while watch.seconds() < SQL_S:
                account_id = (done * 17 + number) % 1_000
                async with connection.transaction():
                    await connection.execute(_HOLD, (account_id,))
                    await connection.execute(_ORDER, (account_id,))
                done += 1

    async with AsyncConnectionPool(libpq_url(database.url), min_size=SQL_CLIENTS, max_size=SQL_CLIENTS) as pool:
        watch = Stopwatch()
        await asyncio.gather(*(work(pool, number) for number in range(SQL_CLIENTS)))
        return done / watch.seconds()
