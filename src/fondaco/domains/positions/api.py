"""What other domains and the gateways may know of leveraged positions."""

from fondaco.domains.positions.service import PositionService
from fondaco.domains.positions.simple import NoAccountError, SimpleOrders
from fondaco.domains.positions.valuation import MarginLine, Valuer, Worth

__all__ = ["MarginLine", "NoAccountError", "PositionService", "SimpleOrders", "Valuer", "Worth"]
