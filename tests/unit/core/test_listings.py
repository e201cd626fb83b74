"""Assets, instruments, and the spellings by which an edge finds them."""

import pytest

from fondaco.core.listings import Asset, Catalogue, Instrument, canonical_symbol, instrument

CATALOGUE = Catalogue(instrument(pair, {"PEPE": 2}) for pair in ("BTC/USDT", "PEPE/USDT", "ETH/BTC"))


def test_a_pair_takes_the_scales_of_its_assets() -> None:
    assert instrument("pepe/usdt", {"PEPE": 2}) == Instrument("PEPEUSDT", Asset("PEPE", 2), Asset("USDT", 8))
    assert (CATALOGUE.by_symbol["PEPEUSDT"].quantity_scale, CATALOGUE.by_symbol["PEPEUSDT"].price_scale) == (2, 8)


@pytest.mark.parametrize("spelling", ["BTCUSDT", "btcusdt", "BTC/USDT", "btc-usdt", "btc", "BTC"])
def test_every_spelling_of_an_edge_finds_the_instrument(spelling: str) -> None:
    found = CATALOGUE.get(spelling)
    assert found is not None
    assert found.symbol == "BTCUSDT"


@pytest.mark.parametrize("spelling", ["", "DOGE", "DOGEUSDT", "BTCUSDT ", "USDT", "btc\x00", "BTC_USDT"])
def test_what_is_not_listed_is_not_found(spelling: str) -> None:
    assert CATALOGUE.get(spelling) is None


def test_symbols_keep_the_order_of_listing() -> None:
    assert CATALOGUE.symbols == ("BTCUSDT", "PEPEUSDT", "ETHBTC")


def test_a_symbol_is_written_in_capitals_without_separator() -> None:
    assert canonical_symbol("eth/Btc") == canonical_symbol("ETH-BTC") == "ETHBTC"
