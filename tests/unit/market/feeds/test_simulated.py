"""The simulated feed: the same for the same seed whenever asked, plausible, never mixed with another seed's past."""

from itertools import pairwise

import pytest

from fondaco.core.candles import MINUTE_US
from fondaco.core.listings import instrument
from fondaco.core.money import INT64_MAX
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.simulated import BLOCK_US, MAX_CATCH_UP_US, PRINTS_PER_BLOCK, SimulatedFeed, prints_of
from fondaco.market.messages import Source, Tick
from support.feeding import NOW_US, Clock, catalogue, minutes_of, reads_until, resumed, ticks_of, unreceived

CATALOGUE = catalogue("BTC/USDT", "ETH/USDT", "PEPE/USDT", "XRP/ETH")
BTC = CATALOGUE.by_symbol["BTCUSDT"]


def feed_of(
    clock: Clock, stored: list[Tick] | None = None, *, history_candles: int = 0, seed: int = 1
) -> SimulatedFeed:
    market = MarketSettings(history_candles=history_candles, seed=seed)
    return SimulatedFeed(market, CATALOGUE, resumed(Source.SIMULATED, stored or []), clock, sleep=clock.sleep)


async def ticks_until(feed: SimulatedFeed, time_us: int) -> list[Tick]:
    reads = await reads_until(feed, lambda read: max(batch.ticks[-1].time_us for batch in read.ticks) >= time_us)
    return [tick for tick in ticks_of(reads) if tick.time_us < time_us]


async def test_the_first_start_is_not_empty_and_its_history_is_marked() -> None:
    clock = Clock()
    reads = await reads_until(feed_of(clock, history_candles=500), lambda read: not read.is_history)
    for symbol in CATALOGUE.symbols:
        history = ticks_of((read for read in reads if read.is_history), symbol)
        assert len([open_us for open_us in minutes_of(history) if open_us + MINUTE_US <= NOW_US]) >= 500
        assert all(later.trade_id == tick.trade_id + 1 for tick, later in pairwise(history))
        assert all(tick.time_us <= NOW_US for tick in history)


async def test_the_seed_alone_decides() -> None:
    until_us = NOW_US + 3 * MINUTE_US
    one = await ticks_until(feed_of(Clock()), until_us)
    same = await ticks_until(feed_of(Clock()), until_us)
    other = await ticks_until(feed_of(Clock(), seed=2), until_us)
    assert len(one) > 20
    assert unreceived(one) == unreceived(same)
    assert [tick.price for tick in one] != [tick.price for tick in other[: len(one)]]


async def test_prints_come_when_they_are_due() -> None:
    ticks = await ticks_until(feed_of(Clock()), NOW_US + MINUTE_US)
    assert all(0 <= tick.received_us - tick.time_us <= 1 for tick in ticks)


@pytest.mark.parametrize("symbol", CATALOGUE.symbols)
def test_prices_move_a_little_and_quantities_vary(symbol: str) -> None:
    prints = prints_of(CATALOGUE.by_symbol[symbol], 1, NOW_US // BLOCK_US)
    assert len(prints) == PRINTS_PER_BLOCK
    assert all(NOW_US <= each.time_us < NOW_US + BLOCK_US for each in prints)
    assert all(abs(later.price - each.price) * 100 < each.price for each, later in pairwise(prints))
    assert len({each.price for each in prints}) > 50
    assert len({each.quantity for each in prints}) > 50
    assert {each.buyer_is_maker for each in prints} == {True, False}
    assert all(0 < each.quantity <= INT64_MAX and each.price > 0 for each in prints)


def test_every_scale_gives_amounts_that_fit() -> None:
    for base, quote in ((0, 8), (2, 8), (8, 0), (18, 8), (8, 18)):
        prints = prints_of(instrument("AAA/BBB", {"AAA": base, "BBB": quote}), 1, 1)
        assert all(0 < each.quantity <= INT64_MAX and 0 < each.price <= INT64_MAX for each in prints)


async def test_a_tick_of_another_seed_begins_now_without_history() -> None:
    stored = (await ticks_until(feed_of(Clock(), seed=2), NOW_US + MINUTE_US))[-1:]
    clock = Clock(NOW_US + 30 * MINUTE_US)
    reads = await reads_until(feed_of(clock, stored, history_candles=500), lambda read: bool(ticks_of([read])))
    assert min(tick.time_us for tick in ticks_of(reads)) >= NOW_US + 30 * MINUTE_US - BLOCK_US


@pytest.mark.parametrize("late_us", [0, 1])
async def test_a_downtime_over_the_limit_goes_on_in_the_present(late_us: int) -> None:
    stored = (await ticks_until(feed_of(Clock()), NOW_US + MINUTE_US))[-2:]
    last, next_us = stored[0], stored[1].time_us
    clock = Clock(next_us + MAX_CATCH_UP_US + late_us)
    first, *_ = ticks_of(await reads_until(feed_of(clock, [last]), lambda read: bool(ticks_of([read]))))
    if late_us:
        assert first.time_us >= clock.now_us - BLOCK_US
    else:
        assert first.trade_id == last.trade_id + 1
