"""What other domains and the gateways may know of trading."""

from fondaco.domains.trading.accounts import AccountService
from fondaco.domains.trading.amounts import positive_atoms
from fondaco.domains.trading.desk import MAX_KEY, Desk, done, must_be_operator
from fondaco.domains.trading.errors import (
    BadAmountError,
    NotYoursError,
    OperatorsOnlyError,
    RefusedError,
    TradingError,
)
from fondaco.domains.trading.governing import GoverningService
from fondaco.domains.trading.service import BatchAnswer, TradingService
from fondaco.domains.trading.shapes import Amount, Answered, Asked, AssetCode, Quantity, Symbol

__all__ = [
    "MAX_KEY",
    "AccountService",
    "Amount",
    "Answered",
    "Asked",
    "AssetCode",
    "BadAmountError",
    "BatchAnswer",
    "Desk",
    "GoverningService",
    "NotYoursError",
    "OperatorsOnlyError",
    "Quantity",
    "RefusedError",
    "Symbol",
    "TradingError",
    "TradingService",
    "done",
    "must_be_operator",
    "positive_atoms",
]
