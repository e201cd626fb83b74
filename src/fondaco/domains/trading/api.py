"""What other domains and the gateways may know of trading."""

from fondaco.domains.trading.accounts import AccountService
from fondaco.domains.trading.amounts import moment_ns, positive_atoms
from fondaco.domains.trading.desk import MAX_KEY, Desk, done, must_be_operator
from fondaco.domains.trading.errors import (
    BadAmountError,
    NotYoursError,
    OperatorsOnlyError,
    RefusedError,
    Shortage,
    TradingError,
)
from fondaco.domains.trading.governing import GoverningService
from fondaco.domains.trading.history import MAX_PAGE, Whose
from fondaco.domains.trading.service import BatchAnswer, TradingService
from fondaco.domains.trading.shapes import (
    Amount,
    Answered,
    Asked,
    AssetCode,
    Id,
    Moment,
    Price,
    Quantity,
    Symbol,
    decimal,
)

__all__ = [
    "MAX_KEY",
    "MAX_PAGE",
    "AccountService",
    "Amount",
    "Answered",
    "Asked",
    "AssetCode",
    "BadAmountError",
    "BatchAnswer",
    "Desk",
    "GoverningService",
    "Id",
    "Moment",
    "NotYoursError",
    "OperatorsOnlyError",
    "Price",
    "Quantity",
    "RefusedError",
    "Shortage",
    "Symbol",
    "TradingError",
    "TradingService",
    "Whose",
    "decimal",
    "done",
    "moment_ns",
    "must_be_operator",
    "positive_atoms",
]
