"""Prints become ticks in atoms; what does not fit is refused with its reason, no more (EXP-2, EXP-15, EXP-16)."""

import json
from typing import Any

import pytest

from fondaco.market.messages import Refused, Source, Tick
from fondaco.market.normalise import (
    MAX_AHEAD_US,
    MAX_RAW_CHARS,
    MAX_TRADE_ID,
    MIN_TIME_US,
    REASONS,
    SymbolTick,
    normalise_frame,
)
from support.feeding import catalogue

RECEIVED_US = 1_723_161_255_400_123
PRINT: dict[str, Any] = {
    "e": "trade",
    "s": "BTCUSDT",
    "t": 3735683259,
    "p": "61837.63000000",
    "q": "0.02000000",
    "T": 1723161255342,
    "m": True,
}
CATALOGUE = catalogue("BTC/USDT", "PEPE/USDT")


def frame(**changes: object) -> bytes:
    return json.dumps({"stream": "btcusdt@trade", "data": PRINT | changes}).encode()


def normalised(raw: bytes) -> SymbolTick | Refused | None:
    return normalise_frame(raw, CATALOGUE, source=Source.BINANCE, received_us=RECEIVED_US)


def test_a_print_becomes_atoms_and_microseconds_and_remembers_its_receipt() -> None:
    tick = Tick(3735683259, 1_723_161_255_342_000, 6_183_763_000_000, 2_000_000, True, RECEIVED_US)  # noqa: FBT003 - a field
    assert normalised(frame()) == SymbolTick("BTCUSDT", tick)


def test_an_amount_is_read_at_the_scale_of_its_own_asset() -> None:
    found = normalised(frame(s="PEPEUSDT", p="0.00000908", q="3591711.00"))
    assert isinstance(found, SymbolTick)
    assert (found.tick.price, found.tick.quantity) == (908, 359_171_100)


def test_other_kinds_of_message_leave_no_trace() -> None:
    assert normalised(b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}') is None


@pytest.mark.parametrize(
    ("raw", "reason", "symbol"),
    [
        (b"{", "malformed_json", None),
        (frame()[:-1], "malformed_json", None),
        (frame(p=61837.63), "wrong_type", None),
        (frame(T=None), "wrong_type", None),
        (b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT"}}', "missing_field", None),
        (frame(s="DOGEUSDT"), "unknown_symbol", None),
        (frame(s="btcusdt"), "unknown_symbol", None),
        (frame(s="x" * 5_000), "unknown_symbol", None),
        (frame(t=-1), "bad_trade_id", "BTCUSDT"),
        (frame(t=MAX_TRADE_ID + 1), "bad_trade_id", "BTCUSDT"),
        (frame(t=10**30), "bad_trade_id", "BTCUSDT"),
        (frame(T=0), "bad_time", "BTCUSDT"),
        (frame(T=-1723161255342), "bad_time", "BTCUSDT"),
        (frame(T=MIN_TIME_US // 1000 - 1), "bad_time", "BTCUSDT"),
        (frame(T=(RECEIVED_US + MAX_AHEAD_US) // 1000 + 1), "bad_time", "BTCUSDT"),
        (frame(T=1723161255342000), "bad_time", "BTCUSDT"),
        (frame(p=""), "price_not_a_number", "BTCUSDT"),
        (frame(p="6.2e4"), "price_not_a_number", "BTCUSDT"),
        (frame(p="0.000000001"), "price_too_many_decimals", "BTCUSDT"),
        (frame(p="1" * 41), "price_too_long", "BTCUSDT"),
        (frame(p="92233720368.54775808"), "price_out_of_range", "BTCUSDT"),
        (frame(p="0.00000000"), "price_not_positive", "BTCUSDT"),
        (frame(p="-1"), "price_not_positive", "BTCUSDT"),
        (frame(q="nan"), "quantity_not_a_number", "BTCUSDT"),
        (frame(q="0"), "quantity_not_positive", "BTCUSDT"),
        (frame(s="PEPEUSDT", q="1.001"), "quantity_too_many_decimals", "PEPEUSDT"),
        (frame(s="PEPEUSDT", q="92233720368547758.08"), "quantity_out_of_range", "PEPEUSDT"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(raw: bytes, reason: str, symbol: str | None) -> None:
    found = normalised(raw)
    assert isinstance(found, Refused)
    assert (found.reason, found.symbol, found.source, found.received_us) == (reason, symbol, "binance", RECEIVED_US)
    assert found.raw == raw.decode()[:MAX_RAW_CHARS]
    assert reason in REASONS


@pytest.mark.parametrize(
    "changes",
    [
        {"t": 0},
        {"t": MAX_TRADE_ID},
        {"T": MIN_TIME_US // 1000},
        {"T": (RECEIVED_US + MAX_AHEAD_US) // 1000},
        {"p": "0.00000001"},
        {"p": "92233720368.54775807"},
    ],
)
def test_the_edge_of_each_limit_still_fits(changes: dict[str, Any]) -> None:
    assert isinstance(normalised(frame(**changes)), SymbolTick)


def test_a_huge_or_undecodable_message_is_kept_as_far_as_the_bound() -> None:
    for raw in (b"\xff" * 100_000, "\N{GRINNING FACE}".encode() * 100_000, b"{" * 100_000):
        found = normalised(raw)
        assert isinstance(found, Refused)
        assert len(found.raw) == MAX_RAW_CHARS
