"""Brings what a run of batches came to into the tables, by binary COPY.

What cannot be there yet goes straight in: facts, orders that were accepted in this run, positions and entries that were
made in it, and the holds of both. What may be there is copied into a temporary table first, and from there changes the
rows that are there and adds the others.
All of it happens in the caller's transaction. While the server takes the rows of one table, those of the next are made.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, DeskQuote, StopOut
from fondaco.core.desk.terms import DeskTerms
from fondaco.core.events import Trade
from fondaco.core.ledger import HoldChanged, HoldReason
from fondaco.core.state import Order, Position
from fondaco.engine.projection import desk_rows, rows
from fondaco.engine.projection.copying import Layout
from fondaco.engine.projection.folding import Fold, Told
from fondaco.engine.projection.rows import Row, Steps
from fondaco.infra.database import PsycopgConnection

Markets = Mapping[tuple[str, str], Steps]
"""Steps by world and symbol."""

_EXCHANGE: Final = """
INSERT INTO exchanges (name, active, created_at)
VALUES (%s, true, to_timestamp(0) + %s * interval '1 microsecond') ON CONFLICT DO NOTHING
"""
_DATED: Final = ("id", "created_at")
_OPENED: Final = ("id", "opened_at")
_CLOSE: Final = """
UPDATE trading_pairs SET active = false, updated_at = to_timestamp(0) + %s * interval '1 microsecond'
WHERE world = %s AND symbol = %s
"""
_HOLDS: Final = """
SELECT id, (extract(epoch FROM created_at) * 1000000)::int8 * 1000 FROM balance_holds
WHERE id = ANY(%s) AND reason NOT IN ('order', 'margin')
"""


_LIES_WITH: Final = (HoldReason.ORDER, HoldReason.MARGIN)
"""Holds whose rows lie in the month of what they are for."""


class How(Enum):
    """What is known of rows that are to be written."""

    NEW = auto()
    """None of them can be there."""
    CHANGED = auto()
    """All of them must be there."""
    EITHER = auto()


class Step(NamedTuple):
    """Rows for one table: how they are made, how they go in, and by which key they are found there."""

    layout: Layout
    rows: Callable[[], list[Row]]
    how: How = How.NEW
    key: Sequence[str] = ()


class Made(NamedTuple):
    """Rows for one table, made."""

    step: Step
    row_count: int
    body: bytes


class RowMissingError(Exception):
    """A row that must be in the tables is not: they are damaged, and must be made anew from the journal."""


async def write(connection: PsycopgConnection, fold: Fold, markets: Markets) -> None:
    """Write everything."""
    if fold.listed:
        await connection.execute(_EXCHANGE, (rows.HOUSE_EXCHANGE, fold.listed[0].ns // 1_000))
    steps = list(_steps(fold, markets, await _known_holds(connection, fold)))
    made = await asyncio.to_thread(_make, steps[0])
    for following in steps[1:]:
        making = asyncio.create_task(asyncio.to_thread(_make, following))
        try:
            await _put(connection, made)
        finally:
            made = await making
    await _put(connection, made)
    for told in fold.closed:
        await connection.execute(_CLOSE, (told.ns // 1_000, told.event.world.value, told.event.symbol))


def _steps(fold: Fold, markets: Markets, known_holds: Mapping[int, int]) -> Iterator[Step]:
    """What is to be written, table by table."""
    yield Step(rows.ASSETS, lambda: [rows.asset_row(each) for each in fold.assets])
    yield Step(rows.TRADING_PAIRS, lambda: [rows.pair_row(each) for each in fold.listed])
    yield Step(rows.ACCOUNTS, lambda: [rows.account_row(each) for each in fold.accounts.values()], How.EITHER, ("id",))
    yield Step(
        rows.BALANCES,
        lambda: [rows.balance_row(each) for each in fold.balances.values()],
        How.EITHER,
        ("account_id", "asset"),
    )
    yield Step(rows.ENTRIES, lambda: [row for each in fold.postings for row in rows.entry_rows(each)])
    yield Step(rows.HOLDS, lambda: _hold_rows(fold, known_holds, new=True))
    yield Step(rows.HOLDS, lambda: _hold_rows(fold, known_holds, new=False), How.EITHER, _DATED)
    yield Step(
        rows.ORDERS, lambda: [rows.order_row(each, _steps_of(markets, each)) for each in _orders(fold, new=True)]
    )
    yield Step(
        rows.CHANGED_ORDERS,
        lambda: [rows.changed_order_row(each, _steps_of(markets, each)) for each in _orders(fold, new=False)],
        How.CHANGED,
        _DATED,
    )
    yield Step(rows.TRADES, lambda: [rows.trade_row(each, _steps_of(markets, each)) for each in fold.trades])
    yield Step(
        rows.POSITIONS,
        lambda: [rows.position_row(each, _steps_of(markets, each)) for each in fold.positions.values()],
        How.EITHER,
        ("id",),
    )
    yield Step(
        rows.LIMITS,
        lambda: [rows.limit_row(each) for each in fold.limits.values()],
        How.EITHER,
        ("world", "scope", "subject", "name", "about"),
    )
    yield Step(rows.BREAKERS, lambda: [rows.breaker_row(each) for each in fold.breakers.values()], How.EITHER, ("id",))
    yield Step(rows.ALERTS, lambda: [rows.alert_row(each) for each in fold.alerts])
    yield from _desk_steps(fold, markets)


def _desk_steps(fold: Fold, markets: Markets) -> Iterator[Step]:
    """The desk's part of it."""
    made = desk_rows
    yield Step(
        made.TERMS,
        lambda: [made.terms_row(each, _steps_of(markets, each)) for each in fold.desk_terms.values()],
        How.EITHER,
        ("world", "symbol"),
    )
    yield Step(made.RULES, lambda: [made.rules_row(each) for each in fold.desk_rules.values()], How.EITHER, ("world",))
    yield Step(
        made.QUOTES,
        lambda: [made.quote_row(each, _steps_of(markets, each)) for each in fold.desk_quotes.values()],
        How.EITHER,
        ("world", "symbol"),
    )
    for new, how in ((True, How.NEW), (False, How.EITHER)):
        yield Step(made.POSITIONS, partial(_desk_position_rows, fold, markets, new=new), how, _OPENED)
        yield Step(made.ENTRIES, partial(_desk_entry_rows, fold, markets, new=new), how, _DATED)
    yield Step(made.FILLS, lambda: [made.fill_row(each, _steps_of(markets, each)) for each in fold.fills])
    yield Step(made.STOP_OUTS, lambda: [made.stop_out_row(each, _steps_of(markets, each)) for each in fold.stop_outs])
    yield Step(made.ROLLOVERS, lambda: [made.rollover_row(each) for each in fold.rollovers])


OfMarket: TypeAlias = (
    Told[Order]
    | Told[Trade]
    | Told[Position]
    | Told[DeskTerms]
    | Told[DeskQuote]
    | Told[DeskPosition]
    | Told[DeskEntry]
    | Told[DeskFill]
    | Told[StopOut]
)


def _steps_of(markets: Markets, told: OfMarket) -> Steps:
    return markets[told.event.world, told.event.symbol]


def _desk_position_rows(fold: Fold, markets: Markets, *, new: bool) -> list[Row]:
    """Rows of the positions that cannot be in the table yet, or of the others."""
    told = fold.desk_positions.values()
    return [
        desk_rows.position_row(each, _steps_of(markets, each))
        for each in told
        if fold.is_new_since(each.event.opened_ns) is new
    ]


def _desk_entry_rows(fold: Fold, markets: Markets, *, new: bool) -> list[Row]:
    """Rows of the pending entries, likewise."""
    told = fold.desk_entries.values()
    return [
        desk_rows.entry_row(each, _steps_of(markets, each))
        for each in told
        if fold.is_new_since(each.event.created_ns) is new
    ]


def _orders(fold: Fold, *, new: bool) -> Iterator[Told[Order]]:
    return (each for each in fold.orders.values() if fold.is_new(each.event) is new)


async def _known_holds(connection: PsycopgConnection, fold: Fold) -> Mapping[int, int]:
    """When the house's own holds among those of the run were placed, as far as they are in the table."""
    others = [key for key, told in fold.holds.items() if told.event.reason not in _LIES_WITH]
    return dict(await (await connection.execute(_HOLDS, (others,))).fetchall()) if others else {}


def _hold_rows(fold: Fold, known: Mapping[int, int], *, new: bool) -> list[Row]:
    """Rows of the holds that cannot be in the table yet, or of the others."""
    found = []
    for told in fold.holds.values():
        created_ns, is_new = _origin(fold, told, known)
        if is_new is new:
            found.append(rows.hold_row(told, created_ns))
    return found


def _origin(fold: Fold, told: Told[HoldChanged], known: Mapping[int, int]) -> tuple[int, bool]:
    """Where a hold's row lies, which is the month of its order or position, and whether it cannot be there yet."""
    hold = told.event
    if hold.reason is HoldReason.ORDER:
        order = fold.orders[hold.hold_id].event  # told in the same command, always
        return order.created_ns, fold.is_new(order)
    if hold.reason is HoldReason.MARGIN:
        opened_ns = fold.desk_positions[hold.hold_id].event.opened_ns  # likewise
        return opened_ns, fold.is_new_since(opened_ns)
    created_ns = known.get(hold.hold_id)
    return (told.first_ns, True) if created_ns is None else (created_ns, False)


def _make(step: Step) -> Made:
    made = step.rows()
    return Made(step, len(made), step.layout.body(made) if made else b"")


async def _put(connection: PsycopgConnection, made: Made) -> None:
    """Bring rows in. Raises `RowMissingError` when one that must be there is not."""
    (layout, _, how, key), row_count, body = made
    if not row_count:
        return
    if how is How.NEW:
        await _copy(connection, layout.table, layout, body)
        return
    staging = await _stage(connection, layout, body)
    changing = [name for name in layout.columns if name not in key and name != "created_at"]
    if how is How.EITHER:
        await connection.execute(_merging(layout, staging, key, changing))
        return
    cursor = await connection.execute(_updating(layout, staging, key, changing))
    if cursor.rowcount != row_count:
        missing = row_count - cursor.rowcount
        raise RowMissingError(f"{missing} rows of {layout.table} are missing: `fondaco db rebuild` makes them anew.")


def _merging(layout: Layout, staging: str, key: Sequence[str], changing: Sequence[str]) -> bytes:
    """Change the rows that are there and add the others. When a row was made never changes."""
    settings = ", ".join(f"{name} = excluded.{name}" for name in changing)
    return (
        f"INSERT INTO {layout.table} ({layout.listed}) SELECT {layout.listed} FROM {staging} "  # noqa: S608 - names of ours
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {settings}"
    ).encode()


def _updating(layout: Layout, staging: str, key: Sequence[str], changing: Sequence[str]) -> bytes:
    """Change the rows that are there."""
    settings = ", ".join(f"{name} = s.{name}" for name in changing)
    matched = " AND ".join(f"t.{name} = s.{name}" for name in key)
    return f"UPDATE {layout.table} t SET {settings} FROM {staging} s WHERE {matched}".encode()  # noqa: S608 - names of ours


async def _stage(connection: PsycopgConnection, layout: Layout, body: bytes) -> str:
    """Copy rows into a temporary table, made when missing in whatever server session the pooler gave us."""
    staging = f"projected_{layout.table}"
    await connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DELETE ROWS AS "  # noqa: S608 - names of ours
        f"SELECT {layout.listed} FROM {layout.table} WITH NO DATA".encode()
    )
    await _copy(connection, staging, layout, body)
    return staging


async def _copy(connection: PsycopgConnection, table: str, layout: Layout, body: bytes) -> None:
    statement = f"COPY {table} ({layout.listed}) FROM STDIN (FORMAT BINARY)"
    async with connection.cursor().copy(statement.encode()) as copy:
        await copy.write(body)
