"""Seeding: everything with one command, parts with others, and nothing twice (BHC-5)."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from fondaco.app.seeding.people import ADMIN, ALICE, BOB, MAKER, Part
from fondaco.app.seeding.prices import feed_prices
from fondaco.app.seeding.seeding import INSURANCE_UNITS, LEVELS, Seeder
from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import HOUSE, CancelAll, Command, Deposit, FundInsurance, SetDeskTerms, decode_command
from fondaco.core.listings import Catalogue, instrument
from fondaco.core.replies import Answer
from fondaco.core.state import OUTSIDE_ACCOUNT
from fondaco.core.vocabulary import AccountKind, World
from fondaco.engine.client import EngineClient
from fondaco.engine.port import Engine
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings
from fondaco.market.messages import Quote, quote_channel
from fondaco.market.quotes import encode_quote
from support.engines import submit
from support.houses import command
from support.live import House, whole_engine

CATALOGUE = Catalogue([instrument("BTC/USDT", {}), instrument("ETH/USDT", {})])
UNIT = 10**8
PRICES = {"BTCUSDT": 60_000 * UNIT, "ETHUSDT": 2_500 * UNIT}


async def seeded(
    house: House, part: Part, prices: Mapping[str, int] = PRICES, engine: Engine | None = None
) -> list[str]:
    """Seed; returns what was said."""
    said: list[str] = []
    seeder = Seeder(engine or house.client, house.database, CATALOGUE, prices, said.append)
    await seeder.seed(part)
    assert (seeder.done > 0) == bool(said)
    await house.caught_up()
    return said


async def picture(client: EngineClient) -> list[tuple[object, ...]]:
    """Everything that somebody has."""
    return await client.read(
        lambda machine: [
            (account_id, machine.balances_of(account_id), [each.order_id for each in machine.orders_of(account_id)])
            for account_id in sorted(machine.house.accounts)
        ]
    )


async def came_in(client: EngineClient, world: World) -> dict[str, int]:
    """What the outside has given to a world, by asset."""
    return await client.read(
        lambda machine: {
            asset: -machine.house.ledger.balance(OUTSIDE_ACCOUNT[world], asset).total for asset in machine.house.assets
        }
    )


def worth(*units: int) -> dict[str, int]:
    """Of each asset so many quote units' worth, for each of these, rounded down each time."""
    prices = {"USDT": 1, "BTC": 60_000, "ETH": 2_500}
    return {asset: sum(each * UNIT // price for each in units) for asset, price in prices.items()}


def with_insurance(amounts: dict[str, int]) -> dict[str, int]:
    """The same with what the insurance fund begins with."""
    return amounts | {"USDT": amounts["USDT"] + INSURANCE_UNITS * UNIT}


class CutOff:
    """An engine whose sender dies after so many commands."""

    def __init__(self, client: EngineClient, commands: int) -> None:
        self._client = client
        self._left = commands
        self.look = client.look
        self.follow = client.follow

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Submit it; the last one's answer is not heard any more."""
        answer = await self._client.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)
        self._left -= 1
        if self._left <= 0:
            raise ConnectionError
        return answer


class Forgetful:
    """The engine after a day and a million commands: the ids of before mean nothing to it."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self.look = client.look
        self.follow = client.follow

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Submit it under another id."""
        command_id = f"again-{command_id}"
        return await self._client.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)


async def account_of(house: House, user_id: str, world: World, kind: AccountKind = AccountKind.SPOT) -> AccountSeen:
    owned = [house.live.accounts[each] for each in house.live.accounts_of[user_id]]
    (account_id,) = [each.account_id for each in owned if (each.world, each.kind) == (world, kind)]
    seen = await house.client.look(LookAtAccount(account_id))
    assert isinstance(seen, AccountSeen)
    return seen


async def roles(database: Database) -> dict[str, str]:
    async with database.transaction() as connection:
        return {row.email: row.role for row in await connection.execute(text("SELECT email, role FROM users"))}


async def test_one_command_fills_everything_and_a_second_one_changes_nothing(database: Database) -> None:
    """BHC-5."""
    async with whole_engine(database) as house:
        said = await seeded(house, Part.ALL)
        assert len(said) == len(set(said))
        assert await roles(database) == {
            "admin@example.com": "admin",
            "maker@example.com": "market_maker",
            "alice@example.com": "user",
            "bob@example.com": "user",
        }
        assert sorted(house.live.listings) == [
            (world, symbol) for world in (World.DEMO, World.TRADING) for symbol in CATALOGUE.symbols
        ]
        assert {user: len(ids) for user, ids in house.live.accounts_of.items()} == {
            MAKER.user_id: 1,
            ALICE.user_id: 3,
            BOB.user_id: 2,
        }
        before = await picture(house.client)
        assert await seeded(house, Part.ALL, {symbol: price + 7 for symbol, price in PRICES.items()}) == []
        assert await picture(house.client) == before


async def test_the_first_book_has_both_sides_and_the_first_trade_is_made_in_both_worlds(database: Database) -> None:
    async with whole_engine(database) as house:
        await seeded(house, Part.ALL)
        alice = await account_of(house, ALICE.user_id, World.TRADING)
        bob = await account_of(house, BOB.user_id, World.TRADING)
        assert [(each.side, each.symbol) for each in alice.orders] == [
            (Side.BUY, symbol) for symbol in CATALOGUE.symbols for _ in range(LEVELS)
        ]
        assert {each.side for each in bob.orders} == {Side.SELL}
        last = await house.client.read(
            lambda machine: {key: market.last_ticks for key, market in machine.house.markets.items()}
        )
        assert last == {
            (world, symbol): ticks
            for world in (World.TRADING, World.DEMO)
            for symbol, ticks in (("BTCUSDT", 6_000_000), ("ETHUSDT", 2_500_000))
        }


async def test_parts_are_seeded_alone(database: Database) -> None:
    """BHC-5: only the administrators, only the market makers."""
    async with whole_engine(database) as house:
        assert await seeded(house, Part.ADMIN, {}) == ["  user admin@example.com (admin)"]
        assert await seeded(house, Part.ADMIN, {}) == []
        assert (await roles(database), house.live.listings) == ({"admin@example.com": "admin"}, {})
        await seeded(house, Part.MM)
        assert sorted(await roles(database)) == ["admin@example.com", "maker@example.com"]
        assert {world for world, _ in house.live.listings} == {World.DEMO}
        maker = await account_of(house, MAKER.user_id, World.DEMO)
        assert {each.asset: each.available for each in maker.balances} == {
            "BTC": 1_000_000 * UNIT // 60_000,
            "ETH": 400 * UNIT,
            "USDT": 1_000_000 * UNIT,
        }
        assert ADMIN.user_id not in house.live.accounts_of or house.live.accounts_of[ADMIN.user_id] == []


async def test_real_money_comes_to_the_two_demo_users_alone_and_says_where_from(database: Database) -> None:
    async with whole_engine(database) as house:
        await seeded(house, Part.ALL)
        assert await came_in(house.client, World.TRADING) == with_insurance(worth(10_000, 10_000))
        accounts = house.live.accounts.values()
        assert {each.user_id for each in accounts if each.world is World.TRADING} == {ALICE.user_id, BOB.user_id}
        journal = await house.client.read(lambda machine: [decode_command(each.body) for each in machine.remembered])
    notes = {command.note for command in journal if isinstance(command, (Deposit, FundInsurance))}
    assert notes == {"seed"}


async def test_the_desk_deals_in_everything_that_is_listed_in_both_worlds_up_to_a_hundredfold(
    database: Database,
) -> None:
    """And a demo person has a margin account with the 1000 units that everybody begins with (EXP-79)."""
    async with whole_engine(database) as house:
        await seeded(house, Part.ALL)
        desk = await house.client.read(lambda machine: machine.house.desk)
        assert sorted(desk.rules) == [World.DEMO, World.TRADING]
        assert sorted(desk.books) == sorted(house.live.listings)
        for book in desk.books.values():
            assert book.listed.max_leverage == 100
            assert book.terms is not None
            assert book.terms.is_dealt
            assert (book.terms.triple_weekday, book.terms.min_lots) == (2, 1)
            assert book.terms.guarantee_ppm > 0
            assert book.terms.max_net_lots > book.terms.max_lots
        bitcoin = desk.books[World.DEMO, "BTCUSDT"]
        assert bitcoin.terms is not None
        assert bitcoin.terms.max_lots * bitcoin.listed.lot == 1_000_000 * UNIT // 60_000 // bitcoin.listed.lot * (
            bitcoin.listed.lot
        )
        margin = await account_of(house, ALICE.user_id, World.DEMO, AccountKind.MARGIN)
        assert {each.asset: each.available for each in margin.balances} == {"USDT": 1_000 * UNIT}


async def test_what_an_operator_decided_of_the_desk_stays(database: Database) -> None:
    async with whole_engine(database) as house:
        await seeded(house, Part.ALL)
        desk = await house.client.read(lambda machine: machine.house.desk)
        terms = desk.books[World.DEMO, "BTCUSDT"].terms
        assert terms is not None
        changed = replace(terms, max_net_lots=terms.max_lots)
        await submit(house.client, HOUSE, SetDeskTerms(changed))
        assert await seeded(house, Part.ALL, engine=Forgetful(house.client)) == []
        assert desk.books[World.DEMO, "BTCUSDT"].terms == changed


async def test_what_stands_is_left_alone_after_the_engine_has_forgotten_the_ids(database: Database) -> None:
    """A book that was traded in is not laid again, and nobody's account is filled up a second time."""
    async with whole_engine(database) as house:
        await seeded(house, Part.ALL)
        owned = [house.live.accounts[each] for each in house.live.accounts_of[ALICE.user_id]]
        (trading,) = [each.account_id for each in owned if each.world is World.TRADING]
        await submit(house.client, HOUSE, CancelAll(trading))
        before = await picture(house.client)
        assert await seeded(house, Part.ALL, engine=Forgetful(house.client)) == []
        assert await picture(house.client) == before


async def test_a_seed_that_was_cut_off_is_completed_by_the_next(database: Database) -> None:
    """Cut off after two commands more each time, until one comes to its end."""
    async with whole_engine(database) as house:
        for commands in count(2, 2):
            try:
                await seeded(house, Part.ALL, engine=CutOff(house.client, commands))
                break
            except ConnectionError:
                await house.caught_up()
        assert commands > 10
        assert [len(house.live.accounts_of[each.user_id]) for each in (MAKER, ALICE, BOB)] == [1, 3, 2]
        assert len(house.live.listings) == 4
        assert await came_in(house.client, World.TRADING) == with_insurance(worth(10_000, 10_000))
        demo = with_insurance(worth(1_000, 1_000, 1_000_000))
        assert await came_in(house.client, World.DEMO) == demo | {"USDT": demo["USDT"] + 1_000 * UNIT}
        assert await seeded(house, Part.ALL) == []


async def test_a_house_without_prices_is_told_so(database: Database) -> None:
    async with whole_engine(database) as house:
        with pytest.raises(UserError, match="The feed has named no price yet"):
            await seeded(house, Part.MM, {})


async def test_an_address_that_is_somebody_elses_stops_the_seed(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text("INSERT INTO users (id, email, role, status) VALUES (gen_random_uuid(), :email, 'user', 'active')"),
            {"email": ADMIN.email},
        )
    async with whole_engine(database) as house:
        with pytest.raises(UserError, match=r"admin@example\.com is another user already"):
            await seeded(house, Part.ADMIN, {})


async def test_without_a_house_the_command_says_so_in_a_sentence(tmp_path: Path) -> None:
    code, said, complaint = await command(["db", "seed"], tmp_path / "house")
    assert (code, said, complaint.count("\n")) == (2, "", 1)
    assert "fondaco up" in complaint


async def test_a_part_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    code, said, complaint = await command(["db", "seed", "everybody"], tmp_path / "house")
    assert (code, said) == (2, "")
    assert "everybody" in complaint


async def test_prices_are_those_that_the_feed_has_named(settings: Settings) -> None:
    """Those that it has not named within the time are left out, and it may name none."""
    bus = LocalBus(settings.bus)
    with bus.connect() as own:
        assert await feed_prices(own, CATALOGUE, wait_s=0) == {}
        await own.set(quote_channel("ETHUSDT"), encode_quote(Quote("ETHUSDT", "2500.5", "2500", "2501", 0)))
        assert await feed_prices(own, CATALOGUE, wait_s=0) == {"ETHUSDT": 2_500 * UNIT + UNIT // 2}
