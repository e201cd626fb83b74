"""Market data: ticks (partitioned by week), candles, prices, gaps, quarantine and the current feeds.

Revision: 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SOURCES = "source IN ('binance', 'replay', 'simulated', 'house')"
TIMEFRAMES = "timeframe IN ('1m', '2m', '5m', '10m', '15m', '1h', '4h', '1d', '1w')"


def code(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def atoms(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def total(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric(), nullable=False)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


# Functions, because a session keeps the plans of their statements: that is worth a millisecond of every batch, and
# unlike a prepared statement it works through a transaction-mode pooler. Their callers are fondaco.market.candles and
# .gaps.
MERGE_CANDLES = """
CREATE FUNCTION merge_candles(added candles[]) RETURNS SETOF candles LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    INSERT INTO candles AS c SELECT * FROM unnest(added)
    ON CONFLICT (source, symbol, timeframe, open_time) DO UPDATE SET
        open = CASE WHEN (excluded.first_time, excluded.first_trade_id) < (c.first_time, c.first_trade_id)
            THEN excluded.open ELSE c.open END,
        high = greatest(c.high, excluded.high),
        low = least(c.low, excluded.low),
        close = CASE WHEN (excluded.last_time, excluded.last_trade_id) > (c.last_time, c.last_trade_id)
            THEN excluded.close ELSE c.close END,
        volume = c.volume + excluded.volume,
        quote_volume = c.quote_volume + excluded.quote_volume,
        taker_volume = c.taker_volume + excluded.taker_volume,
        taker_quote_volume = c.taker_quote_volume + excluded.taker_quote_volume,
        trades = c.trades + excluded.trades,
        first_trade_id = CASE WHEN (excluded.first_time, excluded.first_trade_id) < (c.first_time, c.first_trade_id)
            THEN excluded.first_trade_id ELSE c.first_trade_id END,
        first_time = least(c.first_time, excluded.first_time),
        last_trade_id = CASE WHEN (excluded.last_time, excluded.last_trade_id) > (c.last_time, c.last_trade_id)
            THEN excluded.last_trade_id ELSE c.last_trade_id END,
        last_time = greatest(c.last_time, excluded.last_time)
    RETURNING c.*;
END $$
"""

MOVE_TICK_HEADS = """
CREATE FUNCTION move_tick_heads(newest tick_heads[]) RETURNS SETOF tick_heads LANGUAGE plpgsql AS $$
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
    create_ticks()
    create_candles()
    op.execute(MERGE_CANDLES)
    op.execute(MOVE_TICK_HEADS)
    create_prices()
    create_gaps()
    create_feeds()
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), nullable=False),
        code("source"),
        sa.Column("symbol", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        moment("received_at"),
        sa.PrimaryKeyConstraint("id", name="quarantine_pkey"),
    )
    op.create_index("idx_quarantine_received_at", "quarantine", ["received_at"])


def create_ticks() -> None:
    op.create_table(
        "ticks",
        code("source"),
        code("symbol"),
        moment("time"),
        atoms("trade_id"),
        atoms("price"),
        atoms("quantity"),
        sa.Column("buyer_is_maker", sa.Boolean(), nullable=False),
        moment("received_at"),
        sa.PrimaryKeyConstraint("source", "symbol", "time", "trade_id", name="ticks_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("ticks_source_check")),
        postgresql_partition_by="RANGE (time)",
    )
    op.create_index("idx_ticks_time", "ticks", ["time"], postgresql_using="brin")
    op.create_table(
        "tick_heads",
        code("source"),
        code("symbol"),
        atoms("trade_id"),
        moment("time"),
        sa.PrimaryKeyConstraint("source", "symbol", name="tick_heads_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("tick_heads_source_check")),
    )


def create_candles() -> None:
    op.create_table(
        "candles",
        code("source"),
        code("symbol"),
        code("timeframe"),
        moment("open_time"),
        moment("close_time"),
        atoms("open"),
        atoms("high"),
        atoms("low"),
        atoms("close"),
        total("volume"),
        total("quote_volume"),
        total("taker_volume"),
        total("taker_quote_volume"),
        atoms("trades"),
        moment("first_time"),
        atoms("first_trade_id"),
        moment("last_time"),
        atoms("last_trade_id"),
        sa.PrimaryKeyConstraint("source", "symbol", "timeframe", "open_time", name="candles_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("candles_source_check")),
        sa.CheckConstraint(TIMEFRAMES, name=op.f("candles_timeframe_check")),
        postgresql_with={"fillfactor": "70"},
    )


def create_prices() -> None:
    op.create_table(
        "prices",
        code("source"),
        code("symbol"),
        moment("timestamp"),
        atoms("last"),
        atoms("bid"),
        atoms("ask"),
        atoms("mid"),
        atoms("spread"),
        total("volume"),
        total("volume_24h"),
        atoms("high_24h"),
        atoms("low_24h"),
        atoms("change_24h"),
        sa.Column("change_percent_24h", sa.Numeric(10, 4), nullable=False),
        sa.PrimaryKeyConstraint("source", "symbol", "timestamp", name="prices_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("prices_source_check")),
        sa.CheckConstraint("spread = ask - bid", name=op.f("prices_spread_check")),
    )


def create_gaps() -> None:
    op.create_table(
        "gaps",
        code("source"),
        code("symbol"),
        atoms("after_trade_id"),
        atoms("before_trade_id"),
        atoms("missing"),
        moment("from_time"),
        moment("to_time"),
        moment("detected_at"),
        moment("filled_at", nullable=True),
        sa.PrimaryKeyConstraint("source", "symbol", "after_trade_id", name="gaps_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("gaps_source_check")),
        sa.CheckConstraint("before_trade_id > after_trade_id + 1", name=op.f("gaps_order_check")),
    )
    op.create_index(
        "idx_gaps_open", "gaps", ["source", "symbol", "from_time"], postgresql_where=sa.text("filled_at IS NULL")
    )


def create_feeds() -> None:
    now = sa.text("now()")
    op.create_table(
        "market_feeds",
        code("symbol"),
        code("source"),
        sa.Column("label", sa.Text(), nullable=False),
        moment("since"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="market_feeds_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("market_feeds_source_check")),
    )
    op.create_table(
        "feed_anchors",
        code("source"),
        code("symbol"),
        moment("anchor_time"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("source", "symbol", name="feed_anchors_pkey"),
        sa.CheckConstraint(SOURCES, name=op.f("feed_anchors_source_check")),
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION merge_candles")
    op.execute("DROP FUNCTION move_tick_heads")
    for table in ("feed_anchors", "market_feeds", "quarantine", "gaps", "prices", "candles", "tick_heads", "ticks"):
        op.drop_table(table)
