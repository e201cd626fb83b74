"""What is listed is what the tables have, each row once, whatever comes in meanwhile; for its owner alone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import CancelOrder, Deposit
from fondaco.core.vocabulary import OrderState, World
from fondaco.domains.identity.actors import Actor
from fondaco.domains.identity.tables import UserRole
from fondaco.domains.trading import history, statements
from fondaco.domains.trading.errors import RefusedError
from fondaco.domains.trading.history import (
    EntryFilter,
    EntryPlace,
    HoldingFilter,
    HoldingPlace,
    OrderFilter,
    OrderPlace,
    TradeFilter,
    TradePlace,
    Whose,
)
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.cursors import Place, from_cursor
from fondaco.infra.database import Database, PsycopgConnection
from fondaco.infra.paging import Page
from support.exchange import BTC, LOT, SECOND_NS, UNIT, Crowd, Exchange
from support.people import ALICE, BOB, OPERATOR, project_live
from support.projected import crowded, rows_of

MOST_LINES = 500
TRADING = World.TRADING
USER = Whose("user0", TRADING)
ALL = OrderFilter()
NEWEST_ORDERS = (
    "SELECT o.id FROM orders o JOIN accounts a ON a.id = o.account_id WHERE a.user_id = %s AND {} ORDER BY 1"
)


async def walk(next_page: Callable[[Any], Awaitable[Page[Any]]], kind: type[Place]) -> list[Any]:
    """Every line of a list, page by page."""
    lines: list[Any] = []
    page = await next_page(None)
    while True:
        lines += page.lines
        if page.next is None:
            return lines
        assert len(lines) < MOST_LINES, "the list goes round in circles"
        after = from_cursor(page.next, kind)
        assert after is not None
        page = await next_page(after)


async def orders_of(connection: PsycopgConnection, whose: Whose, which: OrderFilter = ALL, limit: int = 7) -> list[int]:
    """The ids of a list of orders, in its order."""

    async def page(after: OrderPlace | None) -> Page[Any]:
        return await history.orders(connection, whose, which, after, limit)

    return [line.order_id for line in await walk(page, OrderPlace)]


async def ids(database: Database, condition: str) -> list[int]:
    """What the table has of user0's orders under a condition, newest first."""
    found = await rows_of(database, NEWEST_ORDERS.format(condition), "user0")
    return [id_ for (id_,) in reversed(found)]


@pytest.fixture
async def crowd(database: Database) -> Database:
    """The tables of a crowd that traded through the end of a month."""
    await project_live(database, crowded(3, 25))
    return database


@pytest.mark.parametrize("limit", [1, 7, 1_000])
async def test_every_order_is_listed_once_newest_first_whatever_the_page(crowd: Database, limit: int) -> None:
    """BBX-46: by user."""
    async with crowd.driver_transaction() as connection:
        listed = await orders_of(connection, USER, limit=limit)
    assert listed == await ids(crowd, "true")
    assert len(listed) > 20


@pytest.mark.parametrize(
    ("which", "condition"),
    [
        (OrderFilter(symbol="ETHUSDT"), "o.symbol = 'ETHUSDT'"),
        (OrderFilter(state=OrderState.FILLED), "o.state = 'filled'"),
        (OrderFilter(is_open=True), "o.closed_at IS NULL"),
        (OrderFilter(is_open=False), "o.closed_at IS NOT NULL"),
        (OrderFilter("BTCUSDT", OrderState.CANCELLED), "o.symbol = 'BTCUSDT' AND o.state = 'cancelled'"),
    ],
)
async def test_orders_are_listed_by_symbol_and_state(crowd: Database, which: OrderFilter, condition: str) -> None:
    """BBX-46: by user and symbol, by user and status."""
    async with crowd.driver_transaction() as connection:
        listed = await orders_of(connection, USER, which)
    assert listed == await ids(crowd, condition)
    assert listed


async def test_every_trade_is_listed_from_its_own_side(crowd: Database) -> None:
    """BBX-46: one that met an order of the same user is there twice, once for each side."""

    async def page(after: TradePlace | None) -> Page[Any]:
        return await history.trades(connection, USER, TradeFilter(), after, 3)

    async with crowd.driver_transaction() as connection:
        lines = await walk(page, TradePlace)
        account = (await history.accounts(connection, "user0"))[0].id
    told = [(line.created_at, line.symbol, line.trade_id, line.side) for line in lines]
    assert told == sorted(told, reverse=True)
    sides = "SELECT symbol, id, %s FROM trades WHERE {}_account_id = %s"
    found = [
        *await rows_of(crowd, sides.format("buyer"), "buy", account),
        *await rows_of(crowd, sides.format("seller"), "sell", account),
    ]
    assert sorted((line.symbol, line.trade_id, line.side) for line in lines) == sorted(found)
    assert {line.side for line in lines} == {"buy", "sell"}
    assert {line.realized_pnl for line in lines if line.side == "buy"} == {None}


async def test_positions_and_ledgers_are_listed_whole(crowd: Database) -> None:
    async def holdings(after: HoldingPlace | None) -> Page[Any]:
        return await history.holdings(connection, USER, HoldingFilter(), after, 1)

    async def entries(after: EntryPlace | None) -> Page[Any]:
        return await history.ledger(connection, Whose("", World.TRADING, account), EntryFilter(asset="USDT"), after, 5)

    async with crowd.driver_transaction() as connection:
        account = (await history.accounts(connection, "user0"))[0].id
        listed = [line.id for line in await walk(holdings, HoldingPlace)]
        ledger = await walk(entries, EntryPlace)
        balances = {line.asset: line for line in await history.balances(connection, account)}
    found = await rows_of(crowd, "SELECT id FROM positions WHERE account_id = %s ORDER BY opened_at, id", account)
    assert listed == [id_ for (id_,) in reversed(found)]
    count = "SELECT id FROM ledger_entries WHERE account_id = %s AND asset = 'USDT' ORDER BY id"
    assert [line.id for line in ledger] == [id_ for (id_,) in reversed(await rows_of(crowd, count, account))]
    assert ledger[0].balance_after == balances["USDT"].total


async def test_rows_that_come_in_between_two_pages_shift_nothing(database: Database) -> None:
    crowd = Crowd(5)
    crowd.exchange.cut()
    crowd.act(80)
    crowd.exchange.cut()
    projection = await open_projection(database)
    await projection.write(crowd.exchange.batches)
    async with database.driver_transaction() as connection:
        first = await history.orders(connection, USER, OrderFilter(), None, 5)
        before = await orders_of(connection, USER)
    assert first.next is not None
    crowd.act(80)
    await projection.write([crowd.exchange.cut()])

    async def rest(after: OrderPlace | None) -> Page[Any]:
        return await history.orders(connection, USER, OrderFilter(), after or from_cursor(cursor, OrderPlace), 5)

    cursor = first.next
    async with database.driver_transaction() as connection:
        later = [line.order_id for line in await walk(rest, OrderPlace)]
        assert await orders_of(connection, USER) != before
    assert [line.order_id for line in first.lines] + later == before


async def test_a_list_is_of_one_world(database: Database) -> None:
    """BBX-45: play money is never listed with real money."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    exchange.list_markets(BTC, world=World.DEMO)
    real = exchange.open_account("alice", USDT=10**12)
    play = exchange.open_account("alice", World.DEMO, USDT=10**12)
    orders = {TRADING: exchange.order(real, Side.BUY, 100, 1), World.DEMO: exchange.order(play, Side.BUY, 100, 1)}
    exchange.cut()
    await project_live(database, exchange.batches)
    async with database.driver_transaction() as connection:
        for world, order_id in orders.items():
            assert await orders_of(connection, Whose("alice", world)) == [order_id]


async def test_what_is_anothers_looks_missing(database: Database) -> None:
    exchange = Exchange()
    exchange.list_markets(BTC)
    account = exchange.open_account(ALICE.user_id, USDT=10**12)
    order_id = exchange.order(account, Side.BUY, 100, 1)
    exchange.cut()
    await project_live(database, exchange.batches)
    async with database.driver_transaction() as connection:
        for actor in (ALICE, OPERATOR):
            assert (await history.account_for(connection, actor, account)).user_id == ALICE.user_id
            assert (await history.order_for(connection, actor, order_id)).account_id == account
            whose = await history.whose_for(connection, actor, World.DEMO, account)
            assert whose == Whose(ALICE.user_id, TRADING, account)
        for actor in (BOB, Actor("", UserRole.MARKET_MAKER)):
            for missing in (
                history.account_for(connection, actor, account),
                history.whose_for(connection, actor, TRADING, account),
            ):
                with pytest.raises(RefusedError, match="no such account"):
                    await missing
            with pytest.raises(RefusedError, match="no such open order"):
                await history.order_for(connection, actor, order_id)
        with pytest.raises(RefusedError):
            await history.order_for(connection, OPERATOR, account)


async def test_amounts_are_exact_to_the_last_atom(database: Database) -> None:
    exchange = Exchange()
    exchange.list_markets(BTC)
    buyer = exchange.open_account("alice", USDT=10**12 + 1)
    seller = exchange.open_account("bob", BTC=UNIT)
    first = exchange.order(seller, Side.SELL, 3, 2)
    exchange.pass_time(SECOND_NS)
    second = exchange.order(buyer, Side.BUY, 4, 3)
    exchange.do(CancelOrder(buyer, second), buyer)
    exchange.do(Deposit(buyer, "USDT", 1))
    exchange.cut()
    await project_live(database, exchange.batches)
    async with database.driver_transaction() as connection:
        bought = await history.order_for(connection, Actor("alice", UserRole.USER), second)
        sold = await history.order_for(connection, Actor("bob", UserRole.USER), first)
        trade = (await history.trades(connection, Whose("bob", TRADING), TradeFilter(), None, 5)).lines[0]
        balance = {line.asset: line.total for line in await history.balances(connection, buyer)}
    assert (bought.price, bought.quantity, bought.filled) == ("0.040000", "0.00300000", "0.00200000")
    assert (bought.average_price, bought.state, bought.time_in_force) == ("0.030000", "cancelled", "gtc")
    assert (sold.state, sold.open_quantity, sold.closed_at) == ("filled", "0.00000000", bought.created_at)
    assert (trade.price, trade.quantity, trade.total, trade.side, trade.is_taker) == (
        "0.030000",
        "0.00200000",
        "0.000060",
        "sell",
        False,
    )
    assert balance["BTC"] == "0.00200000"
    assert LOT * 2 == 200_000
    assert balance["USDT"] == "999999.999941"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (statements.ORDERS_OF_USER, "account_id_created_at"),
        (statements.TRADES_OF_USER, "seller_account_id_created_at"),
        (statements.LEDGER_OF_ACCOUNT, "account_id_created_at"),
    ],
)
async def test_the_first_page_is_read_from_an_index(database: Database, statement: str, index: str) -> None:
    """EXD-34: what is filtered often has an index, and nothing is sorted but a page of each account."""
    await project_live(database, crowded(7, 60, size=40))
    wanted: dict[str, Any] = dict.fromkeys(
        ("symbol", "state", "is_open", "time", "id", "side", "after_symbol", "order_id", "asset", "reason")
    )
    account = (await rows_of(database, "SELECT id FROM accounts WHERE user_id = 'user0'"))[0][0]
    wanted |= {"user_id": "user0", "world": "trading", "account_id": account, "limit": 11}
    async with database.outside_transaction() as connection:
        await connection.execute("ANALYZE")
    async with database.driver_transaction() as connection:
        found = await (await connection.execute(f"EXPLAIN {statement}".encode(), wanted)).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert index in plan
    assert "Seq Scan on orders" not in plan
    assert "Seq Scan on trades" not in plan
    assert "Seq Scan on ledger_entries" not in plan
