"""What the dealer knows of the desk without asking: its terms and rules, and what clients hold.

A part of what is known live (`fondaco.engine.live`): it begins with the tables and takes the events. Of positions only
sums are kept, so it is as small for a million of them as for one.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from psycopg.rows import dict_row

from fondaco.core.desk.state import DeskFill
from fondaco.core.desk.terms import NO_TRIPLE_DAY, DeskRules, DeskTerms
from fondaco.core.events import Event
from fondaco.core.vocabulary import Direction, StopOutPolicy, World
from fondaco.engine.journal import Mark
from fondaco.infra.database import PsycopgConnection

_TERMS: Final = """
SELECT d.world, d.symbol, d.is_dealt, d.min_quantity / p.lot AS min_lots, d.max_quantity / p.lot AS max_lots,
    coalesce(d.max_net_quantity, 0) / p.lot AS max_net_lots, d.long_financing_ppm, d.short_financing_ppm,
    coalesce(d.triple_weekday, %(none)s) AS triple_weekday, d.guarantee_ppm, d.guarantee_distance_ppm
FROM desk_terms d JOIN trading_pairs p USING (world, symbol)
"""
_RULES: Final = """
SELECT world, max_quote_age_ns, margin_call_ppm, loss_warning_ppm, warning_level_ppm, stop_out_level_ppm,
    stop_out_policy
FROM desk_rules
"""
_EXPOSURES: Final = """
SELECT d.world, d.symbol, coalesce(sum(d.quantity / p.lot) FILTER (WHERE d.direction = 'long'), 0)::bigint AS long_lots,
    coalesce(sum(d.quantity / p.lot) FILTER (WHERE d.direction = 'short'), 0)::bigint AS short_lots
FROM desk_positions d JOIN trading_pairs p USING (world, symbol) WHERE d.closed_at IS NULL GROUP BY d.world, d.symbol
"""


class Exposure(NamedTuple):
    """What all clients together hold of a symbol, in lots. The desk holds the other side."""

    long_lots: int = 0
    short_lots: int = 0

    @property
    def net_lots(self) -> int:
        """Above zero when clients are long."""
        return self.long_lots - self.short_lots


NOTHING: Final = Exposure()


class DeskView:
    """Terms, rules and exposure of every market, as new as the live view that it is a part of."""

    def __init__(self) -> None:
        self.terms: dict[tuple[World, str], DeskTerms] = {}
        self.rules: dict[World, DeskRules] = {}
        self._exposures: dict[tuple[World, str], Exposure] = {}

    def exposure_of(self, world: World, symbol: str) -> Exposure:
        """What clients hold of a symbol."""
        return self._exposures.get((world, symbol), NOTHING)

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin anew with the tables."""
        del mark
        self.terms, self.rules, self._exposures = {}, {}, {}
        async with connection.cursor(row_factory=dict_row) as cursor:
            for row in await (await cursor.execute(_TERMS, {"none": NO_TRIPLE_DAY})).fetchall():
                self._know_terms(DeskTerms(**{**row, "world": World(row["world"])}))
            for row in await (await cursor.execute(_RULES)).fetchall():
                policy = StopOutPolicy(row["stop_out_policy"])
                self._know_rules(DeskRules(**{**row, "world": World(row["world"]), "stop_out_policy": policy}))
            for row in await (await cursor.execute(_EXPOSURES)).fetchall():
                key = World(row["world"]), row["symbol"]
                self._exposures[key] = Exposure(row["long_lots"], row["short_lots"])

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the events of one batch."""
        del mark
        for event in events:
            if isinstance(event, DeskFill):
                self._hear_fill(event)
            elif isinstance(event, DeskTerms):
                self._know_terms(event)
            elif isinstance(event, DeskRules):
                self._know_rules(event)

    def _hear_fill(self, fill: DeskFill) -> None:
        lots = fill.lots if fill.is_open else -fill.lots
        before = self.exposure_of(fill.world, fill.symbol)
        if fill.direction is Direction.LONG:
            after = before._replace(long_lots=before.long_lots + lots)
        else:
            after = before._replace(short_lots=before.short_lots + lots)
        self._exposures[fill.world, fill.symbol] = after

    def _know_terms(self, terms: DeskTerms) -> None:
        self.terms[terms.world, terms.symbol] = terms

    def _know_rules(self, rules: DeskRules) -> None:
        self.rules[rules.world] = rules
