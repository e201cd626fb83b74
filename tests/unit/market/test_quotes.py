"""Quotes: bid and ask round the honest price, as plain decimals, with the trade's time (EXP-3 to EXP-8)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.listings import instrument
from fondaco.core.money import INT64_MAX
from fondaco.infra.settings import MAX_MARKUP_PPM
from fondaco.market.messages import Tick
from fondaco.market.quotes import PPM, BadMarkupError, Quoter, bid_and_ask, encode_quote

BTC = instrument("BTC/USDT", {})
TICK = Tick(1, 1_723_161_255_342_999, 6_183_763_000_000, 2_000_000, True, 0)  # noqa: FBT003 - a field

PRICES = st.one_of(st.integers(1, INT64_MAX), st.integers(1, 1000), st.just(INT64_MAX))
MARKUPS = st.integers(0, MAX_MARKUP_PPM)


@given(PRICES, MARKUPS)
def test_the_honest_price_lies_between_bid_and_ask_and_all_can_be_stored(price: int, ppm: int) -> None:
    bid, ask = bid_and_ask(price, ppm)
    assert 1 <= bid <= price <= ask <= INT64_MAX


@given(PRICES, MARKUPS)
def test_rounding_goes_outward_and_by_less_than_an_atom(price: int, ppm: int) -> None:
    bid, ask = bid_and_ask(price, ppm)
    below, above = price * (PPM - ppm), price * (PPM + ppm)
    assert bid == 1 or below - PPM < bid * PPM <= below
    assert ask == INT64_MAX or above <= ask * PPM < above + PPM


@given(PRICES, MARKUPS, MARKUPS)
def test_a_larger_markup_never_narrows_the_spread(price: int, one: int, other: int) -> None:
    (narrow_bid, narrow_ask), (wide_bid, wide_ask) = (bid_and_ask(price, ppm) for ppm in sorted((one, other)))
    assert wide_bid <= narrow_bid
    assert narrow_ask <= wide_ask


def test_without_markup_bid_and_ask_are_the_honest_price() -> None:
    assert bid_and_ask(6_183_763_000_000, 0) == (6_183_763_000_000, 6_183_763_000_000)


def test_the_message_has_the_fields_that_clients_read() -> None:
    body = encode_quote(Quoter({}, 100).quote(TICK, BTC))
    assert json.loads(body) == {
        "symbol": "BTCUSDT",
        "originalPrice": "61837.63000000",
        "bidPrice": "61831.44623700",
        "askPrice": "61843.81376300",
        "timestamp": 1_723_161_255_342,
    }


def test_a_symbol_has_its_own_markup_or_the_default() -> None:
    quoter = Quoter({"BTCUSDT": 0}, 500_000)
    assert quoter.quote(TICK, BTC).bid_price == "61837.63000000"
    assert quoter.quote(TICK, instrument("ETH/USDT", {})).bid_price == "30918.81500000"


@pytest.mark.parametrize("ppm", [-1, MAX_MARKUP_PPM + 1])
def test_a_markup_beyond_reason_is_refused_with_its_name(ppm: int) -> None:
    with pytest.raises(BadMarkupError, match=f"The markup of ETHUSDT is {ppm} ppm"):
        Quoter({"ETHUSDT": ppm}, 100)
    with pytest.raises(BadMarkupError, match="The markup of the default"):
        Quoter({}, ppm)
