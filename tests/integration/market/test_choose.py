"""Which feed is taken, and the sentence that says why."""

from pathlib import Path

import pytest

from fondaco.core.listings import Catalogue
from fondaco.infra.settings import MarketSettings, Settings
from fondaco.market.feeds.binance import MAX_STREAMS, BinanceFeed
from fondaco.market.feeds.choose import Choice, choose_feed, find_recordings
from fondaco.market.feeds.port import FeedError
from fondaco.market.feeds.recordings import RecordingError
from support import needs
from support.feeding import Clock, catalogue, write_trades

CATALOGUE = catalogue("BTC/USDT", "ETH/USDT")
ROW = (7, "61837.63", "0.02", 1_723_161_255_342, True)
NOBODY = "ws://127.0.0.1:9"
"""Nothing listens on the discard port."""


async def choose(feed: str, folder: Path, listed: Catalogue = CATALOGUE) -> Choice:
    market = MarketSettings(feed=feed, binance_ws_url=NOBODY, binance_wait_s=0.05, history_candles=0)
    return await choose_feed(Settings(market=market, recorded_data=folder), listed, {}, Clock())


async def test_simulation_is_the_last_resort_and_names_what_is_missing(tmp_path: Path) -> None:
    feed, why = await choose("auto", tmp_path)
    assert feed.source == "simulated"
    assert feed.label == "Simulated prices, seed 1"
    assert feed.symbols == ("BTCUSDT", "ETHUSDT")
    nothing = f"{tmp_path} holds no recorded trades of BTCUSDT, ETHUSDT."
    assert why == f"Binance did not answer within 0.05 s, and {nothing}"


async def test_recorded_data_are_taken_when_binance_is_silent(tmp_path: Path) -> None:
    write_trades(tmp_path, [ROW], name="trades_2024")
    feed, why = await choose("auto", tmp_path)
    assert (feed.source, feed.symbols) == ("replay", ("BTCUSDT",))
    assert why == "Binance did not answer within 0.05 s."


async def test_a_spoilt_recording_does_not_keep_the_house_from_starting(tmp_path: Path) -> None:
    (tmp_path / "binance_spot_btcusdt_trades_x.csv").write_text("nonsense")
    feed, why = await choose("auto", tmp_path)
    assert feed.source == "simulated"
    assert "is in no format that can be replayed" in why


async def test_beside_the_checkout_the_recorded_day_is_found() -> None:
    raw = needs.recorded("binance_spot_btcusdt_ws_raw_2024-08-08_2024-08-09.jsonl.gz")
    feed, _ = await choose("auto", raw.parent)
    assert feed.label == "Recorded Binance trades of 2024-08-08, replayed as if now"
    assert feed.symbols == ("BTCUSDT",)


def test_raw_lines_come_before_trades_before_aggregates_and_the_newest_first(tmp_path: Path) -> None:
    names = [
        "binance_spot_btcusdt_ws_raw_2023-04-05.jsonl.gz",
        "binance_spot_btcusdt_ws_raw_2024-08-08.jsonl.gz",
        "binance_spot_btcusdt_trades_2025-01-01.csv",
        "binance_spot_ethusdt_aggtrades_2025-01-01.csv",
        "binance_usdm_solusdt_trades_2025-01-01.csv",
        "binance_spot_btcusdt_1m_2025-01-01.csv",
    ]
    for name in names:
        (tmp_path / name).touch()
    found = find_recordings(tmp_path, ("BTCUSDT", "ETHUSDT", "SOLUSDT"))
    assert [path.name for path in found] == [names[1], names[3]]
    assert find_recordings(tmp_path / "nowhere", ("BTCUSDT",)) == []


async def test_a_file_is_taken_as_named_or_from_among_the_recorded_data(tmp_path: Path) -> None:
    path = write_trades(tmp_path, [ROW])
    for name in (str(path), path.name):
        feed, why = await choose(f"replay:{name}", tmp_path)
        assert feed.source == "replay"
        assert why == f"The setting asks for {path.name}."


async def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        RecordingError, match=r"^The recording .*/gone.csv cannot be read: No such file or directory\.$"
    ):
        await choose("replay:gone.csv", tmp_path)


@pytest.mark.parametrize(("feed", "source"), [("binance", "binance"), ("simulated", "simulated")])
async def test_a_named_feed_is_taken_without_trying_others(tmp_path: Path, feed: str, source: str) -> None:
    assert (await choose(feed, tmp_path)).feed.source == source


@pytest.mark.parametrize("feed", ["", "kraken", "replay", "replay:", "Binance"])
async def test_a_feed_that_does_not_exist_is_one_sentence(tmp_path: Path, feed: str) -> None:
    with pytest.raises(FeedError, match="use auto, binance, replay:FILE or simulated"):
        await choose(feed, tmp_path)


async def test_an_address_that_is_no_websocket_is_one_sentence() -> None:
    with pytest.raises(FeedError, match="must begin with wss://: https://x"):
        BinanceFeed(MarketSettings(binance_ws_url="https://x"), CATALOGUE, Clock())


async def test_binance_takes_so_many_pairs_and_no_more() -> None:
    pairs = [f"A{number}/USDT" for number in range(MAX_STREAMS + 1)]
    assert len(BinanceFeed(MarketSettings(), catalogue(*pairs[:-1]), Clock()).symbols) == MAX_STREAMS
    with pytest.raises(FeedError, match="1025 pairs are set; Binance allows 1024"):
        BinanceFeed(MarketSettings(), catalogue(*pairs), Clock())
