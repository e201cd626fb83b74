"""The terms on which a pair is listed, from its scales and a price that the feed names. Pure.

A price has seven digits down to its tick, a lot is worth about a tenth of a quote unit, and prices up to ten times
today's can be named. Whatever does not fit the book's numbers is cut until it does.
"""

from typing import Final

from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.listings import Instrument
from fondaco.core.terms import MAX_LEVERAGE, Terms
from fondaco.core.vocabulary import World

PRICE_DIGITS: Final = 7
MAX_PRICE_TICKS: Final = 10 ** (PRICE_DIGITS + 1)
LOTS_PER_UNIT: Final = 10
"""A lot is worth at least one part in so many of a quote unit."""
MOST_UNITS: Final = 10_000_000
"""What the largest order is worth today, in quote units."""
MAX_OPEN_ORDERS: Final = 1_000_000
MAKER_PPM: Final = 500
TAKER_PPM: Final = 1_000
BAND_PPM: Final = 100_000
BREAKER_MOVE_PPM: Final = 80_000
BREAKER_WINDOW_NS: Final = 60_000_000_000
BREAKER_PAUSE_NS: Final = 60_000_000_000


def terms_of(instrument: Instrument, world: World, price: int) -> Terms:
    """Terms for a pair that trades at so many quote atoms a base unit. They can be listed, whatever the scales."""
    base_unit, quote_unit = int(10**instrument.base.scale), int(10**instrument.quote.scale)
    tick = int(10 ** max(0, len(str(price)) - PRICE_DIGITS))
    lot = max(1, base_unit // tick)
    while lot * price * LOTS_PER_UNIT < base_unit * quote_unit and _most_lots(tick, 10 * lot, base_unit):
        lot *= 10
    lots_today = MOST_UNITS * quote_unit * base_unit // (price * lot)
    return Terms(
        world=world,
        instrument=instrument,
        tick=tick,
        lot=lot,
        max_price_ticks=min(MAX_PRICE_TICKS, MAX_TOTAL // tick),
        max_order_lots=max(1, min(lots_today, _most_lots(tick, lot, base_unit))),
        max_open_orders=MAX_OPEN_ORDERS,
        maker_ppm=MAKER_PPM,
        taker_ppm=TAKER_PPM,
        band_ppm=BAND_PPM,
        max_leverage=MAX_LEVERAGE,
        breaker_move_ppm=BREAKER_MOVE_PPM,
        breaker_window_ns=BREAKER_WINDOW_NS,
        breaker_pause_ns=BREAKER_PAUSE_NS,
    )


def _most_lots(tick: int, lot: int, base_unit: int) -> int:
    """How many lots still can be counted, and their cost at the highest price; 0 when a single one cannot."""
    highest = min(MAX_PRICE_TICKS, MAX_TOTAL // tick) * (tick * lot // base_unit)
    return min(MAX_TOTAL // lot, MAX_TOTAL // highest)


def lots_worth(terms: Terms, price: int, units: int) -> int:
    """How many lots are worth so many quote units at a price, at least one."""
    value = units * int(10**terms.instrument.quote.scale)
    return max(1, value * int(10**terms.instrument.base.scale) // (price * terms.lot))


def nearest_ticks(terms: Terms, price: int) -> int:
    """A price in ticks, rounded down, within what can be named."""
    return max(1, min(price // terms.tick, terms.max_price_ticks))
