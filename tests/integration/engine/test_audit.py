"""What must hold between the tables, and between them and memory, holds after anything; and damage is named."""

import pytest

from fondaco.app.doctor import Level, check_database
from fondaco.core.book.vocabulary import Side
from fondaco.engine.projection.audit import CHECKS, differences, faults, machine_state, tables_state
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from support.exchange import BTC, Crowd, Exchange
from support.stored import execute

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
async def test_tables_agree_with_memory_and_with_each_other(database: Database, seed: int) -> None:
    """BHC-34, BHC-36, BHC-40, BHC-42, BHC-43, BHC-44: after each batch of a crowd that does all that it can."""
    crowd = Crowd(seed)
    projection = await open_projection(database)
    for _ in range(8):
        crowd.act(20)
        await projection.write([crowd.exchange.cut()])
        async with database.driver_transaction() as connection:
            tables = await tables_state(connection)
            assert [found for check in CHECKS if (found := await faults(connection, check))] == []
        assert differences(tables, machine_state(crowd.exchange.machine)) == []
    assert all(tables[kind] for kind in ("balance", "order", "position"))


DAMAGE = {
    "balances": ("UPDATE balances SET available = available + 1 WHERE asset = 'BTC'", "balances of BTC come to"),
    "holds": ("UPDATE balance_holds SET amount = amount + 1 WHERE released_at IS NULL", "open holds come to"),
    "ledger": (
        """
        INSERT INTO ledger_entries SELECT id + 1000000, created_at, account_id, asset, type, amount, 7, reason,
            reference, symbol FROM ledger_entries WHERE asset = 'BTC' AND type = 'credit' ORDER BY id DESC LIMIT 1
        """,
        "its latest ledger entry says 7",
    ),
    "trades": ("DELETE FROM trades WHERE id = 1", "BTCUSDT (trading) has 1 trades with ids from 2 to 2"),
    "orders": ("UPDATE orders SET filled_notional = filled_notional + 1 WHERE state = 'filled'", "its trades come to"),
    "references": (
        "DELETE FROM orders WHERE state = 'filled'",
        "2 of balance_holds name no row of orders; 3 of",
    ),
}


def test_every_check_is_shown_to_find_something() -> None:
    assert set(DAMAGE) == {check.part for check in CHECKS}


@pytest.mark.parametrize("part", DAMAGE)
async def test_damage_is_found_and_named(database: Database, part: str) -> None:
    projection = await open_projection(database)
    await projection.write([traded().cut()])
    damage, said = DAMAGE[part]
    await execute(database, damage)
    (check,) = (each for each in CHECKS if each.part == part)
    async with database.driver_transaction() as connection:
        assert said in await faults(connection, check)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE balances SET available = available - 1 WHERE asset = 'BTC'", "in the tables and"),
        ("DELETE FROM balance_holds WHERE released_at IS NULL", "is in memory only"),
        ("UPDATE orders SET price = price + 1", "in the tables and"),
        ("UPDATE positions SET id = id + 1000", "is in the tables only"),
    ],
)
async def test_a_difference_from_memory_is_found_and_named(database: Database, damage: str, said: str) -> None:
    exchange = traded()
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    await execute(database, damage)
    async with database.driver_transaction() as connection:
        tables = await tables_state(connection)
    assert any(said in each for each in differences(tables, machine_state(exchange.machine)))


async def test_the_doctor_says_so(database: Database, database_url: str) -> None:
    projection = await open_projection(database)
    await projection.write([traded().cut()])
    await execute(database, "UPDATE balances SET available = available + 1 WHERE asset = 'BTC'")
    found = await check_database(Settings(database_url=database_url), now_us)
    assert {each.part for each in found if each.level is Level.FAIL} == {"balances", "ledger", "memory"}
    assert {each.part for each in found if each.level is Level.OK} >= {"holds", "trades", "orders", "references"}


def traded() -> Exchange:
    """Two trades, one order filled and one that rests partly filled."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    buyer, seller = exchange.open_account("ann", USDT=10**12), exchange.open_account("bob", BTC=10**12)
    exchange.order(buyer, Side.BUY, 100, 5)
    exchange.order(seller, Side.SELL, 100, 2)
    exchange.order(seller, Side.SELL, 100, 4)
    return exchange
