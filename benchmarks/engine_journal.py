"""The journal read again: replayed through a fresh machine, and recovered from a database."""

import gc
import statistics
from collections.abc import Awaitable, Iterable

from engine_orders import ACCOUNTS, SYMBOLS, journal_of
from fondaco.core.machine import Machine
from fondaco.engine.garbage import without_collections
from fondaco.engine.journal import BEGINNING, JournalRow, replayed
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import Standing, loaded, recovered, snapshot_of
from harness import RUNS, Stopwatch, durability, median_of_runs, report
from house import fresh_database

REPLAY_COMMANDS = 1_000_000
OPEN_ORDERS = 1_000_000
FAR_TICKS = 2_000
"""Orders that begin so far from the mid do not meet."""


def replay(name: str, *, quick: bool) -> None:
    """Commands a second: rows of the journal through a fresh machine, every chain hash checked."""
    journal = journal_of(REPLAY_COMMANDS // (10 if quick else 1))
    rows = journal.rows
    commands = rows[-1].last_seq

    def run() -> float:
        machine, mark = Machine(), BEGINNING
        with without_collections():
            watch = Stopwatch()
            for row in rows:
                mark, _ = replayed(machine, mark, row)
            seconds = watch.seconds()
        return commands / seconds

    value, runs = median_of_runs(run)
    report(
        name,
        value,
        "commands/s",
        None,
        runs=[round(each) for each in runs],
        commands=commands,
        accounts=ACCOUNTS,
        symbols=len(SYMBOLS),
        filling_share=journal.flow.filling_share,
        journal_bytes_a_command=round(sum(len(row.body) for row in rows) / commands, 1),
    )


async def recovery(name: str, *, quick: bool) -> None:
    """Seconds to come back with a million open orders from a snapshot; with a million commands of journal, apart."""
    part = 10 if quick else 1
    open_orders = journal_of(OPEN_ORDERS // part, seed=8, cancels=False, nearest_ticks=FAR_TICKS)
    resting = len(open_orders.machine.house.orders)
    standing = Standing(open_orders.machine, open_orders.rows[-1].end)
    head, body = snapshot_of(standing)
    commands = journal_of(REPLAY_COMMANDS // part)
    gc.collect()
    async with fresh_database() as database:
        store = PostgresStore(database)
        await store.save_snapshot(head, body)
        del open_orders, standing, body
        from_snapshot = [await _seconds(loaded(store)) for _ in range(RUNS)]
    async with fresh_database() as database:
        store = PostgresStore(database)
        await _write(store, commands.rows)
        count = commands.rows[-1].last_seq
        del commands
        from_journal = [await _seconds(recovered(store)) for _ in range(RUNS)]
        terms = await durability(database)
    report(
        name,
        statistics.median(from_snapshot),
        "s",
        None,
        runs=[round(each, 2) for each in from_snapshot],
        open_orders=resting,
        snapshot_bytes=head.byte_count,
        journal_s=round(statistics.median(from_journal), 2),
        journal_commands=count,
        **terms,
    )


async def _seconds(recovering: Awaitable[Standing]) -> float:
    with without_collections():
        watch = Stopwatch()
        standing = await recovering
        seconds = watch.seconds()
    assert standing.mark.seq > 0
    return seconds


async def _write(store: PostgresStore, rows: Iterable[JournalRow]) -> None:
    lease = await store.acquire("benchmark", "")
    assert lease is not None
    for row in rows:
        await lease.append(row)
    await lease.aclose()
