"""What must hold between the tables, and between them and memory, holds after anything; and damage is named."""

import pytest

from fondaco.app.doctor import Level, check_database
from fondaco.core.book.vocabulary import Side
from fondaco.core.desk import running
from fondaco.core.vocabulary import AccountKind, EntryKind
from fondaco.engine.projection.audit import CHECKS, differences, faults, machine_state, tables_state
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from support.desk_crowd import CROSS, LONG, SHORT, Dealing
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


DESK_DAMAGE = {
    ("margins", "UPDATE desk_positions SET margin = margin + 1"): "and its hold is 600000",
    ("margins", "UPDATE balance_holds SET reason = 'system' WHERE reason = 'margin'"): "600000 atoms of USDT, and its",
    ("margins", "DELETE FROM desk_positions"): "has a margin of 0 atoms of USDT, and its hold is 600000",
    ("fills", "DELETE FROM desk_fills WHERE NOT is_open"): "and closed 400000, and its fills come to 1000000 and 0",
    (
        "fills",
        "DELETE FROM desk_positions WHERE mode = 'cross'",
    ): "has opened 0 atoms and closed 0, and its fills",
    ("fills", "UPDATE desk_positions SET realised = realised - 1"): "has opened 1000000 atoms",
    ("fills", "UPDATE desk_positions SET covered = covered + 1"): "has opened 1000000 atoms",
    ("payments", "UPDATE desk_positions SET realised = realised + 1"): "says 80001, 0, 0 and 0 atoms",
    ("payments", "DELETE FROM desk_positions"): "its ledger entries come to 80000, 0, 0 and 0",
    ("receipts", "UPDATE stop_outs SET positions = '{}'"): "lists the positions  and 5000000 atoms covered",
    ("receipts", "UPDATE stop_outs SET desk_paid = 0"): "and 0 atoms covered, and its fills say {",
    ("receipts", "DELETE FROM stop_outs"): "lists the positions  and  atoms covered, and its fills say {",
    ("desk", "DELETE FROM desk_terms"): "2 of desk_positions name no row of desk_terms",
    ("desk", "DELETE FROM desk_positions"): "4 of desk_fills name no row of desk_positions",
    ("desk", "DELETE FROM desk_entries"): "1 of stop_outs name no row of desk_entries",
    ("desk", "DELETE FROM accounts"): "2 of desk_entries name no row of accounts; 2 of desk_positions",
}


def test_every_check_is_shown_to_find_something() -> None:
    assert {*DAMAGE, *(part for part, _ in DESK_DAMAGE)} == {check.part for check in CHECKS}


@pytest.mark.parametrize("part", DAMAGE)
async def test_damage_is_found_and_named(database: Database, part: str) -> None:
    projection = await open_projection(database)
    await projection.write([traded().cut()])
    damage, said = DAMAGE[part]
    await found_and_named(database, part, damage, said)


@pytest.mark.parametrize(("part", "damage"), DESK_DAMAGE)
async def test_damage_at_the_desk_is_found_and_named(database: Database, part: str, damage: str) -> None:
    projection = await open_projection(database)
    await projection.write([leveraged().exchange.cut()])
    await found_and_named(database, part, damage, DESK_DAMAGE[part, damage])


async def found_and_named(database: Database, part: str, damage: str, said: str) -> None:
    """What a check finds after some damage is this; before it, nothing."""
    (check,) = (each for each in CHECKS if each.part == part)
    async with database.driver_transaction() as connection:
        assert await faults(connection, check) == ""
    await execute(database, damage)
    async with database.driver_transaction() as connection:
        assert said in await faults(connection, check)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE desk_positions SET stop_loss = 1 WHERE closed_at IS NULL", "in the tables and"),
        ("UPDATE desk_entries SET trail_value = 1, trail_kind = 'price' WHERE state = 'pending'", "in the tables and"),
        ("UPDATE desk_rules SET margin_call_ppm = 1", "desk rules trading is"),
        ("UPDATE desk_terms SET max_net_quantity = 1 WHERE symbol = 'BTCUSDT'", "desk terms trading BTCUSDT is"),
        ("UPDATE desk_quotes SET tick_id = 0", "desk quote trading BTCUSDT is"),
        ("DELETE FROM desk_quotes", "desk quote trading BTCUSDT is in memory only"),
    ],
)
async def test_a_difference_from_the_desks_memory_is_found_and_named(
    database: Database, damage: str, said: str
) -> None:
    dealing = leveraged()
    projection = await open_projection(database)
    await projection.write([dealing.exchange.cut()])
    await execute(database, damage)
    async with database.driver_transaction() as connection:
        tables = await tables_state(connection)
    (found,) = differences(tables, machine_state(dealing.exchange.machine))
    assert said in found


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


def leveraged() -> Dealing:
    """A position partly closed, another stopped out with an entry, and an entry that waits."""
    dealing = Dealing()
    ann = dealing.client("ann")
    bob = dealing.client("bob", AccountKind.MARGIN, money=21_000_000)
    dealing.quote(100_000)
    lasting = dealing.opened(ann, LONG, 10)
    dealing.opened(bob, LONG, 1_000, 50, mode=CROSS)
    dealing.entered(bob, LONG, EntryKind.LIMIT, 10_000, 10)
    dealing.entered(ann, SHORT, EntryKind.LIMIT, 200_000, 10)
    dealing.quote(102_000)
    dealing.close(ann, lasting, 4)
    dealing.quote(97_400)
    return dealing


async def test_a_quote_that_is_not_applied_yet_is_the_newest_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command closes only so many; until the others are, memory has the quote before."""
    monkeypatch.setattr(running, "MAX_CLOSED", 1)
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000)
    for _ in range(8):
        dealing.opened(ann, LONG, 10, stop=dealing.at(99_000))
    dealing.quote(98_000)
    dealing.quote(98_500)
    desk = dealing.exchange.machine.house.desk
    assert desk.runs, "work is left over"
    await (await open_projection(database)).write([dealing.exchange.cut()])
    async with database.driver_transaction() as connection:
        assert differences(await tables_state(connection), machine_state(dealing.exchange.machine)) == []
