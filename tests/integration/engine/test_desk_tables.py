"""The desk's tables are what its events come to: in any cut, through a wave of closings, and as the views show them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from fondaco.core.commands import FundInsurance, Rollover, SetSwapFree
from fondaco.core.desk.opening import MAX_POSITIONS
from fondaco.core.desk.state import Level
from fondaco.core.vocabulary import AccountKind, EntryKind, LevelKind, PositionMode, World
from fondaco.engine.projection.audit import CHECKS, differences, faults, machine_state, tables_state
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.projection.rebuilding import TABLES, rebuild
from fondaco.infra.database import Database
from support.desk_crowd import CROSS, LONG, SHORT, Dealing, DeskCrowd, dealt
from support.exchange import BTC, DAY_NS, SECOND_NS, rebatched
from support.projected import Journal, contents, project, rows_of
from support.stored import execute

DESK_TABLES = [table for table in TABLES if table.startswith("desk_") or table == "stop_outs"]
WAVE = 10_000
"""Positions that one quote closes, as many as one command may."""


async def brought(database: Database, dealing: Dealing) -> None:
    """Bring what has happened since into the tables."""
    await (await open_projection(database)).write([dealing.exchange.cut()])


def amounts(*written: str) -> tuple[Decimal, ...]:
    """Decimals."""
    return tuple(map(Decimal, written))


async def test_every_kind_of_row_of_the_desk_is_written(database: Database) -> None:
    """What the crowd does reaches every table, over two months."""
    await (await open_projection(database)).write(dealt(seed=1, batches=24))
    written = await contents(database)
    assert len(DESK_TABLES) == 8
    assert [table for table in DESK_TABLES if not written[table]] == []
    for table in ("desk_positions", "desk_entries", "desk_fills", "stop_outs"):
        months = await rows_of(database, "SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass", table)
        assert len(months) >= 2, table


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 9), max_size=8),
    restarts=st.sets(st.integers(0, 8), max_size=3),
)
async def test_rows_and_notices_are_the_same_however_the_batches_are_cut_into_runs(
    database: Database, seed: int, sizes: list[int], restarts: set[int]
) -> None:
    """And whether or not the projection is opened anew in between."""
    batches = dealt(seed, batches=12)
    at_once = await project(database, [batches])
    in_runs = await project(database, rebatched(batches, sizes), restarts)
    assert await contents(database, in_runs) == await contents(database, at_once)
    notices = "SELECT id, topic, key, body FROM {}.outbox ORDER BY id"
    told = await rows_of(database, notices.format(at_once))
    assert await rows_of(database, notices.format(in_runs)) == told


@pytest.mark.parametrize("seed", [2, 3, 4])
async def test_whatever_the_desk_does_the_tables_are_what_memory_is(database: Database, seed: int) -> None:
    """EXD-28: positions, holds, fills and ledger of each command come together, and agree."""
    crowd = DeskCrowd(seed)
    projection = await open_projection(database)
    for _ in range(12):
        crowd.act(20)
        await projection.write([crowd.exchange.cut()])
        async with database.driver_transaction() as connection:
            tables = await tables_state(connection)
            assert [found for check in CHECKS if (found := await faults(connection, check))] == []
        assert differences(tables, machine_state(crowd.exchange.machine)) == []
    grown = await contents(database)
    await rebuild(database, Journal(crowd.batches))
    assert await contents(database) == grown


async def test_a_position_has_entry_exit_and_result(database: Database) -> None:
    """EXD-20, EXD-25, EXD-29, EXD-30, BBX-44: 1 at 50,000 with leverage 5 holds 10,000; leverage earns nothing."""
    dealing = Dealing()
    ann, bob = dealing.client("ann"), dealing.client("bob")
    dealing.quote(5_000_000, 5_000_100)
    # A long opens at the ask and closes at the bid, a short the reverse.
    long = dealing.opened(ann, LONG, 1_000, 5, take=dealing.at(5_200_000), stop=dealing.at(4_000_000))
    short = dealing.opened(bob, SHORT, 500, 10)
    await brought(database, dealing)
    query = "SELECT amount, created_at = opened_at FROM balance_holds h JOIN desk_positions p USING (id) ORDER BY id"
    assert await rows_of(database, query) == [(10_000_200_000, True), (2_500_000_000, True)]
    dealing.exchange.pass_time(SECOND_NS)
    dealing.quote(5_100_000, 5_100_100)
    dealing.close(ann, long, 400)
    dealing.exchange.pass_time(SECOND_NS)
    dealing.close(ann, long)
    dealing.close(bob, short)
    await brought(database, dealing)
    query = """
        SELECT user_id, symbol, side, status, leverage, opened_quantity, closed_quantity, average_entry_price,
            average_close_price, realized_pnl, unrealized_pnl, stop_loss, take_profit, close_reason,
            closed_at - opened_at FROM v_desk_positions ORDER BY id
    """
    one, half = Decimal(1), Decimal("0.5")
    asked, high = Decimal(50_001), Decimal(51_000)
    two_seconds = timedelta(seconds=2)
    levels = (Decimal(40_000), Decimal(52_000))
    assert await rows_of(database, query) == [
        (
            "ann",
            "BTCUSDT",
            "long",
            "closed",
            5,
            one,
            one,
            asked,
            high,
            Decimal(999),
            None,
            *levels,
            "owner",
            two_seconds,
        ),
        (
            *("bob", "BTCUSDT", "short", "closed", 10, half, half, Decimal(50_000), high + 1),
            *(Decimal("-500.5"), None, None, None, "owner", two_seconds),
        ),
    ]
    query = "SELECT amount, released_at IS NOT NULL FROM balance_holds"
    assert await rows_of(database, query) == [(0, True), (0, True)]


async def test_what_is_made_and_changed_in_one_moment_may_be_in_two_runs(database: Database) -> None:
    """Several commands share a moment, so whether a row is new cannot be told by its moment alone."""
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000)
    position = dealing.opened(ann, LONG, 10)
    dealing.entered(ann, LONG, EntryKind.LIMIT, 90_000, 10)
    await brought(database, dealing)
    dealing.close(ann, position, 5)
    dealing.opened(ann, SHORT, 3)
    dealing.quote(89_000)
    await brought(database, dealing)
    query = "SELECT side, status, quantity, close_reason FROM v_desk_positions ORDER BY id"
    assert await rows_of(database, query) == [
        ("long", "closed", Decimal(0), "margin_call"),
        ("short", "open", Decimal("0.003"), None),
        ("long", "open", Decimal("0.010"), None),
    ]
    query = "SELECT amount <> 0 FROM balance_holds ORDER BY id"
    assert await rows_of(database, query) == [(False,), (True,), (True,)]


async def test_a_fill_keeps_the_quote_that_it_was_dealt_at(database: Database) -> None:
    """Bid, ask, source, the outside trade and its price, markup, receipt and age."""
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000, 100_200)
    dealing.exchange.pass_time(SECOND_NS)
    position = dealing.opened(ann, SHORT, 10)
    await brought(database, dealing)
    query = """
        SELECT position_id, side, is_open, quantity, price, total, margin, bid, ask, source, source_price, tick_id,
            markup, age_s, created_at - received_at, close_reason FROM v_desk_fills
    """
    bid, ask = Decimal(1_000), Decimal(1_002)
    assert await rows_of(database, query) == [
        (
            *(position, "short", True, Decimal("0.01"), bid, Decimal(10), Decimal(1), bid, ask, "simulated"),
            *(Decimal(1_001), 1, Decimal("0.0005"), Decimal(1), timedelta(seconds=1), None),
        )
    ]
    query = "SELECT symbol, bid, ask, tick_id FROM desk_quotes"
    assert await rows_of(database, query) == [("BTCUSDT", 100_000 * 10_000, 100_200 * 10_000, 1)]


async def test_open_positions_are_shown_at_the_latest_quote(database: Database) -> None:
    """BBX-44: a long at the bid, a short at the ask, beyond a guaranteed stop at that; it is stored nowhere."""
    dealing = Dealing(guarantee_ppm=1_000, guarantee_distance_ppm=10_000)
    ann = dealing.client("ann")
    dealing.quote(100_000)
    dealing.opened(ann, LONG, 10)
    dealing.opened(ann, SHORT, 10)
    dealing.quote(101_000, 102_000)
    await brought(database, dealing)
    query = "SELECT side, current_price, unrealized_pnl, average_close_price FROM v_desk_positions ORDER BY id"
    assert await rows_of(database, query) == [
        ("long", Decimal(1_010), Decimal("0.1"), None),
        ("short", Decimal(1_020), Decimal("-0.2"), None),
    ]


async def test_a_pending_entry_is_shown_as_it_was_said_and_what_became_of_it(database: Database) -> None:
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000)
    stop, take = Level(LevelKind.PERCENT, 125_000), Level(LevelKind.AMOUNT, 2_500_000)
    dealing.entered(ann, LONG, EntryKind.LIMIT, 99_000, 10, stop=stop, take=take)
    dealing.entered(ann, SHORT, EntryKind.STOP, 98_000, 10, expires_ns=dealing.exchange.now_ns + 5 * SECOND_NS)
    await brought(database, dealing)
    query = """
        SELECT kind, status, trigger_price, stop_kind, stop_value, take_kind, take_value, trail_kind, trail_value,
            position_id, reason, closed_at IS NULL, expires_at - created_at FROM v_desk_entries ORDER BY id
    """
    nothing = (None, None)
    first = ("percent", Decimal("12.5"), "amount", Decimal("2.5"), *nothing)
    assert await rows_of(database, query) == [
        ("limit", "pending", Decimal(990), *first, *nothing, True, None),
        ("stop", "pending", Decimal(980), *nothing, *nothing, *nothing, *nothing, True, timedelta(seconds=5)),
    ]
    dealing.exchange.pass_time(6 * SECOND_NS)
    dealing.quote(98_900)
    await brought(database, dealing)
    ((position, entry),) = await rows_of(database, "SELECT id, entry_id FROM desk_positions")
    assert await rows_of(database, query) == [
        ("limit", "filled", Decimal(990), *first, position, None, False, None),
        (
            *("stop", "expired", Decimal(980), *nothing, *nothing, *nothing, None, "time_passed", False),
            timedelta(seconds=5),
        ),
    ]
    assert await rows_of(database, "SELECT id FROM desk_entries WHERE state = 'filled'") == [(entry,)]


async def test_a_stop_out_leaves_a_receipt_of_before_and_after(database: Database) -> None:
    dealing = Dealing()
    dealing.done(FundInsurance(World.TRADING, "USDT", 3_000_000))
    ann = dealing.client("ann", AccountKind.MARGIN, money=21_000_000)
    dealing.quote(100_000)
    dealing.quote(50_000, symbol="ETHUSDT")
    first = dealing.opened(ann, LONG, 1_000, 50, mode=CROSS)
    entry = dealing.entered(ann, LONG, EntryKind.LIMIT, 10_000, 10, symbol="ETHUSDT")
    second = dealing.opened(ann, LONG, 2, 50, "ETHUSDT", mode=CROSS)
    dealing.quote(97_400)
    await brought(database, dealing)
    query = """
        SELECT user_id, policy, symbol, bid, equity_before, margin_before, equity_after, margin_after, positions,
            entries, insurance_paid, desk_paid, currency FROM v_stop_outs
    """
    paid = (*amounts("3", "2"), "USDT")
    # What is left of the account after its largest loss does not bear the other position either.
    assert await rows_of(database, query) == [
        ("ann", "largest_loss", "BTCUSDT", *amounts("974", "-5", "20.02", "0", "0"), [first, second], [entry], *paid)
    ]
    query = """
        SELECT position_id, realized_pnl, covered, close_reason, stop_out_id = s.id FROM v_desk_fills, stop_outs s
        WHERE NOT is_open ORDER BY v_desk_fills.id
    """
    assert await rows_of(database, query) == [
        (first, *amounts("-26", "5"), "stop_out", True),
        (second, *amounts("0", "0"), "stop_out", True),
    ]
    query = "SELECT status, reason FROM v_desk_entries"
    assert await rows_of(database, query) == [("cancelled", "stop_out")]


async def test_the_house_sees_what_it_is_exposed_to(database: Database) -> None:
    """Per world and symbol: all longs, all shorts, the difference, and at what they were opened."""
    dealing = Dealing()
    dealing.deal_in(BTC, world=World.DEMO)
    ann, eve = dealing.client("ann"), dealing.client("eve", world=World.DEMO)
    dealing.quote(100_000)
    dealing.quote(50_000, symbol="ETHUSDT")
    dealing.quote(100_000, world=World.DEMO)
    dealing.opened(ann, LONG, 30)
    part = dealing.opened(ann, LONG, 20)
    dealing.opened(ann, SHORT, 15)
    dealing.opened(ann, SHORT, 4, symbol="ETHUSDT")
    dealing.opened(eve, LONG, 7)
    dealing.close(ann, part, 10)
    gone = dealing.opened(ann, LONG, 1_000)
    dealing.close(ann, gone)
    await brought(database, dealing)
    shown = await rows_of(database, "SELECT * FROM v_desk_exposure ORDER BY world, symbol")
    assert shown == [
        ("demo", "BTCUSDT", 1, *amounts("0.007", "0", "0.007", "7", "0", "7"), "USDT"),
        ("trading", "BTCUSDT", 3, *amounts("0.040", "0.015", "0.025", "40", "15", "55"), "USDT"),
        ("trading", "ETHUSDT", 1, *amounts("0", "0.004", "-0.004", "0", "2", "2"), "USDT"),
    ]


async def test_the_house_sees_what_the_desk_has_earned_by_day(database: Database) -> None:
    """Results, covers and nights of the desk; premiums, covers and funds of the insurance; each by UTC day."""
    dealing = Dealing(long_financing_ppm=1_000, guarantee_ppm=2_000, guarantee_distance_ppm=10_000)
    dealing.deal_in(BTC, world=World.DEMO)
    dealing.done(FundInsurance(World.TRADING, "USDT", 1_000_000))
    ann, eve = dealing.client("ann"), dealing.client("eve", world=World.DEMO)
    dealing.quote(100_000)
    dealing.quote(100_000, world=World.DEMO)
    dealing.opened(ann, LONG, 100, 50)
    dealing.opened(ann, SHORT, 100, is_guaranteed=True, stop=dealing.at(110_000))
    dealing.opened(eve, LONG, 100, 50)
    won = dealing.opened(ann, LONG, 100)
    dealing.quote(101_000)
    dealing.close(ann, won)
    day = dealing.exchange.now_ns // DAY_NS
    dealing.exchange.pass_time(DAY_NS)
    dealing.done(Rollover(World.TRADING, day))
    # The first long is called below its margin: 2 were set aside, 4 are lost, of which insurance pays what it has.
    dealing.quote(96_000)
    await brought(database, dealing)
    shown = await rows_of(database, "SELECT * FROM v_desk_profit ORDER BY world, day")
    assert shown == [
        ("trading", "USDT", date(2024, 10, 31), *amounts("-1", "0", "0", "-1", "0.2", "0", "1")),
        ("trading", "USDT", date(2024, 11, 1), *amounts("4", "-0.8", "0.1", "3.3", "0", "-1.2", "0")),
    ], "play money has earned nothing yet, and is never counted as real"
    query = "SELECT coalesce(sum(total), 0) FROM v_balances WHERE account_id = 7"
    assert await rows_of(database, query) == [(Decimal("2.3"),)]
    nights = "SELECT world, day - DATE '1970-01-01', created_at::date - day FROM desk_rollovers"
    assert await rows_of(database, nights) == [("trading", day, 1)]


async def test_an_account_says_how_it_keeps_positions_and_whether_nights_are_free(database: Database) -> None:
    dealing = Dealing()
    ann = dealing.client("ann", mode=PositionMode.NETTING)
    dealing.client("bob")
    dealing.done(SetSwapFree(ann, is_swap_free=True))
    await brought(database, dealing)
    query = "SELECT position_mode, is_swap_free FROM accounts ORDER BY id"
    assert await rows_of(database, query) == [("netting", True), ("hedging", False)]


async def test_ten_thousand_closings_by_one_quote_are_one_batch(database: Database) -> None:
    """Rows, receipts, holds and notices of all of them, in one transaction."""
    dealing = Dealing()
    clients = [dealing.client(f"client{number}") for number in range(WAVE // MAX_POSITIONS)]
    dealing.quote(100_000)
    for client in clients:
        for _ in range(MAX_POSITIONS):
            dealing.opened(client, LONG, 2, 100)
    await brought(database, dealing)
    dealing.exchange.pass_time(SECOND_NS)
    dealing.quote(90_000)
    await brought(database, dealing)
    counted = """
        SELECT (SELECT count(*) FROM desk_positions WHERE close_reason = 'margin_call'),
            (SELECT count(*) FROM stop_outs), (SELECT count(*) FROM desk_fills),
            (SELECT count(*) FROM balance_holds WHERE released_at IS NOT NULL),
            (SELECT count(DISTINCT (body ->> 'position_id')) FROM outbox WHERE body ->> 'kind' = 'margin_call')
    """
    assert await rows_of(database, counted) == [(WAVE, WAVE, 2 * WAVE, WAVE, WAVE)]
    async with database.driver_transaction() as connection:
        assert [found for check in CHECKS if (found := await faults(connection, check))] == []


@pytest.mark.parametrize("table", ["desk_positions", "desk_entries", "desk_fills", "stop_outs", "desk_quotes"])
async def test_the_database_itself_refuses_a_wrong_word(database: Database, table: str) -> None:
    await (await open_projection(database)).write(dealt(seed=1, batches=24))
    for column in ("world", {"stop_outs": "policy", "desk_quotes": "world"}.get(table, "direction")):
        copied = f'SELECT (jsonb_populate_record(t, \'{{"{column}": "odd"}}\')).* FROM {table} t LIMIT 1'  # noqa: S608 - literals above
        with pytest.raises(IntegrityError, match=f"{table}_{column}_check"):
            await execute(database, f"INSERT INTO {table} {copied}")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM desk_positions WHERE account_id = 1000 AND closed_at IS NULL", "Index Scan"),
        (
            "SELECT * FROM desk_positions WHERE account_id = 1000 ORDER BY opened_at DESC LIMIT 5",
            "account_id_opened_at",
        ),
        ("SELECT * FROM desk_positions WHERE world = 'demo' AND symbol = 'X' AND closed_at IS NULL", "world_symbol"),
        ("SELECT * FROM desk_positions WHERE id = 1234", "pkey"),
        ("SELECT * FROM desk_entries WHERE account_id = 1000 AND closed_at IS NULL", "account_id_symbol"),
        ("SELECT * FROM desk_fills WHERE position_id = 1234 ORDER BY created_at", "position_id_created_at"),
        ("SELECT * FROM desk_fills WHERE account_id = 1000 ORDER BY created_at DESC LIMIT 5", "account_id_created_at"),
        ("SELECT * FROM stop_outs WHERE account_id = 1000 ORDER BY created_at DESC LIMIT 5", "account_id_created_at"),
        ("SELECT * FROM v_desk_profit WHERE world = 'trading'", "account_id_created_at"),
    ],
)
async def test_what_is_asked_often_is_read_from_an_index(database: Database, query: str, index: str) -> None:
    """EXD-34."""
    await (await open_projection(database)).write(dealt(seed=1, batches=24))
    async with database.driver_transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are small
        found = await (await connection.execute(f"EXPLAIN {query}".encode())).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert index in plan
    assert "Seq Scan on desk" not in plan
