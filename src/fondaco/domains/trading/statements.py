"""The SQL behind the lists of trading: each one statement, on the indexes of its table.

A list is of one account, or of a user's accounts in one world. For each account the newest rows are taken from the
index on account and time, and of those the newest of all: what lies further back is never looked at. Where a page
begins is a row, not a count, so rows that come in shift nothing. A filter that is not given is null, and the planner,
which sees the values, leaves it out.
"""

from typing import Final

_OF_ACCOUNT: Final = "a.id = %(account_id)s"
_OF_USER: Final = "a.user_id = %(user_id)s AND a.world = %(world)s"

_LEDGER: Final = """
SELECT l.* FROM accounts a CROSS JOIN LATERAL (
    SELECT e.id, e.account_id, e.asset, e.type, e.amount, e.balance_after, e.reason, e.reference_id, e.symbol,
        e.created_at
    FROM v_ledger_entries e
    WHERE e.account_id = a.id
        AND (%(asset)s::text IS NULL OR e.asset = %(asset)s)
        AND (%(reason)s::text IS NULL OR e.reason = %(reason)s)
        AND (%(time)s::timestamptz IS NULL OR (e.created_at, e.id) < (%(time)s, %(id)s))
    ORDER BY e.created_at DESC, e.id DESC LIMIT %(limit)s
) l WHERE {whose} ORDER BY l.created_at DESC, l.id DESC LIMIT %(limit)s
"""

_ORDER: Final = """
    o.id AS order_id, o.account_id, o.symbol, o.client_order_id, o.side, o.type, o.status AS state,
    lower(o.time_in_force) AS time_in_force, o.post_only, o.price, o.trigger_price, o.quantity, o.quote_quantity,
    o.open_quantity, o.filled_quantity AS filled, o.average_price, o.fee, o.fee_currency,
    o.close_reason, o.created_at, o.updated_at, o.expires_at, o.filled_at, o.closed_at
"""
_ORDERS: Final = """
SELECT l.* FROM accounts a CROSS JOIN LATERAL (
    SELECT {order} FROM v_orders o
    WHERE o.account_id = a.id
        AND (%(symbol)s::text IS NULL OR o.symbol = %(symbol)s)
        AND (%(state)s::text IS NULL OR o.status = %(state)s)
        AND (%(is_open)s::boolean IS NULL OR (o.closed_at IS NULL) = %(is_open)s)
        AND (%(time)s::timestamptz IS NULL OR (o.created_at, o.id) < (%(time)s, %(id)s))
    ORDER BY o.created_at DESC, o.id DESC LIMIT %(limit)s
) l WHERE {whose} ORDER BY l.created_at DESC, l.order_id DESC LIMIT %(limit)s
"""

_SIDE: Final = """(
    SELECT t.id AS trade_id, a.id AS account_id, t.symbol, t.{side}_order_id AS order_id, '{side}' AS side,
        t.taker_side = '{side}' AS is_taker, t.price, t.quantity, t.total, t.{party}_fee AS fee, t.fee_currency,
        {realised} AS realized_pnl, t.created_at
    FROM v_trades t
    WHERE t.{party}_account_id = a.id
        AND (%(symbol)s::text IS NULL OR t.symbol = %(symbol)s)
        AND (%(order_id)s::bigint IS NULL OR t.{side}_order_id = %(order_id)s)
        AND (%(time)s::timestamptz IS NULL
            OR (t.created_at, t.symbol, t.id, '{side}') < (%(time)s, %(after_symbol)s, %(id)s, %(side)s))
    ORDER BY t.created_at DESC, t.symbol DESC, t.id DESC LIMIT %(limit)s
)"""
_TRADES: Final = """
SELECT l.* FROM accounts a CROSS JOIN LATERAL ({buys} UNION ALL {sells}) l
WHERE {whose} ORDER BY l.created_at DESC, l.symbol DESC, l.trade_id DESC, l.side DESC LIMIT %(limit)s
"""

_HOLDINGS: Final = """
SELECT l.* FROM accounts a CROSS JOIN LATERAL (
    SELECT p.id, p.account_id, p.symbol, p.side, p.status, p.quantity, p.cost, p.average_entry_price, p.realized_pnl,
        p.unrealized_pnl, p.pnl_currency, p.opened_at, p.updated_at, p.closed_at
    FROM v_positions p
    WHERE p.account_id = a.id
        AND (%(symbol)s::text IS NULL OR p.symbol = %(symbol)s)
        AND (%(is_open)s::boolean IS NULL OR (p.closed_at IS NULL) = %(is_open)s)
        AND (%(time)s::timestamptz IS NULL OR (p.opened_at, p.id) < (%(time)s, %(id)s))
    ORDER BY p.opened_at DESC, p.id DESC LIMIT %(limit)s
) l WHERE {whose} ORDER BY l.opened_at DESC, l.id DESC LIMIT %(limit)s
"""


def _sides(whose: str) -> str:
    buys = _SIDE.format(side="buy", party="buyer", realised="NULL::numeric")
    sells = _SIDE.format(side="sell", party="seller", realised="t.seller_realized_pnl")
    return _TRADES.format(buys=buys, sells=sells, whose=whose)


LEDGER_OF_ACCOUNT: Final = _LEDGER.format(whose=_OF_ACCOUNT)
LEDGER_OF_USER: Final = _LEDGER.format(whose=_OF_USER)
ORDERS_OF_ACCOUNT: Final = _ORDERS.format(order=_ORDER, whose=_OF_ACCOUNT)
ORDERS_OF_USER: Final = _ORDERS.format(order=_ORDER, whose=_OF_USER)
TRADES_OF_ACCOUNT: Final = _sides(_OF_ACCOUNT)
TRADES_OF_USER: Final = _sides(_OF_USER)
HOLDINGS_OF_ACCOUNT: Final = _HOLDINGS.format(whose=_OF_ACCOUNT)
HOLDINGS_OF_USER: Final = _HOLDINGS.format(whose=_OF_USER)

ORDER: Final = f"SELECT {_ORDER} FROM v_orders o WHERE o.id = %(id)s AND (%(all)s OR o.user_id = %(user_id)s)"  # noqa: S608 - a text of ours
SYMBOL: Final = """
SELECT symbol FROM trading_pairs WHERE world = %(world)s AND symbol IN (%(symbol)s, %(whole)s)
ORDER BY length(symbol) LIMIT 1
"""
_ACCOUNT: Final = """
SELECT id, user_id, world, kind, currency, status, position_mode, is_swap_free AS swap_free, created_at FROM accounts
"""
ACCOUNT: Final = f"{_ACCOUNT} WHERE id = %(id)s"
ACCOUNTS: Final = f"{_ACCOUNT} WHERE user_id = %(user_id)s ORDER BY id"
BALANCES: Final = """
SELECT asset, available, held, total, updated_at FROM v_balances WHERE account_id = %(id)s ORDER BY asset
"""
