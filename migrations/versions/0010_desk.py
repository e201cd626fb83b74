"""The dealing desk: its terms, rules, quotes, positions, pending entries, fills, receipts and nights.

Accounts say how they keep positions; those that are there keep them apart and pay for nights, as the engine knows them.
A column that is required and new has a default for as long as it takes to be filled. Ledger entries and holds may have
the desk's reasons; the checks are read over the rows that are there once.

The way back drops the desk's tables, and with them nothing that the journal does not have; it refuses while ledger or
holds name the desk, since what has been posted stays.

Revision: 0010.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WORLDS = "trading demo external"
DIRECTIONS = "long short"
MODES = "isolated cross"
CLOSINGS = (
    "owner netted margin_call stop_out stop_loss trailing_stop take_profit house instrument_closed"  # and "", as NULL
)
LEVELS = "price amount percent"
POLICIES = "largest_loss smallest_step close_all"
QUOTED = "bid > 0 AND bid <= ask"
POSTINGS = "deposit withdrawal trade fee transfer adjustment demo_grant"
DESK_POSTINGS = "desk_result loss_cover financing premium insurance"
HOLDS = "order withdrawal system"


def code(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=nullable)


def numbers(name: str) -> sa.Column[list[int]]:
    return sa.Column(name, ARRAY(sa.BigInteger()), nullable=False)


def small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def listed(words_: str) -> str:
    return ", ".join(f"'{each}'" for each in words_.split())


def one_of(table: str, column: str, words_: str) -> sa.CheckConstraint:
    return check(table, column, f"{column} IN ({listed(words_)})")


def upgrade() -> None:
    widen_accounts()
    allow("ledger_entries", f"{POSTINGS} {DESK_POSTINGS}")
    allow("balance_holds", f"{HOLDS} margin")
    create_rules()
    create_quotes()
    create_positions()
    create_entries()
    create_fills()
    create_receipts()


def widen_accounts() -> None:
    op.add_column(
        "accounts", sa.Column("position_mode", sa.Text(collation="C"), nullable=False, server_default="hedging")
    )
    op.add_column("accounts", sa.Column("is_swap_free", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in ("position_mode", "is_swap_free"):
        op.alter_column("accounts", column, server_default=None)
    op.create_check_constraint(
        op.f("accounts_position_mode_check"), "accounts", "position_mode IN ('hedging', 'netting')"
    )


def allow(table: str, reasons: str) -> None:
    """The words that ``reason`` may be."""
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_reason_check, "
        f"ADD CONSTRAINT {table}_reason_check CHECK (reason IN ({listed(reasons)}))"
    )


def create_rules() -> None:
    op.create_table(
        "desk_terms",
        code("world"),
        code("symbol"),
        flag("is_dealt"),
        number("min_quantity"),
        number("max_quantity"),
        number("max_net_quantity", nullable=True),
        small("long_financing_ppm"),
        small("short_financing_ppm"),
        sa.Column("triple_weekday", sa.SmallInteger(), nullable=True),
        small("guarantee_ppm"),
        small("guarantee_distance_ppm"),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("world", "symbol", name="desk_terms_pkey"),
        one_of("desk_terms", "world", WORLDS),
        check("desk_terms", "quantities", "0 < min_quantity AND min_quantity <= max_quantity"),
        check("desk_terms", "triple_weekday", "triple_weekday BETWEEN 0 AND 6"),
    )
    op.create_table(
        "desk_rules",
        code("world"),
        number("max_quote_age_ns"),
        small("margin_call_ppm"),
        small("loss_warning_ppm"),
        small("warning_level_ppm"),
        small("stop_out_level_ppm"),
        code("stop_out_policy"),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("world", name="desk_rules_pkey"),
        one_of("desk_rules", "world", WORLDS),
        one_of("desk_rules", "stop_out_policy", POLICIES),
    )
    op.create_table(
        "desk_rollovers",
        code("world"),
        sa.Column("day", sa.Date(), nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("world", "day", name="desk_rollovers_pkey"),
        one_of("desk_rollovers", "world", WORLDS),
    )


def create_quotes() -> None:
    op.create_table(
        "desk_quotes",
        code("world"),
        code("symbol"),
        number("bid"),
        number("ask"),
        moment("received_at"),
        code("source"),
        number("source_price"),
        number("tick_id"),
        small("markup_ppm"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("world", "symbol", name="desk_quotes_pkey"),
        one_of("desk_quotes", "world", WORLDS),
        check("desk_quotes", "prices", QUOTED),
        postgresql_with={"fillfactor": "70"},
    )


def create_positions() -> None:
    op.create_table(
        "desk_positions",
        number("id"),
        moment("opened_at"),
        number("account_id"),
        code("world"),
        code("symbol"),
        code("direction"),
        code("mode"),
        small("leverage"),
        small("margin_call_ppm"),
        small("loss_warning_ppm"),
        number("entry_id", nullable=True),
        number("quantity"),
        number("entry_notional"),
        number("margin"),
        number("settled"),
        number("stop_loss", nullable=True),
        number("take_profit", nullable=True),
        number("trailing_distance", nullable=True),
        flag("is_guaranteed"),
        flag("is_warned"),
        number("realised"),
        number("covered"),
        number("financing"),
        number("premium"),
        number("opened_quantity"),
        number("opened_notional"),
        number("closed_notional"),
        code("close_reason", nullable=True),
        number("seq"),
        moment("updated_at"),
        moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "opened_at", name="desk_positions_pkey"),
        one_of("desk_positions", "world", WORLDS),
        one_of("desk_positions", "direction", DIRECTIONS),
        one_of("desk_positions", "mode", MODES),
        one_of("desk_positions", "close_reason", CLOSINGS),
        check("desk_positions", "quantity", "quantity >= 0 AND (quantity = 0) = (closed_at IS NOT NULL)"),
        postgresql_partition_by="RANGE (opened_at)",
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index("idx_desk_positions_account_id_opened_at", "desk_positions", ["account_id", "opened_at"])
    op.create_index("idx_desk_positions_open", "desk_positions", ["account_id", "symbol"], postgresql_where=is_open)
    op.create_index("idx_desk_positions_exposed", "desk_positions", ["world", "symbol"], postgresql_where=is_open)


def create_entries() -> None:
    op.create_table(
        "desk_entries",
        number("id"),
        moment("created_at"),
        number("account_id"),
        code("world"),
        code("symbol"),
        code("direction"),
        code("kind"),
        code("mode"),
        small("leverage"),
        number("quantity"),
        number("trigger_price"),
        code("stop_kind", nullable=True),
        number("stop_value", nullable=True),
        code("take_kind", nullable=True),
        number("take_value", nullable=True),
        code("trail_kind", nullable=True),
        number("trail_value", nullable=True),
        flag("is_guaranteed"),
        moment("expires_at", nullable=True),
        code("state"),
        words("reason", nullable=True),
        number("position_id", nullable=True),
        number("seq"),
        moment("updated_at"),
        moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "created_at", name="desk_entries_pkey"),
        one_of("desk_entries", "world", WORLDS),
        one_of("desk_entries", "direction", DIRECTIONS),
        one_of("desk_entries", "kind", "limit stop"),
        one_of("desk_entries", "mode", MODES),
        one_of("desk_entries", "state", "pending filled cancelled expired rejected"),
        one_of("desk_entries", "stop_kind", LEVELS),
        one_of("desk_entries", "take_kind", LEVELS),
        one_of("desk_entries", "trail_kind", LEVELS),
        check("desk_entries", "closed_at", "(state = 'pending') = (closed_at IS NULL)"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_desk_entries_account_id_created_at", "desk_entries", ["account_id", "created_at"])
    op.create_index(
        "idx_desk_entries_open",
        "desk_entries",
        ["account_id", "symbol"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def create_fills() -> None:
    op.create_table(
        "desk_fills",
        number("id"),
        moment("created_at"),
        number("position_id"),
        number("account_id"),
        code("world"),
        code("symbol"),
        code("direction"),
        flag("is_open"),
        number("quantity"),
        number("price"),
        number("notional"),
        number("margin"),
        number("result"),
        number("covered"),
        code("close_reason", nullable=True),
        number("stop_out_id", nullable=True),
        number("bid"),
        number("ask"),
        code("source"),
        number("source_price"),
        number("tick_id"),
        small("markup_ppm"),
        moment("received_at"),
        number("age_ns"),
        number("seq"),
        sa.PrimaryKeyConstraint("id", "created_at", name="desk_fills_pkey"),
        one_of("desk_fills", "world", WORLDS),
        one_of("desk_fills", "direction", DIRECTIONS),
        one_of("desk_fills", "close_reason", CLOSINGS),
        check("desk_fills", "amounts", "price > 0 AND quantity > 0 AND notional > 0"),
        check("desk_fills", "close_reason_there", "is_open = (close_reason IS NULL)"),
        check("desk_fills", "prices", QUOTED),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_desk_fills_position_id_created_at", "desk_fills", ["position_id", "created_at"])
    op.create_index("idx_desk_fills_account_id_created_at", "desk_fills", ["account_id", "created_at"])


def create_receipts() -> None:
    op.create_table(
        "stop_outs",
        number("id"),
        moment("created_at"),
        number("account_id"),
        code("world"),
        code("policy"),
        code("symbol"),
        number("bid"),
        number("ask"),
        number("equity_before"),
        number("margin_before"),
        number("equity_after"),
        number("margin_after"),
        numbers("positions"),
        numbers("entries"),
        number("insurance_paid"),
        number("desk_paid"),
        number("seq"),
        sa.PrimaryKeyConstraint("id", "created_at", name="stop_outs_pkey"),
        one_of("stop_outs", "world", WORLDS),
        one_of("stop_outs", "policy", f"{POLICIES} isolated"),
        check("stop_outs", "paid", "insurance_paid >= 0 AND desk_paid >= 0"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_stop_outs_account_id_created_at", "stop_outs", ["account_id", "created_at"])


def downgrade() -> None:
    allow("balance_holds", HOLDS)
    allow("ledger_entries", POSTINGS)
    for table in (
        *("stop_outs", "desk_fills", "desk_entries", "desk_positions"),
        *("desk_quotes", "desk_rollovers", "desk_rules", "desk_terms"),
    ):
        op.drop_table(table)
    for column in ("is_swap_free", "position_mode"):
        op.drop_column("accounts", column)
