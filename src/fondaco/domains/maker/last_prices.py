"""The price of the last trade of every market: what the engine measures its bands from."""

from collections.abc import Sequence
from typing import Final

from fondaco.core.events import Event, Trade
from fondaco.core.vocabulary import World
from fondaco.engine.journal import Mark
from fondaco.infra.database import PsycopgConnection

_LAST: Final = """
SELECT p.world, p.symbol, t.price / p.tick FROM trading_pairs p CROSS JOIN LATERAL (
    SELECT price FROM trades WHERE world = p.world AND symbol = p.symbol ORDER BY id DESC LIMIT 1
) AS t
"""


class LastPrices:
    """A part of what is known live: in ticks, for each market that has traded."""

    def __init__(self) -> None:
        self.ticks: dict[tuple[World, str], int] = {}

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin with the trades of the tables."""
        del mark
        rows = await (await connection.execute(_LAST)).fetchall()
        self.ticks = {(World(world), symbol): ticks for world, symbol, ticks in rows}

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the trades of one batch."""
        del mark
        for event in events:
            if isinstance(event, Trade):
                self.ticks[event.world, event.symbol] = event.price_ticks
