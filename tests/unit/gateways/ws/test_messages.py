"""The words of the stream: what is read, what is refused by name, and how frames look."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.candles import Timeframe
from fondaco.core.listings import Catalogue, instrument
from fondaco.gateways.ws.messages import (
    CandleItem,
    Channel,
    Kind,
    PriceItem,
    StreamError,
    Subscribe,
    TickItem,
    Update,
    decode,
    encode,
    merge_updates,
    parse_channel,
)

CATALOGUE = Catalogue([instrument("BTC/USDT", {}), instrument("ETH/USDT", {})])


def test_a_subscription_is_read() -> None:
    assert decode('{"op":"subscribe","channels":["feed"],"id":1}') == Subscribe(["feed"], 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_json"),
        ("", "bad_json"),
        ("\x00", "bad_json"),
        ('{"op":"subscribe","channels":["feed"]} x', "bad_json"),
        ("null", "bad_message"),
        ("[]", "bad_message"),
        ("{}", "bad_message"),
        ('{"op":"buy"}', "bad_message"),
        ('{"op":"subscribe"}', "bad_message"),
        ('{"op":"subscribe","channels":"feed"}', "bad_message"),
        ('{"op":"subscribe","channels":[1]}', "bad_message"),
        ('{"op":"ping","id":{}}', "bad_message"),
        (None, "binary_message"),
    ],
)
def test_other_messages_are_refused_by_name(text: str | None, code: str) -> None:
    with pytest.raises(StreamError) as error:
        decode(text)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("ticks:BTCUSDT", Channel(Kind.TICKS, "BTCUSDT")),
        ("ticks:btc", Channel(Kind.TICKS, "BTCUSDT")),
        ("prices:eth/usdt", Channel(Kind.PRICES, "ETHUSDT")),
        ("candles:BTC-USDT:4h", Channel(Kind.CANDLES, "BTCUSDT", Timeframe.H4)),
        ("feed", Channel(Kind.FEED)),
    ],
)
def test_a_channel_is_read_in_every_spelling_of_its_symbol(name: str, channel: Channel) -> None:
    assert parse_channel(name, CATALOGUE) == channel
    assert parse_channel(channel.name, CATALOGUE) == channel


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "unknown_channel"),
        ("ticks", "unknown_channel"),
        ("feed:BTCUSDT", "unknown_channel"),
        ("candles:BTCUSDT", "unknown_channel"),
        ("ticks:BTCUSDT:1m", "unknown_channel"),
        ("orders:BTCUSDT", "unknown_channel"),
        ("ticks:DOGEUSDT", "unknown_symbol"),
        ("prices:", "unknown_symbol"),
        ("candles:BTCUSDT:3m", "unknown_timeframe"),
    ],
)
def test_other_channels_are_refused_by_name(name: str, code: str) -> None:
    with pytest.raises(StreamError) as error:
        parse_channel(name, CATALOGUE)
    assert error.value.code == code


@given(st.text())
def test_no_text_makes_the_readers_fail_otherwise_than_by_name(text: str) -> None:
    for read in (decode, lambda name: parse_channel(name, CATALOGUE)):
        try:
            read(text)
        except StreamError as error:
            refused = error
        else:
            continue
        assert len(refused.message) < 400


def test_ticks_travel_as_arrays_and_marks_only_when_they_say_something() -> None:
    update = Update("ticks:BTCUSDT", 7, [TickItem(1, 1723161254014, "61837.63000000", "0.02000000", "buy")])
    assert encode(update) == (
        b'{"type":"update","channel":"ticks:BTCUSDT","seq":7,'
        b'"data":[[1,1723161254014,"61837.63000000","0.02000000","buy"]]}'
    )
    marked = msgspec.json.decode(encode(Update("ticks:BTCUSDT", 7, [], conflated=2, dropped=3)))
    assert (marked["conflated"], marked["dropped"]) == (2, 3)


def ticks(*ids: int) -> list[TickItem]:
    return [TickItem(each, each, "1", "1", "buy") for each in ids]


def bar(time: int, close: float) -> CandleItem:
    return CandleItem(time, close, close, close, close, 1.0, 1, closed=False)


def test_merged_ticks_keep_the_newest_and_say_how_many_gave_way() -> None:
    merged, gave_way = merge_updates(Update("t", 5, ticks(1, 2)), Update("t", 6, ticks(3, 4)), max_ticks=3)
    assert (merged, gave_way) == (Update("t", 6, ticks(2, 3, 4), conflated=2, dropped=1), 1)
    merged, gave_way = merge_updates(merged, Update("t", 7, ticks(5), dropped=4), max_ticks=3)
    assert (merged, gave_way) == (Update("t", 7, ticks(3, 4, 5), conflated=3, dropped=6), 1)


def test_merged_ticks_that_just_fit_lose_none() -> None:
    merged, gave_way = merge_updates(Update("t", 5, ticks(1, 2)), Update("t", 6, ticks(3)), max_ticks=3)
    assert (merged.data, merged.dropped, gave_way) == (ticks(1, 2, 3), 0, 0)


def test_merged_candles_keep_the_newest_state_of_each_bar_oldest_first() -> None:
    merged, _ = merge_updates(
        Update("c", 5, [bar(60, 1.0), bar(120, 2.0)]), Update("c", 6, [bar(120, 3.0), bar(180, 4.0)]), max_ticks=1
    )
    assert merged == Update("c", 6, [bar(60, 1.0), bar(120, 3.0), bar(180, 4.0)], conflated=2)


def test_merged_prices_are_the_newest() -> None:
    older, newer = PriceItem("BTCUSDT", "1", "1", "1", 1), PriceItem("BTCUSDT", "2", "2", "2", 2)
    merged, _ = merge_updates(Update("p", 5, older), Update("p", 6, newer), max_ticks=1)
    assert merged == Update("p", 6, newer, conflated=2)
