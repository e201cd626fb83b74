"""A cache of reads, each with a policy: how long a result is fresh, and how long it may be served stale after (EXD-4).

It knows nothing of databases: a key, a policy, and a function that loads. Invariants:

- A kept result is never served once it is older than the policy of the read that asks, counted from the *start* of
  its load.
- One key loads once at a time, however many ask; who waits for a load gets what it brings, result or error.
- A refresh that fails leaves the old result in place. It is tried again at the next read, and when the further period
  is over the error is the reader's.
- Whoever gives up waiting does not stop a load that others wait for.
- The sum of the weights that are kept never exceeds the limit; what was read longest ago goes first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True)
class CachePolicy:
    """How old a result may be: ``fresh_s`` seconds as it is, ``stale_s`` more while a newer one is being fetched."""

    fresh_s: float
    stale_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a policy that means nothing."""
        if not (self.fresh_s > 0 and self.stale_s >= 0):
            raise ValueError(f"A cache policy needs fresh_s above 0 and stale_s from 0: {self}.")


class Kept(NamedTuple, Generic[T]):
    """A result, and when its load began."""

    value: T
    begun_s: float
    weight: int


class ReadCache(Generic[T]):
    """Results by key. Belongs to one event loop at a time.

    Args:
        max_weight: most that the kept results may weigh together; one that alone weighs more is not kept.
        weigh: a result's weight.
        clock_s: seconds that only ever grow.
    """

    def __init__(self, max_weight: int, weigh: Callable[[T], int], clock_s: Callable[[], float]) -> None:
        self._max_weight = max_weight
        self._weigh = weigh
        self._clock_s = clock_s
        self._kept: OrderedDict[Hashable, Kept[T]] = OrderedDict()
        self._weight = 0
        self._loads: dict[Hashable, asyncio.Task[T]] = {}

    async def read(self, key: Hashable, policy: CachePolicy, load: Callable[[], Awaitable[T]]) -> T:
        """What ``load`` gives, or gave not too long ago. Raises what it raises, when there is nothing to serve."""
        kept = self._kept.get(key)
        age_s = float("inf") if kept is None else self._clock_s() - kept.begun_s
        if kept is None or age_s >= policy.fresh_s + policy.stale_s:
            # Shielded: a load belongs to all who wait for it, and one of them may give up.
            return await asyncio.shield(self._load(key, load))
        self._kept.move_to_end(key)
        if age_s >= policy.fresh_s and key not in self._loads:
            self._load(key, load).add_done_callback(_say_failure)
        return kept.value

    def clear(self) -> None:
        """Forget everything. What is being loaded now still reaches those who wait for it, and is not kept."""
        self._kept.clear()
        self._weight = 0
        self._loads.clear()

    @property
    def weight(self) -> int:
        """What is kept, together."""
        return self._weight

    def _load(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """The load of this key that runs now, begun if there is none."""
        if key not in self._loads:
            self._loads[key] = asyncio.ensure_future(self._loaded(key, load, self._clock_s()))
        return self._loads[key]

    async def _loaded(self, key: Hashable, load: Callable[[], Awaitable[T]], begun_s: float) -> T:
        task = asyncio.current_task()
        try:
            value = await load()
            if self._loads.get(key) is task:  # else everything was forgotten meanwhile
                self._keep(key, Kept(value, begun_s, self._weigh(value)))
        finally:
            if self._loads.get(key) is task:
                del self._loads[key]
        return value

    def _keep(self, key: Hashable, kept: Kept[T]) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._weight -= old.weight
        if kept.weight > self._max_weight:
            return
        self._kept[key] = kept
        self._weight += kept.weight
        while self._weight > self._max_weight:
            _, oldest = self._kept.popitem(last=False)
            self._weight -= oldest.weight


def _say_failure(task: asyncio.Task[T]) -> None:
    """Nobody waits for a refresh, so nobody else would hear of its failure."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("data.refresh_failed", error=f"{type(error).__name__}: {error}")
