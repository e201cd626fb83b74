"""Storing: bus entries to committed ticks and nine timeframes of candles, in batches."""

from collections.abc import Callable, Sequence
from statistics import median

import psycopg

from fondaco.infra.database import Database, libpq_url
from fondaco.market.messages import Tick, TickBatch, decode_entry
from fondaco.market.partitions import moment
from fondaco.market.store import Batch, TickStore
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import fresh_database
from market_data import described, entries, loop_of_ticks

TICKS = {10_000: 300_000, 100: 40_000}
TICKS_PER_ENTRY = {10_000: 500, 100: 100}
NAIVE_TICKS = {10_000: 100_000, 100: 10_000}
_INSERT = """
INSERT INTO ticks (source, symbol, time, trade_id, price, quantity, buyer_is_maker, received_at)
VALUES ('replay', %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


async def recorder_batch(size: int, name: str, *, quick: bool) -> None:
    """Ticks a second: encoded bus entries to the commit of ticks, candles, gap ledger and heads, a batch at a time."""
    count = TICKS[size] // (10 if quick else 1)
    ticks = loop_of_ticks(count)
    naive = ticks[: NAIVE_TICKS[size] // (10 if quick else 1)]
    insert = executemany if size > 1_000 else row_by_row
    async with fresh_database() as database:
        # The first run warms up: it makes the partition, opens the connection and fills the caches. Each run stores a
        # series of its own, so that none of its ticks is known already; ours and the naive way take turns.
        ours, theirs = [], []
        for run in range(RUNS + 1):
            ours.append(await recorded_rate(database, entries(ticks, f"RUN{run}USDT", TICKS_PER_ENTRY[size]), size))
            theirs.append(naive_rate(database.url, f"NAIVE{run}USDT", naive, size, insert))
            progress(f"  {name}: {ours[-1]:,.0f} ticks/s, naive {theirs[-1]:,.0f}")
        terms = await durability(database)
    baseline = Baseline(f"{insert.__name__}, no candles, a commit per batch", median(theirs[1:]))
    runs = [round(each) for each in ours[1:]]
    report(name, median(ours[1:]), "ticks/s", baseline, runs=runs, ticks=count, data=described(), **terms)


async def recorded_rate(database: Database, bodies: Sequence[bytes], size: int) -> float:
    """Store a series the recorder's way."""
    store = TickStore(database)
    per_batch = size // TICKS_PER_ENTRY[size]
    stored = 0
    watch = Stopwatch()
    for start in range(0, len(bodies), per_batch):
        decoded = [decode_entry(body) for body in bodies[start : start + per_batch]]
        batch = Batch([each for each in decoded if isinstance(each, TickBatch)], [])
        stored += (await store.store(batch, now_us=0)).new_ticks
    return stored / watch.seconds()


Insert = Callable[[psycopg.Cursor[tuple[object, ...]], list[tuple[object, ...]]], None]


def naive_rate(url: str, symbol: str, ticks: Sequence[Tick], size: int, insert: Insert) -> float:
    """Store a series as one would at first: INSERT statements, no candles."""
    rows: list[tuple[object, ...]] = [
        (symbol, moment(t.time_us), t.trade_id, t.price, t.quantity, t.buyer_is_maker, moment(t.received_us))
        for t in ticks
    ]
    with psycopg.connect(libpq_url(url)) as connection:
        watch = Stopwatch()
        for start in range(0, len(rows), size):
            insert(connection.cursor(), rows[start : start + size])
            connection.commit()
        return len(rows) / watch.seconds()


def executemany(cursor: psycopg.Cursor[tuple[object, ...]], rows: list[tuple[object, ...]]) -> None:
    """One prepared INSERT for many rows, pipelined by the driver."""
    cursor.executemany(_INSERT, rows)


def row_by_row(cursor: psycopg.Cursor[tuple[object, ...]], rows: list[tuple[object, ...]]) -> None:
    """One INSERT after the other."""
    for row in rows:
        cursor.execute(_INSERT, row)
