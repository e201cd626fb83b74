"""On which terms the desk of a seeded house deals, in an instrument that is listed. Pure.

Plausible ones, for an operator to change: nights cost more for longs than for shorts, as where the quote currency bears
interest, and three times on Wednesday, since what is dealt then settles after the weekend.
"""

from typing import Final

from fondaco.app.seeding.listing import lots_worth
from fondaco.core.desk.terms import DeskTerms
from fondaco.core.terms import Terms

MOST_UNITS: Final = 1_000_000
"""What one open may be worth today, in quote units."""
NET_UNITS: Final = 5_000_000
"""What clients together may hold more one way than the other."""
LONG_FINANCING_PPM: Final = 150
SHORT_FINANCING_PPM: Final = 50
WEDNESDAY: Final = 2
GUARANTEE_PPM: Final = 1_000
GUARANTEE_DISTANCE_PPM: Final = 5_000


def desk_terms_of(listed: Terms, price: int) -> DeskTerms:
    """Terms for an instrument that costs so many quote atoms a base unit. The engine takes them."""
    return DeskTerms(
        listed.world,
        listed.instrument.symbol,
        is_dealt=True,
        min_lots=1,
        max_lots=min(listed.max_order_lots, lots_worth(listed, price, MOST_UNITS)),
        max_net_lots=min(listed.max_open_orders * listed.max_order_lots, lots_worth(listed, price, NET_UNITS)),
        long_financing_ppm=LONG_FINANCING_PPM,
        short_financing_ppm=SHORT_FINANCING_PPM,
        triple_weekday=WEDNESDAY,
        guarantee_ppm=GUARANTEE_PPM,
        guarantee_distance_ppm=GUARANTEE_DISTANCE_PPM,
    )
