"""Frames of Binance's streams: prints are read, other kinds told apart, and each malformed one has its name."""

import json

import pytest

from fondaco.wire.binance import AggTrade, FrameProblem, Trade, combined_url, decode_print

TRADE = (
    '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000",'
    '"T":1723161255342,"m":true,"M":true}'
)
AGGREGATE = (
    '{"e":"aggTrade","E":1633998523963,"s":"NKNUSDT","a":15683430,"p":"0.35280000","q":"58.00000000","f":19862790,'
    '"l":19862790,"T":1633998523963,"m":false,"M":true}'
)
BEFORE_2024 = TRADE.replace('"T"', '"b":20720542158,"a":20720542592,"T"')
FUTURES = TRADE.replace('"M":true', '"X":"MARKET"')


def combined(data: str, stream: str = "btcusdt@trade") -> bytes:
    return f'{{"stream":"{stream}","data":{data}}}'.encode()


def without(field: str) -> str:
    return json.dumps({name: value for name, value in json.loads(TRADE).items() if name != field})


TRADE_READ = Trade("BTCUSDT", 3735683259, "61837.63000000", "0.02000000", 1723161255342, buyer_is_maker=True)


@pytest.mark.parametrize(
    "frame",
    [
        combined(TRADE),
        combined(BEFORE_2024),
        combined(FUTURES),
        combined(json.dumps(json.loads(TRADE), indent=2)),
        b'{"data":' + TRADE.encode() + b',"stream":"btcusdt@trade"}',
        TRADE.encode(),
    ],
    ids=["of 2024", "of 2023", "of futures", "with spaces", "the other way round", "of a single stream"],
)
def test_a_trade_is_read_whatever_the_year_and_the_wrapping(frame: bytes) -> None:
    assert decode_print(frame) == TRADE_READ


def test_an_aggregate_carries_the_aggregates_id() -> None:
    expected = AggTrade("NKNUSDT", 15683430, "0.35280000", "58.00000000", 1633998523963, buyer_is_maker=False)
    assert decode_print(combined(AGGREGATE, "nknusdt@aggTrade")) == expected


@pytest.mark.parametrize(
    "frame",
    [
        combined('{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","0"]],"a":[]}', "btcusdt@depth@100ms"),
        combined('{"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}', "btcusdt@bookTicker"),
        combined('{"e":"kline","s":"BTCUSDT","k":{"t":1,"T":2}}', "btcusdt@kline_1m"),
        b'{"e":"depthUpdate","s":"BTCUSDT"}',
        b'{"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}',
        b'{"lastUpdateId":50093239218,"bids":[],"asks":[]}',
        b'{"result":null,"id":1}',
        b'{"error":{"code":3,"msg":"Invalid JSON"}}',
    ],
)
def test_other_kinds_of_message_are_no_problem(frame: bytes) -> None:
    assert decode_print(frame) is None


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (b"", FrameProblem.MALFORMED_JSON),
        (b"hello", FrameProblem.MALFORMED_JSON),
        (combined(TRADE)[:-1], FrameProblem.MALFORMED_JSON),
        (combined(TRADE) + b"x", FrameProblem.MALFORMED_JSON),
        (combined(TRADE).replace(b"BTC", b"\xff"), FrameProblem.MALFORMED_JSON),
        (combined(TRADE.replace("true", '{"x":' + "[" * 100_000)), FrameProblem.MALFORMED_JSON),
        (b"[" * 100_000, FrameProblem.WRONG_TYPE),
        (b"null", FrameProblem.WRONG_TYPE),
        (b'"trade"', FrameProblem.WRONG_TYPE),
        (b'{"stream":7,"data":{}}', FrameProblem.WRONG_TYPE),
        (combined("[]"), FrameProblem.WRONG_TYPE),
        (combined(TRADE.replace('"61837.63000000"', "61837.63")), FrameProblem.WRONG_TYPE),
        (combined(TRADE.replace("3735683259", '"3735683259"')), FrameProblem.WRONG_TYPE),
        (combined(TRADE.replace("1723161255342", "1.5e3")), FrameProblem.WRONG_TYPE),
        (combined(TRADE.replace("true", "1")), FrameProblem.WRONG_TYPE),
        (b"{}", FrameProblem.MISSING_FIELD),
        (b'{"stream":"btcusdt@trade"}', FrameProblem.MISSING_FIELD),
        (b'{"data":{}}', FrameProblem.MISSING_FIELD),
        *((combined(without(field)), FrameProblem.MISSING_FIELD) for field in "estpqTm"),
    ],
)
def test_a_malformed_print_has_a_name(frame: bytes, problem: FrameProblem) -> None:
    assert decode_print(frame) is problem


def test_one_address_asks_for_the_trades_of_all_symbols() -> None:
    url = combined_url("wss://stream.binance.com:9443/", ("BTCUSDT", "ETHUSDT"))
    assert url == "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/ethusdt@trade"
