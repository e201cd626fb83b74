"""The ledger of gaps, for whoever fills them: which are due, what is missing in one, what came of an attempt.

A gap that stays open is tried again, less and less often. `fondaco.market.gaps` opens gaps and counts what comes in;
this never touches ``missing``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.market.messages import Source
from fondaco.market.partitions import moment

FIRST_RETRY_S = 30
LONGEST_RETRY_S = 3_600
MAX_RANGES = 10_000
"""Pieces of one gap that an attempt works on; the next attempt finds the rest."""


class OpenGap(NamedTuple):
    """A gap with ids missing: all of them above ``after`` and below ``before``."""

    source: str
    symbol: str
    after: int
    before: int
    missing: int
    from_time: datetime
    to_time: datetime


class IdRange(NamedTuple):
    """Trade ids, both ends included."""

    first: int
    last: int


class Attempt(NamedTuple):
    """What came of trying to fill a gap: what was in the way, and how many of the missing ids do not exist."""

    problem: str | None
    absent: int


_DUE = text(
    """
    SELECT source, symbol, after_trade_id, before_trade_id, missing, from_time, to_time FROM gaps
    WHERE source = :source AND symbol = ANY(:symbols) AND filled_at IS NULL AND detected_at <= :detected_by
        AND from_time >= coalesce(purged_before(), from_time) AND (
        tried_at IS NULL
        OR tried_at + make_interval(secs => least(:longest_s, :first_s * 2 ^ least(attempts - 1, 20))) <= :now
    )
    ORDER BY from_time DESC, symbol, after_trade_id DESC LIMIT :limit
    """
)

_STORED_RANGES = text(
    """
    SELECT min(trade_id), max(trade_id) FROM (
        SELECT trade_id, trade_id - row_number() OVER (ORDER BY trade_id) AS island FROM ticks
        WHERE source = :source AND symbol = :symbol AND time BETWEEN :from_time AND :to_time
            AND trade_id > :after AND trade_id < :before
    ) AS stored GROUP BY island ORDER BY 1 LIMIT :limit
    """
)

_NOTE = text(
    """
    UPDATE gaps SET attempts = attempts + 1, tried_at = :now, problem = :problem, absent = least(:absent, missing),
        filled_at = CASE WHEN missing <= :absent THEN CAST(:now AS timestamptz) END
    WHERE source = :source AND symbol = :symbol AND after_trade_id = :after AND filled_at IS NULL
    """
)


async def due_gaps(
    connection: AsyncConnection,
    source: Source,
    symbols: Sequence[str],
    *,
    now_us: int,
    limit: int,
    min_age_us: int = 0,
) -> list[OpenGap]:
    """Open gaps that have not been tried, or not lately; the newest first.

    Where recorders share the work, one may see a gap that the other closes a moment later: ``min_age_us`` leaves those
    alone. A gap of before the last purge of a house with TimescaleDB stays as it is: its ticks would be refused.
    """
    wanted = {
        "source": source.value,
        "symbols": list(symbols),
        "first_s": FIRST_RETRY_S,
        "longest_s": LONGEST_RETRY_S,
        "now": moment(now_us),
        "detected_by": moment(now_us - min_age_us),
        "limit": limit,
    }
    return [OpenGap(*row) for row in await connection.execute(_DUE, wanted)]


async def missing_ranges(connection: AsyncConnection, gap: OpenGap) -> list[IdRange]:
    """The ids of a gap that are not stored, in order, as at most `MAX_RANGES` ranges."""
    wanted = {
        "source": gap.source,
        "symbol": gap.symbol,
        "from_time": gap.from_time,
        "to_time": gap.to_time,
        "after": gap.after,
        "before": gap.before,
        "limit": MAX_RANGES,
    }
    stored = [IdRange(*row) for row in await connection.execute(_STORED_RANGES, wanted)]
    return ranges_between(gap.after, gap.before if len(stored) < MAX_RANGES else stored[-1].first, stored)


def ranges_between(after: int, before: int, stored: Sequence[IdRange]) -> list[IdRange]:
    """What lies above ``after`` and below ``before`` and in none of the stored ranges, which are in order."""
    starts = [after + 1, *(each.last + 1 for each in stored)]
    ends = [*(each.first - 1 for each in stored), before - 1]
    return [IdRange(first, last) for first, last in zip(starts, ends, strict=True) if first <= last]


async def note_attempt(connection: AsyncConnection, gap: OpenGap, attempt: Attempt, *, now_us: int) -> None:
    """Write into the ledger what came of an attempt; a gap of which nothing more can come is closed."""
    noted = {"problem": attempt.problem, "absent": attempt.absent, "now": moment(now_us)}
    await connection.execute(_NOTE, {"source": gap.source, "symbol": gap.symbol, "after": gap.after, **noted})
