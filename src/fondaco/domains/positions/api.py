"""What other domains and the gateways may know of leveraged positions."""

from fondaco.domains.positions.lines import LevelLine, level_line
from fondaco.domains.positions.service import PositionService
from fondaco.domains.positions.simple import NoAccountError, SimpleOrders
from fondaco.domains.positions.valuation import MarginLine, Shifts, Valuer, Worth, percent

__all__ = [
    "LevelLine",
    "MarginLine",
    "NoAccountError",
    "PositionService",
    "Shifts",
    "SimpleOrders",
    "Valuer",
    "Worth",
    "level_line",
    "percent",
]
