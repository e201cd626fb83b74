"""What the recorder says after a commit survives the wire, however large the sums of its candles."""

from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.candles import Candle, Timeframe
from fondaco.market.messages import Source, Stored, StoredCandle, decode_stored, encode_stored

SUMS = st.integers(min_value=0, max_value=10**40)


@given(volume=SUMS, quote_volume=SUMS)
def test_sums_beyond_64_bits_come_back_as_they_were(volume: int, quote_volume: int) -> None:
    candle = Candle(1, 3, 1, 2, volume, quote_volume, volume, quote_volume, 1, 60_000_000, 7, 60_000_000, 7)
    stored = Stored(("1-0",), (StoredCandle(Source.REPLAY, "BTCUSDT", Timeframe.W1, 60_000_000, candle),))
    assert decode_stored(encode_stored(stored)) == stored
