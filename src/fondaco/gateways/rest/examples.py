"""Example answers in the OpenAPI document: recorded Binance trades around midnight of 2024-08-09, UTC."""

from fondaco.gateways.rest.answers import (
    Candle,
    Candles,
    ChartCandle,
    ChartCandles,
    Feed,
    Gap,
    Gaps,
    Price,
    Prices,
    Symbol,
    Symbols,
    Tick,
    Ticks,
)

CHART_CANDLES = ChartCandles(
    "BTCUSDT", "1m", [ChartCandle(1723161240, 61837.63, 61853.02, 61785.26, 61788.01, 39.22311)]
)
CANDLES = Candles(
    "BTCUSDT",
    "1m",
    "replay",
    [Candle(1723161240, 61837.63, 61853.02, 61785.26, 61788.01, 39.22311, 2424690.9, 3316, closed=True, gap=False)],
)
TICKS = Ticks(
    "BTCUSDT",
    "replay",
    [Tick(3_690_999_999, "2024-08-08T23:54:59.973000Z", "61837.63000000", "0.02000000", "buy")],
)
PRICES = Prices(
    [
        Price(
            symbol="BTCUSDT",
            source="replay",
            time="2024-08-09T00:00:00.000000Z",
            last="61837.63000000",
            bid="61831.44623700",
            ask="61843.81376300",
            mid="61837.63000000",
            spread="12.36752600",
            volume="39.22311000",
            volume_24h="40123.45678000",
            high_24h="62745.14000000",
            low_24h="54730.00000000",
            change_24h="6550.63000000",
            change_percent_24h="11.8484",
        )
    ]
)
SYMBOLS = Symbols([Symbol("BTCUSDT", "BTC", "USDT", 8, 8, "replay", "Recorded Binance trades of 2024-08-08")])
GAPS = Gaps(
    [
        Gap(
            symbol="BTCUSDT",
            source="binance",
            after_trade_id=3_690_999_999,
            before_trade_id=3_691_000_010,
            missing=10,
            from_="2024-08-08T23:54:59.973000Z",
            to="2024-08-08T23:55:01.120000Z",
            detected_at="2024-08-08T23:55:01.200000Z",
            filled_at=None,
            absent=0,
            attempts=1,
            tried_at="2024-08-08T23:55:06.004000Z",
            problem="rate_limited",
        )
    ]
)
FEED = Feed(
    "replay", "Recorded Binance trades of 2024-08-08", ["BTCUSDT"], connected=True, since="2024-08-09T00:00:00.000000Z"
)
