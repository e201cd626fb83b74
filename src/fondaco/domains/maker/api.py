"""What the rest of the house may use of this domain."""

from fondaco.domains.maker.last_prices import LastPrices
from fondaco.domains.maker.maker import Maker

__all__ = ["LastPrices", "Maker"]
