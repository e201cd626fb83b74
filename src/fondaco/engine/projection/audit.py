"""Whether the tables hold what they must: among themselves, and against a machine that has come as far.

Foreign keys and database constraints would cost the projection half of its speed, so `fondaco doctor` asks instead.
Each question is one statement, which sees one moment of the tables however they are written to meanwhile. What a
machine remembers is compared row by row, by pure functions.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from fondaco.core.machine import Machine
from fondaco.core.state import FIRST_ID
from fondaco.engine.projection.checks import Check
from fondaco.engine.projection.desk_audit import DESK_CHECKS, DESK_QUERIES, desk_rows
from fondaco.engine.projection.rows import SIDES
from fondaco.infra.database import PsycopgConnection

MAX_SHOWN: Final = 3
"""Faults that are named by each question; the rest is counted."""

State: TypeAlias = Mapping[str, Mapping[tuple[Any, ...], tuple[Any, ...]]]
"""What stands, by kind, each by its key: balances, holds, orders, positions, and what stands at the desk."""


CHECKS: Final = (
    Check(
        "balances",
        "per asset they sum to zero",
        """
        SELECT format('all balances of %s come to %s atoms instead of 0', asset, sum(available + held)) AS said
        FROM balances GROUP BY asset HAVING sum(available + held) <> 0
        """,
    ),
    Check(
        "holds",
        "open ones add up to what is held",
        """
        SELECT format('account %s has %s atoms of %s held, and its open holds come to %s',
            account_id, coalesce(b.held, 0), asset, coalesce(h.amount, 0)) AS said
        FROM (SELECT account_id, asset, held FROM balances WHERE held <> 0) b
        FULL JOIN (
            SELECT account_id, asset, sum(amount) AS amount FROM balance_holds WHERE released_at IS NULL GROUP BY 1, 2
        ) h USING (account_id, asset)
        WHERE coalesce(b.held, 0) <> coalesce(h.amount, 0)
        """,
    ),
    Check(
        "ledger",
        "the latest entries agree with the balances",
        """
        SELECT format('account %s has %s atoms of %s, and its latest ledger entry says %s',
            b.account_id, b.available + b.held, b.asset, coalesce(e.balance_after, 0)) AS said
        FROM balances b LEFT JOIN LATERAL (
            SELECT balance_after FROM ledger_entries
            WHERE account_id = b.account_id AND asset = b.asset ORDER BY created_at DESC, id DESC LIMIT 1
        ) e ON true
        WHERE b.available + b.held <> coalesce(e.balance_after, 0)
        """,
    ),
    Check(
        "trades",
        "their ids have no gap",
        """
        SELECT format('%s (%s) has %s trades with ids from %s to %s', symbol, world, count(*), min(id), max(id)) AS said
        FROM trades GROUP BY world, symbol HAVING min(id) <> 1 OR max(id) <> count(*)
        """,
    ),
    Check(
        "orders",
        "what is filled of each is the sum of its trades",
        """
        SELECT format('order %s has %s atoms filled for %s, and its trades come to %s for %s',
            o.id, o.filled_quantity, o.filled_notional, coalesce(t.quantity, 0), coalesce(t.notional, 0)) AS said
        FROM orders o LEFT JOIN (
            SELECT order_id, sum(quantity) AS quantity, sum(notional) AS notional, sum(fee) AS fee FROM (
                SELECT buy_order_id AS order_id, quantity, notional, buyer_fee AS fee FROM trades
                UNION ALL SELECT sell_order_id, quantity, notional, seller_fee FROM trades
            ) sides GROUP BY order_id
        ) t ON t.order_id = o.id
        WHERE (o.filled_quantity, o.filled_notional, o.fee)
            <> (coalesce(t.quantity, 0), coalesce(t.notional, 0), coalesce(t.fee, 0))
        """,
    ),
    Check(
        "references",
        "every account, order, market and asset that a row names is there",
        f"""
        SELECT format('%s of %s name no row of %s', count(*), source, target) AS said FROM (
            SELECT 'orders' AS source, 'accounts' AS target FROM orders o
            WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = o.account_id)
            UNION ALL SELECT 'orders', 'trading_pairs' FROM orders o
            WHERE NOT EXISTS (SELECT FROM trading_pairs p WHERE (p.world, p.symbol) = (o.world, o.symbol))
            UNION ALL SELECT 'trades', 'orders' FROM trades t
            WHERE NOT EXISTS (SELECT FROM orders o WHERE (o.id, o.account_id, o.side, o.world, o.symbol)
                = (t.buy_order_id, t.buyer_account_id, 'buy', t.world, t.symbol))
            UNION ALL SELECT 'trades', 'orders' FROM trades t
            WHERE NOT EXISTS (SELECT FROM orders o WHERE (o.id, o.account_id, o.side, o.world, o.symbol)
                = (t.sell_order_id, t.seller_account_id, 'sell', t.world, t.symbol))
            UNION ALL SELECT 'positions', 'accounts' FROM positions p
            WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = p.account_id)
            UNION ALL SELECT 'balances', 'accounts' FROM balances b
            WHERE b.account_id >= {FIRST_ID} AND NOT EXISTS (SELECT FROM accounts a WHERE a.id = b.account_id)
            UNION ALL SELECT 'balances', 'assets' FROM balances b
            WHERE NOT EXISTS (SELECT FROM assets a WHERE a.code = b.asset)
            UNION ALL SELECT 'balance_holds', 'orders' FROM balance_holds h
            WHERE h.reason = 'order' AND NOT EXISTS (SELECT FROM orders o WHERE o.id = h.id)
            UNION ALL SELECT 'ledger_entries', 'balances' FROM ledger_entries e
            WHERE NOT EXISTS (SELECT FROM balances b WHERE (b.account_id, b.asset) = (e.account_id, e.asset))
        ) AS missing GROUP BY source, target ORDER BY 1
        """,  # noqa: S608 - a number of ours
    ),
    *DESK_CHECKS,
)
_BALANCES = "SELECT account_id, asset, available, held FROM balances WHERE available <> 0 OR held <> 0"
_HOLDS = "SELECT id, account_id, asset, amount, reason FROM balance_holds WHERE released_at IS NULL"
_ORDERS = """
SELECT id, account_id, world, symbol, side, type, state, coalesce(price, 0), coalesce(trigger_price, 0), quantity,
    open_quantity, filled_quantity, filled_notional, fee, priority_seq
FROM orders WHERE closed_at IS NULL
"""
_POSITIONS = "SELECT id, account_id, world, symbol, quantity, cost, realised FROM positions WHERE closed_at IS NULL"


async def faults(connection: PsycopgConnection, check: Check) -> str:
    """What a check finds, in one sentence; empty when all is well."""
    query = f"SELECT said, count(*) OVER () FROM ({check.query}) AS found LIMIT {MAX_SHOWN}"  # noqa: S608 - queries of ours
    found = await (await connection.execute(query.encode())).fetchall()
    return told([said for said, _ in found], found[0][1]) if found else ""


def told(shown: list[str], count: int) -> str:
    """Faults as one sentence."""
    more = count - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


async def tables_state(connection: PsycopgConnection) -> State:
    """What stands, by the tables; a caller who wants one moment of all of them reads in one snapshot."""
    return {
        "balance": _keyed(2, await (await connection.execute(_BALANCES)).fetchall()),
        "hold": _keyed(1, await (await connection.execute(_HOLDS)).fetchall()),
        "order": _keyed(1, await (await connection.execute(_ORDERS)).fetchall()),
        "position": _keyed(1, await (await connection.execute(_POSITIONS)).fetchall()),
        **{
            kind: _keyed(1, await (await connection.execute(query.encode())).fetchall())
            for kind, query in DESK_QUERIES.items()
        },
    }


def machine_state(machine: Machine) -> State:
    """What stands, by a machine's memory."""
    house = machine.house
    balances = [(each.account_id, each.asset, each.available, each.held) for each in house.ledger.balances()]
    return {
        "balance": _keyed(2, [row for row in balances if any(row[2:])]),
        "hold": _keyed(
            1,
            [
                (each.hold_id, each.balance.account_id, each.balance.asset, each.amount, each.reason.value)
                for each in house.ledger.holds.values()
            ],
        ),
        "order": _keyed(1, _orders_of(machine)),
        "position": _keyed(1, _positions_of(machine)),
        **{kind: _keyed(1, found) for kind, found in desk_rows(machine).items()},
    }


def differences(tables: State, memory: State) -> list[str]:
    """Where the tables and a memory that has come as far are not the same, each in words."""
    return [said for kind in sorted({*tables, *memory}) for said in _differences(kind, tables, memory)]


def _differences(kind: str, tables: State, memory: State) -> Iterator[str]:
    stored, remembered = tables.get(kind, {}), memory.get(kind, {})
    for key in sorted({*stored, *remembered}):
        name = f"{kind} {' '.join(map(str, key))}"
        if key not in stored:
            yield f"{name} is in memory only: {remembered[key]}"
        elif key not in remembered:
            yield f"{name} is in the tables only: {stored[key]}"
        elif stored[key] != remembered[key]:
            yield f"{name} is {stored[key]} in the tables and {remembered[key]} in memory"


def _orders_of(machine: Machine) -> Iterator[tuple[Any, ...]]:
    for each in machine.house.orders.values():
        terms = machine.house.market_of(each).terms
        yield (
            *(each.order_id, each.account_id, each.world.value, each.symbol, SIDES[each.side], each.type.value),
            *(each.state.value, each.price_ticks * terms.tick, each.trigger_ticks * terms.tick),
            *(each.lots * terms.lot, each.open_lots * terms.lot, each.filled_lots * terms.lot),
            *(each.filled_notional, each.fee, each.priority_seq),
        )


def _positions_of(machine: Machine) -> Iterator[tuple[Any, ...]]:
    for market in machine.house.markets.values():
        for each in market.positions.values():
            lots = each.lots * market.terms.lot
            yield (each.position_id, each.account_id, each.world.value, each.symbol, lots, each.cost, each.realised)


def _keyed(width: int, found: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Rows by their first columns."""
    return {row[:width]: row[width:] for row in found}
