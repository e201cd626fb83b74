"""Readable views of the engine's tables: decimals instead of atoms, and the words of the source systems.

Revision: 0007.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The exact decimal of atoms: dividing by a power of ten would round what has more than sixteen digits.
AS_DECIMAL = """
CREATE FUNCTION as_decimal(atoms bigint, scale integer) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT (atoms::text || 'e-' || scale::text)::numeric $$
"""

VIEWS = {
    "v_trading_pairs": """
        SELECT t.world, t.symbol, t.exchange, t.base, t.quote, t.active,
            as_decimal(t.tick, t.quote_scale) AS price_step, as_decimal(t.lot, t.base_scale) AS quantity_step,
            as_decimal(t.max_price, t.quote_scale) AS max_price,
            as_decimal(t.lot, t.base_scale) AS min_order_size,
            as_decimal(t.max_quantity, t.base_scale) AS max_order_size,
            as_decimal(t.maker_ppm, 6) AS maker_fee, as_decimal(t.taker_ppm, 6) AS taker_fee,
            t.created_at, t.updated_at
        FROM trading_pairs t
    """,
    "v_balances": """
        SELECT b.account_id, c.user_id, c.world, b.asset,
            as_decimal(b.available, a.scale) AS available, as_decimal(b.held, a.scale) AS held,
            as_decimal(b.available + b.held, a.scale) AS total, b.updated_at
        FROM balances b JOIN assets a ON a.code = b.asset LEFT JOIN accounts c ON c.id = b.account_id
    """,
    "v_balance_holds": """
        SELECT h.id, h.account_id, h.asset, as_decimal(h.amount, a.scale) AS amount, h.reason,
            CASE h.reason WHEN 'order' THEN h.id END AS order_id, h.note, h.created_at, h.released_at
        FROM balance_holds h JOIN assets a ON a.code = h.asset
    """,
    "v_ledger_entries": """
        SELECT e.id, e.account_id, e.asset, e.type, as_decimal(e.amount, a.scale) AS amount,
            as_decimal(e.balance_after, a.scale) AS balance_after, e.reason, e.reference AS reference_id, e.symbol,
            e.created_at
        FROM ledger_entries e JOIN assets a ON a.code = e.asset
    """,
    "v_orders": """
        SELECT o.id, o.account_id, c.user_id, o.world, o.world <> 'trading' AS is_paper, o.symbol, o.client_order_id,
            o.side, o.type, o.state AS status, upper(o.time_in_force) AS time_in_force, o.post_only,
            as_decimal(o.price, t.quote_scale) AS price, as_decimal(o.trigger_price, t.quote_scale) AS trigger_price,
            as_decimal(o.quantity, t.base_scale) AS quantity,
            as_decimal(o.quote_quantity, t.quote_scale) AS quote_quantity,
            as_decimal(o.open_quantity, t.base_scale) AS open_quantity,
            as_decimal(o.filled_quantity, t.base_scale) AS filled_quantity,
            round(as_decimal(o.filled_notional, t.quote_scale)
                / nullif(as_decimal(o.filled_quantity, t.base_scale), 0), t.quote_scale) AS average_price,
            as_decimal(o.fee, t.quote_scale) AS fee, t.quote AS fee_currency, o.close_reason,
            o.created_at, o.updated_at, o.expires_at, o.filled_at, o.closed_at
        FROM orders o JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = o.account_id
    """,
    "v_trades": """
        SELECT x.world, x.symbol, x.id, x.world <> 'trading' AS is_paper_trade,
            x.buy_order_id, x.sell_order_id, x.buyer_account_id, x.seller_account_id,
            as_decimal(x.price, t.quote_scale) AS price, as_decimal(x.quantity, t.base_scale) AS quantity,
            as_decimal(x.notional, t.quote_scale) AS total,
            as_decimal(x.buyer_fee, t.quote_scale) AS buyer_fee, as_decimal(x.seller_fee, t.quote_scale) AS seller_fee,
            t.quote AS fee_currency, as_decimal(x.seller_realised, t.quote_scale) AS seller_realized_pnl,
            x.taker_side, x.created_at
        FROM trades x JOIN trading_pairs t USING (world, symbol)
    """,
    "v_positions": """
        SELECT p.id, p.account_id, c.user_id, p.world, p.world <> 'trading' AS is_paper, p.symbol,
            p.direction AS side, CASE WHEN p.closed_at IS NULL THEN 'open' ELSE 'closed' END AS status,
            as_decimal(p.quantity, t.base_scale) AS quantity, as_decimal(p.cost, t.quote_scale) AS cost,
            round(as_decimal(p.cost, t.quote_scale) / nullif(as_decimal(p.quantity, t.base_scale), 0), t.quote_scale)
                AS average_entry_price,
            as_decimal(p.realised, t.quote_scale) AS realized_pnl,
            round(
                as_decimal(p.quantity, t.base_scale) * as_decimal(last.price, t.quote_scale)
                    - as_decimal(p.cost, t.quote_scale),
                t.quote_scale
            ) AS unrealized_pnl,
            t.quote AS pnl_currency, p.opened_at, p.updated_at, p.closed_at
        FROM positions p JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = p.account_id
        LEFT JOIN LATERAL (
            SELECT x.price FROM trades x WHERE (x.world, x.symbol) = (p.world, p.symbol) ORDER BY x.id DESC LIMIT 1
        ) last ON true
    """,
    "v_risk_limits": """
        SELECT l.world, l.scope AS entity_type, nullif(l.subject, '') AS entity_id, l.name AS limit_type,
            nullif(l.about, '') AS about, as_decimal(l.value, coalesce(a.scale, t.base_scale, 0)::integer) AS value,
            l.created_at, l.updated_at
        FROM risk_limits l
        LEFT JOIN assets a ON a.code = l.about AND l.name IN ('max_order_value', 'max_daily_volume')
        LEFT JOIN trading_pairs t ON (t.world, t.symbol) = (l.world, l.about) AND l.name = 'max_position'
    """,
    "v_circuit_breakers": """
        SELECT b.id, b.world, b.symbol, CASE WHEN b.deactivated_at IS NULL THEN 'active' ELSE 'inactive' END AS status,
            b.reason, b.activated_by, b.activated_at, b.until, b.deactivated_at
        FROM circuit_breakers b
    """,
}


def upgrade() -> None:
    op.execute(AS_DECIMAL)
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.execute("DROP FUNCTION as_decimal")
