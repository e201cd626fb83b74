"""What was done about a gap: attempts, the last problem, and ids that the exchange itself does not have.

Revision: 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Constant defaults: PostgreSQL adds such columns without rewriting the table.
    op.add_column("gaps", sa.Column("absent", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("gaps", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("gaps", sa.Column("tried_at", sa.DateTime(timezone=True)))
    op.add_column("gaps", sa.Column("problem", sa.Text()))
    op.create_check_constraint("absent", "gaps", "absent BETWEEN 0 AND missing")


def downgrade() -> None:
    op.drop_constraint(op.f("gaps_absent_check"), "gaps")
    for name in ("problem", "tried_at", "attempts", "absent"):
        op.drop_column("gaps", name)
