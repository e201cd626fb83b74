"""The HTTP API over a real database: candles as the chart wants them, ticks, prices, gaps, symbols and the feed."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from fondaco.core.candles import Timeframe
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.store import Batch
from fondaco.market.tables import PriceRow
from support.house import House
from support.ticks import naive_candles

MINUTE_US = 60_000_000
START_US = 1_723_161_240_000_000
"""2024-08-08 23:54:00 UTC."""


def tick(trade_id: int, minute: int, *, price: int = 6_183_763_000_000, quantity: int = 2_000_000) -> Tick:
    at_us = START_US + minute * MINUTE_US + trade_id
    return Tick(trade_id, at_us, price, quantity, buyer_is_maker=trade_id % 2 == 0, received_us=at_us)


TICKS = [tick(each, each // 3, price=6_183_763_000_000 + each * 1_000_000) for each in range(1, 31)]


async def stored(house: House, ticks: list[Tick], symbol: str = "BTCUSDT", source: Source = Source.REPLAY) -> House:
    await house.store.store(Batch([TickBatch(source, symbol, tuple(ticks))], []), now_us=0)
    return house


async def get(house: House, path: str, **query: str | int) -> dict[str, Any]:
    async with house.http() as client:
        answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    return told


async def test_candles_are_the_newest_ones_oldest_first_with_numbers_and_whole_seconds(house: House) -> None:
    """EXP-40, EXP-42 to EXP-45, and EXP-47: under these names and in these units a chart takes them as they come."""
    await house.show_feed()
    await stored(house, TICKS)
    answer = await get(house, "/candles", asset="BTCUSDT", duration="1m", limit=4)
    expected = sorted(naive_candles(TICKS, Timeframe.M1).items())[-4:]
    assert answer == {
        "asset": "BTCUSDT",
        "duration": "1m",
        "candles": [
            {
                "time": open_us // 1_000_000,
                "open": each.open / 10**8,
                "high": each.high / 10**8,
                "low": each.low / 10**8,
                "close": each.close / 10**8,
                "volume": each.volume / 10**8,
            }
            for open_us, each in expected
        ],
    }
    assert all(isinstance(each["time"], int) for each in answer["candles"])


async def test_every_duration_is_served(house: House) -> None:
    """EXP-41: a fixed list; a word outside it is refused before it comes near a query."""
    await house.show_feed()
    await stored(house, TICKS)
    for timeframe in Timeframe:
        answer = await get(house, "/candles", asset="BTCUSDT", duration=timeframe.value)
        expected = sorted(open_us // 1_000_000 for open_us in naive_candles(TICKS, timeframe))
        assert [each["time"] for each in answer["candles"]] == expected


async def test_an_asset_is_read_in_every_spelling_and_answered_canonical(house: House) -> None:
    await house.show_feed()
    await stored(house, TICKS)
    for spelling in ("btcusdt", "BTC/USDT", "btc", "BTC-USDT"):
        answer = await get(house, "/candles", asset=spelling, duration="1h")
        assert answer["asset"] == "BTCUSDT"
        assert len(answer["candles"]) == 2


async def test_the_default_limit_is_1000_and_5000_is_the_most(house: House) -> None:
    await house.show_feed()
    await stored(house, [tick(each, each) for each in range(1, 5003)])
    counts = [
        len((await get(house, "/candles", asset="btc", duration="1m", **query))["candles"])
        for query in ({}, {"limit": 1}, {"limit": 5000})
    ]
    assert counts == [1000, 1, 5000]


async def test_readers_see_one_source_only(house: House) -> None:
    await house.show_feed(Source.REPLAY)
    await stored(house, TICKS[:3], source=Source.SIMULATED)
    await stored(house, TICKS[3:6], source=Source.REPLAY)
    answer = await get(house, "/api/v1/ticks", symbol="btc")
    assert (answer["source"], [each["id"] for each in answer["ticks"]]) == ("replay", [6, 5, 4])
    await house.show_feed(Source.SIMULATED)
    answer = await get(house, "/api/v1/ticks", symbol="btc")
    assert (answer["source"], [each["id"] for each in answer["ticks"]]) == ("simulated", [3, 2, 1])


async def test_the_house_s_own_trades_are_read_where_they_are_named(house: House) -> None:
    """Each world's apart, and never by those who name no source."""
    await house.show_feed(Source.REPLAY)
    for source, ticks in ((Source.REPLAY, TICKS[:3]), (Source.HOUSE, TICKS[:2]), (Source.HOUSE_DEMO, TICKS[:1])):
        await stored(house, ticks, source=source)
    expected = {None: ("replay", 3), "house": ("house", 2), "house_demo": ("house_demo", 1), "binance": ("binance", 0)}
    for name, found in expected.items():
        named = {} if name is None else {"source": name}
        prints = await get(house, "/api/v1/ticks", symbol="btc", **named)
        assert (prints["source"], len(prints["ticks"])) == found
        candles = await get(house, "/api/v1/candles", symbol="btc", timeframe="1d", **named)
        assert (candles["source"], sum(each["trades"] for each in candles["candles"])) == found


async def test_a_symbol_that_no_feed_brought_has_no_candles(house: House) -> None:
    assert await get(house, "/candles", asset="eth", duration="1m") == {
        "asset": "ETHUSDT",
        "duration": "1m",
        "candles": [],
    }
    answer = await get(house, "/api/v1/candles", symbol="eth", timeframe="1m")
    assert (answer["source"], answer["candles"]) == (None, [])


async def test_a_range_includes_its_begin_and_not_its_end(house: House) -> None:
    await house.show_feed()
    await stored(house, TICKS)
    begin, end = START_US // 1_000_000 + 120, START_US // 1_000_000 + 240
    for query in ({"from": begin, "to": end}, {"from": "2024-08-08T23:56:00Z", "to": "2024-08-08T23:58:00+00:00"}):
        answer = await get(house, "/api/v1/candles", symbol="btc", timeframe="1m", **query)
        assert [each["time"] for each in answer["candles"]] == [begin, begin + 60]
    newest = await get(house, "/api/v1/candles", symbol="btc", timeframe="1m", limit=1, to=end)
    assert [each["time"] for each in newest["candles"]] == [end - 60]


async def test_a_candle_says_whether_its_time_is_over_and_whether_trades_are_missing_in_it(house: House) -> None:
    await house.show_feed()
    now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
    minute_us = now_us - now_us % MINUTE_US + 60 * MINUTE_US  # ahead, so that it is open however slow the test is
    after = [Tick(40, minute_us, 1, 1, buyer_is_maker=False, received_us=0)]
    await stored(house, [tick(1, 0), tick(2, 1), tick(5, 3), tick(6, 4), *after])
    answer = await get(house, "/api/v1/candles", symbol="btc", timeframe="1m")
    flags = [(each["time"] - START_US // 1_000_000, each["gap"], each["closed"]) for each in answer["candles"]]
    assert flags[:-1] == [(0, False, True), (60, True, True), (180, True, True), (240, True, True)]
    assert flags[-1][1:] == (True, False)
    await stored(house, [tick(3, 1), tick(4, 2)])  # the first gap is filled
    answer = await get(house, "/api/v1/candles", symbol="btc", timeframe="1m")
    assert [each["gap"] for each in answer["candles"]] == [False, False, False, False, True, True]


async def test_sums_beyond_64_bits_arrive_as_numbers(house: House) -> None:
    await house.show_feed()
    most = 2**62
    await stored(house, [tick(each, 0, price=most, quantity=most) for each in range(1, 8)])
    (candle,) = (await get(house, "/api/v1/candles", symbol="btc", timeframe="1m"))["candles"]
    assert candle["volume"] == 7 * most / 10**8
    assert candle["quote_volume"] == 7 * most * most / 10**16


async def test_ticks_page_backwards_without_a_gap_or_a_repeat(house: House) -> None:
    await house.show_feed()
    await stored(house, TICKS)
    seen: list[int] = []
    before: dict[str, int] = {}
    while page := (await get(house, "/api/v1/ticks", symbol="btc", limit=7, **before))["ticks"]:
        seen += [each["id"] for each in page]
        before = {"before_id": page[-1]["id"]}
    assert seen == [each.trade_id for each in reversed(TICKS)]


async def test_a_tick_is_told_with_its_microsecond_its_decimals_and_the_takers_side(house: House) -> None:
    await house.show_feed()
    await stored(house, TICKS[:2])
    newest, oldest = (await get(house, "/api/v1/ticks", symbol="btc"))["ticks"]
    assert oldest == {
        "id": 1,
        "time": "2024-08-08T23:54:00.000001Z",
        "price": "61837.64000000",
        "quantity": "0.02000000",
        "side": "buy",
    }
    assert newest["side"] == "sell"


async def test_the_newest_price_row_of_each_symbol_is_told(house: House) -> None:
    await house.show_feed(symbols=["BTCUSDT", "ETHUSDT"])
    row = {
        "source": "replay",
        "symbol": "BTCUSDT",
        "last": 200,
        "bid": 190,
        "ask": 210,
        "mid": 200,
        "spread": 20,
        "volume": 10,
        "volume_24h": 2**70,
        "high_24h": 300,
        "low_24h": 100,
        "change_24h": -50,
        "change_percent_24h": -20,
    }
    moments = [datetime(2024, 8, 9, 0, minute, tzinfo=UTC) for minute in (0, 1)]
    async with house.database.transaction() as connection:
        await connection.execute(insert(PriceRow), [row | {"timestamp": moment} for moment in moments])
    (price,) = (await get(house, "/api/v1/prices"))["prices"]
    assert price["time"] == "2024-08-09T00:01:00.000000Z"
    assert (price["change_24h"], price["change_percent_24h"]) == ("-0.00000050", "-20.0000")
    assert price["volume_24h"] == "11805916207174.11303424"
    assert (await get(house, "/api/v1/prices", symbol="eth"))["prices"] == []


async def test_gaps_are_told_open_filled_or_both(house: House) -> None:
    await house.show_feed()
    await stored(house, [tick(1, 0), tick(3, 0), tick(7, 1)])
    await stored(house, [tick(2, 0)])

    async def told(**query: str | int) -> list[tuple[int, int, bool]]:
        gaps = (await get(house, "/api/v1/gaps", **query))["gaps"]
        return [(each["after_trade_id"], each["missing"], each["filled_at"] is None) for each in gaps]

    assert await told() == [(3, 3, True), (1, 0, False)]
    assert await told(open="true", symbol="btc") == [(3, 3, True)]
    assert await told(open="false") == [(1, 0, False)]
    assert await told(limit=1) == [(3, 3, True)]


async def test_symbols_are_listed_with_their_scales_and_source(house: House) -> None:
    await house.show_feed(symbols=["ETHUSDT"])
    symbols = (await get(house, "/api/v1/symbols"))["symbols"]
    assert [each["symbol"] for each in symbols] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert symbols[0]["source"] is None
    assert symbols[1] == {
        "symbol": "ETHUSDT",
        "base": "ETH",
        "quote": "USDT",
        "price_scale": 8,
        "quantity_scale": 8,
        "source": "replay",
        "label": "replay for tests",
    }


async def test_the_feed_is_told_once_it_has_been_chosen(house: House) -> None:
    async with house.http() as client:
        early = await client.get("/api/v1/feed")
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (503, "feed_unavailable", "1")
    await house.say_feed()
    assert await get(house, "/api/v1/feed") == {
        "source": "replay",
        "label": "replay for tests",
        "symbols": ["BTCUSDT"],
        "connected": True,
        "since": "1970-01-01T00:00:05.000000Z",
    }


async def test_a_database_that_is_away_answers_503_and_says_when_to_try_again(lonely_house: House) -> None:
    async with lonely_house.http() as client:
        for path in ("/candles?asset=btc&duration=1m", "/api/v1/ticks?symbol=btc", "/api/v1/symbols"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
            assert answer.headers["retry-after"] == "1"
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["parts"]) == (503, {"database": "down", "bus": "up"})
        assert (await client.get("/health")).status_code == 200
        lonely_house.bus.close()
        assert (await client.get("/ready")).json()["parts"] == {"database": "down", "bus": "down"}
        assert (await client.get("/api/v1/feed")).json()["code"] == "bus_unavailable"


async def test_a_database_without_tables_yet_is_one_that_is_away(settings: Settings, server_url: str) -> None:
    early = House(settings, Database(server_url, settings.database, application="test"))
    async with early.http() as client:
        for path in ("/candles?asset=btc&duration=1m", "/api/v1/symbols"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    await early.database.dispose()


async def test_readiness_and_metrics_are_told(house: House) -> None:
    assert await get(house, "/ready") == {"status": "ready", "parts": {"database": "up", "bus": "up"}}
    async with house.http() as client:
        await client.get("/nothing/here")
        text = (await client.get("/metrics")).text
    assert 'fondaco_http_request_seconds_count{method="GET",route="/ready",status="200"} 1.0' in text
    assert 'fondaco_http_request_seconds_count{method="GET",route="page",status="404"} 1.0' in text
