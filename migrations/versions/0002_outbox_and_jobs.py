"""The outbox, and procrastinate's tables in a schema of their own.

Revision: 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fondaco.infra.jobs import SCHEMA, schema_statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PROCRASTINATE = "03.04.00_50_post_add_retry_failed_job_procedure"
"""The last of procrastinate's own migrations that is applied here; a later one needs a migration of ours."""


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dead')", name=op.f("outbox_state_check")),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("outbox_sent_at_check")),
    )
    op.create_index(
        "idx_outbox_waiting", "outbox", ["topic", "key", "id"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index("idx_outbox_sent_at", "outbox", ["sent_at"], postgresql_where=sa.text("state = 'sent'"))
    create_procrastinate()


def create_procrastinate() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    # The driver itself: many statements in one text, with percent signs and colons that are no parameters.
    connection.execute(schema_statements(up_to=PROCRASTINATE))


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    op.drop_table("outbox")
