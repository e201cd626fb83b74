"""The replay feed on a clock of our own: when ticks come, under which ids and times, and where a restart goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fondaco.core.candles import MINUTE_US
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.port import LastTick, Read, ResumePoint
from fondaco.market.feeds.replay import ReplayFeed, open_replay
from fondaco.market.feeds.tape import MAX_CATCH_UP_US
from fondaco.market.messages import Source, Tick
from support import needs
from support.feeding import NOW_US, Clock, catalogue, reads_until, resumed, ticks_of, write_trades

FIRST_MS = 1_723_161_255_000
"""2024-08-08 23:54:15."""
ROWS = [
    (50, "100.5", "1", FIRST_MS, True),
    (51, "101.5", "2", FIRST_MS, False),
    (53, "99.5", "3", FIRST_MS + 50_000, True),
]
"""Two ticks at 15 s, one 50 s later in the next minute; id 52 is missing. The span is one minute, the id span four."""
SPAN_US, ID_SPAN = MINUTE_US, 4
CATALOGUE = catalogue("BTC/USDT", "PEPE/USDT")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_trades(tmp_path, ROWS)


def feed_of(path: Path, clock: Clock, stored: Sequence[Tick] = (), **changes: Any) -> ReplayFeed:  # noqa: ANN401 - any setting
    market = MarketSettings.model_validate({"history_candles": 0} | changes)
    return open_replay([path], market, CATALOGUE, resumed(Source.REPLAY, stored), clock, sleep=clock.sleep)


async def first_ticks(feed: ReplayFeed, count: int) -> list[Tick]:
    gathered: list[Read] = []

    def enough(read: Read) -> bool:
        gathered.append(read)
        return len(ticks_of(gathered)) >= count

    return ticks_of(await reads_until(feed, enough))[:count]


async def test_a_recording_plays_now_with_its_seconds_and_each_tick_at_its_time(recording: Path) -> None:
    clock = Clock(NOW_US + 20_000_000)
    ticks = await first_ticks(feed_of(recording, clock), 5)
    anchor_us = NOW_US
    assert [(tick.trade_id, tick.time_us - anchor_us) for tick in ticks] == [
        (50, 15_000_000),
        (51, 15_000_000),
        (53, 65_000_000),
        (50 + ID_SPAN, 15_000_000 + SPAN_US),
        (51 + ID_SPAN, 15_000_000 + SPAN_US),
    ]
    received = [tick.received_us - anchor_us for tick in ticks]
    assert received[:2] == [20_000_000, 20_000_000]
    assert all(0 <= at - (tick.time_us - anchor_us) <= 1 for at, tick in zip(received[2:], ticks[2:], strict=True))


@pytest.mark.parametrize(("into_minute_us", "minutes_back"), [(14_999_999, 1), (15_000_000, 0)])
async def test_the_first_tick_is_due_at_once_and_less_than_a_minute_old(
    recording: Path, into_minute_us: int, minutes_back: int
) -> None:
    feed = feed_of(recording, Clock(NOW_US + into_minute_us))
    assert feed.anchors == {"BTCUSDT": NOW_US - minutes_back * MINUTE_US}


async def test_recorded_times_stay_as_they_were(recording: Path) -> None:
    feed = feed_of(recording, Clock(), replay_times="recorded")
    assert [tick.time_us for tick in await first_ticks(feed, 4)] == [
        FIRST_MS * 1000,
        FIRST_MS * 1000,
        FIRST_MS * 1000 + 50_000_000,
        FIRST_MS * 1000 + SPAN_US,
    ]
    assert feed.anchors == {}


@pytest.mark.parametrize(("speed", "pauses_us"), [(1.0, 50_000_000), (10.0, 5_000_000), (0.0, 0)])
async def test_speed_divides_the_pauses(recording: Path, speed: float, pauses_us: int) -> None:
    clock = Clock()
    ticks = await first_ticks(feed_of(recording, clock, replay_times="recorded", replay_speed=speed), 3)
    assert abs(clock.now_us - NOW_US - pauses_us) <= 1
    assert len(ticks) == 3


async def test_without_a_loop_the_feed_ends_and_says_so(recording: Path) -> None:
    feed = feed_of(recording, Clock(), replay_loop=False, replay_speed=0)
    assert feed.connected
    reads = await reads_until(feed, lambda _: False)
    assert [tick.trade_id for tick in ticks_of(reads)] == [50, 51, 53]
    assert not feed.connected
    assert reads[-1] == Read()


@pytest.mark.parametrize("late_us", [0, 1])
async def test_a_downtime_over_the_limit_leaves_out_whole_loops(recording: Path, late_us: int) -> None:
    clock = Clock()
    stored = await first_ticks(feed_of(recording, clock), 1)
    clock.now_us = stored[0].time_us + MAX_CATCH_UP_US + late_us
    (following,) = await first_ticks(feed_of(recording, clock, stored), 1)
    loops = MAX_CATCH_UP_US // SPAN_US if late_us else 0
    assert following.trade_id == 51 + loops * ID_SPAN
    assert following.time_us == stored[0].time_us + loops * SPAN_US


async def test_a_tick_of_another_recording_begins_anew_without_history(recording: Path, tmp_path: Path) -> None:
    other = write_trades(tmp_path, [(52, "7", "1", FIRST_MS + 7, True)], name="trades_other")
    clock = Clock()
    stored = await first_ticks(feed_of(other, clock), 1)
    clock.now_us += 5 * MINUTE_US
    feed = feed_of(recording, clock, stored, history_candles=5)
    (read, *_) = await reads_until(feed, lambda _: True)
    assert not read.is_history
    assert [tick.trade_id for tick in ticks_of([read])] == [50, 51]
    assert feed.anchors == {"BTCUSDT": NOW_US + 4 * MINUTE_US}


@pytest.mark.parametrize(
    ("kept_us", "used"),
    [(-MAX_CATCH_UP_US + MINUTE_US, True), (-MAX_CATCH_UP_US, False), (MINUTE_US, False)],
)
async def test_a_kept_anchor_is_used_while_nothing_is_stored(recording: Path, kept_us: int, used: bool) -> None:  # noqa: FBT001 - a column
    clock = Clock(NOW_US + 30_000_000)
    points = {(Source.REPLAY, "BTCUSDT"): ResumePoint(anchor_us=NOW_US + kept_us)}
    feed = open_replay([recording], MarketSettings(history_candles=0), CATALOGUE, points, clock, sleep=clock.sleep)
    assert feed.anchors["BTCUSDT"] == (NOW_US + kept_us if used else NOW_US)


async def test_where_another_source_stands_does_not_matter(recording: Path) -> None:
    points = {(Source.BINANCE, "BTCUSDT"): ResumePoint(last=LastTick(51, NOW_US - 45_000_000))}
    feed = open_replay([recording], MarketSettings(history_candles=0), CATALOGUE, points, Clock())
    assert feed.anchors == {"BTCUSDT": NOW_US - MINUTE_US}


async def test_refused_lines_come_first_and_only_on_the_first_start(recording: Path) -> None:
    with recording.open("a") as file:
        file.write("54,0,1,0,1723161255342,true,true\n")
    clock = Clock()
    reads = await reads_until(feed_of(recording, clock), lambda read: bool(read.ticks))
    assert [each.reason for each in reads[0].refused] == ["price_not_positive"]
    again = await reads_until(feed_of(recording, clock, ticks_of(reads)), lambda read: bool(read.ticks))
    assert [read.refused for read in again] == [()]


async def test_several_recordings_play_side_by_side_under_one_label(recording: Path, tmp_path: Path) -> None:
    pepe = tmp_path / "binance_spot_pepeusdt_aggtrades_2024-10-27.csv"
    pepe.write_text("7,0.00000908,3591711.00,1,1,1729987202368,False,True\n")
    clock = Clock(NOW_US + 20_000_000)
    market = MarketSettings(history_candles=0)
    feed = open_replay([recording, pepe], market, CATALOGUE, {}, clock, sleep=clock.sleep)
    (read,) = await reads_until(feed, lambda _: True)
    assert [(batch.symbol, len(batch.ticks)) for batch in read.ticks] == [("BTCUSDT", 2), ("PEPEUSDT", 1)]
    assert feed.symbols == ("BTCUSDT", "PEPEUSDT")
    assert feed.label == "Recorded Binance trades of 2024-08-08 and 2024-10-27, replayed as if now"


async def test_the_recorded_day_plays_in_full_and_goes_on_without_a_missing_id() -> None:
    path = needs.recorded("binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz")
    feed = feed_of(path, Clock(), replay_speed=0)
    ticks = await first_ticks(feed, 2 * 19_904)
    first_id = 3_735_683_259
    assert [tick.trade_id for tick in ticks] == list(range(first_id, first_id + 2 * 19_904))
    one, two = ticks[:19_904], ticks[19_904:]
    assert {later.time_us - tick.time_us for tick, later in zip(one, two, strict=True)} == {11 * MINUTE_US}
    assert two[0].time_us > one[-1].time_us
