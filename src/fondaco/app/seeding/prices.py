"""What things cost now: the feed's last price of each symbol, as soon as there is one."""

import asyncio
from typing import Final

import msgspec

from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import parse_positive_atoms
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.market.messages import Quote, quote_channel

PRICES_WAIT_S: Final = 30.0
"""How long a feed may take to name its first prices. What has none then is left out."""
RETRY_S: Final = 0.1

_decode_quote = msgspec.json.Decoder(Quote).decode


async def feed_prices(bus: Bus, catalogue: Catalogue, *, wait_s: float = PRICES_WAIT_S) -> dict[str, int]:
    """The last price of each symbol in quote atoms, those that come within the time."""
    prices: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        for symbol, instrument in catalogue.by_symbol.items():
            price = await _price(bus, instrument)
            if price is not None:
                prices[symbol] = price
        if len(prices) == len(catalogue.symbols) or loop.time() >= until:
            return prices
        await asyncio.sleep(RETRY_S)


async def _price(bus: Bus, instrument: Instrument) -> int | None:
    try:
        body = await bus.get(quote_channel(instrument.symbol))
    except BusUnavailableError:
        return None  # it is asked again until the time is up
    if body is None:
        return None
    price = parse_positive_atoms(_decode_quote(body).original_price, instrument.price_scale)
    return price if isinstance(price, int) else None
