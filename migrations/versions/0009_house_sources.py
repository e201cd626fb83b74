"""Ticks and candles of the house's own demo market have a source of their own: play money never mixes with real.

A check that allows more is read over the rows that are there once. The way back drops the demo market's rows: they can
be made again from its trades. With TimescaleDB ``candles`` is a view, which has no check.

Revision: 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("candles", "feed_anchors", "gaps", "market_feeds", "prices", "quarantine", "tick_heads", "ticks")
BEFORE = ("binance", "replay", "simulated", "house")
SOURCES = (*BEFORE, "house_demo")
IS_TABLE = "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass(:name)"


def upgrade() -> None:
    for table in tables():
        allow(table, SOURCES)


def downgrade() -> None:
    for table in tables():
        op.execute(f"DELETE FROM {table} WHERE source = 'house_demo'")  # noqa: S608 - a name from above
        allow(table, BEFORE)


def tables() -> list[str]:
    """Those that are tables in this house."""
    connection = op.get_bind()
    return [name for name in TABLES if connection.execute(sa.text(IS_TABLE), {"name": name}).scalar()]


def allow(table: str, sources: tuple[str, ...]) -> None:
    """The words that ``source`` may be."""
    listed = ", ".join(f"'{each}'" for each in sources)
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_source_check, "
        f"ADD CONSTRAINT {table}_source_check CHECK (source IN ({listed}))"
    )
