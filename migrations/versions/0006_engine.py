"""The engine: journal, leases, snapshots, watermarks, the read models; and users.

Revision: 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORLDS = "trading demo external"
CLOSE_REASONS = (
    "cancelled_by_owner cancelled_by_house immediate_rest self_trade time_passed nothing_to_sell would_take "
    "not_fillable too_many_touched instrument_closed book_full"
)

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a wrong entry is corrected by the next', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""

# Row triggers of a partitioned table hold in every partition; that of TRUNCATE holds where it stands.
APPEND_ONLY = (
    """
    CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def code(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=nullable)


def small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def short(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def data(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def one_of(table: str, column: str, listed: str) -> sa.CheckConstraint:
    values = ", ".join(f"'{each}'" for each in listed.split())
    return check(table, column, f"{column} IN ({values})")


def upgrade() -> None:
    create_users()
    create_journal()
    create_snapshots()
    create_listings()
    create_accounts()
    create_ledger()
    create_orders()
    create_trades()
    create_risk()
    for table in ("journal", "snapshot_parts"):
        # What is compressed already gains nothing by it, and trying tripled the time of a commit.
        op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")
    op.execute(REFUSE_CHANGE)
    for statement in APPEND_ONLY:
        op.execute(statement)


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        words("email"),
        code("role"),
        code("status"),
        now("created_at"),
        now("updated_at"),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("email", name="users_email_unique"),
        check("users", "email", "email = lower(email)"),
        one_of("users", "role", "user market_maker admin superadmin"),
        one_of("users", "status", "active suspended banned disabled"),
    )


def create_journal() -> None:
    op.create_table(
        "journal",
        number("batch_no"),
        number("first_seq"),
        number("last_seq"),
        number("epoch"),
        short("codec"),
        small("rules_version"),
        number("last_ns"),
        data("chain_hash"),
        data("body"),
        moment("written_at"),
        sa.PrimaryKeyConstraint("batch_no", name="journal_pkey"),
        check("journal", "batch_no", "batch_no > 0"),
        check("journal", "chain_hash", "octet_length(chain_hash) = 32"),
        check("journal", "order", "last_seq >= first_seq AND first_seq > 0"),
    )
    op.create_table(
        "leases",
        words("name"),
        number("epoch"),
        words("holder"),
        words("address"),
        small("backend_pid"),
        moment("heartbeat_at"),
        sa.PrimaryKeyConstraint("name", name="leases_pkey"),
    )
    op.create_table(
        "watermarks",
        words("name"),
        number("batch_no"),
        number("seq"),
        data("chain_hash"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("name", name="watermarks_pkey"),
        check("watermarks", "chain_hash", "octet_length(chain_hash) = 32"),
    )


def create_snapshots() -> None:
    op.create_table(
        "snapshots",
        number("batch_no"),
        number("seq"),
        data("chain_hash"),
        data("state_hash"),
        short("codec"),
        small("rules_version"),
        number("byte_count"),
        moment("created_at"),
        sa.PrimaryKeyConstraint("batch_no", name="snapshots_pkey"),
        check("snapshots", "chain_hash", "octet_length(chain_hash) = 32"),
        check("snapshots", "state_hash", "octet_length(state_hash) = 32"),
    )
    op.create_table(
        "snapshot_parts",
        number("batch_no"),
        small("part_no"),
        data("body"),
        sa.PrimaryKeyConstraint("batch_no", "part_no", name="snapshot_parts_pkey"),
        check("snapshot_parts", "part_no", "part_no >= 0"),
    )


def create_listings() -> None:
    op.create_table(
        "assets",
        code("code"),
        short("scale"),
        moment("created_at"),
        sa.PrimaryKeyConstraint("code", name="assets_pkey"),
        check("assets", "scale", "scale BETWEEN 0 AND 18"),
    )
    op.create_table(
        "exchanges",
        code("name"),
        words("api_url", nullable=True),
        words("websocket_url", nullable=True),
        flag("active"),
        moment("created_at"),
        sa.PrimaryKeyConstraint("name", name="exchanges_pkey"),
    )
    op.create_table(
        "trading_pairs",
        code("world"),
        code("symbol"),
        code("exchange"),
        code("base"),
        code("quote"),
        short("base_scale"),
        short("quote_scale"),
        number("tick"),
        number("lot"),
        number("max_price"),
        number("max_quantity"),
        number("max_open_orders"),
        small("maker_ppm"),
        small("taker_ppm"),
        small("band_ppm"),
        small("max_leverage"),
        small("breaker_move_ppm"),
        number("breaker_window_ns"),
        number("breaker_pause_ns"),
        code("self_trade_scope"),
        flag("active"),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("world", "symbol", name="trading_pairs_pkey"),
        one_of("trading_pairs", "self_trade_scope", "user account"),
        check("trading_pairs", "steps", "tick > 0 AND lot > 0"),
        one_of("trading_pairs", "world", WORLDS),
    )


def create_accounts() -> None:
    op.create_table(
        "accounts",
        number("id"),
        code("user_id"),
        code("world"),
        code("kind"),
        code("currency"),
        code("status"),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name="accounts_pkey"),
        one_of("accounts", "kind", "spot margin house"),
        one_of("accounts", "status", "active frozen closed"),
        one_of("accounts", "world", WORLDS),
    )
    op.create_index("idx_accounts_user_id", "accounts", ["user_id"])
    op.create_table(
        "balances",
        number("account_id"),
        code("asset"),
        number("available"),
        number("held"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("account_id", "asset", name="balances_pkey"),
        check("balances", "held", "held >= 0"),
        postgresql_with={"fillfactor": "70"},
    )


def create_ledger() -> None:
    op.create_table(
        "balance_holds",
        number("id"),
        moment("created_at"),
        number("account_id"),
        code("asset"),
        number("amount"),
        code("reason"),
        words("note", nullable=True),
        moment("released_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "created_at", name="balance_holds_pkey"),
        check("balance_holds", "amount", "amount >= 0 AND (amount = 0) = (released_at IS NOT NULL)"),
        one_of("balance_holds", "reason", "order withdrawal system"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index(
        "idx_balance_holds_open",
        "balance_holds",
        ["account_id", "asset"],
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "ledger_entries",
        number("id"),
        moment("created_at"),
        number("account_id"),
        code("asset"),
        code("type"),
        number("amount"),
        number("balance_after"),
        code("reason"),
        number("reference"),
        code("symbol", nullable=True),
        sa.PrimaryKeyConstraint("id", "created_at", name="ledger_entries_pkey"),
        check("ledger_entries", "amount", "amount > 0"),
        one_of("ledger_entries", "reason", "deposit withdrawal trade fee transfer adjustment demo_grant"),
        one_of("ledger_entries", "type", "debit credit"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_ledger_entries_account_id_created_at", "ledger_entries", ["account_id", "created_at"])


def create_orders() -> None:
    op.create_table(
        "orders",
        number("id"),
        moment("created_at"),
        number("account_id"),
        code("world"),
        code("symbol"),
        code("client_order_id", nullable=True),
        code("side"),
        code("type"),
        code("time_in_force"),
        flag("post_only"),
        code("self_trade"),
        number("trigger_price", nullable=True),
        number("quote_quantity", nullable=True),
        moment("expires_at", nullable=True),
        small("maker_ppm"),
        small("taker_ppm"),
        number("accepted_seq"),
        number("price", nullable=True),
        number("quantity"),
        number("open_quantity"),
        number("filled_quantity"),
        number("filled_notional"),
        number("fee"),
        number("priority_seq"),
        number("seq"),
        moment("updated_at"),
        code("state"),
        code("close_reason", nullable=True),
        moment("filled_at", nullable=True),
        moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "created_at", name="orders_pkey"),
        one_of("orders", "close_reason", CLOSE_REASONS),
        check("orders", "filled_quantity", "filled_quantity BETWEEN 0 AND quantity"),
        one_of("orders", "self_trade", "allow expire_taker expire_maker expire_both decrement"),
        one_of("orders", "side", "buy sell"),
        one_of("orders", "state", "pending open partially_filled filled cancelled rejected expired"),
        one_of("orders", "time_in_force", "gtc ioc fok gtd"),
        one_of("orders", "type", "market limit stop stop_limit take_profit stop_loss"),
        one_of("orders", "world", WORLDS),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_orders_account_id_created_at", "orders", ["account_id", "created_at"])
    op.create_index(
        "idx_orders_open", "orders", ["account_id", "symbol"], postgresql_where=sa.text("closed_at IS NULL")
    )


def create_trades() -> None:
    op.create_table(
        "trades",
        code("world"),
        code("symbol"),
        number("id"),
        moment("created_at"),
        number("price"),
        number("quantity"),
        number("notional"),
        number("buy_order_id"),
        number("sell_order_id"),
        number("buyer_account_id"),
        number("seller_account_id"),
        number("buyer_fee"),
        number("seller_fee"),
        number("seller_realised"),
        code("taker_side"),
        number("seq"),
        sa.PrimaryKeyConstraint("world", "symbol", "id", "created_at", name="trades_pkey"),
        check("trades", "amounts", "price > 0 AND quantity > 0 AND notional > 0"),
        one_of("trades", "taker_side", "buy sell"),
        one_of("trades", "world", WORLDS),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("idx_trades_buyer_account_id_created_at", "trades", ["buyer_account_id", "created_at"])
    op.create_index("idx_trades_seller_account_id_created_at", "trades", ["seller_account_id", "created_at"])
    op.create_table(
        "positions",
        number("id"),
        number("account_id"),
        code("world"),
        code("symbol"),
        code("direction"),
        number("quantity"),
        number("cost"),
        number("realised"),
        moment("opened_at"),
        moment("updated_at"),
        moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="positions_pkey"),
        one_of("positions", "direction", "long short"),
        check("positions", "quantity", "quantity >= 0 AND (quantity = 0) = (closed_at IS NOT NULL)"),
        one_of("positions", "world", WORLDS),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("idx_positions_account_id_opened_at", "positions", ["account_id", "opened_at"])
    op.create_index(
        "idx_positions_open", "positions", ["account_id", "symbol"], postgresql_where=sa.text("closed_at IS NULL")
    )


def create_risk() -> None:
    op.create_table(
        "risk_limits",
        code("world"),
        code("scope"),
        code("subject"),
        code("name"),
        code("about"),
        number("value", nullable=True),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("world", "scope", "subject", "name", "about", name="risk_limits_pkey"),
        one_of("risk_limits", "name", "max_open_orders max_order_value max_position max_daily_volume max_leverage"),
        one_of("risk_limits", "scope", "account user symbol platform"),
        check("risk_limits", "value", "value >= 0"),
        one_of("risk_limits", "world", WORLDS),
    )
    op.create_table(
        "circuit_breakers",
        number("id"),
        code("world"),
        code("symbol", nullable=True),
        words("reason"),
        words("activated_by", nullable=True),
        moment("activated_at"),
        moment("until", nullable=True),
        moment("deactivated_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="circuit_breakers_pkey"),
        one_of("circuit_breakers", "world", WORLDS),
    )
    op.create_index(
        "idx_circuit_breakers_active",
        "circuit_breakers",
        ["world", "symbol"],
        postgresql_where=sa.text("deactivated_at IS NULL"),
    )
    op.create_table(
        "risk_alerts",
        number("id"),
        code("severity"),
        words("kind"),
        words("message"),
        words("entity_type"),
        words("entity_id"),
        moment("created_at"),
        moment("acknowledged_at", nullable=True),
        words("acknowledged_by", nullable=True),
        sa.PrimaryKeyConstraint("id", name="risk_alerts_pkey"),
        check("risk_alerts", "acknowledged", "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)"),
        one_of("risk_alerts", "severity", "low medium high critical"),
    )
    op.create_index(
        "idx_risk_alerts_open", "risk_alerts", ["created_at"], postgresql_where=sa.text("acknowledged_at IS NULL")
    )


def downgrade() -> None:
    for table in (
        *("risk_alerts", "circuit_breakers", "risk_limits", "positions", "trades", "orders", "ledger_entries"),
        *("balance_holds", "balances", "accounts", "trading_pairs", "exchanges", "assets"),
        *("watermarks", "snapshot_parts", "snapshots", "leases", "journal", "users"),
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change")
