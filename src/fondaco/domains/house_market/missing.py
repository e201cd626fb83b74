"""Which trades of a series are not among its stored ticks, read off what the market's tables know already.

Trade ids begin at 1 and have no gap, so a series is whole when it has every id up to the newest. What it lacks is known
without a look at the ticks, which may have been purged: their candles stay, and a tick that came again would count
twice in them. Hence no span here begins before what is missing.
"""

from typing import Any, Final, LiteralString, NamedTuple

from fondaco.core.money import INT64_MAX
from fondaco.infra.database import PsycopgConnection
from fondaco.market.messages import HOUSE_SOURCES, Source

_HEADS: Final = "SELECT source, symbol, trade_id FROM tick_heads WHERE source = ANY(%s)"
_FIRSTS: Final = """
SELECT source, symbol, min(first_trade_id) FROM candles WHERE source = ANY(%s) AND timeframe = '1w' GROUP BY 1, 2
"""
_GAPS: Final = """
SELECT source, symbol, after_trade_id, before_trade_id FROM gaps WHERE source = ANY(%s) AND filled_at IS NULL
"""
_HOUSE: Final = sorted(source.value for source in HOUSE_SOURCES)


class Span(NamedTuple):
    """Trade ids above ``after`` and below ``before``."""

    after: int
    before: int = INT64_MAX


class Standing(NamedTuple):
    """How far a series is stored: its newest id, its oldest, and the gaps between them. A series may have no tick."""

    head: int = 0
    first: int = 1
    gaps: tuple[Span, ...] = ()


def missing(standing: Standing) -> list[Span]:
    """What is to be sent so that nothing is missing, oldest first. The last span has no end."""
    before_first = [Span(0, standing.first)] if standing.first > 1 else []
    return [*before_first, *sorted(standing.gaps), Span(standing.head)]


async def standings(connection: PsycopgConnection) -> dict[tuple[Source, str], Standing]:
    """How far each series of the house is stored. One that has no tick is not among them."""
    heads = await _rows(connection, _HEADS)
    firsts = {(source, symbol): first for source, symbol, first in await _rows(connection, _FIRSTS)}
    gaps: dict[tuple[str, str], list[Span]] = {}
    for source, symbol, after, before in await _rows(connection, _GAPS):
        gaps.setdefault((source, symbol), []).append(Span(after, before))
    return {
        (Source(source), symbol): Standing(head, firsts.get((source, symbol), 1), tuple(gaps.get((source, symbol), ())))
        for source, symbol, head in heads
    }


async def _rows(connection: PsycopgConnection, query: LiteralString) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, (_HOUSE,))).fetchall()
