"""Reports say what orders and trades add up to, by a reckoning that shares nothing with theirs; worlds never mix.

EXD-33: plain SQL where a builder is not enough.
"""

from collections import defaultdict
from decimal import Decimal

import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import Deposit
from fondaco.core.vocabulary import World
from fondaco.domains.identity.actors import Actor
from fondaco.domains.reports import reports
from fondaco.infra.database import Database
from support.exchange import BTC, ETH, UNIT, Exchange
from support.people import ALICE, BOB, CAROL, NAMES, OPERATOR, project_live, settle_in
from support.projected import crowded, rows_of

TRADING, DEMO = World.TRADING, World.DEMO
MONEY = 10**12


class Floor:
    """An exchange where Alice earns on one symbol, loses on another, trades with Bob, and Carol only has money."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.exchange.list_markets(BTC, ETH)
        self.exchange.list_markets(BTC, world=DEMO)
        self.alice = self.exchange.open_account(ALICE.user_id, USDT=MONEY)
        self.bob = self.exchange.open_account(BOB.user_id, USDT=MONEY, BTC=UNIT, ETH=UNIT)
        self.carol = self.exchange.open_account(CAROL.user_id, USDT=3 * MONEY)

    def meet(self, buyer: int, seller: int, ticks: int, lots: int, symbol: str = "BTCUSDT") -> None:
        """Let two orders meet."""
        self.exchange.order(seller, Side.SELL, ticks, lots, symbol)
        self.exchange.order(buyer, Side.BUY, ticks, lots, symbol)

    async def project(self, database: Database) -> None:
        """Bring all of it into the tables."""
        await settle_in(database)
        self.exchange.cut()
        await project_live(database, self.exchange.batches)


@pytest.fixture
async def floor(database: Database) -> Floor:
    """The floor in real money, and the same users with play money beside it."""
    floor = Floor()
    floor.meet(floor.alice, floor.bob, 1_000, 4)
    floor.meet(floor.bob, floor.alice, 1_500, 3)
    floor.meet(floor.alice, floor.bob, 2_000, 5, "ETHUSDT")
    floor.meet(floor.bob, floor.alice, 1_900, 5, "ETHUSDT")
    rich = floor.exchange.open_account(CAROL.user_id, DEMO, USDT=MONEY)
    poor = floor.exchange.open_account(BOB.user_id, DEMO, BTC=UNIT)
    floor.meet(rich, poor, 3_000, 2)
    await floor.project(database)
    return floor


async def results(database: Database, world: World, actor: Actor) -> list[reports.ResultLine]:
    """A user's totals."""
    async with database.driver_transaction() as connection:
        return await reports.results(connection, world, actor.user_id)


async def test_a_users_total_is_what_all_orders_came_to(database: Database, floor: Floor) -> None:
    """EXD-24, BBX-45."""
    del floor
    (alice,) = await results(database, TRADING, ALICE)
    # 3 lots of 0.001 bought at 10 and sold at 15; 5 bought at 20 and sold at 19. One lot is left, worth 15.
    assert (alice.currency, alice.orders, alice.realized_pnl) == ("USDT", 4, "0.010000")
    assert alice.unrealized_pnl == "0.005000"
    # Maker 0.1 %, taker 0.2 %: buys of 0.04 and 0.1 as taker, sales of 0.045 and 0.095 as maker.
    assert alice.fees == "0.000420"
    assert await results(database, TRADING, CAROL) == []
    (carol,) = await results(database, DEMO, CAROL)
    assert (carol.orders, carol.realized_pnl) == (1, "0.000000")


async def test_each_symbol_has_its_sums_and_its_average_by_order(database: Database, floor: Floor) -> None:
    """EXD-27."""
    del floor
    async with database.driver_transaction() as connection:
        bitcoin, ether = await reports.symbols(connection, TRADING)
        (played,) = await reports.symbols(connection, DEMO)
    assert (bitcoin.symbol, bitcoin.orders, bitcoin.filled_quantity) == ("BTCUSDT", 4, "0.01400000")
    assert (bitcoin.realized_pnl, bitcoin.average_pnl) == ("0.015000", "0.003750")
    assert (ether.symbol, ether.realized_pnl, ether.average_pnl) == ("ETHUSDT", "-0.005000", "-0.001250")
    assert (played.symbol, played.orders) == ("BTCUSDT", 2)


async def test_the_leader_board_has_everybody_and_those_without_orders_last(database: Database, floor: Floor) -> None:
    """EXD-31, EXD-32: a loser stands above one who never placed an order."""
    floor.meet(floor.alice, floor.bob, 1_000, 1)
    floor.exchange.order(floor.carol, Side.BUY, 1, 1)
    floor.exchange.cut()
    await project_live(database, floor.exchange.batches[1:])
    async with database.driver_transaction() as connection:
        board = await reports.leaders(connection, TRADING, "USDT", 10)
        best = await reports.leaders(connection, TRADING, "USDT", 2)
        elsewhere = await reports.leaders(connection, TRADING, "BTC", 10)
    told = [(NAMES_BY_ID[line.user_id], line.orders) for line in board]
    assert told == [("alice", 5), ("carol", 1), ("bob", 5), ("operator", 0)]
    assert [line.realized_pnl for line in board] == ["0.010000", "0.000000", "-0.005000", None]
    assert best == board[:2]
    assert {(line.orders, line.realized_pnl) for line in elsewhere} == {(0, None)}


async def test_a_loser_stands_above_those_without_orders(database: Database) -> None:
    """EXD-32."""
    floor = Floor()
    floor.meet(floor.alice, floor.bob, 2_000, 1)
    floor.meet(floor.bob, floor.alice, 1_000, 1)
    await floor.project(database)
    async with database.driver_transaction() as connection:
        board = await reports.leaders(connection, TRADING, "USDT", 10)
    assert [NAMES_BY_ID[line.user_id] for line in board] == ["bob", "alice", "operator", "carol"]
    assert board[1].realized_pnl == "-0.010000"


async def test_the_rich_are_listed_richest_first(database: Database, floor: Floor) -> None:
    """EXD-13: of all accounts of a world, what is set aside included."""
    floor.exchange.order(floor.carol, Side.BUY, 1, 1)
    second = floor.exchange.open_account(CAROL.user_id)
    floor.exchange.do(Deposit(second, "USDT", 1))
    floor.exchange.cut()
    await project_live(database, floor.exchange.batches[1:])

    async def rich(least: str, limit: int = 10, world: World = TRADING) -> list[tuple[str, str]]:
        async with database.driver_transaction() as connection:
            found = await reports.wealthiest(connection, world, "USDT", least, limit)
        return [(NAMES_BY_ID[line.user_id], line.balance) for line in found]

    assert (await rich("3000000.000001"))[0] == ("carol", "3000000.000001")
    assert await rich("3000000.000002") == []
    everybody = await rich("0")
    assert [name for name, _ in everybody] == ["carol", "alice", "bob", "operator"]
    assert [Decimal(balance) for _, balance in everybody] == sorted(
        (Decimal(balance) for _, balance in everybody), reverse=True
    )
    assert await rich("0", 2) == everybody[:2]
    assert [name for name, _ in await rich("0.000001", world=DEMO)] == ["carol", "bob"]


async def test_results_come_to_the_same_from_positions_and_from_trades(database: Database) -> None:
    """A crowd's: what each account's sales earned, added up trade by trade."""
    await project_live(database, crowded(11, 30))
    earned: dict[str, int] = defaultdict(int)
    for symbol, atoms in await rows_of(database, "SELECT symbol, seller_realised FROM trades WHERE world = 'trading'"):
        earned[symbol] += atoms
    async with database.driver_transaction() as connection:
        found = await reports.symbols(connection, TRADING)
    assert {line.symbol: Decimal(line.realized_pnl) for line in found} == {
        symbol: Decimal(atoms).scaleb(-6) for symbol, atoms in earned.items()
    }
    assert any(earned.values())


NAMES_BY_ID = {actor.user_id: name for actor, name in NAMES.items()}
assert OPERATOR in NAMES
