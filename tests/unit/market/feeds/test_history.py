"""History as prints: candles folded from them are the candles they were made of."""

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.candles import MINUTE_US
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.history import Minute, cut_decimals, history_columns, prints_of
from fondaco.market.feeds.replay import open_replay
from fondaco.market.messages import Tick
from support import needs
from support.feeding import NOW_US, Clock, catalogue, minutes_of, reads_until, ticks_of, write_trades

CATALOGUE = catalogue("BTC/USDT")
FIRST_MINUTE_US = 1_723_161_240_000_000
"""2024-08-08 23:54, the first minute of the recording."""


@st.composite
def minutes(draw: st.DrawFn) -> Minute:
    low, *between, high = sorted(draw(st.lists(st.integers(1, 50), min_size=4, max_size=4)))
    open_, close = draw(st.permutations([*between, low, high]))[:2]
    return Minute(FIRST_MINUTE_US, open_, high, low, close, draw(st.integers(0, 20)))


def ticks_told(minute: Minute) -> list[Tick]:
    return [
        Tick(number, each.time_us, each.price, each.quantity, each.buyer_is_maker, 0)
        for number, each in enumerate(prints_of(minute))
    ]


@given(minutes())
def test_a_candle_told_as_prints_folds_back_into_itself(minute: Minute) -> None:
    ticks = ticks_told(minute)
    if not ticks:
        assert minute.volume < 4
        return
    (open_time_us, candle), *others = minutes_of(ticks).items()
    assert others == []
    assert Minute(open_time_us, candle.open, candle.high, candle.low, candle.close, candle.volume) == minute
    assert all(tick.quantity > 0 for tick in ticks)


def test_prints_stand_apart_in_order_within_their_minute() -> None:
    times = [each.time_us - FIRST_MINUTE_US for each in prints_of(Minute(FIRST_MINUTE_US, 2, 4, 1, 3, 10))]
    assert times == sorted(set(times))
    assert times[0] >= 0
    assert times[-1] < MINUTE_US


@pytest.mark.parametrize(("open_", "close", "path"), [(2, 3, [2, 1, 4, 3]), (3, 2, [3, 4, 1, 2])])
def test_a_rising_minute_falls_first_and_a_falling_one_rises_first(open_: int, close: int, path: list[int]) -> None:
    prints = prints_of(Minute(FIRST_MINUTE_US, open_, 4, 1, close, 10))
    assert [each.price for each in prints] == path
    assert [each.buyer_is_maker for each in prints[1:]] == [later < each for each, later in pairwise(path)]


@pytest.mark.parametrize(("volume", "told"), [(0, 0), (3, 0), (4, 4), (5, 4)])
def test_a_minute_with_fewer_atoms_than_prints_is_left_out(volume: int, told: int) -> None:
    assert len(prints_of(Minute(FIRST_MINUTE_US, 2, 4, 1, 3, volume))) == told


@pytest.mark.parametrize(("first_trade_id", "told"), [(9, 8), (8, 8), (7, 4), (0, 0)])
def test_ids_never_go_below_zero(first_trade_id: int, told: int) -> None:
    both = [Minute(FIRST_MINUTE_US + at * MINUTE_US, 2, 4, 1, 3, 10) for at in range(2)]
    columns = history_columns(both, first_trade_id=first_trade_id)
    assert columns.trade_id.tolist() == list(range(first_trade_id - told, first_trade_id))
    assert set((columns.time_us // MINUTE_US).tolist()) <= {each.open_time_us // MINUTE_US for each in both}


@pytest.mark.parametrize(
    ("text", "scale", "cut"), [("26.98425", 8, "26.98425"), ("26.98425", 2, "26.98"), ("26.9", 0, "26"), ("7", 2, "7")]
)
def test_a_volumes_further_decimals_are_cut(text: str, scale: int, cut: str) -> None:
    assert cut_decimals(text, scale) == cut


async def history_of(path: Path, *, times: str = "now", candles: int = 500) -> tuple[list[Tick], list[Tick]]:
    """The ticks of history and the first ones after it."""
    clock = Clock()
    market = MarketSettings.model_validate({"history_candles": candles, "replay_times": times})
    feed = open_replay([path], market, CATALOGUE, {}, clock, with_history=True, sleep=clock.sleep)
    reads = await reads_until(feed, lambda read: bool(read.ticks) and not read.is_history)
    assert clock.now_us == NOW_US
    return ticks_of(read for read in reads if read.is_history), ticks_of(reads[-1:])


def recorded_minutes() -> dict[int, tuple[str, ...]]:
    path = needs.recorded("binance_spot_btcusdt_1m_2024-07-26_2024-08-25.csv.gz")
    with gzip.open(path, "rt") as lines:
        rows = (line.strip().split(",") for line in list(lines)[1:])
        return {int(row[0]) * 1000: tuple(row[1:]) for row in rows}


async def test_the_history_of_the_recorded_day_is_the_recorded_candles() -> None:
    path = needs.recorded("binance_spot_btcusdt_ws_raw_2024-08-08_2024-08-09.jsonl.gz")
    history, live = await history_of(path, times="recorded")
    theirs = recorded_minutes()
    ours = minutes_of(history)
    assert list(ours) == [FIRST_MINUTE_US - (500 - number) * MINUTE_US for number in range(500)]
    for open_time_us, candle in ours.items():
        *prices, volume = (shortest(text) for text in theirs[open_time_us])
        assert [candle.open, candle.high, candle.low, candle.close] == prices
        assert candle.volume == volume
    ids = [tick.trade_id for tick in (*history, *live)]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert live[0].trade_id == 3_735_683_259


async def test_played_as_if_now_the_history_ends_where_the_recording_begins() -> None:
    path = needs.recorded("binance_spot_btcusdt_ws_raw_2024-08-08_2024-08-09.jsonl.gz")
    history, live = await history_of(path)
    ours = minutes_of(history)
    assert len(ours) == 500
    assert max(ours) == live[0].time_us - live[0].time_us % MINUTE_US - MINUTE_US
    assert max(ours) + MINUTE_US <= NOW_US


async def test_without_a_candle_file_the_recording_itself_leads_up_to_its_beginning(tmp_path: Path) -> None:
    first_ms = FIRST_MINUTE_US // 1000
    rows = [(9, "100", "1", first_ms + 15_000, True), (10, "90", "2", first_ms + 61_000, False)]
    history, live = await history_of(write_trades(tmp_path, rows), times="recorded", candles=3)
    # A loop's second tick comes 1 s into a minute, the next loop's first 14 s later: together they are a candle.
    candles = [(each.open, each.close, each.volume) for each in minutes_of(history).values()]
    assert candles == [(9_000_000_000, 10_000_000_000, 300_000_000)] * 3
    assert [tick.trade_id for tick in (*history, *live)][-3:] == [7, 8, 9]
    assert {tick.time_us // MINUTE_US for tick in history} == {
        FIRST_MINUTE_US // MINUTE_US - back for back in (1, 2, 3)
    }


@pytest.mark.parametrize("spoiling", ["too short", "ends early", "torn", "another market"])
async def test_a_candle_file_that_does_not_lead_up_to_the_recording_is_not_used(tmp_path: Path, spoiling: str) -> None:
    first_ms = FIRST_MINUTE_US // 1000
    path = write_trades(tmp_path, [(9, "100", "1", first_ms + 15_000, True)])
    back = {"too short": (1, 2), "ends early": (2, 3, 4)}.get(spoiling, (1, 2, 3))
    rows = [f"{first_ms - minute * 60_000},50.0,50.0,50.0,50.0,1.5\n" for minute in sorted(back, reverse=True)]
    text = "".join(["open_time,open,high,low,close,volume\n", *rows]).encode()
    market = "usdm" if spoiling == "another market" else "spot"
    body = gzip.compress(text)[:-9] if spoiling == "torn" else gzip.compress(text)
    (tmp_path / f"binance_{market}_btcusdt_1m_x.csv.gz").write_bytes(body)
    history, _ = await history_of(path, times="recorded", candles=3)
    assert {tick.price for tick in history} == {10_000_000_000}


def shortest(text: str) -> int:
    """Atoms of the shortest decimal text of a float."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction[:8].ljust(8, "0"))
