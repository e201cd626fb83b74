"""The port between market data and the kind of house that it is kept in. Everything that differs stands behind it.

There are two kinds. *Plain* PostgreSQL partitions ``ticks`` by week and merges ``candles`` in the transaction that
stores the ticks (`plain`). With *TimescaleDB*, ``ticks`` is a hypertable and ``candles`` a view over continuous
aggregates (`hypertable`). Readers see the same two relations either way. Which kind a house is stands in its database,
not in a setting (`choose`); `conversion` turns the first into the second.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from fondaco.infra.errors import UserError
from fondaco.market.messages import Refused, StoredCandle, TickBatch


class Batch(NamedTuple):
    """What one transaction stores."""

    ticks: Sequence[TickBatch]
    refused: Sequence[Refused]


class StoredBatch(NamedTuple):
    """What one transaction did: the candles as they stand now, and how many ticks were new."""

    candles: tuple[StoredCandle, ...]
    new_ticks: int


class PurgeRefusedError(UserError):
    """A purge would have lost candles. The message says what may be purged."""


class Storage(Protocol):
    """Ticks and candles of one house."""

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store a batch exactly once; on return it is committed.

        Raises:
            DatabaseUnavailableError: nothing was stored, or the answer was lost; storing it again is safe.
        """

    async def settle(self) -> None:
        """Bring every candle up to date. Raises `DatabaseUnavailableError` when that cannot be done now."""

    async def purge(self, limit_us: int) -> int:
        """Drop ticks from before a moment and keep their candles; returns how many went.

        Raises:
            PurgeRefusedError: candles would be lost.
        """

    async def make_ready(self, times_us: Iterable[int]) -> None:
        """Have room for ticks of these moments, so that no recorder waits for it."""
