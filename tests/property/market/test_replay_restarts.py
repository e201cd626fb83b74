"""A replay that is killed and started again, anywhere and as often as one likes, plays what it would have played."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from fondaco.core.candles import MINUTE_US
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.port import Feed
from fondaco.market.feeds.replay import open_replay
from fondaco.market.feeds.simulated import SimulatedFeed
from fondaco.market.messages import Source, Tick
from support.feeding import NOW_US, Clock, catalogue, resumed, ticks_of, unreceived, write_trades

FIRST_MS = 1_723_161_255_342
CATALOGUE = catalogue("BTC/USDT")
LENGTH = 100
"""Ticks that each run is followed for."""


class Life(NamedTuple):
    """One run of a feed: how much it delivers, how much of that is stored when it is killed, how long it then lies."""

    delivered: int
    stored: int
    down_s: int


LIVES = st.lists(
    st.builds(
        lambda delivered, lost, down_s: Life(delivered, max(0, delivered - lost), down_s),
        st.integers(0, 60),
        st.integers(0, 30),
        st.integers(0, 900),
    ),
    min_size=1,
    max_size=4,
)
STEPS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 3)), min_size=1, max_size=12)


def write_steps(folder: str, steps: Sequence[tuple[int, int]]) -> Path:
    rows, time_ms, trade_id = [], FIRST_MS, 1_000_000
    for number, (pause_ms, id_step) in enumerate(steps):
        time_ms, trade_id = time_ms + pause_ms, trade_id + id_step
        rows.append((trade_id, f"{100 + number % 7}.5", f"{1 + number}", time_ms, number % 2 == 0))
    return write_trades(Path(folder), rows)


async def deliver(feed: Feed, count: int) -> list[Tick]:
    """At least so many ticks, in whole reads."""
    delivered: list[Tick] = []
    async with aclosing(feed.reads()) as reads:
        async for read in reads:
            delivered += ticks_of([read])
            if len(delivered) >= count:
                break
    return delivered


async def lead(lives: Sequence[Life], begin: Callable[[Clock, list[Tick]], Feed], clock: Clock) -> list[Tick]:
    """Everything that a feed delivers in all its lives and in a long last one."""
    delivered_in_all: list[Tick] = []
    stored: list[Tick] = []
    for life in (*lives, Life(LENGTH, 0, 0)):
        delivered = await deliver(begin(clock, stored), life.delivered)
        delivered_in_all += delivered
        # Something is stored of every life; how a feed goes on when nothing was, another test says.
        stored += delivered[: max(1, life.stored)]
        clock.now_us += life.down_s * 1_000_000
    return delivered_in_all


@given(
    steps=STEPS,
    lives=LIVES,
    speed=st.sampled_from([0.0, 1.0, 7.5]),
    times=st.sampled_from(["now", "recorded"]),
    now_us=st.integers(NOW_US, NOW_US + MINUTE_US),
)
@settings(deadline=None, max_examples=50)
def test_all_lives_of_a_replay_are_the_uninterrupted_run(
    steps: list[tuple[int, int]], lives: list[Life], speed: float, times: str, now_us: int
) -> None:
    market = MarketSettings.model_validate({"replay_speed": speed, "replay_times": times, "history_candles": 3})
    with TemporaryDirectory() as folder:
        path = write_steps(folder, steps)

        def begin(clock: Clock, stored: list[Tick]) -> Feed:
            resume = resumed(Source.REPLAY, stored)
            return open_replay([path], market, CATALOGUE, resume, clock, sleep=clock.sleep)

        union = sorted(set(unreceived(asyncio.run(lead(lives, begin, Clock(now_us))))))
        whole = unreceived(asyncio.run(deliver(begin(Clock(now_us), []), len(union))))
    assert union == whole[: len(union)]


@given(lives=LIVES, now_us=st.integers(NOW_US, NOW_US + 10 * MINUTE_US))
@settings(deadline=None, max_examples=15)
def test_all_lives_of_a_simulation_are_the_uninterrupted_run(lives: list[Life], now_us: int) -> None:
    market = MarketSettings(history_candles=1)

    def begin(clock: Clock, stored: list[Tick]) -> Feed:
        return SimulatedFeed(market, CATALOGUE, resumed(Source.SIMULATED, stored), clock, sleep=clock.sleep)

    union = sorted(set(unreceived(asyncio.run(lead(lives, begin, Clock(now_us))))))
    whole = unreceived(asyncio.run(deliver(begin(Clock(now_us), []), len(union))))
    assert union == whole[: len(union)]
    assert [tick[0] for tick in union] == list(range(union[0][0], union[0][0] + len(union)))
