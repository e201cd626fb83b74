"""What other domains and the gateways may know of trading."""

from fondaco.domains.trading.accounts import AccountService
from fondaco.domains.trading.desk import MAX_KEY, Desk
from fondaco.domains.trading.errors import (
    BadAmountError,
    NotYoursError,
    OperatorsOnlyError,
    RefusedError,
    TradingError,
)
from fondaco.domains.trading.governing import GoverningService
from fondaco.domains.trading.service import BatchAnswer, TradingService

__all__ = [
    "MAX_KEY",
    "AccountService",
    "BadAmountError",
    "BatchAnswer",
    "Desk",
    "GoverningService",
    "NotYoursError",
    "OperatorsOnlyError",
    "RefusedError",
    "TradingError",
    "TradingService",
]
