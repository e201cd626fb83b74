"""Two recorders that begin a series at the same moment: the second one waits and sees the first one's head.

Before, both found no head, and what was missing between their first ticks was never ledgered.

Revision: 0003.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The caller is fondaco.market.gaps. A head that is new is made first: whoever makes the same one waits for that, and
# then finds it among the old ones. Every step goes in key order, so that recorders cannot deadlock.
MOVE_TICK_HEADS = """
CREATE OR REPLACE FUNCTION move_tick_heads(newest tick_heads[]) RETURNS SETOF tick_heads LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    made tick_heads[];
BEGIN
    WITH first AS (
        INSERT INTO tick_heads SELECT * FROM unnest(newest) ORDER BY source, symbol ON CONFLICT DO NOTHING RETURNING *
    ) SELECT coalesce(array_agg(ROW(first.*)::tick_heads), '{}') INTO made FROM first;
    RETURN QUERY
    SELECT h.* FROM tick_heads h JOIN unnest(newest) AS n USING (source, symbol)
    WHERE NOT EXISTS (SELECT FROM unnest(made) AS m WHERE m.source = h.source AND m.symbol = h.symbol)
    ORDER BY 1, 2 FOR UPDATE OF h;
    UPDATE tick_heads AS h SET trade_id = n.trade_id, time = n.time FROM unnest(newest) AS n
    WHERE h.source = n.source AND h.symbol = n.symbol AND n.trade_id > h.trade_id;
END $$
"""

BEFORE = """
CREATE OR REPLACE FUNCTION move_tick_heads(newest tick_heads[]) RETURNS SETOF tick_heads LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT h.* FROM tick_heads h JOIN unnest(newest) AS n USING (source, symbol) ORDER BY 1, 2 FOR UPDATE OF h;
    INSERT INTO tick_heads AS h SELECT * FROM unnest(newest)
    ON CONFLICT (source, symbol) DO UPDATE SET trade_id = excluded.trade_id, time = excluded.time
    WHERE excluded.trade_id > h.trade_id;
END $$
"""


def upgrade() -> None:
    op.execute(MOVE_TICK_HEADS)


def downgrade() -> None:
    op.execute(BEFORE)
