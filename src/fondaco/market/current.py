"""Which feed readers see, and where each series stands.

A feed process reads this at its start and writes it when it has chosen. A change of feed and its announcement share a
transaction: the announcement leaves through the outbox.
"""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.infra.outbox import enqueue
from fondaco.market.feeds.port import LastTick, Resume, ResumePoint
from fondaco.market.messages import FEED_CHANGED, FeedState, Source
from fondaco.market.partitions import moment, moment_us
from fondaco.market.tables import FeedAnchorRow, MarketFeedRow

_NEWEST = text("""
SELECT h.source, h.symbol, t.trade_id, t.time FROM tick_heads h CROSS JOIN LATERAL (
    SELECT trade_id, time FROM ticks WHERE source = h.source AND symbol = h.symbol
    ORDER BY time DESC, trade_id DESC LIMIT 1
) AS t
""")


async def resume_points(connection: AsyncConnection) -> Resume:
    """Where every series stands: its newest tick by time, and the anchor of a recording.

    By time and not by id: after a change from one recording to another the ids may begin lower.
    """
    newest = await connection.execute(_NEWEST)
    last = {(Source(source), symbol): LastTick(trade_id, moment_us(time)) for source, symbol, trade_id, time in newest}
    rows = await connection.execute(select(FeedAnchorRow.source, FeedAnchorRow.symbol, FeedAnchorRow.anchor_time))
    anchors = {(Source(source), symbol): moment_us(time) for source, symbol, time in rows}
    return {key: ResumePoint(anchors.get(key), last.get(key)) for key in sorted({*last, *anchors})}


async def set_current_feed(
    connection: AsyncConnection,
    *,
    source: Source,
    label: str,
    symbols: Sequence[str],
    anchors: Mapping[str, int],
    since_us: int,
) -> None:
    """Show readers this feed's symbols from now on, and remember the anchors of its recordings."""
    now = func.now()
    for symbol in sorted(symbols):
        feed = insert(MarketFeedRow).values(symbol=symbol, source=source, label=label, since=moment(since_us))
        changes = {"source": source, "label": label, "since": moment(since_us), "updated_at": now}
        await connection.execute(feed.on_conflict_do_update(index_elements=["symbol"], set_=changes))
    for symbol, anchor_us in sorted(anchors.items()):
        anchor = insert(FeedAnchorRow).values(source=source, symbol=symbol, anchor_time=moment(anchor_us))
        changes = {"anchor_time": moment(anchor_us), "updated_at": now}
        await connection.execute(anchor.on_conflict_do_update(index_elements=["source", "symbol"], set_=changes))
    state = FeedState(source, label, tuple(symbols), connected=False, since_us=since_us)
    await enqueue(connection, FEED_CHANGED, "feed", msgspec.to_builtins(state))
