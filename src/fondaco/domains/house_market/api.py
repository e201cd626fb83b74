"""What the rest of the house may use of this domain."""

from fondaco.domains.house_market.printing import Printer

__all__ = ["Printer"]
