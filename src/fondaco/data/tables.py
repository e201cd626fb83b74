"""Every table of the house by subject, with the enums of its columns: what scripts import from (BHC-1, BHC-2).

The classes stand in the packages that own them; this only gathers them. A class is also the type of its rows. A test
fails when one is missing here.
"""

from fondaco.core.candles import Timeframe
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
    # core
    "OutboxRow",
    "OutboxState",
]
