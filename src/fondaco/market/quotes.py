"""Quoted prices: the honest price with a markup on both sides. Users only ever trade at these (EXP-3 to EXP-8).

Invariant: ``1 <= bid <= honest price <= ask`` in atoms. The bid is rounded down and the ask up, so rounding never
narrows the spread that was set.
"""

from collections.abc import Mapping

import msgspec

from fondaco.core.listings import Instrument
from fondaco.core.money import INT64_MAX, charge, format_atoms, pay_out
from fondaco.infra.settings import MAX_MARKUP_PPM
from fondaco.market.messages import Quote, Tick

PPM = 1_000_000


class BadMarkupError(ValueError):
    """A markup setting that no quote can be made with."""


class Quoter:
    """Makes the quotes of all symbols from one set of markups."""

    def __init__(self, markup_ppm: Mapping[str, int], default_markup_ppm: int) -> None:
        for symbol, ppm in {"the default": default_markup_ppm, **markup_ppm}.items():
            if not 0 <= ppm <= MAX_MARKUP_PPM:
                raise BadMarkupError(f"The markup of {symbol} is {ppm} ppm; it must be from 0 to {MAX_MARKUP_PPM}.")
        self._markup_ppm = dict(markup_ppm)
        self._default_ppm = default_markup_ppm

    def bid_and_ask(self, symbol: str, price: int) -> tuple[int, int]:
        """Put the symbol's markup round an honest price, in quote atoms."""
        return bid_and_ask(price, self._markup_ppm.get(symbol, self._default_ppm))

    def quote(self, tick: Tick, instrument: Instrument) -> Quote:
        """Quote a tick: plain decimals, with the trade's own time in Unix milliseconds."""
        bid, ask = self.bid_and_ask(instrument.symbol, tick.price)
        scale = instrument.price_scale
        return Quote(
            symbol=instrument.symbol,
            original_price=format_atoms(tick.price, scale),
            bid_price=format_atoms(bid, scale),
            ask_price=format_atoms(ask, scale),
            timestamp=tick.time_us // 1000,
        )


def bid_and_ask(price: int, markup_ppm: int) -> tuple[int, int]:
    """Put the markup round an honest price. Both ends stay what a BIGINT can hold."""
    bid = max(1, pay_out(price * (PPM - markup_ppm), PPM))
    ask = min(INT64_MAX, charge(price * (PPM + markup_ppm), PPM))
    return bid, ask


_encoder = msgspec.json.Encoder()


def encode_quote(quote: Quote) -> bytes:
    """Write the JSON that goes to the symbol's channel and under its key."""
    return _encoder.encode(quote)
