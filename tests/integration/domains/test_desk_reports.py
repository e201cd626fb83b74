"""Reports of the desk say what leveraged positions add up to, by a reckoning that shares nothing with theirs."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from fondaco.core.commands import FundInsurance
from fondaco.core.vocabulary import World
from fondaco.domains.reports import desk, reports
from fondaco.domains.reports.desk import Dealt
from fondaco.infra.database import Database
from support.desk_crowd import LONG, SHORT, Dealing, dealt
from support.exchange import BTC, SECOND_NS
from support.people import ALICE, BOB, CAROL, OPERATOR, project_live, settle_in
from support.projected import rows_of

TRADING, DEMO = World.TRADING, World.DEMO
ATOM = Decimal("1e-6")


@pytest.fixture
async def dealing(database: Database) -> Dealing:
    """Alice wins on one symbol and loses on another, Bob loses more than he has, and Carol only plays."""
    dealing = Dealing()
    dealing.deal_in(BTC, world=DEMO)
    dealing.done(FundInsurance(TRADING, "USDT", 10**6))
    alice, bob = dealing.client(ALICE.user_id), dealing.client(BOB.user_id)
    carol = dealing.client(CAROL.user_id, world=DEMO)
    for symbol, world in (("BTCUSDT", TRADING), ("ETHUSDT", TRADING), ("BTCUSDT", DEMO)):
        dealing.quote(100_000, symbol=symbol, world=world)
    won = dealing.opened(alice, LONG, 100, 10, take=dealing.at(150_000))
    dealing.exchange.pass_time(SECOND_NS)
    dealing.opened(alice, SHORT, 40, 10)
    lost = dealing.opened(alice, LONG, 10, symbol="ETHUSDT")
    dealing.opened(bob, SHORT, 10, 100)
    played = dealing.opened(carol, LONG, 1_000)
    dealing.exchange.pass_time(SECOND_NS)
    dealing.quote(104_000)
    dealing.quote(99_000, symbol="ETHUSDT")
    dealing.quote(200_000, world=DEMO)
    for account, position in ((alice, won), (alice, lost), (carol, played)):
        dealing.close(account, position)
    await settle_in(database)
    await project_live(database, [dealing.exchange.cut()])
    return dealing


@pytest.mark.usefixtures("dealing")
async def test_a_users_total_is_what_all_leveraged_positions_came_to(database: Database) -> None:
    """EXD-24, EXD-30, BBX-45: 0.1 from 1,000 to 1,040 earns 4, whatever the leverage; 0.04 short would lose 1.6 now."""
    async with database.driver_transaction() as connection:
        (alice,) = await desk.desk_results(connection, TRADING, ALICE.user_id)
        (bob,) = await desk.desk_results(connection, TRADING, BOB.user_id)
        (carol,) = await desk.desk_results(connection, DEMO, CAROL.user_id)
        assert await desk.desk_results(connection, TRADING, CAROL.user_id) == []
    assert (alice.currency, alice.positions, alice.realized_pnl, alice.unrealized_pnl) == (
        *("USDT", 3, "3.900000", "-1.600000"),
    )
    assert (bob.positions, bob.realized_pnl, bob.unrealized_pnl, bob.covered) == (
        1,
        "-0.400000",
        "0.000000",
        "0.300000",
    )
    assert (carol.positions, carol.realized_pnl) == (1, "1000.000000")


@pytest.mark.usefixtures("dealing")
async def test_each_symbol_has_its_sums_and_its_average_by_position(database: Database) -> None:
    """EXD-27."""
    async with database.driver_transaction() as connection:
        bitcoin, ether = await desk.desk_symbols(connection, TRADING)
        (played,) = await desk.desk_symbols(connection, DEMO)
    assert (bitcoin.symbol, bitcoin.currency, bitcoin.positions, bitcoin.quantity) == (
        *("BTCUSDT", "USDT", 3, "0.15000000"),
    )
    assert (bitcoin.realized_pnl, bitcoin.average_pnl) == ("3.600000", "1.200000")
    assert (ether.symbol, ether.realized_pnl, ether.average_pnl) == ("ETHUSDT", "-0.100000", "-0.100000")
    assert (played.symbol, played.positions) == ("BTCUSDT", 1)


@pytest.mark.usefixtures("dealing")
async def test_positions_are_listed_latest_first_of_a_symbol_and_only_those_that_made_money(database: Database) -> None:
    """EXD-20, EXD-22, EXD-23, EXD-25."""

    async def listed(which: Dealt, limit: int = 10) -> list[tuple[str, str, str]]:
        async with database.driver_transaction() as connection:
            found = await desk.dealt(connection, which, limit)
        return [(line.symbol, line.side, line.profit_loss) for line in found]

    everything = [
        ("BTCUSDT", "short", "-0.400000"),
        ("ETHUSDT", "long", "-0.100000"),
        ("BTCUSDT", "short", "0.000000"),
        ("BTCUSDT", "long", "4.000000"),
    ]
    assert await listed(Dealt(TRADING)) == everything
    assert await listed(Dealt(TRADING), 2) == everything[:2]
    assert await listed(Dealt(TRADING, ALICE.user_id)) == everything[1:]
    assert await listed(Dealt(TRADING, symbol="BTCUSDT")) == [everything[0], *everything[2:]]
    assert await listed(Dealt(TRADING, symbol="BTCUSDT", only_won=True)) == everything[3:]
    assert await listed(Dealt(TRADING, BOB.user_id, only_won=True)) == []
    assert await listed(Dealt(DEMO)) == [("BTCUSDT", "long", "1000.000000")]
    async with database.driver_transaction() as connection:
        (won,) = await desk.dealt(connection, Dealt(TRADING, only_won=True), 1)
    assert (won.user_id, won.status, won.quantity, won.leverage) == (ALICE.user_id, "closed", "0.10000000", 10)
    assert (won.open_price, won.close_price, won.take_profit, won.stop_loss) == (
        *("1000.000000", "1040.000000", "1500.000000", None),
    )
    assert (won.open_time, won.close_time) == ("2024-10-31T00:00:00.000000Z", "2024-10-31T00:00:02.000000Z")


@pytest.mark.usefixtures("dealing")
async def test_a_leveraged_position_counts_on_the_leader_board_with_what_its_owner_bore(database: Database) -> None:
    """EXD-31, EXD-32."""
    async with database.driver_transaction() as connection:
        board = await reports.leaders(connection, TRADING, "USDT", 10)
    assert [(line.user_id, line.orders, line.realized_pnl) for line in board] == [
        (ALICE.user_id, 3, "3.900000"),
        (BOB.user_id, 1, "-0.100000"),
        *((actor.user_id, 0, None) for actor in (OPERATOR, CAROL)),
    ]


@pytest.mark.usefixtures("dealing")
async def test_operators_see_exposure_and_profit_of_a_world(database: Database) -> None:
    day = date(2024, 10, 31)
    async with database.driver_transaction() as connection:
        (open_,) = await desk.exposure(connection, TRADING)
        assert await desk.exposure(connection, DEMO) == []
        (profit,) = await desk.profit(connection, TRADING, day, day)
        (played,) = await desk.profit(connection, DEMO, day, day)
        assert await desk.profit(connection, TRADING, date(2024, 11, 1), date(2024, 11, 30)) == []
    assert (open_.symbol, open_.positions, open_.long_quantity, open_.short_quantity, open_.net_quantity) == (
        *("BTCUSDT", 1, "0.00000000", "0.04000000", "-0.04000000"),
    )
    # Alice won 3.9; Bob lost 0.4, of which he had 0.1 and insurance paid the rest.
    assert (profit.day, profit.asset, profit.results, profit.covers, profit.profit) == (
        *("2024-10-31", "USDT", "-3.500000", "0.000000", "-3.500000"),
    )
    assert (profit.insurance_covers, profit.insurance_funding) == ("-0.300000", "1.000000")
    assert played.profit == "-1000.000000"


async def test_reports_come_to_the_same_from_positions_fills_and_ledger(database: Database) -> None:
    """A crowd's: symbol by symbol, and what the house took against what its accounts have."""
    await project_live(database, dealt(5, 30))
    brought: dict[str, int] = defaultdict(int)
    for symbol, atoms in await rows_of(database, "SELECT symbol, result FROM desk_fills"):
        brought[symbol] += atoms
    async with database.driver_transaction() as connection:
        symbols = await desk.desk_symbols(connection, TRADING)
        days = await desk.profit(connection, TRADING, date(2024, 1, 1), date(2030, 1, 1))
        ended = await desk.exposure(connection, TRADING)
    ahead = (await rows_of(database, "SELECT sum(realised) FROM desk_positions"))[0][0] - sum(brought.values())
    settled = (await rows_of(database, "SELECT sum(settled) FROM desk_positions"))[0][0]
    assert ahead >= settled >= 0
    shown = sum(Decimal(line.realized_pnl) for line in symbols)
    assert shown == (sum(brought.values()) + ahead) * ATOM
    assert all(line.symbol == "BTCUSDT" for line in ended), "a market that has ended has no position"
    ((desk_has,),) = await rows_of(database, "SELECT available FROM balances WHERE account_id = 7")
    ((fund_has,),) = await rows_of(database, "SELECT available FROM balances WHERE account_id = 10")
    assert sum(Decimal(line.profit) for line in days) == desk_has * ATOM
    insured = [text for line in days for text in (line.premiums, line.insurance_covers, line.insurance_funding)]
    assert sum(map(Decimal, insured)) == fund_has * ATOM
    assert desk_has
    assert len(days) > 5
