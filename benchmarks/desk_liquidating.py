"""One quote that closes ten thousand positions of a million, answered once the journal has it."""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

from desk_idle import due
from desk_stakes import (
    POSITIONS_AN_ACCOUNT,
    SPREAD_TICKS,
    STEP,
    SYMBOLS,
    VALID_NS,
    bets,
    loaded_with,
    opened,
    quote_of,
)
from fondaco.core.commands import HOUSE
from fondaco.core.desk.running import MAX_CLOSED
from fondaco.core.desk.state import DeskFill, DeskPosition, MarginWarning, StopOut
from fondaco.core.desk.valuing import margin_call_ticks
from fondaco.core.events import decode_events
from fondaco.core.machine import Machine
from fondaco.core.replies import Done
from fondaco.core.vocabulary import Direction
from fondaco.engine.journal import BEGINNING, Committed
from fondaco.engine.leader import Leader
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import Standing
from fondaco.engine.sequencer import Bounds
from fondaco.infra.database import Database
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import fresh_database

POSITIONS = 1_000_000
_TABLES = """
CREATE TABLE naive_positions (position_id bigint PRIMARY KEY, state text NOT NULL);
CREATE TABLE naive_accounts (account_id bigint PRIMARY KEY, cash bigint NOT NULL);
CREATE TABLE naive_fills (fill_id bigserial PRIMARY KEY, position_id bigint NOT NULL, paid bigint NOT NULL);
"""
_POSITIONS = (
    "INSERT INTO naive_positions SELECT position_id, 'open' FROM generate_series(%s::bigint, %s::bigint) position_id"
)
_ACCOUNTS = "INSERT INTO naive_accounts SELECT account_id, 0 FROM generate_series(%s::bigint, %s::bigint) account_id"
_CLOSE = "UPDATE naive_positions SET state = 'closed' WHERE position_id = %s"
_PAY = "UPDATE naive_accounts SET cash = cash + %s WHERE account_id = %s"
_RECORD = "INSERT INTO naive_fills (position_id, paid) VALUES (%s, %s)"
BOUNDS = Bounds(queue_commands=10_000, follower_lag=2**60)
LONG = Direction.LONG
_FILL = b"desk_fill"
"""Stands once in each `DeskFill` as it is told."""


class Fall(NamedTuple):
    """What a quote came to."""

    seconds: float
    answered_s: float
    closed: int
    receipts: int
    warnings: int
    event_bytes: int


async def liquidate(name: str, *, quick: bool) -> None:
    """Seconds from the submission of the quote until all that it closes is committed; its answer leaves before that."""
    part = 10 if quick else 1
    count, wanted = POSITIONS // part, MAX_CLOSED // part
    rows = list(bets(count, seed=31))
    machine = loaded_with(opened(count // POSITIONS_AN_ACCOUNT), rows)
    bids = _bids(rows, wanted, 1 + RUNS)
    async with fresh_database() as database:
        theirs_s = await _scan_s(database, rows, bids[0][0])
        progress(f"  {name}: a scan of {count:,} positions, and a transaction: {theirs_s:.2f} s")
        async with _leading(PostgresStore(database), machine) as leader:
            falls = [await _fall(leader, bid, closed) for bid, closed in bids]
        terms = await durability(database)
    median = sorted(falls[1:], key=lambda each: each.seconds)[RUNS // 2]
    report(
        name,
        median.seconds,
        "s",
        Baseline("a scan of all positions, then three rows for each that is closed, in one SQL transaction", theirs_s),
        runs=[round(each.seconds, 3) for each in falls[1:]],
        positions=count,
        answered_s=round(median.answered_s, 3),
        closed=median.closed,
        receipts=median.receipts,
        warnings=median.warnings,
        event_bytes=median.event_bytes,
        microseconds_a_close=round(1e6 * median.seconds / median.closed, 1),
        state="positions and holds loaded as rows of a dump; each run's quote reaches the next ones",
        **terms,
    )


async def _fall(leader: Leader, bid: int, expected: int) -> Fall:
    """Let the price fall so far, until all that this closes is on disk.

    What one command may not do any more, the engine goes on with by itself: warnings count as closes do.
    """
    before = leader.broadcast.mark
    now_ns = time.time_ns() // 1_000 * 1_000
    watch = Stopwatch()
    answer = await leader.client.submit(
        HOUSE, quote_of(SYMBOLS[0], bid, now_ns), command_id="fall", not_after_ns=now_ns + VALID_NS
    )
    answered_s, done_s = watch.seconds(), 0.0
    assert isinstance(answer.reply, Done), answer
    events = list[bytes]()
    async with aclosing(leader.broadcast.follow(before)) as batches:
        while sum(each.count(_FILL) for each in events) < expected:
            batch = await anext(batches)
            assert isinstance(batch, Committed)
            events.append(batch.events)
            done_s = watch.seconds()
    counts = Counter(type(event) for each in events for event in decode_events(each))
    assert counts[DeskFill] == expected
    return Fall(done_s, answered_s, expected, counts[StopOut], counts[MarginWarning], sum(map(len, events)))


def _bids(rows: Sequence[DeskPosition], count: int, quotes: int) -> list[tuple[int, int]]:
    """Falling bids, each with how many positions it closes: so many, or a few less where some share a level."""
    levels = sorted(filter(None, map(_falling_level, rows)), reverse=True)
    bids, done = [], 0
    for _ in range(quotes):
        last, next_one = levels[done + count - 1], levels[done + count]
        bid = last + 1 if last == next_one else last
        closed = bisect_right(levels, -bid, key=lambda level: -level) - done
        bids.append((bid, closed))
        done += closed
    return bids


def _falling_level(row: DeskPosition) -> int:
    """The bid at which a falling price closes a position; 0 when it only wins by that."""
    if row.direction is LONG:
        return max(row.stop_ticks, margin_call_ticks(row, STEP))
    return max(0, row.take_ticks - SPREAD_TICKS)


async def _scan_s(database: Database, rows: Sequence[DeskPosition], bid: int) -> float:
    """Seconds for finding what is to be closed by looking at every position, and writing it in one transaction."""
    async with database.driver_transaction() as connection:
        await connection.execute(_TABLES)
        await connection.execute(_POSITIONS, (rows[0].position_id, rows[-1].position_id))
        await connection.execute(_ACCOUNTS, (rows[0].account_id, rows[-1].account_id))
    watch = Stopwatch()
    closed = []
    for row in due(rows, SYMBOLS[0], bid, bid + SPREAD_TICKS):
        value = (bid if row.direction is LONG else bid + SPREAD_TICKS) * row.lots * STEP
        result = value - row.entry_notional if row.direction is LONG else row.entry_notional - value
        closed.append((row.position_id, row.account_id, row.margin + max(result, -row.margin)))
    async with database.driver_transaction() as connection, connection.cursor() as cursor:
        await cursor.executemany(_CLOSE, [(position_id,) for position_id, _, _ in closed])
        await cursor.executemany(_PAY, [(paid, account_id) for _, account_id, paid in closed])
        await cursor.executemany(_RECORD, [(position_id, paid) for position_id, _, paid in closed])
    return watch.seconds()


@asynccontextmanager
async def _leading(store: PostgresStore, machine: Machine) -> AsyncIterator[Leader]:
    """A leader whose journal begins with this machine."""
    lease = await store.acquire("benchmark", "")
    assert lease is not None
    leader = Leader(lease, Standing(machine, BEGINNING._replace(seq=machine.seq)), BOUNDS)
    leading = asyncio.ensure_future(leader.run())
    yield leader
    leader.stop()
    await leading
