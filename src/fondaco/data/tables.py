"""Every table of the house by subject, with the enums of its columns: what scripts import from (BHC-1, BHC-2).

The classes stand in the packages that own them; this only gathers them. A class is also the type of its rows. A test
fails when one is missing here.
"""

from fondaco.core.candles import Timeframe
from fondaco.core.ledger import HoldReason, PostingCode
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    CloseReason,
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    LimitName,
    LimitScope,
    MarginMode,
    OrderState,
    OrderType,
    PositionMode,
    SelfTradeScope,
    Severity,
    StopOutPolicy,
    TimeInForce,
    World,
)
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.projection.desk_tables import (
    DeskEntryRow,
    DeskFillRow,
    DeskPositionRow,
    DeskQuoteRow,
    DeskRolloverRow,
    DeskRulesRow,
    DeskTermsRow,
    ReceiptPolicy,
    StopOutRow,
)
from fondaco.engine.projection.tables import (
    AccountRow,
    AssetRow,
    BalanceHoldRow,
    BalanceRow,
    CircuitBreakerRow,
    EntryType,
    ExchangeRow,
    LedgerEntryRow,
    OrderRow,
    OrderSide,
    PositionRow,
    RiskAlertRow,
    RiskLimitRow,
    SelfTradePolicy,
    TradeRow,
    TradingPairRow,
)
from fondaco.engine.tables import JournalRow, LeaseRow, SnapshotPartRow, SnapshotRow, WatermarkRow
from fondaco.infra.outbox import OutboxRow, OutboxState
from fondaco.market.messages import Source
from fondaco.market.tables import (
    CandleRow,
    FeedAnchorRow,
    GapRow,
    MarketFeedRow,
    PriceRow,
    QuarantineRow,
    StaleRangeRow,
    TickHeadRow,
    TickPurgeRow,
    TickRow,
)

# One subject a line or block; `__all__` repeats them so that `import *` brings nothing else.
__all__ = [  # noqa: RUF022 - by subject, not by letter
    # market
    "CandleRow",
    "FeedAnchorRow",
    "GapRow",
    "MarketFeedRow",
    "PriceRow",
    "QuarantineRow",
    "Source",
    "StaleRangeRow",
    "TickHeadRow",
    "TickPurgeRow",
    "TickRow",
    "Timeframe",
    # users and accounts
    "AccountKind",
    "AccountRow",
    "AccountStatus",
    "UserRole",
    "UserRow",
    "UserState",
    "World",
    # ledger
    "BalanceHoldRow",
    "BalanceRow",
    "EntryType",
    "HoldReason",
    "LedgerEntryRow",
    "PostingCode",
    # listings
    "AssetRow",
    "ExchangeRow",
    "SelfTradeScope",
    "TradingPairRow",
    # trading
    "CloseReason",
    "Direction",
    "OrderRow",
    "OrderSide",
    "OrderState",
    "OrderType",
    "PositionRow",
    "SelfTradePolicy",
    "TimeInForce",
    "TradeRow",
    # desk
    "Closing",
    "DeskEntryRow",
    "DeskFillRow",
    "DeskPositionRow",
    "DeskQuoteRow",
    "DeskRolloverRow",
    "DeskRulesRow",
    "DeskTermsRow",
    "EntryKind",
    "EntryState",
    "LevelKind",
    "MarginMode",
    "PositionMode",
    "ReceiptPolicy",
    "StopOutPolicy",
    "StopOutRow",
    # risk
    "CircuitBreakerRow",
    "LimitName",
    "LimitScope",
    "RiskAlertRow",
    "RiskLimitRow",
    "Severity",
    # engine
    "JournalRow",
    "LeaseRow",
    "SnapshotPartRow",
    "SnapshotRow",
    "WatermarkRow",
    # core
    "OutboxRow",
    "OutboxState",
]
