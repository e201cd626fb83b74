"""Brings what a run of batches came to into the tables, by binary COPY.

What cannot be there yet goes straight in: facts, and orders and holds of orders that were accepted in this run. What
may be there is copied into a temporary table first, and from there changes the rows that are there and adds the others.
All of it happens in the caller's transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fondaco.core.ledger import HoldChanged, HoldReason
from fondaco.engine.projection import rows
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
_CLOSE: Final = """
UPDATE trading_pairs SET active = false, updated_at = to_timestamp(0) + %s * interval '1 microsecond'
WHERE world = %s AND symbol = %s
"""
_HOLDS: Final = """
SELECT id, (extract(epoch FROM created_at) * 1000000)::int8 * 1000 FROM balance_holds
WHERE id = ANY(%s) AND reason <> 'order'
"""


class RowMissingError(Exception):
    """A row that must be in the tables is not: they are damaged, and must be made anew from the journal."""


async def write(connection: PsycopgConnection, fold: Fold, markets: Markets) -> None:
    """Write everything."""
    await _write_listings(connection, fold)
    await _write_accounts(connection, fold)
    await _write_orders(connection, fold, markets)
    await _write_risk(connection, fold)


async def _write_listings(connection: PsycopgConnection, fold: Fold) -> None:
    await _add(connection, rows.ASSETS, map(rows.asset_row, fold.assets))
    if fold.listed:
        await connection.execute(_EXCHANGE, (rows.HOUSE_EXCHANGE, fold.listed[0].ns // 1_000))
        await _add(connection, rows.TRADING_PAIRS, map(rows.pair_row, fold.listed))
    for told in fold.closed:
        await connection.execute(_CLOSE, (told.ns // 1_000, told.event.world.value, told.event.symbol))


async def _write_accounts(connection: PsycopgConnection, fold: Fold) -> None:
    await _merge(connection, rows.ACCOUNTS, map(rows.account_row, fold.accounts.values()), key=("id",))
    balances = map(rows.balance_row, fold.balances.values())
    await _merge(connection, rows.BALANCES, balances, key=("account_id", "asset"))
    entries = [row for told in fold.postings for row in rows.entry_rows(told)]
    await _add(connection, rows.ENTRIES, entries)
    await _write_holds(connection, fold)


async def _write_holds(connection: PsycopgConnection, fold: Fold) -> None:
    """A hold for an order lies in its order's month; where the house's own lie is asked."""
    others = [key for key, told in fold.holds.items() if told.event.reason is not HoldReason.ORDER]
    known: dict[int, int] = {}
    if others:
        known = dict(await (await connection.execute(_HOLDS, (others,))).fetchall())
    new: list[Row] = []
    changed: list[Row] = []
    for told in fold.holds.values():
        created_ns, is_new = _origin(fold, told, known)
        (new if is_new else changed).append(rows.hold_row(told, created_ns))
    await _add(connection, rows.HOLDS, new)
    await _merge(connection, rows.HOLDS, changed, key=("id", "created_at"))


def _origin(fold: Fold, told: Told[HoldChanged], known: Mapping[int, int]) -> tuple[int, bool]:
    """Where a hold's row lies, and whether it cannot be there yet."""
    hold = told.event
    if hold.reason is HoldReason.ORDER:
        order = fold.orders[hold.hold_id].event  # told in the same command, always
        return order.created_ns, fold.is_new(order)
    created_ns = known.get(hold.hold_id)
    return (told.first_ns, True) if created_ns is None else (created_ns, False)


async def _write_orders(connection: PsycopgConnection, fold: Fold, markets: Markets) -> None:
    new: list[Row] = []
    changed: list[Row] = []
    for told in fold.orders.values():
        order = told.event
        steps = markets[order.world, order.symbol]
        if fold.is_new(order):
            new.append(rows.order_row(told, steps))
        else:
            changed.append(rows.changed_order_row(told, steps))
    await _add(connection, rows.ORDERS, new)
    if changed:
        await _change(connection, rows.CHANGED_ORDERS, changed, key=("id", "created_at"))
    trades = [rows.trade_row(told, markets[told.event.world, told.event.symbol]) for told in fold.trades]
    await _add(connection, rows.TRADES, trades)
    positions = [
        rows.position_row(told, markets[told.event.world, told.event.symbol]) for told in fold.positions.values()
    ]
    await _merge(connection, rows.POSITIONS, positions, key=("id",))


async def _write_risk(connection: PsycopgConnection, fold: Fold) -> None:
    limits = map(rows.limit_row, fold.limits.values())
    await _merge(connection, rows.LIMITS, limits, key=("world", "scope", "subject", "name", "about"))
    await _merge(connection, rows.BREAKERS, map(rows.breaker_row, fold.breakers.values()), key=("id",))
    await _add(connection, rows.ALERTS, map(rows.alert_row, fold.alerts))


async def _add(connection: PsycopgConnection, layout: Layout, added: Iterable[Row]) -> None:
    """Copy new rows straight into their table."""
    listed = list(added)
    if listed:
        await _copy(connection, layout.table, layout, listed)


async def _merge(connection: PsycopgConnection, layout: Layout, merged: Iterable[Row], key: Sequence[str]) -> None:
    """Change rows that are there and add the others. When a row was made never changes."""
    listed = list(merged)
    if not listed:
        return
    staging = await _stage(connection, layout, listed)
    settings = ", ".join(f"{name} = excluded.{name}" for name in _changing(layout, key))
    await connection.execute(
        f"INSERT INTO {layout.table} ({layout.listed}) SELECT {layout.listed} FROM {staging} "  # noqa: S608 - names of ours
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {settings}".encode()
    )


async def _change(connection: PsycopgConnection, layout: Layout, changed: list[Row], key: Sequence[str]) -> None:
    """Change rows that must be there. Raises `RowMissingError` when one is not."""
    staging = await _stage(connection, layout, changed)
    settings = ", ".join(f"{name} = s.{name}" for name in _changing(layout, key))
    matched = " AND ".join(f"t.{name} = s.{name}" for name in key)
    cursor = await connection.execute(
        f"UPDATE {layout.table} t SET {settings} FROM {staging} s WHERE {matched}".encode()  # noqa: S608 - names of ours
    )
    if cursor.rowcount != len(changed):
        missing = len(changed) - cursor.rowcount
        raise RowMissingError(f"{missing} rows of {layout.table} are missing: `fondaco db rebuild` makes them anew.")


def _changing(layout: Layout, key: Sequence[str]) -> list[str]:
    return [name for name in layout.columns if name not in key and name != "created_at"]


async def _stage(connection: PsycopgConnection, layout: Layout, staged: list[Row]) -> str:
    """Copy rows into a temporary table, made when missing in whatever server session the pooler gave us."""
    staging = f"projected_{layout.table}"
    await connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DELETE ROWS AS "  # noqa: S608 - names of ours
        f"SELECT {layout.listed} FROM {layout.table} WITH NO DATA".encode()
    )
    await _copy(connection, staging, layout, staged)
    return staging


async def _copy(connection: PsycopgConnection, table: str, layout: Layout, copied: Iterable[tuple[Any, ...]]) -> None:
    statement = f"COPY {table} ({layout.listed}) FROM STDIN (FORMAT BINARY)"
    async with connection.cursor().copy(statement.encode()) as copy:
        await copy.write(layout.body(copied))
