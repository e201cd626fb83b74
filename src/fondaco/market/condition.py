"""How the market's tables are: when something was last stored, what is missing, what was refused. For a check-up."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class Newest(NamedTuple):
    """When the newest tick of a symbol that readers see was received; None when it has none."""

    symbol: str
    received_at: datetime | None


class OpenGaps(NamedTuple):
    """Gaps that nothing has filled, and the trades that are missing in them."""

    gaps: int
    trades: int


_NEWEST = text("""
SELECT f.symbol, (
    SELECT received_at FROM ticks WHERE source = f.source AND symbol = f.symbol
    ORDER BY time DESC, trade_id DESC LIMIT 1
) FROM market_feeds f ORDER BY 1
""")
_OPEN_GAPS = text("SELECT count(*), coalesce(sum(missing), 0)::int8 FROM gaps WHERE filled_at IS NULL")
_QUARANTINED = text("SELECT count(*) FROM quarantine WHERE received_at >= :since")


async def newest_ticks(connection: AsyncConnection) -> Sequence[Newest]:
    """The newest tick of each symbol that a feed ever brought."""
    return [Newest(*row) for row in await connection.execute(_NEWEST)]


async def open_gaps(connection: AsyncConnection) -> OpenGaps:
    """What is known to be missing."""
    return OpenGaps(*(await connection.execute(_OPEN_GAPS)).one())


async def count_quarantined(connection: AsyncConnection, since: datetime) -> int:
    """How many messages were refused since a moment."""
    return int((await connection.execute(_QUARANTINED, {"since": since})).scalar_one())
