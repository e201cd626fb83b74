"""Every read model, gathered: what a rebuild makes anew, and which of them lie in months."""

from typing import Final

from fondaco.engine.projection.desk_tables import (
    DeskEntryRow,
    DeskFillRow,
    DeskPositionRow,
    DeskQuoteRow,
    DeskRolloverRow,
    DeskRulesRow,
    DeskTermsRow,
    StopOutRow,
)
from fondaco.engine.projection.tables import (
    AccountRow,
    AssetRow,
    BalanceHoldRow,
    BalanceRow,
    CircuitBreakerRow,
    ExchangeRow,
    LedgerEntryRow,
    OrderRow,
    PositionRow,
    RiskAlertRow,
    RiskLimitRow,
    TradeRow,
    TradingPairRow,
)

BY_MONTH_ROWS: Final = (
    BalanceHoldRow,
    LedgerEntryRow,
    OrderRow,
    TradeRow,
    DeskPositionRow,
    DeskEntryRow,
    DeskFillRow,
    StopOutRow,
)
ROWS: Final = (
    AssetRow,
    ExchangeRow,
    TradingPairRow,
    AccountRow,
    BalanceRow,
    BalanceHoldRow,
    LedgerEntryRow,
    OrderRow,
    TradeRow,
    PositionRow,
    RiskLimitRow,
    CircuitBreakerRow,
    RiskAlertRow,
    DeskTermsRow,
    DeskRulesRow,
    DeskQuoteRow,
    DeskPositionRow,
    DeskEntryRow,
    DeskFillRow,
    StopOutRow,
    DeskRolloverRow,
)
