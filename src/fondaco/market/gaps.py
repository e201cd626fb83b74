"""The ledger of missing trade ids: an exchange numbers its trades without gaps, so a jump is a loss, and it is said.

A *gap* lies between two neighbouring ids that the house has: how many ids are missing there, and when they were. A late
tick fills it by one; when none is missing but what does not exist, the gap is closed and stays as history. Ids below a
series' first are no gap: the house began to listen later. Everything here counts *new* ticks only, so it must share the
transaction that stores them. `fondaco.market.gap_filling` is the same ledger for whoever fetches what is missing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fondaco.infra.database import PsycopgConnection
from fondaco.market.candles import records
from fondaco.market.copying import SeriesTicks
from fondaco.market.partitions import moment, moment_us


class Head(NamedTuple):
    """The newest tick of a series, by trade id."""

    trade_id: int
    time_us: int


class Gap(NamedTuple):
    """Missing ids, all above ``after`` and below ``before``, and the moments of those two trades."""

    after: int
    before: int
    from_us: int
    to_us: int


_MOVE_HEADS = "SELECT source, symbol, trade_id, time FROM move_tick_heads(%s::tick_heads[])"
"""Moves the heads up to new ones and returns what they were. The function stands in the migration of the table."""

_OPEN = """
INSERT INTO gaps (source, symbol, after_trade_id, before_trade_id, missing, from_time, to_time, detected_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

_FILL = """
UPDATE gaps SET missing = missing - filling.ids, absent = least(absent, missing - filling.ids),
    filled_at = CASE WHEN missing - filling.ids <= absent THEN %(now)s::timestamptz END
FROM (
    SELECT g.after_trade_id, count(*) AS ids FROM gaps g
    JOIN unnest(%(ids)s::int8[]) AS late (id) ON late.id > g.after_trade_id AND late.id < g.before_trade_id
    WHERE g.source = %(source)s AND g.symbol = %(symbol)s AND g.filled_at IS NULL
    GROUP BY 1
) AS filling
WHERE gaps.source = %(source)s AND gaps.symbol = %(symbol)s AND gaps.after_trade_id = filling.after_trade_id
"""


async def ledger_gaps(connection: PsycopgConnection, added: Sequence[SeriesTicks], *, now_us: int) -> None:
    """Open the gaps that new ticks reveal and fill those that they close. Part of the caller's transaction."""
    newest = [_newest(series) for series in added]
    rows = [
        (series.source, series.symbol, head.trade_id, moment(head.time_us).isoformat())
        for series, head in zip(added, newest, strict=True)
    ]
    cursor = await connection.cursor(binary=True).execute(_MOVE_HEADS, [records(rows)])
    old = {
        (source, symbol): Head(trade_id, moment_us(time)) for source, symbol, trade_id, time in await cursor.fetchall()
    }
    now = moment(now_us)
    for series in added:
        head = old.get((series.source, series.symbol))
        await _open_gaps(connection, series, find_gaps(head, series.columns.trade_id, series.columns.time_us), now)
        if head is not None:
            await _fill_gaps(connection, series, head, now)


def find_gaps(head: Head | None, trade_ids: npt.NDArray[np.int64], times_us: npt.NDArray[np.int64]) -> list[Gap]:
    """Jumps of more than one among the ids above the head, the head included."""
    above = trade_ids > (head.trade_id if head else -(2**63))
    order = np.argsort(trade_ids[above], kind="stable")
    ids, times = trade_ids[above][order], times_us[above][order]
    if head is not None:
        ids, times = np.insert(ids, 0, head.trade_id), np.insert(times, 0, head.time_us)
    jumps = np.flatnonzero(np.diff(ids) > 1)
    return [Gap(int(ids[at]), int(ids[at + 1]), int(times[at]), int(times[at + 1])) for at in jumps]


def _newest(series: SeriesTicks) -> Head:
    at = int(np.argmax(series.columns.trade_id))
    return Head(int(series.columns.trade_id[at]), int(series.columns.time_us[at]))


async def _open_gaps(connection: PsycopgConnection, series: SeriesTicks, gaps: Sequence[Gap], now: datetime) -> None:
    if not gaps:
        return
    rows = [
        (
            series.source,
            series.symbol,
            gap.after,
            gap.before,
            gap.before - gap.after - 1,
            moment(min(gap.from_us, gap.to_us)),
            moment(max(gap.from_us, gap.to_us)),
            now,
        )
        for gap in gaps
    ]
    await connection.cursor().executemany(_OPEN, rows)


async def _fill_gaps(connection: PsycopgConnection, series: SeriesTicks, head: Head, now: datetime) -> None:
    late = series.columns.trade_id[series.columns.trade_id < head.trade_id]
    if len(late):
        await connection.execute(
            _FILL,
            {"ids": late.tolist(), "source": series.source, "symbol": series.symbol, "now": now},
        )
