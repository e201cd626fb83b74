"""The tables are what the journal's batches come to: in any cut, across restarts, and written by one at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import Deposit, ListAsset, PlaceHold, ReleaseHold, RequestWithdrawal, SettleWithdrawal
from fondaco.core.replies import HoldPlaced
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.projection.writing import RowMissingError
from fondaco.engine.store import FencedError
from fondaco.infra.database import Database
from support.exchange import BTC, DAY_NS, LOT, TICK, USDT, Exchange, rebatched
from support.projected import contents, crowded, project, rows_of
from support.stored import execute

BALANCE = "SELECT available, held FROM balances WHERE account_id = %s"


async def test_every_kind_of_row_is_written(database: Database) -> None:
    """What the crowd does reaches every table but the desk's, which has a crowd of its own, over several months."""
    projection = await open_projection(database)
    await projection.write(crowded(seed=1, batches=24))
    empty = [table for table, rows in (await contents(database)).items() if not rows]
    assert [table for table in empty if not table.startswith("desk_")] == ["stop_outs"]
    months = await rows_of(database, "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'orders'::regclass")
    assert len(months) >= 2


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 9), max_size=8),
    restarts=st.sets(st.integers(0, 8), max_size=3),
)
async def test_the_tables_are_the_same_however_the_batches_are_cut_into_runs(
    database: Database, seed: int, sizes: list[int], restarts: set[int]
) -> None:
    """And whether or not the projection is opened anew in between."""
    batches = crowded(seed, batches=12)
    at_once = await project(database, [batches])
    in_runs = await project(database, rebatched(batches, sizes), restarts)
    assert await contents(database, in_runs) == await contents(database, at_once)


async def test_a_second_projection_is_fenced_off_and_has_written_nothing(database: Database) -> None:
    first, second, *rest = crowded(seed=2, batches=4)
    winner, loser = await open_projection(database), await open_projection(database)
    await winner.write([first])
    with pytest.raises(FencedError):
        await loser.write([first])
    assert winner.watermark() == (await open_projection(database)).watermark()
    late = await open_projection(database)
    await winner.write([second])
    before = await contents(database)
    with pytest.raises(FencedError):
        await late.write([second])
    assert await contents(database) == before
    await (await open_projection(database)).write(rest)


async def test_what_fails_half_way_leaves_nothing(database: Database) -> None:
    """EXD-28: an order and the hold that pays for it come into the tables together or not at all."""
    first, *rest = crowded(seed=3, batches=8)
    projection = await open_projection(database)
    await projection.write([first])
    before = await contents(database)
    await execute(database, "ALTER TABLE risk_limits RENAME TO gone")
    with pytest.raises(Exception, match="risk_limits"):
        await projection.write(rest)
    await execute(database, "ALTER TABLE gone RENAME TO risk_limits")
    assert await contents(database) == before
    await projection.write(rest)
    assert projection.watermark().batch_no == 8


async def test_a_changed_order_that_has_no_row_is_damage_and_stops_the_projection(database: Database) -> None:
    exchange = Exchange()
    exchange.list_markets(BTC)
    account = exchange.open_account("ann", USDT=10**12)
    order_id = exchange.order(account, Side.BUY, 100, 5)
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    await execute(database, "DELETE FROM orders WHERE id = :id", id=order_id)
    seller = exchange.open_account("bob", BTC=10**12)
    exchange.order(seller, Side.SELL, 100, 2)
    with pytest.raises(RowMissingError, match="1 rows of orders"):
        await projection.write([exchange.cut()])


async def test_amounts_are_atoms_of_the_instrument_after_a_restart_too(database: Database) -> None:
    """BHC-32, BHC-33, BHC-35, BBX-40: when it was filled and how far, both orders and accounts, a fee for each side."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    buyer, seller = exchange.open_account("ann", USDT=10**12), exchange.open_account("bob", BTC=10**12)
    buy = exchange.order(buyer, Side.BUY, 100, 5)
    await (await open_projection(database)).write([exchange.cut()])
    exchange.pass_time(DAY_NS)
    sell = exchange.order(seller, Side.SELL, 99, 3)
    await (await open_projection(database)).write([exchange.cut()])

    query = (
        "SELECT id, price, quantity, filled_quantity, state, created_at, updated_at, filled_at FROM orders ORDER BY id"
    )
    then, day = datetime(2024, 10, 31, tzinfo=UTC), timedelta(days=1)
    assert await rows_of(database, query) == [
        (buy, 100 * TICK, 5 * LOT, 3 * LOT, "partially_filled", then, then + day, None),
        (sell, 99 * TICK, 3 * LOT, 3 * LOT, "filled", then + day, then + day, then + day),
    ]
    notional = 100 * TICK * 3 * LOT // 10**8
    query = """
        SELECT id, price, quantity, notional, buy_order_id, sell_order_id, buyer_account_id, seller_account_id,
            buyer_fee, seller_fee, taker_side, created_at FROM trades
    """
    assert await rows_of(database, query) == [
        (
            1,
            100 * TICK,
            3 * LOT,
            notional,
            buy,
            sell,
            buyer,
            seller,
            notional // 1_000,
            notional // 500,
            "sell",
            then + day,
        )
    ]


async def test_a_hold_of_the_house_is_changed_in_the_month_in_which_it_was_placed(database: Database) -> None:
    """BHC-41: asset, amount, reason; ending it sets a time."""
    exchange = Exchange()
    exchange.do(ListAsset(USDT.code, USDT.scale))
    account = exchange.open_account("ann", USDT=1_000)
    placed = exchange.do(PlaceHold(account, "USDT", 70, "looked at"))
    assert isinstance(placed, HoldPlaced)
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    assert await rows_of(database, "SELECT asset, amount, reason, note, released_at FROM balance_holds") == [
        ("USDT", 70, "system", "looked at", None)
    ]
    exchange.pass_time(40 * DAY_NS)
    exchange.do(ReleaseHold(placed.hold_id))
    await projection.write([exchange.cut()])
    query = "SELECT amount, released_at - created_at = interval '40 days' FROM balance_holds"
    assert await rows_of(database, query) == [(0, True)]


async def test_balance_changes_are_added_up_by_the_engine_and_none_is_lost(database: Database) -> None:
    """EXD-14: a command says how much comes or goes, never what the balance is; two at once both count."""
    exchange = Exchange()
    exchange.do(ListAsset(USDT.code, USDT.scale))
    account = exchange.open_account("ann", USDT=1_000)
    projection = await open_projection(database)
    for amount in (5, 7, 11):
        exchange.do(Deposit(account, "USDT", amount))
        await projection.write([exchange.cut()])
    assert await rows_of(database, BALANCE, account) == [(1_023, 0)]


async def test_a_withdrawal_leaves_the_balance_and_its_hold_has_ended(database: Database) -> None:
    exchange = Exchange()
    exchange.do(ListAsset(USDT.code, USDT.scale))
    account = exchange.open_account("ann", USDT=1_000)
    placed = exchange.do(RequestWithdrawal(account, "USDT", 300), account)
    assert isinstance(placed, HoldPlaced)
    projection = await open_projection(database)
    await projection.write([exchange.cut()])
    assert await rows_of(database, BALANCE, account) == [(700, 300)]
    exchange.do(SettleWithdrawal(placed.hold_id))
    await projection.write([exchange.cut()])
    assert await rows_of(database, BALANCE, account) == [(700, 0)]
