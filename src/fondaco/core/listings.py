"""Assets and instruments: what the house knows by name, and at which scale it counts it.

Tick, lot and scale are immutable once listed; a change is a new instrument. This catalogue is the seed: settings may
add to it, and the engine's listing commands take it over when the exchange opens.

Symbols are ``BTCUSDT`` inside; `canonical_symbol` accepts the spellings that people and clients use at the edges.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

DEFAULT_SCALE = 8


class Asset(msgspec.Struct, frozen=True):
    """Something that can be counted: its code and the decimal places of one atom."""

    code: str
    scale: int = DEFAULT_SCALE


class Instrument(msgspec.Struct, frozen=True):
    """A pair that trades. Prices are quote atoms per whole base unit, quantities base atoms."""

    symbol: str
    base: Asset
    quote: Asset

    @property
    def price_scale(self) -> int:
        """Decimal places of a price."""
        return self.quote.scale

    @property
    def quantity_scale(self) -> int:
        """Decimal places of a quantity."""
        return self.base.scale


class Catalogue:
    """The instruments of the house, by symbol; looks up every spelling that an edge accepts."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.by_symbol: Mapping[str, Instrument] = MappingProxyType({each.symbol: each for each in instruments})

    def get(self, spelling: str) -> Instrument | None:
        """Find an instrument by ``BTCUSDT``, ``btcusdt``, ``BTC/USDT`` or, for the USDT pair, ``btc``."""
        symbol = canonical_symbol(spelling)
        return self.by_symbol.get(symbol) or self.by_symbol.get(f"{symbol}USDT")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol, in the order of listing."""
        return tuple(self.by_symbol)


def canonical_symbol(spelling: str) -> str:
    """Strip the separator and the case that outside systems write symbols with."""
    return spelling.replace("/", "").replace("-", "").upper()


def instrument(pair: str, scales: Mapping[str, int]) -> Instrument:
    """Make the instrument of a ``BASE/QUOTE`` pair, with the scales of its assets (8 where none is given)."""
    base, _, quote = pair.upper().partition("/")
    return Instrument(
        symbol=base + quote,
        base=Asset(base, scales.get(base, DEFAULT_SCALE)),
        quote=Asset(quote, scales.get(quote, DEFAULT_SCALE)),
    )
