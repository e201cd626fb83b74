"""Readable views of the desk's tables, and what the house is exposed to and has earned at the desk.

Sums of many amounts pass 64 bits, so they are multiplied by an atom's decimal, which is as exact as `as_decimal`.

Revision: 0011.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

VIEWS = {
    # What would be had by closing now, at the desk's latest quote: a guaranteed stop that it has passed holds.
    "v_desk_positions": """
        SELECT p.id, p.account_id, c.user_id, p.world, p.world <> 'trading' AS is_paper, p.symbol,
            p.direction AS side, CASE WHEN p.closed_at IS NULL THEN 'open' ELSE 'closed' END AS status,
            p.mode, p.leverage, as_decimal(p.quantity, t.base_scale) AS quantity,
            as_decimal(p.opened_quantity, t.base_scale) AS opened_quantity,
            as_decimal(p.opened_quantity - p.quantity, t.base_scale) AS closed_quantity,
            round(as_decimal(p.opened_notional, t.quote_scale)
                / nullif(as_decimal(p.opened_quantity, t.base_scale), 0), t.quote_scale) AS average_entry_price,
            round(as_decimal(p.closed_notional, t.quote_scale)
                / nullif(as_decimal(p.opened_quantity - p.quantity, t.base_scale), 0), t.quote_scale)
                AS average_close_price,
            as_decimal(now_at.price, t.quote_scale) AS current_price,
            as_decimal(p.entry_notional, t.quote_scale) AS entry_notional,
            as_decimal(p.margin, t.quote_scale) AS margin,
            as_decimal(p.stop_loss, t.quote_scale) AS stop_loss,
            as_decimal(p.take_profit, t.quote_scale) AS take_profit,
            as_decimal(p.trailing_distance, t.quote_scale) AS trailing_distance, p.is_guaranteed, p.is_warned,
            as_decimal(p.realised, t.quote_scale) AS realized_pnl,
            CASE WHEN p.closed_at IS NULL THEN round(
                CASE p.direction WHEN 'long' THEN 1 ELSE -1 END * (
                    as_decimal(p.quantity, t.base_scale) * as_decimal(now_at.price, t.quote_scale)
                        - as_decimal(p.entry_notional, t.quote_scale)
                ) - as_decimal(p.settled, t.quote_scale),
                t.quote_scale
            ) END AS unrealized_pnl,
            as_decimal(p.covered, t.quote_scale) AS covered, as_decimal(p.financing, t.quote_scale) AS financing,
            as_decimal(p.premium, t.quote_scale) AS premium, t.quote AS pnl_currency, p.close_reason, p.entry_id,
            p.opened_at, p.updated_at, p.closed_at
        FROM desk_positions p JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = p.account_id
        LEFT JOIN desk_quotes q ON (q.world, q.symbol) = (p.world, p.symbol)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN p.closed_at IS NOT NULL THEN NULL
                WHEN p.direction = 'long' THEN greatest(q.bid, CASE WHEN p.is_guaranteed THEN p.stop_loss END)
                ELSE least(q.ask, CASE WHEN p.is_guaranteed THEN p.stop_loss END)
            END AS price
        ) now_at
    """,
    "v_desk_entries": """
        SELECT e.id, e.account_id, c.user_id, e.world, e.world <> 'trading' AS is_paper, e.symbol,
            e.direction AS side, e.kind, e.mode, e.leverage, as_decimal(e.quantity, t.base_scale) AS quantity,
            as_decimal(e.trigger_price, t.quote_scale) AS trigger_price,
            e.stop_kind, as_decimal(e.stop_value, CASE e.stop_kind WHEN 'percent' THEN 4 ELSE t.quote_scale END)
                AS stop_value,
            e.take_kind, as_decimal(e.take_value, CASE e.take_kind WHEN 'percent' THEN 4 ELSE t.quote_scale END)
                AS take_value,
            e.trail_kind, as_decimal(e.trail_value, CASE e.trail_kind WHEN 'percent' THEN 4 ELSE t.quote_scale END)
                AS trail_value,
            e.is_guaranteed, e.state AS status, e.reason, e.position_id, e.created_at, e.updated_at, e.expires_at,
            e.closed_at
        FROM desk_entries e JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = e.account_id
    """,
    "v_desk_fills": """
        SELECT f.id, f.position_id, f.account_id, c.user_id, f.world, f.world <> 'trading' AS is_paper, f.symbol,
            f.direction AS side, f.is_open, as_decimal(f.quantity, t.base_scale) AS quantity,
            as_decimal(f.price, t.quote_scale) AS price, as_decimal(f.notional, t.quote_scale) AS total,
            as_decimal(f.margin, t.quote_scale) AS margin, as_decimal(f.result, t.quote_scale) AS realized_pnl,
            as_decimal(f.covered, t.quote_scale) AS covered, t.quote AS pnl_currency, f.close_reason, f.stop_out_id,
            as_decimal(f.bid, t.quote_scale) AS bid, as_decimal(f.ask, t.quote_scale) AS ask, f.source,
            as_decimal(f.source_price, t.quote_scale) AS source_price, f.tick_id,
            as_decimal(f.markup_ppm, 6) AS markup, f.received_at, as_decimal(f.age_ns, 9) AS age_s, f.created_at
        FROM desk_fills f JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = f.account_id
    """,
    "v_stop_outs": """
        SELECT s.id, s.account_id, c.user_id, s.world, s.world <> 'trading' AS is_paper, s.policy, s.symbol,
            as_decimal(s.bid, t.quote_scale) AS bid, as_decimal(s.ask, t.quote_scale) AS ask,
            as_decimal(s.equity_before, t.quote_scale) AS equity_before,
            as_decimal(s.margin_before, t.quote_scale) AS margin_before,
            as_decimal(s.equity_after, t.quote_scale) AS equity_after,
            as_decimal(s.margin_after, t.quote_scale) AS margin_after, s.positions, s.entries,
            as_decimal(s.insurance_paid, t.quote_scale) AS insurance_paid,
            as_decimal(s.desk_paid, t.quote_scale) AS desk_paid, t.quote AS currency, s.created_at
        FROM stop_outs s JOIN trading_pairs t USING (world, symbol) LEFT JOIN accounts c ON c.id = s.account_id
    """,
    # What clients hold; the desk is on the other side of it.
    "v_desk_exposure": """
        SELECT o.world, o.symbol, o.positions, round(o.long * t.base_atom, t.base_scale) AS long_quantity,
            round(o.short * t.base_atom, t.base_scale) AS short_quantity,
            round((o.long - o.short) * t.base_atom, t.base_scale) AS net_quantity,
            round(o.long_entry * t.quote_atom, t.quote_scale) AS long_entry_notional,
            round(o.short_entry * t.quote_atom, t.quote_scale) AS short_entry_notional,
            round((o.long_entry + o.short_entry) * t.quote_atom, t.quote_scale) AS entry_notional,
            t.quote AS currency
        FROM (
            SELECT world, symbol, count(*) AS positions,
                coalesce(sum(quantity) FILTER (WHERE direction = 'long'), 0) AS long,
                coalesce(sum(quantity) FILTER (WHERE direction = 'short'), 0) AS short,
                coalesce(sum(entry_notional) FILTER (WHERE direction = 'long'), 0) AS long_entry,
                coalesce(sum(entry_notional) FILTER (WHERE direction = 'short'), 0) AS short_entry
            FROM desk_positions WHERE closed_at IS NULL GROUP BY world, symbol
        ) o JOIN (
            SELECT world, symbol, quote, base_scale, quote_scale,
                ('1e-' || base_scale)::numeric AS base_atom, ('1e-' || quote_scale)::numeric AS quote_atom
            FROM trading_pairs
        ) t USING (world, symbol)
    """,
    # From the house's side: what comes in is positive. A day of the desk is its results, what it covered, and nights.
    "v_desk_profit": """
        SELECT d.world, d.asset, d.day, round(d.results * a.atom, a.scale) AS results,
            round(d.covers * a.atom, a.scale) AS covers, round(d.financing * a.atom, a.scale) AS financing,
            round((d.results + d.covers + d.financing) * a.atom, a.scale) AS profit,
            round(d.premiums * a.atom, a.scale) AS premiums,
            round(d.insurance_covers * a.atom, a.scale) AS insurance_covers,
            round(d.insurance_funding * a.atom, a.scale) AS insurance_funding
        FROM (
            SELECT h.world, e.asset, (e.created_at AT TIME ZONE 'UTC')::date AS day,
                coalesce(sum(s.amount) FILTER (WHERE h.is_desk AND e.reason = 'desk_result'), 0) AS results,
                coalesce(sum(s.amount) FILTER (WHERE h.is_desk AND e.reason = 'loss_cover'), 0) AS covers,
                coalesce(sum(s.amount) FILTER (WHERE h.is_desk AND e.reason = 'financing'), 0) AS financing,
                coalesce(sum(s.amount) FILTER (WHERE NOT h.is_desk AND e.reason = 'premium'), 0) AS premiums,
                coalesce(sum(s.amount) FILTER (WHERE NOT h.is_desk AND e.reason = 'loss_cover'), 0) AS insurance_covers,
                coalesce(sum(s.amount) FILTER (WHERE NOT h.is_desk AND e.reason = 'insurance'), 0) AS insurance_funding
            FROM (
                VALUES (7::bigint, 'trading', true), (8, 'demo', true), (9, 'external', true),
                    (10, 'trading', false), (11, 'demo', false), (12, 'external', false)
            ) h (account_id, world, is_desk)
            JOIN ledger_entries e USING (account_id)
            CROSS JOIN LATERAL (SELECT CASE e.type WHEN 'credit' THEN e.amount ELSE -e.amount END AS amount) s
            GROUP BY 1, 2, 3
        ) d JOIN (SELECT code, scale, ('1e-' || scale)::numeric AS atom FROM assets) a ON a.code = d.asset
    """,
}


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
