"""Reasons for which no order ever ends are no longer among those that a row may name.

Nothing ever wrote them, so no row changes; the check is read over the rows that are there.

Revision: 0008.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REASONS = (
    "cancelled_by_owner cancelled_by_house immediate_rest self_trade time_passed nothing_to_sell too_many_touched "
    "instrument_closed"
)
BEFORE = (
    "cancelled_by_owner cancelled_by_house immediate_rest self_trade time_passed nothing_to_sell would_take "
    "not_fillable too_many_touched instrument_closed book_full"
)


def upgrade() -> None:
    allow(REASONS)


def downgrade() -> None:
    allow(BEFORE)


def allow(reasons: str) -> None:
    """The words that ``close_reason`` may be."""
    listed = ", ".join(f"'{each}'" for each in reasons.split())
    op.execute(
        "ALTER TABLE orders DROP CONSTRAINT orders_close_reason_check, "
        f"ADD CONSTRAINT orders_close_reason_check CHECK (close_reason IN ({listed}))"
    )
