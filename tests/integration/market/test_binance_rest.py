"""Old trades over REST: in pages, inside the exchange's limits, and patient with whatever it answers."""

from collections.abc import AsyncIterator, Iterator

import pytest

from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.binance_rest import (
    FIRST_RETRY_S,
    MAX_TRIES,
    MINUTE_S,
    PAGE,
    PAGE_WEIGHT,
    STOP_AT_USED_WEIGHT,
    BinanceHistory,
    HistoryError,
    HistoryProblem,
)
from support.feeding import Clock
from support.past_trades import Answer, PastTradesServer, past_trades
from support.ticks import walk

TICKS = walk(2_500, seed=1)


@pytest.fixture
def exchange() -> Iterator[PastTradesServer]:
    with past_trades(TICKS) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
async def history(exchange: PastTradesServer, clock: Clock) -> AsyncIterator[BinanceHistory]:
    settings = MarketSettings.model_validate({"binance_rest_url": exchange.url, "binance_api_key": "public"})
    history = BinanceHistory(settings, sleep=clock.sleep, clock_s=lambda: clock.now_us / 1e6)
    yield history
    await history.aclose()


async def test_pages_follow_each_other_to_the_end(history: BinanceHistory, exchange: PastTradesServer) -> None:
    pages = [await history.page("BTCUSDT", first) for first in (1, 1_001, 2_001, 2_501)]
    assert [len(page) for page in pages] == [PAGE, PAGE, 500, 0]
    assert [each.trade_id for page in pages for each in page] == [tick.trade_id for tick in TICKS]
    assert set(exchange.keys) == {"public"}


@pytest.mark.parametrize("status", [429, 418])
async def test_a_limit_is_respected_for_as_long_as_the_exchange_says(
    history: BinanceHistory, exchange: PastTradesServer, clock: Clock, status: int
) -> None:
    exchange.instead.append(Answer(status, headers=(("Retry-After", "77"),)))
    assert len(await history.page("BTCUSDT", 1)) == PAGE
    assert 77 <= clock.now_us / 1e6 < 78
    assert len(exchange.asked) == 2


async def test_a_limit_without_a_time_is_a_minute(
    history: BinanceHistory, exchange: PastTradesServer, clock: Clock
) -> None:
    exchange.instead.append(Answer(429, headers=(("Retry-After", "soon"),)))
    await history.page("BTCUSDT", 1)
    assert MINUTE_S <= clock.now_us / 1e6 < MINUTE_S + 1


@pytest.mark.parametrize(("used", "waits"), [(STOP_AT_USED_WEIGHT - 1, False), (STOP_AT_USED_WEIGHT, True)])
async def test_when_others_behind_the_address_have_spent_nearly_all_the_next_page_waits(
    history: BinanceHistory, exchange: PastTradesServer, clock: Clock, used: int, *, waits: bool
) -> None:
    exchange.instead.append(Answer(200, "[]", (("X-MBX-USED-WEIGHT-1M", str(used)),)))
    assert await history.page("BTCUSDT", 1) == []
    assert clock.now_us == 0
    await history.page("BTCUSDT", 1)
    assert (clock.now_us >= MINUTE_S * 1e6) == waits


async def test_the_allowance_of_a_minute_is_spent_evenly_after_a_first_burst(
    exchange: PastTradesServer, clock: Clock
) -> None:
    settings = MarketSettings(binance_rest_url=exchange.url, backfill_weight_per_minute=4 * PAGE_WEIGHT)
    history = BinanceHistory(settings, sleep=clock.sleep, clock_s=lambda: clock.now_us / 1e6)
    moments = []
    for _ in range(7):
        await history.page("BTCUSDT", 2_400)
        moments.append(clock.now_us / 1e6)
    await history.aclose()
    assert moments == pytest.approx([0, 0, 0, 0, 15, 30, 45], abs=0.001)


async def test_what_is_down_for_a_moment_is_asked_again_after_a_growing_pause(
    history: BinanceHistory, exchange: PastTradesServer, clock: Clock
) -> None:
    exchange.instead += [Answer(500), Answer(200, "<html>"), Answer(503)]
    assert len(await history.page("BTCUSDT", 1)) == PAGE
    assert clock.now_us / 1e6 == pytest.approx(FIRST_RETRY_S * (1 + 2 + 4), abs=0.001)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(502), HistoryProblem.UNREACHABLE),
        (Answer(429), HistoryProblem.RATE_LIMITED),
        (Answer(200, "[{"), HistoryProblem.BAD_ANSWER),
        (Answer(200, '[{"id":"1"}]'), HistoryProblem.BAD_ANSWER),
        (Answer(200, "{}"), HistoryProblem.BAD_ANSWER),
    ],
)
async def test_what_stays_down_is_given_up_by_name(
    history: BinanceHistory, exchange: PastTradesServer, answer: Answer, problem: HistoryProblem
) -> None:
    exchange.instead += [answer] * MAX_TRIES
    with pytest.raises(HistoryError) as raised:
        await history.page("BTCUSDT", 1)
    assert raised.value.problem is problem
    assert len(exchange.asked) == MAX_TRIES


async def test_trades_out_of_order_are_no_answer(history: BinanceHistory, exchange: PastTradesServer) -> None:
    exchange.ticks.reverse()
    with pytest.raises(HistoryError, match="not in order"):
        await history.page("BTCUSDT", 1)


async def test_a_refusal_is_not_asked_again(history: BinanceHistory, exchange: PastTradesServer) -> None:
    exchange.instead.append(Answer(401, '{"code":-2014,"msg":"API-key format invalid."}'))
    with pytest.raises(HistoryError, match="API-key format invalid") as raised:
        await history.page("BTCUSDT", 1)
    assert raised.value.problem is HistoryProblem.REFUSED
    assert "public" not in str(raised.value)
    assert len(exchange.asked) == 1


async def test_nobody_there_is_given_up_by_name(clock: Clock) -> None:
    settings = MarketSettings(binance_rest_url="http://127.0.0.1:9")
    history = BinanceHistory(settings, sleep=clock.sleep, clock_s=lambda: clock.now_us / 1e6)
    with pytest.raises(HistoryError) as raised:
        await history.page("BTCUSDT", 1)
    await history.aclose()
    assert raised.value.problem is HistoryProblem.UNREACHABLE
