"""What the engine's tables refuse by themselves, and what their views show people."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    Deposit,
    LiftBreaker,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    SetAccountStatus,
    SetLimit,
    TripBreaker,
)
from fondaco.core.replies import Refused
from fondaco.core.vocabulary import AccountStatus, LimitName, LimitScope, OrderType, World
from fondaco.data.tables import OrderRow, OrderSide, OrderState, PositionRow, TradeRow
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.columns import WrongWordError
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from support.exchange import BTC, ETH, LOT, TICK, Exchange, terms
from support.projected import rows_of
from support.stored import execute


@pytest.fixture
async def exchange(database: Database) -> Exchange:
    """One trade of 0.003 BTC at 1.00 USDT, and what is left of the buy; projected."""
    made = Exchange()
    made.list_markets(BTC)
    buyer, seller = made.open_account("ann", USDT=10**12), made.open_account("bob", BTC=10**12)
    made.order(buyer, Side.BUY, 100, 5)
    made.order(seller, Side.SELL, 100, 3)
    await (await open_projection(database)).write([made.cut()])
    return made


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET amount = amount + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE ledger_entries_202410 SET amount = amount + 1",
        "DELETE FROM ledger_entries_202410",
    ],
)
@pytest.mark.usefixtures("exchange")
async def test_a_ledger_entry_is_never_changed(database: Database, change: str) -> None:
    """BHC-44."""
    before = await rows_of(database, "SELECT t::text FROM ledger_entries t ORDER BY id")
    assert len(before) > 4
    with pytest.raises(IntegrityError, match=r"ledger_entries\w* is append-only"):
        await execute(database, change)
    assert await rows_of(database, "SELECT t::text FROM ledger_entries t ORDER BY id") == before


@pytest.mark.usefixtures("exchange")
async def test_each_posting_stands_twice_with_the_balance_that_results(database: Database) -> None:
    """BHC-43, BHC-45: a fill posts for both parties and both fees."""
    entries = await rows_of(
        database,
        """
        SELECT e.type, a.user_id, e.asset, e.amount, e.balance_after, e.reason FROM ledger_entries e
        LEFT JOIN accounts a ON a.id = e.account_id WHERE e.symbol = 'BTCUSDT' ORDER BY e.id
        """,
    )
    notional, sold = 3_000, 3 * LOT
    assert entries == [
        ("debit", "ann", "USDT", notional, 10**12 - notional, "trade"),
        ("credit", "bob", "USDT", notional, notional, "trade"),
        ("debit", "bob", "BTC", sold, 10**12 - sold, "trade"),
        ("credit", "ann", "BTC", sold, sold, "trade"),
        ("debit", "bob", "USDT", 6, notional - 6, "fee"),
        ("credit", None, "USDT", 6, 6, "fee"),
        ("debit", "ann", "USDT", 3, 10**12 - notional - 3, "fee"),
        ("credit", None, "USDT", 3, 9, "fee"),
    ]


@pytest.mark.parametrize(
    "condition",
    [
        OrderRow.side == "hold",
        OrderRow.symbol == "btc/usdt",
        TradeRow.taker_side == "BUY",
        OrderRow.state.in_(["done"]),
        PositionRow.world == "real",
    ],
)
async def test_a_wrong_word_is_refused_before_it_reaches_the_database(
    database: Database, condition: ColumnElement[bool]
) -> None:
    """EXD-5: sides and symbols too."""
    async with AsyncSession(database.engine) as session:
        with pytest.raises(StatementError) as caught:
            await session.execute(select(func.count()).where(condition))
    assert isinstance(caught.value.orig, WrongWordError)


@pytest.mark.usefixtures("exchange")
async def test_rows_come_back_with_the_members_of_their_enums(database: Database) -> None:
    """EXD-5."""
    async with AsyncSession(database.engine) as session:
        orders = (await session.scalars(select(OrderRow).where(OrderRow.side == OrderSide.BUY))).all()
    assert [(each.side, each.state) for each in orders] == [(OrderSide.BUY, OrderState.PARTIALLY_FILLED)]


@pytest.mark.parametrize("table", ["orders", "trades", "positions", "accounts", "balance_holds", "ledger_entries"])
@pytest.mark.usefixtures("exchange")
async def test_the_database_itself_refuses_a_wrong_word(database: Database, table: str) -> None:
    column = {"balance_holds": "reason", "ledger_entries": "type"}.get(table, "world")
    copied = f'SELECT (jsonb_populate_record(t, \'{{"{column}": "odd"}}\')).* FROM {table} t LIMIT 1'  # noqa: S608 - literals above
    with pytest.raises(IntegrityError, match=f"{table}_{column}_check"):
        await execute(database, f"INSERT INTO {table} {copied}")


@pytest.mark.usefixtures("exchange")
async def test_views_show_decimals_and_the_words_of_the_source_systems(database: Database) -> None:
    """BHC-33, BHC-35, BHC-37, BHC-40, BHC-41, BBX-41."""
    query = "SELECT side, status, time_in_force, price, quantity, filled_quantity, average_price, fee, fee_currency"
    orders = await rows_of(database, f"{query} FROM v_orders ORDER BY id")
    one, five, three = Decimal("1.000000"), Decimal("0.00500000"), Decimal("0.00300000")
    assert orders == [
        ("buy", "partially_filled", "GTC", one, five, three, one, Decimal("0.000003"), "USDT"),
        ("sell", "filled", "GTC", one, three, three, one, Decimal("0.000006"), "USDT"),
    ]
    query = "SELECT id, price, quantity, total, buyer_fee, seller_fee, taker_side, is_paper_trade FROM v_trades"
    total = Decimal("0.003000")
    assert await rows_of(database, query) == [
        (1, one, three, total, Decimal("0.000003"), Decimal("0.000006"), "sell", False)
    ]
    query = "SELECT available, held, total FROM v_balances WHERE user_id = 'ann' AND asset = 'USDT'"
    held = Decimal("0.002004")
    rest = Decimal("1000000.000000") - Decimal("0.003003")
    assert await rows_of(database, query) == [(rest - held, held, rest)]
    query = "SELECT amount, reason, order_id IS NOT NULL FROM v_balance_holds WHERE released_at IS NULL"
    assert await rows_of(database, query) == [(held, "order", True)]
    query = "SELECT side, status, quantity, average_entry_price, realized_pnl, unrealized_pnl FROM v_positions"
    nothing = Decimal("0.000000")
    assert await rows_of(database, query) == [("long", "open", three, one, nothing, nothing)]
    query = (
        "SELECT amount, balance_after FROM v_ledger_entries WHERE asset = 'BTC' AND type = 'credit' AND symbol IS NULL"
    )
    assert await rows_of(database, query) == [(Decimal("10000.00000000"), Decimal("10000.00000000"))]
    query = "SELECT price_step, quantity_step, maker_fee, taker_fee, active FROM v_trading_pairs"
    assert await rows_of(database, query) == [
        (Decimal("0.010000"), Decimal("0.00100000"), Decimal("0.001000"), Decimal("0.002000"), True)
    ]


async def test_a_trade_says_what_its_seller_earned_and_a_position_what_it_is_worth_now(
    database: Database, exchange: Exchange
) -> None:
    """BHC-37, BBX-41."""
    ann, bob = sorted(account for account in exchange.machine.house.accounts)
    exchange.order(bob, Side.SELL, 150, 2)
    exchange.order(ann, Side.BUY, 150, 2)
    exchange.order(bob, Side.BUY, 200, 1)
    exchange.order(ann, Side.SELL, 200, 1)
    await (await open_projection(database)).write([exchange.cut()])
    # Ann bought three for 1.00 and two for 1.50 each, and sold a fifth of that for 2.00.
    query = "SELECT id, price, seller_realized_pnl FROM v_trades ORDER BY id"
    assert [tuple(map(str, row)) for row in await rows_of(database, query)] == [
        ("1", "1.000000", "0.000000"),
        ("2", "1.500000", "0.000000"),
        ("3", "2.000000", "0.000800"),
    ]
    query = "SELECT user_id, quantity, cost, realized_pnl, unrealized_pnl FROM v_positions ORDER BY user_id"
    assert [tuple(map(str, row)) for row in await rows_of(database, query)] == [
        ("ann", "0.00400000", "0.004800", "0.000800", "0.003200"),
        ("bob", "0.00100000", "0.002000", "0.000000", "0.000000"),
    ]


@pytest.mark.parametrize("scale", [0, 8, 18])
@pytest.mark.parametrize("atoms", [0, 1, -1, 2**62, -(2**62), 1_234_567_890_123_456_789])
async def test_the_decimal_of_atoms_is_exact(database: Database, atoms: int, scale: int) -> None:
    ((decimal,),) = await rows_of(database, "SELECT as_decimal(%s::bigint, %s)", atoms, scale)
    assert decimal == Decimal(atoms).scaleb(-scale)


async def test_play_money_and_real_money_never_stand_in_one_sum(database: Database) -> None:
    """BBX-42, BBX-45: every order, trade and position says which it is, and an account is of one kind."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    exchange.do(ListInstrument(terms(BTC, World.DEMO)))
    for world in (World.TRADING, World.DEMO):
        buyer = exchange.open_account(f"{world} ann", world, USDT=10**12)
        seller = exchange.open_account(f"{world} bob", world, BTC=10**12)
        exchange.order(buyer, Side.BUY, 100, 5)
        exchange.order(seller, Side.SELL, 100, 5 if world is World.DEMO else 2)
    await (await open_projection(database)).write([exchange.cut()])
    totals = "SELECT is_paper_trade, sum(quantity) FROM v_trades GROUP BY 1 ORDER BY 1"
    assert await rows_of(database, totals) == [(False, Decimal("0.002")), (True, Decimal("0.005"))]
    mixed = """
        SELECT count(*) FROM trades t JOIN orders o ON o.id IN (t.buy_order_id, t.sell_order_id)
        JOIN accounts a ON a.id = o.account_id WHERE t.world <> o.world OR o.world <> a.world
    """
    assert await rows_of(database, mixed) == [(0,)]


async def test_a_user_has_accounts_in_currencies_for_trading_and_play_that_can_be_frozen(database: Database) -> None:
    """BHC-21."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    first = exchange.open_account("ann")
    exchange.do(OpenAccount("ann", World.DEMO, "BTC"))
    exchange.do(SetAccountStatus(first, AccountStatus.FROZEN))
    await (await open_projection(database)).write([exchange.cut()])
    accounts = await rows_of(database, "SELECT user_id, world, currency, status FROM accounts ORDER BY id")
    assert accounts == [("ann", "trading", "USDT", "frozen"), ("ann", "demo", "BTC", "active")]


async def test_limits_are_rows_and_a_lifted_one_has_no_value(database: Database) -> None:
    """BHC-60: a named quantity, of an account, a user, a symbol or the platform."""
    exchange = Exchange()
    exchange.list_markets(BTC, ETH)
    account = exchange.open_account("ann")
    subjects = ((LimitScope.ACCOUNT, str(account)), (LimitScope.USER, "ann"), (LimitScope.PLATFORM, ""))
    for scope, subject in subjects:
        exchange.do(SetLimit(World.TRADING, scope, subject, LimitName.MAX_ORDER_VALUE, "USDT", 5_000_000))
    exchange.do(SetLimit(World.TRADING, LimitScope.SYMBOL, "BTCUSDT", LimitName.MAX_POSITION, "BTCUSDT", 10**8))
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    exchange.do(SetLimit(World.TRADING, LimitScope.USER, "ann", LimitName.MAX_ORDER_VALUE, "USDT", None))
    await projection.write([exchange.cut()])
    query = "SELECT entity_type, entity_id, limit_type, about, value FROM v_risk_limits ORDER BY 1"
    assert await rows_of(database, query) == [
        ("account", str(account), "max_order_value", "USDT", Decimal("5.000000")),
        ("platform", None, "max_order_value", "USDT", Decimal("5.000000")),
        ("symbol", "BTCUSDT", "max_position", "BTCUSDT", Decimal("1.00000000")),
        ("user", "ann", "max_order_value", "USDT", None),
    ]


async def test_a_breaker_says_why_who_and_when_it_went_on_and_off(database: Database) -> None:
    """BHC-62: of one symbol, or of all."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    exchange.do(TripBreaker(World.TRADING, "BTCUSDT", "a rumour", "ann"))
    exchange.do(TripBreaker(World.TRADING, "", "a storm", "bob"))
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    exchange.pass_time(60 * 10**9)
    exchange.do(LiftBreaker(World.TRADING, "BTCUSDT"))
    await projection.write([exchange.cut()])
    query = """
        SELECT symbol, status, reason, activated_by, deactivated_at - activated_at FROM v_circuit_breakers ORDER BY id
    """
    assert await rows_of(database, query) == [
        ("BTCUSDT", "inactive", "a rumour", "ann", timedelta(minutes=1)),
        (None, "active", "a storm", "bob", None),
    ]


async def test_an_order_beyond_a_limit_leaves_an_alert_and_no_row(database: Database) -> None:
    """BHC-61, BHC-64."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    account = exchange.open_account("ann")
    exchange.do(Deposit(account, "USDT", 10**12))
    exchange.do(SetLimit(World.TRADING, LimitScope.ACCOUNT, str(account), LimitName.MAX_ORDER_VALUE, "USDT", 1))
    refused = exchange.do(
        PlaceOrder(account, "BTCUSDT", Side.BUY, OrderType.LIMIT, LOT, 100 * TICK), account_id=account
    )
    assert isinstance(refused, Refused)
    await (await open_projection(database)).write([exchange.cut()])
    assert await rows_of(database, "SELECT count(*) FROM orders") == [(0,)]
    query = "SELECT severity, kind, message <> '', entity_type, entity_id, acknowledged_at FROM risk_alerts"
    ((severity, kind, has_message, *entity, acknowledged_at),) = await rows_of(database, query)
    assert (severity in {"low", "medium", "high", "critical"}, kind, has_message) == (True, "max_order_value", True)
    assert (entity, acknowledged_at) == (["account", str(account)], None)


async def test_an_email_is_one_users_whatever_its_case(database: Database) -> None:
    """BHC-20, BBX-10."""
    async with AsyncSession(database.engine) as session, session.begin():
        session.add(UserRow(id=new_id(), email="ann@example.org", role=UserRole.USER, status=UserState.ACTIVE))
    for email, broken in (("ann@example.org", "users_email_unique"), ("Ann@example.org", "users_email_check")):
        with pytest.raises(IntegrityError, match=broken):
            async with AsyncSession(database.engine) as session, session.begin():
                session.add(UserRow(id=new_id(), email=email, role=UserRole.USER, status=UserState.ACTIVE))


async def test_bodies_are_stored_as_they_are(database: Database) -> None:
    """What is compressed already gains nothing by it; trying cost more than the commit."""
    query = "SELECT attstorage FROM pg_attribute WHERE attname = 'body' AND attrelid = ANY(%s::regclass[])"
    assert await rows_of(database, query, ["journal", "snapshot_parts"]) == [("e",), ("e",)]
