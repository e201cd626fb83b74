"""The projection: committed batches of the engine to committed rows in its tables.

The baseline writes the same rows with the same code into tables that have what the source systems list, taken
literally: their indexes, and a foreign key for every reference. Partitioned tables cannot be pointed at by an order's
number alone, so those of the baseline are plain.
"""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Final

from sqlalchemy import text

from engine_orders import ACCOUNTS, START_NS, journal_of
from fondaco.core.machine import Machine
from fondaco.core.state import FIRST_ID
from fondaco.engine.journal import BEGINNING, Committed, JournalRow, replayed
from fondaco.engine.projection.months import month_of, partition_name
from fondaco.engine.projection.projection import PARTITIONED, Projection, open_projection
from fondaco.engine.projection.rebuilding import make_tables
from fondaco.infra.database import Database
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import fresh_database

COMMANDS: Final = 90_000
BATCH: Final = 200
"""Commands in a batch of the journal: what a group commit gathers."""
RUN: Final = 25
"""Batches that are projected at once."""
WARM_UP_RUNS: Final = 4

LITERAL_INDEXES: Final = {
    "orders": ("account_id", "symbol", "state", "created_at"),
    "trades": ("symbol", "created_at", "buyer_account_id", "seller_account_id", "buy_order_id", "sell_order_id"),
    "positions": ("account_id", "symbol", "closed_at"),
    "balances": ("account_id",),
    "balance_holds": ("account_id",),
    "ledger_entries": ("account_id",),
}
LITERAL_KEYS: Final = (
    ("orders", "account_id", "accounts"),
    ("trades", "buyer_account_id", "accounts"),
    ("trades", "seller_account_id", "accounts"),
    ("trades", "buy_order_id", "orders"),
    ("trades", "sell_order_id", "orders"),
    ("positions", "account_id", "accounts"),
    ("balances", "account_id", "accounts"),
    ("balance_holds", "account_id", "accounts"),
    ("ledger_entries", "account_id", "accounts"),
)


async def projector(name: str, *, quick: bool) -> None:
    """Commands a second through the projection, a run of batches a transaction."""
    commands = COMMANDS // (10 if quick else 1)
    journal = journal_of(commands, batch_commands=BATCH)
    committed = list(_committed(journal.rows))
    opening, batches = committed[: -commands // BATCH], committed[-commands // BATCH :]
    ours, theirs = [], []
    async with fresh_database() as database:
        for number in range(RUNS + 1):
            ours.append(await rate(await our_tables(database), opening, batches))
            theirs.append(await rate(await literal_tables(database), opening, batches))
            if number == 0:
                continue  # a warm-up
            progress(f"  {name}: {ours[-1]:,.0f} commands/s, literal {theirs[-1]:,.0f}")
        terms = await durability(database)
    baseline = Baseline("the source systems' indexes and foreign keys, taken literally", median(theirs[1:]))
    details = {
        "runs": [round(each) for each in ours[1:]],
        "commands": commands,
        "filling_share": journal.flow.filling_share,
        "cancelled_share": journal.flow.cancelled_share,
        "accounts": ACCOUNTS,
        "commands_per_transaction": BATCH * RUN,
    }
    report(name, median(ours[1:]), "commands/s", baseline, **details, **terms)


def _committed(rows: Iterable[JournalRow]) -> Iterator[Committed]:
    """What the journal comes to."""
    machine, mark = Machine(), BEGINNING
    for row in rows:
        done = replayed(machine, mark, row)
        mark = done.mark
        yield done


async def rate(projection: Projection, opening: Sequence[Committed], batches: Sequence[Committed]) -> float:
    """Commands a second, after the accounts are there and the first runs have filled what a new house has empty."""
    await projection.write(opening)
    runs = [batches[start : start + RUN] for start in range(0, len(batches), RUN)]
    warm = min(WARM_UP_RUNS, len(runs) - 1)
    for run in runs[:warm]:
        await projection.write(run)
    watch = Stopwatch()
    for run in runs[warm:]:
        await projection.write(run)
    return sum(map(len, runs[warm:])) * BATCH / watch.seconds()


async def our_tables(database: Database) -> Projection:
    """A fresh set of the tables as they are."""
    await make_tables(database, "ours")
    return await open_projection(database, "ours")


async def literal_tables(database: Database) -> Projection:
    """A fresh set of tables with everything that the source systems list."""
    await make_tables(database, "literal")
    async with database.transaction(statement_timeout_ms=0) as connection:
        await connection.execute(text("SET LOCAL search_path = literal"))
        for table in PARTITIONED:
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_by_month"))
            await connection.execute(
                text(f"CREATE TABLE {table} (LIKE {table}_by_month INCLUDING CONSTRAINTS INCLUDING INDEXES)")
            )
            # The projection finds a table where it would make a partition, and makes none.
            await connection.execute(text(f"CREATE TABLE {partition_name(table, month_of(START_NS))} ()"))
        await connection.execute(text("ALTER TABLE orders ADD UNIQUE (id)"))
        await connection.execute(
            text(
                "INSERT INTO accounts SELECT id, 'house', 'trading', 'house', 'USDT', 'active', now(), now() "
                "FROM generate_series(1, :last) AS id"
            ),
            {"last": FIRST_ID - 1},
        )
        for table, columns in LITERAL_INDEXES.items():
            for column in columns:
                await connection.execute(text(f"CREATE INDEX ON {table} ({column})"))
        for table, column, target in LITERAL_KEYS:
            await connection.execute(text(f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {target} (id)"))
    return await open_projection(database, "literal")
