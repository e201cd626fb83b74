"""The dealer with a whole engine and a bus: quotes that follow the feed, and none that should not be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from fondaco.app.seeding.people import ALICE, Part
from fondaco.app.seeding.seeding import Seeder
from fondaco.core.commands import HOUSE, Command, OpenPosition, SetDeskRules, SetDeskTerms
from fondaco.core.desk.state import DeskQuote, Level
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.listings import Catalogue, instrument
from fondaco.core.replies import Done, PositionOpened
from fondaco.core.vocabulary import AccountKind, Closing, Direction, LevelKind, World
from fondaco.domains.desk.api import Dealer, Markup
from fondaco.engine.reading import Tables
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database
from fondaco.infra.metrics import DEALER_KEY
from fondaco.infra.settings import BusSettings, DeskSettings
from fondaco.market.messages import Source
from support.engines import submit
from support.live import House, whole_engine
from support.outside_feed import SYMBOL, UNIT, Feed, open_positions, quote_of
from support.tasks import ended
from support.waiting import PATIENCE_S, eventually
from support.ways import Way

CATALOGUE: Final = Catalogue([instrument("BTC/USDT", {})])
PRICE: Final = 60_000
MARKUPS: Final = {SYMBOL: Markup(ppm=100)}
SETTINGS: Final = DeskSettings(submit_ms=5, max_tick_age_ms=60_000, off_market_ppm=50_000, off_market_run=3)
TICK: Final = UNIT // 100


@dataclass(frozen=True)
class Floor:
    """A seeded house with a dealer, and a feed that nothing was heard of yet."""

    house: House
    way: Way
    bus: Bus
    feed: Feed
    dealer: Dealer
    dealers_bus: LocalBus

    async def quoted(self, price: int, world: World = World.DEMO) -> DeskQuote:
        """Wait until a price is quoted; returns its quote."""

        async def is_quoted() -> bool:
            quote = await quote_of(self.house.client, world)
            return quote is not None and quote.source_price == price * UNIT

        await eventually(is_quoted)
        quote = await quote_of(self.house.client, world)
        assert quote is not None
        return quote

    async def open(self, direction: Direction, quantity: int, *, stop: int = 0) -> None:
        """Open a position of Alice's; ``stop`` in quote units."""
        (account_id,) = [
            each
            for each in self.house.live.accounts_of[ALICE.user_id]
            if self.house.live.accounts[each].kind is AccountKind.MARGIN
        ]
        level = Level(LevelKind.PRICE, stop * UNIT) if stop else Level()
        command = OpenPosition(account_id, SYMBOL, direction, quantity, 1, stop=level)
        reply = (await submit(self.house.client, account_id, command)).reply
        assert isinstance(reply, PositionOpened), reply

    async def decide(self, command: Command) -> None:
        """The house decides something, and the dealer hears of it."""
        assert isinstance((await submit(self.house.client, HOUSE, command)).reply, Done)
        seq = await self.house.client.read(lambda machine: machine.seq)
        async with asyncio.timeout(PATIENCE_S):
            await self.dealer._live.come_to(seq)

    def dropped(self, reason: str) -> Callable[[], Awaitable[bool]]:
        """Whether a trade was left out for this reason."""

        async def is_dropped() -> bool:
            return self.count("fondaco_dealer_dropped_ticks_total", reason=reason) > 0

        return is_dropped

    def refused(self, code: str) -> Callable[[], Awaitable[bool]]:
        """Whether a submission was not taken for this reason."""

        async def is_refused() -> bool:
            return self.count("fondaco_dealer_refused_total", world="demo", code=code) > 0

        return is_refused

    def count(self, name: str, **labels: str) -> float:
        """A metric of the symbol."""
        return self.dealer.metrics.registry.get_sample_value(name, {"symbol": SYMBOL, **labels}) or 0


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    """A whole engine."""
    async with whole_engine(database) as made:
        yield made


@pytest.fixture
def bus() -> LocalBus:
    """A bus that outlives whoever speaks over it."""
    return LocalBus(BusSettings())


@asynccontextmanager
async def floor_of(house: House, bus: LocalBus, part: Part = Part.ALL) -> AsyncIterator[Floor]:
    """A dealer that runs until the block ends."""
    seeder = Seeder(house.client, house.database, CATALOGUE, {SYMBOL: PRICE * UNIT}, lambda _: None)
    await seeder.seed(part)
    await house.caught_up()
    way = Way(house.client)
    with bus.connect() as own, bus.connect() as feeding:
        feed = Feed(feeding)
        await feed.begin()
        dealer = Dealer(way, house.database, own, CATALOGUE, SETTINGS, MARKUPS)
        async with ended(dealer.run()):
            await asyncio.wait_for(dealer._live.ready.wait(), PATIENCE_S)
            yield Floor(house, way, feeding, feed, dealer, own)


async def test_a_trade_is_quoted_in_each_world_with_markup_and_provenance(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        (trade_id,) = await floor.feed.trade(PRICE)
        for world in (World.TRADING, World.DEMO):
            quote = await floor.quoted(PRICE, world)
            assert (quote.bid_ticks, quote.ask_ticks) == (5_999_400, 6_000_600)
            assert (quote.source, quote.tick_id, quote.markup_ppm) == ("replay", trade_id, 100)


async def test_a_stop_that_was_passed_between_two_quotes_is_hit(house: House, bus: LocalBus) -> None:
    """The price has come back by the time it is told: the low is told too."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        await floor.open(Direction.LONG, UNIT // 1_000, stop=59_500)
        await floor.open(Direction.SHORT, UNIT // 1_000, stop=60_500)
        await floor.feed.trade(59_900, 59_400, 60_700, 60_001)
        await floor.quoted(60_001)
        assert await open_positions(house.client) == []
        seq = await house.client.read(lambda machine: machine.seq)
        async with Tables(house.database, wait_s=PATIENCE_S).read(seq) as (connection, _):
            rows = await connection.execute("SELECT close_reason, price / 1e8 FROM desk_fills WHERE NOT is_open")
            found = sorted((reason, float(price)) for reason, price in await rows.fetchall())
    assert found == [(Closing.STOP_LOSS, 59_394.06), (Closing.STOP_LOSS, 60_706.07)]


async def test_one_trade_off_the_market_closes_nobody(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE, PRICE, PRICE)
        await floor.quoted(PRICE)
        await floor.open(Direction.LONG, UNIT // 1_000, stop=50_000)
        await floor.feed.trade(6_000)
        await eventually(floor.dropped("off_market"))
        await floor.feed.trade(PRICE + 1)
        await floor.quoted(PRICE + 1)
        assert len(await open_positions(house.client)) == 1


async def test_a_jump_that_several_trades_confirm_is_quoted(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE, PRICE, PRICE)
        await floor.quoted(PRICE)
        await floor.feed.trade(50_000, 50_001, 50_002)
        await floor.quoted(50_002)


async def test_what_is_no_news_is_not_quoted(house: House, bus: LocalBus) -> None:
    """Trades that were fetched afterwards, a made up past, and those of a feed that readers do not see."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        await floor.open(Direction.LONG, UNIT // 1_000, stop=59_500)
        await floor.feed.trade(59_000, is_backfill=True)
        await floor.feed.trade(59_000, is_history=True)
        await Feed(floor.bus, Source.SIMULATED).trade(59_000)
        await floor.feed.trade(PRICE + 1)
        await floor.quoted(PRICE + 1)
        assert len(await open_positions(house.client)) == 1


async def test_a_trade_that_came_in_long_ago_is_not_quoted(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE, age_us=SETTINGS.max_tick_age_ms * 1_000)
        await eventually(floor.dropped("stale"))
        await floor.feed.trade(PRICE + 1)
        await floor.quoted(PRICE + 1)


async def test_what_an_engine_missed_while_it_was_away_is_not_told_afterwards(house: House, bus: LocalBus) -> None:
    """Only the newest price counts: nothing waits in line, and nobody is closed at a price that is past."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        await floor.open(Direction.LONG, UNIT // 1_000, stop=59_500)
        floor.way.is_open = False
        await floor.feed.trade(59_000)
        await eventually(floor.refused("engine_away"))
        await floor.feed.trade(59_001, 60_100)
        floor.way.is_open = True
        await floor.quoted(60_100)
        assert len(await open_positions(house.client)) == 1


async def test_a_bus_that_comes_back_is_heard_again_and_tells_nothing_twice(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        floor.dealers_bus.close()
        with bus.connect() as again:
            floor.dealer._bus = again
            await eventually(floor.dropped("out_of_order"))
            await floor.feed.trade(PRICE + 1)
            await floor.quoted(PRICE + 1)


async def test_it_ends_though_the_bus_goes_away_at_the_same_moment(house: House, bus: LocalBus) -> None:
    """A group of tasks that fail while it is cancelled forgets the cancelling: the process would never end."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        floor.dealers_bus.close()


async def test_another_feed_is_another_market(house: House, bus: LocalBus) -> None:
    """Its first trade is quoted however far it is from the other feed's, and its ids may begin anew."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE, PRICE, PRICE)
        await floor.quoted(PRICE)
        other = Feed(floor.bus, Source.SIMULATED)
        await other.begin()

        async def is_heard() -> bool:
            return floor.dealer._outsides[SYMBOL].source is Source.SIMULATED

        await eventually(is_heard)
        await other.trade(30_000)
        assert (await floor.quoted(30_000)).source == Source.SIMULATED


async def test_the_side_on_which_clients_would_go_on_is_widened(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)
        listed = house.live.terms(World.DEMO, SYMBOL)
        assert listed is not None
        lots = listed.lots(UNIT // 1_000)
        assert lots is not None
        terms = DeskTerms(World.DEMO, SYMBOL, is_dealt=True, min_lots=1, max_lots=lots, max_net_lots=lots)
        await floor.decide(SetDeskTerms(terms))
        await floor.open(Direction.LONG, UNIT // 1_000)
        await floor.decide(SetDeskRules(DeskRules(World.DEMO)))  # heard after the fill
        await floor.feed.trade(PRICE + 10)
        quote = await floor.quoted(PRICE + 10)
        assert (quote.bid_ticks, quote.ask_ticks) == (6_000_399, 6_002_801)
        assert quote.markup_ppm == 300


async def test_a_quiet_price_does_not_look_old(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.decide(SetDeskRules(DeskRules(World.DEMO, max_quote_age_ns=300_000_000)))
        await floor.feed.trade(PRICE)
        first = await floor.quoted(PRICE)

        async def is_told_again() -> bool:
            await floor.feed.trade(PRICE)
            quote = await quote_of(house.client)
            return quote is not None and quote.received_ns > first.received_ns

        await eventually(is_told_again)


async def test_a_refusal_is_counted_by_its_code_and_the_next_trade_is_tried(house: House, bus: LocalBus) -> None:
    """A feed whose clock is ahead: the engine takes no quote from the future."""
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE, age_us=-5_000_000)
        await eventually(floor.refused("quote_out_of_order"))
        await floor.feed.trade(PRICE + 1, age_us=-5_000_001)
        await floor.quoted(PRICE + 1)


async def test_the_metrics_are_left_on_the_bus(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus) as floor:
        await floor.feed.trade(PRICE)
        await floor.quoted(PRICE)

        async def is_told() -> bool:
            body = await floor.bus.get(DEALER_KEY) or b""
            return b'fondaco_dealer_quotes_total{symbol="BTCUSDT",world="demo"} 1.0' in body

        await eventually(is_told)


async def test_a_symbol_is_quoted_as_soon_as_the_desk_has_terms_for_it(house: House, bus: LocalBus) -> None:
    async with floor_of(house, bus, Part.MM) as floor:
        await floor.feed.trade(PRICE)
        terms = DeskTerms(World.DEMO, SYMBOL, is_dealt=False, min_lots=1, max_lots=1)
        await floor.decide(SetDeskTerms(terms))
        await floor.feed.trade(PRICE + 1)
        await floor.quoted(PRICE + 1)
        assert not await floor.refused("not_dealt")()
