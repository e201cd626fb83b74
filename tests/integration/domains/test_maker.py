"""The market maker of the demo world, with a whole engine: quotes that follow the feed, and none that should not be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from fondaco.app.seeding.people import ALICE, MAKER, Part
from fondaco.app.seeding.seeding import Seeder
from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import PlaceOrder, ResetDemo
from fondaco.core.listings import Catalogue, instrument
from fondaco.core.money import format_atoms
from fondaco.core.replies import AccountOpened, OrderPlaced
from fondaco.core.state import Order
from fondaco.core.vocabulary import AccountKind, OrderType, World
from fondaco.domains.maker.api import Maker
from fondaco.engine.client import EngineClient
from fondaco.engine.port import Engine
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings, MakerSettings
from fondaco.market.messages import Quote, quote_channel
from fondaco.market.quotes import encode_quote
from support.engines import submit
from support.live import House, whole_engine
from support.tasks import ended
from support.waiting import PATIENCE_S, eventually
from support.ways import Way

UNIT: Final = 10**8
CATALOGUE: Final = Catalogue([instrument("BTC/USDT", {})])
SETTINGS: Final = MakerSettings(levels=3, round_s=0.01, stale_s=30)
PRICE: Final = 60_000


@pytest.fixture
def bus() -> LocalBus:
    """A bus that outlives whoever speaks over it."""
    return LocalBus(BusSettings())


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


async def makers() -> list[str]:
    """Who may make the market."""
    return [MAKER.user_id]


def new_maker(engine: Engine, database: Database, bus: Bus, clock: Clock) -> Maker:
    return Maker(engine, database, bus, CATALOGUE, SETTINGS, makers, clock)


@asynccontextmanager
async def seeded_house(database: Database) -> AsyncIterator[House]:
    """A house with a market maker, and Alice and Bob to trade with it."""
    async with whole_engine(database) as house:
        seeder = Seeder(house.client, database, CATALOGUE, {"BTCUSDT": PRICE * UNIT}, lambda _: None)
        await seeder.seed(Part.ALL)
        await house.caught_up()
        yield house


def demo_account(house: House, user_id: str) -> int:
    accounts = (house.live.accounts[each] for each in house.live.accounts_of[user_id])
    (found,) = [each.account_id for each in accounts if each.world is World.DEMO and each.kind is AccountKind.SPOT]
    return found


async def say(bus: Bus, price: int) -> None:
    """The feed names a price."""
    text = format_atoms(price * UNIT, 8)
    await bus.publish(quote_channel("BTCUSDT"), encode_quote(Quote("BTCUSDT", text, text, text, 0)))


def last_quote(*, age_s: int) -> Quote:
    """What the feed said so long ago."""
    text = format_atoms(PRICE * UNIT, 8)
    return Quote("BTCUSDT", text, text, text, now_us() // 1_000 - age_s * 1_000)


async def orders(client: EngineClient, account_id: int) -> list[Order]:
    return await client.read(lambda machine: list(machine.orders_of(account_id)))


def quoting(house: House, price: int) -> Callable[[], Awaitable[bool]]:
    """Whether three orders on either side stand a thousandth apart round a price, the inventory's shift aside."""
    account_id = demo_account(house, MAKER.user_id)

    async def is_quoting() -> bool:
        found = await orders(house.client, account_id)
        bids = [each.price_ticks for each in found if each.side is Side.BUY]
        asks = [each.price_ticks for each in found if each.side is Side.SELL]
        if (len(bids), len(asks)) != (3, 3):
            return False
        middle = (max(bids) + min(asks)) // 2
        return abs(middle - price * 100) <= price * 100 * SETTINGS.skew_ppm // 1_000_000

    return is_quoting


def withdrawn(house: House) -> Callable[[], Awaitable[bool]]:
    """Whether the maker has nothing standing."""
    account_id = demo_account(house, MAKER.user_id)

    async def is_withdrawn() -> bool:
        return await orders(house.client, account_id) == []

    return is_withdrawn


async def told(bus: Bus, price: int, until: Callable[[], Awaitable[bool]]) -> None:
    """Name a price again and again, as a feed does, until something is so: who listens may have begun just now."""

    async def is_so() -> bool:
        await say(bus, price)
        return await until()

    await eventually(is_so)


async def test_quotes_stand_on_both_sides_follow_the_price_and_are_withdrawn_at_the_end(
    database: Database, bus: LocalBus
) -> None:
    async with seeded_house(database) as house:
        with bus.connect() as own:
            maker = new_maker(house.client, database, own, Clock())
            async with ended(maker.run()):
                await told(own, PRICE, quoting(house, PRICE))
                await told(own, PRICE + 600, quoting(house, PRICE + 600))
            assert len(await orders(house.client, demo_account(house, MAKER.user_id))) == 6
            await maker.withdraw()
            assert await withdrawn(house)()


async def test_the_feed_s_last_price_serves_until_it_names_another(database: Database, bus: LocalBus) -> None:
    """A feed may be silent for some seconds after a start."""
    async with seeded_house(database) as house:
        with bus.connect() as own:
            await own.set(quote_channel("BTCUSDT"), encode_quote(last_quote(age_s=1)))
            async with ended(new_maker(house.client, database, own, Clock()).run()):
                await eventually(quoting(house, PRICE))


async def test_a_last_price_is_as_old_as_its_trade(database: Database, bus: LocalBus) -> None:
    clock = Clock()
    with bus.connect() as own:
        async with whole_engine(database) as house:
            maker = new_maker(house.client, database, own, clock)
            maker._hear(encode_quote(last_quote(age_s=20)), is_old=True)
            assert 20 <= clock.now_s - maker._heard["BTCUSDT"].at_s < 20 + PATIENCE_S
            maker._hear(encode_quote(last_quote(age_s=20)))
            assert maker._heard["BTCUSDT"].at_s == clock.now_s


async def test_a_newcomer_trades_with_it_and_it_quotes_again(database: Database, bus: LocalBus) -> None:
    async with seeded_house(database) as house:
        alice = demo_account(house, ALICE.user_id)
        with bus.connect() as own:
            async with ended(new_maker(house.client, database, own, Clock()).run()):
                await told(own, PRICE, quoting(house, PRICE))
                order = PlaceOrder(alice, "BTCUSDT", Side.BUY, OrderType.MARKET, quote_quantity=500 * UNIT)
                bought = (await submit(house.client, alice, order)).reply
                assert isinstance(bought, OrderPlaced)
                assert bought.filled > 0
                await told(own, PRICE, quoting(house, PRICE))


async def test_old_quotes_are_withdrawn_and_come_back_with_the_feed(database: Database, bus: LocalBus) -> None:
    async with seeded_house(database) as house:
        clock = Clock()
        with bus.connect() as own:
            async with ended(new_maker(house.client, database, own, clock).run()):
                await told(own, PRICE, quoting(house, PRICE))
                clock.now_s += SETTINGS.stale_s
                await eventually(quoting(house, PRICE))
                clock.now_s += 1
                await eventually(withdrawn(house))
                await told(own, PRICE, quoting(house, PRICE))


async def test_a_start_takes_back_what_an_earlier_life_left(database: Database, bus: LocalBus) -> None:
    async with seeded_house(database) as house:
        with bus.connect() as own:
            async with ended(new_maker(house.client, database, own, Clock()).run()):
                await told(own, PRICE, quoting(house, PRICE))
            assert not await withdrawn(house)()
            async with ended(new_maker(house.client, database, own, Clock()).run()):
                await eventually(withdrawn(house))  # it has not heard a price yet


async def test_it_idles_without_an_account_and_goes_over_to_the_one_that_takes_its_place(
    database: Database, bus: LocalBus
) -> None:
    """A reset closes the account and opens another, which has quote alone: so there are bids alone."""
    async with whole_engine(database) as house:
        with bus.connect() as own:
            async with ended(new_maker(house.client, database, own, Clock()).run()):
                seeder = Seeder(house.client, database, CATALOGUE, {"BTCUSDT": PRICE * UNIT}, lambda _: None)
                await seeder.seed(Part.MM)
                await house.caught_up()
                account_id = demo_account(house, MAKER.user_id)
                await told(own, PRICE, quoting(house, PRICE))
                opened = (await submit(house.client, account_id, ResetDemo(account_id, 100_000 * UNIT))).reply
                assert isinstance(opened, AccountOpened)

                async def bids_from_the_new_one() -> bool:
                    found = await orders(house.client, opened.account_id)
                    return [each.side for each in found] == [Side.BUY] * 3

                await told(own, PRICE, bids_from_the_new_one)


async def test_it_waits_for_an_engine_that_is_away_and_begins_anew(database: Database, bus: LocalBus) -> None:
    clock = Clock()
    async with seeded_house(database) as house:
        way = Way(house.client)
        with bus.connect() as own:
            async with ended(new_maker(way, database, own, clock).run()):
                await told(own, PRICE, quoting(house, PRICE))
                way.is_open = False
                clock.now_s += SETTINGS.stale_s + 1
                await asyncio.wait_for(way.was_refused.wait(), PATIENCE_S)
                assert await quoting(house, PRICE)()
                way.is_open = True
                await eventually(withdrawn(house))
                await told(own, PRICE, quoting(house, PRICE))
