"""How old a cached read may be, moment by moment, with the specification's example of 60 and 10 seconds (EXD-4)."""

import asyncio

import pytest
from structlog.testing import capture_logs

from fondaco.data.cache import CachePolicy, ReadCache

POLICY = CachePolicy(fresh_s=60, stale_s=10)


class Source:
    """Something to read: counts how often it was, and fails or waits when told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> int:
        """The number of this read."""
        self.reads += 1
        number = self.reads
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """The present."""
        return self.now_s


def made(max_weight: int = 100) -> tuple[ReadCache[int], Clock, Source]:
    clock = Clock()
    return ReadCache(max_weight, lambda _: 1, clock), clock, Source()


async def turned() -> None:
    """Let whatever runs behind a read come to its end."""
    for _ in range(8):
        await asyncio.sleep(0)


async def test_a_result_is_fresh_then_stale_while_it_is_refreshed_then_gone() -> None:
    """EXD-4: 60 seconds as it is, 10 more while a newer one is fetched, then never again."""
    cache, clock, source = made()
    assert await cache.read("k", POLICY, source.load) == 1
    clock.now_s = 59.999
    assert await cache.read("k", POLICY, source.load) == 1
    await turned()
    assert source.reads == 1
    clock.now_s = 60
    assert await cache.read("k", POLICY, source.load) == 1, "stale, and refreshed behind it"
    await turned()
    assert await cache.read("k", POLICY, source.load) == 2
    clock.now_s = 60 + 70
    assert await cache.read("k", POLICY, source.load) == 3, "too old to be served: the reader waits"


async def test_a_refresh_that_fails_keeps_serving_until_the_further_period_ends_and_then_raises() -> None:
    cache, clock, source = made()
    await cache.read("k", POLICY, source.load)
    source.error = OSError("away")
    with capture_logs() as logs:
        for moment_s in (60, 65, 69.999):
            clock.now_s = moment_s
            assert await cache.read("k", POLICY, source.load) == 1
            await turned()
    assert source.reads == 4, "tried again at each read"
    assert [each["event"] for each in logs] == ["data.refresh_failed"] * 3
    clock.now_s = 70
    with pytest.raises(OSError, match="away"):
        await cache.read("k", POLICY, source.load)
    source.error = None
    assert await cache.read("k", POLICY, source.load) == 6, "an error is not kept"


async def test_many_misses_at_once_make_one_read() -> None:
    cache, _, source = made()
    source.gate.clear()
    readers = [asyncio.ensure_future(cache.read("k", POLICY, source.load)) for _ in range(500)]
    await turned()
    source.gate.set()
    assert await asyncio.gather(*readers) == [1] * 500
    assert source.reads == 1


async def test_a_reader_who_gives_up_does_not_take_it_from_the_others() -> None:
    cache, _, source = made()
    source.gate.clear()
    first = asyncio.ensure_future(cache.read("k", POLICY, source.load))
    await turned()
    second = asyncio.ensure_future(cache.read("k", POLICY, source.load))
    await turned()
    first.cancel()
    source.gate.set()
    assert await second == 1


async def test_each_read_brings_its_own_policy() -> None:
    cache, clock, source = made()
    await cache.read("k", POLICY, source.load)
    clock.now_s = 5
    assert await cache.read("k", CachePolicy(fresh_s=6), source.load) == 1
    assert await cache.read("k", CachePolicy(fresh_s=5), source.load) == 2


async def test_what_was_read_longest_ago_goes_first() -> None:
    cache, _, source = made(max_weight=2)
    for key in ("a", "b", "a", "c"):
        await cache.read(key, POLICY, source.load)
    assert cache.weight == 2
    reads = source.reads
    await cache.read("a", POLICY, source.load)
    assert source.reads == reads
    await cache.read("b", POLICY, source.load)
    assert source.reads == reads + 1


@pytest.mark.parametrize(("fresh_s", "stale_s"), [(0, 10), (-1, 0), (1, -1), (float("nan"), 0)])
def test_a_policy_that_means_nothing_is_refused(fresh_s: float, stale_s: float) -> None:
    with pytest.raises(ValueError, match="fresh_s above 0"):
        CachePolicy(fresh_s, stale_s)
