"""Totals over orders and positions: of a user, of each symbol, of everybody.

Each report is of one world, so play money never counts as real (BBX-45), and results of different currencies are never
added up. Results are what sales have earned, fees apart, and come from the positions, of which there are far fewer than
trades; both come to the same. Leveraged positions count on the leader board; their own reports stand in `desk`.

Plain SQL: grouping twice before an outer join is what a query builder hides (EXD-33). The reports over a whole world
read all its orders, so they are for operators.
"""

from typing import Final

import msgspec

from fondaco.core.vocabulary import World
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.rows import rows

BEST: Final = 10
"""Lines of a leader board, unless another number is asked for (EXD-31)."""
MAX_LINES: Final = 1_000
"""Lines of a report at most."""


class ResultLine(msgspec.Struct, frozen=True, gc=False):
    """What a user has earned and paid in a currency."""

    currency: str
    orders: int
    realized_pnl: str
    unrealized_pnl: str
    fees: str


class SymbolLine(msgspec.Struct, frozen=True, gc=False):
    """What all orders of a symbol come to; the average is by order."""

    symbol: str
    currency: str
    orders: int
    filled_quantity: str
    realized_pnl: str
    average_pnl: str


class LeaderLine(msgspec.Struct, frozen=True, gc=False):
    """A user's place on the leader board. A leveraged position counts as an order; without any there is no result."""

    user_id: str
    email: str
    orders: int
    realized_pnl: str | None


class WealthLine(msgspec.Struct, frozen=True, gc=False):
    """A user, and what all accounts of a world have of an asset, free and set aside."""

    user_id: str
    email: str
    role: str
    status: str
    balance: str


_RESULTS: Final = """
WITH own AS (SELECT id FROM accounts WHERE user_id = %(user_id)s AND world = %(world)s),
placed AS (
    SELECT t.quote, count(*) AS orders, sum(o.fee)::bigint AS fee
    FROM own JOIN orders o ON o.account_id = own.id JOIN trading_pairs t USING (world, symbol) GROUP BY t.quote
),
earned AS (
    SELECT p.pnl_currency AS quote, sum(p.realized_pnl) AS realized, sum(coalesce(p.unrealized_pnl, 0)) AS unrealized
    FROM own JOIN v_positions p ON p.account_id = own.id GROUP BY p.pnl_currency
)
SELECT a.code AS currency, p.orders, coalesce(e.realized, as_decimal(0, a.scale)) AS realized_pnl,
    coalesce(e.unrealized, as_decimal(0, a.scale)) AS unrealized_pnl, as_decimal(p.fee, a.scale) AS fees
FROM placed p JOIN assets a ON a.code = p.quote LEFT JOIN earned e USING (quote) ORDER BY a.code
"""

_SYMBOLS: Final = """
WITH placed AS (
    SELECT symbol, count(*) AS orders, sum(filled_quantity) AS filled
    FROM orders WHERE world = %(world)s GROUP BY symbol
),
earned AS (SELECT symbol, sum(realised) AS realised FROM positions WHERE world = %(world)s GROUP BY symbol),
listed AS (
    SELECT symbol, quote, base_scale, quote_scale,
        ('1e-' || base_scale)::numeric AS base_atom, ('1e-' || quote_scale)::numeric AS quote_atom
    FROM trading_pairs WHERE world = %(world)s
)
SELECT l.symbol, l.quote AS currency, p.orders, round(p.filled * l.base_atom, l.base_scale) AS filled_quantity,
    round(coalesce(e.realised, 0) * l.quote_atom, l.quote_scale) AS realized_pnl,
    round(coalesce(e.realised, 0) * l.quote_atom / p.orders, l.quote_scale) AS average_pnl
FROM placed p JOIN listed l USING (symbol) LEFT JOIN earned e USING (symbol)
ORDER BY l.symbol LIMIT %(limit)s
"""

_LEADERS: Final = """
WITH asset AS (SELECT scale, ('1e-' || scale)::numeric AS atom FROM assets WHERE code = %(currency)s),
market AS (SELECT world, symbol FROM trading_pairs WHERE world = %(world)s AND quote = %(currency)s),
placed AS (
    SELECT a.user_id, count(*) AS orders FROM (
        SELECT o.account_id FROM market JOIN orders o USING (world, symbol)
        UNION ALL SELECT d.account_id FROM market JOIN desk_positions d USING (world, symbol)
    ) each JOIN accounts a ON a.id = each.account_id GROUP BY a.user_id
),
earned AS (
    SELECT a.user_id, sum(each.realised) AS realised FROM (
        SELECT p.account_id, p.realised FROM market JOIN positions p USING (world, symbol)
        UNION ALL SELECT d.account_id, d.realised + d.covered FROM market JOIN desk_positions d USING (world, symbol)
    ) each JOIN accounts a ON a.id = each.account_id GROUP BY a.user_id
)
SELECT u.id::text AS user_id, u.email, coalesce(p.orders, 0) AS orders,
    CASE WHEN p.orders > 0 THEN round(coalesce(e.realised, 0) * asset.atom, asset.scale) END AS realized_pnl
FROM users u CROSS JOIN asset
LEFT JOIN placed p ON p.user_id = u.id::text LEFT JOIN earned e ON e.user_id = u.id::text
ORDER BY realized_pnl DESC NULLS LAST, orders DESC, u.id LIMIT %(limit)s
"""

_WEALTHIEST: Final = """
WITH owned AS (
    SELECT user_id, sum(total) AS total FROM v_balances
    WHERE world = %(world)s AND asset = %(asset)s GROUP BY user_id
)
SELECT u.id::text AS user_id, u.email, u.role, u.status, coalesce(o.total, as_decimal(0, a.scale)) AS balance
FROM users u JOIN assets a ON a.code = %(asset)s LEFT JOIN owned o ON o.user_id = u.id::text
WHERE coalesce(o.total, 0) >= %(least)s::numeric
ORDER BY balance DESC, u.id LIMIT %(limit)s
"""


async def results(connection: PsycopgConnection, world: World, user_id: str) -> list[ResultLine]:
    """A user's total over all orders and positions, for each currency (EXD-24)."""
    return await rows(connection, _RESULTS, {"world": world, "user_id": user_id}, ResultLine)


async def symbols(connection: PsycopgConnection, world: World) -> list[SymbolLine]:
    """Summed quantity, summed and average result, and number of orders of each symbol (EXD-27)."""
    return await rows(connection, _SYMBOLS, {"world": world, "limit": MAX_LINES}, SymbolLine)


async def leaders(connection: PsycopgConnection, world: World, currency: str, limit: int) -> list[LeaderLine]:
    """Every user with number of orders and result, best first, those without orders last (EXD-31, 32).

    A leveraged position counts as an order, and with the loss that its owner had to bear.
    """
    wanted = {"world": world, "currency": currency, "limit": limit}
    return await rows(connection, _LEADERS, wanted, LeaderLine)


async def wealthiest(
    connection: PsycopgConnection, world: World, asset: str, least: str, limit: int
) -> list[WealthLine]:
    """Users who have at least this much of an asset, richest first (EXD-13). ``least`` is plain decimal text."""
    wanted = {"world": world, "asset": asset, "least": least, "limit": limit}
    return await rows(connection, _WEALTHIEST, wanted, WealthLine)
