"""What a house with TimescaleDB notes beside its ticks: ranges to refresh, and where purges ended.

Every house has the two tables, so that there is one schema; they stay empty on plain PostgreSQL. The function is for
arguments of a CALL, which take no query.

Revision: 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    op.create_table(
        "stale_ranges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        moment("from_time"),
        moment("to_time"),
        moment("noted_at"),
        sa.PrimaryKeyConstraint("id", name="stale_ranges_pkey"),
        sa.CheckConstraint("to_time > from_time", name=op.f("stale_ranges_order_check")),
    )
    op.create_table(
        "tick_purges",
        moment("purged_before"),
        moment("purged_at"),
        sa.PrimaryKeyConstraint("purged_before", name="tick_purges_pkey"),
    )
    op.execute(
        "CREATE FUNCTION purged_before() RETURNS timestamptz LANGUAGE sql STABLE "
        "AS 'SELECT max(purged_before) FROM tick_purges'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION purged_before")
    op.drop_table("tick_purges")
    op.drop_table("stale_ranges")
