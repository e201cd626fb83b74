"""The cache of reads against a naive model: what is served, how old it is, what loads, and what has been dropped.

Time stands still until a rule moves it, and a load ends when a rule says so, with a result or with an error.
"""

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fondaco.data.cache import CachePolicy, ReadCache

WEIGHTS = {"a": 1, "b": 2, "c": 3, "d": 8}
MAX_WEIGHT = 5
CYCLES = 8
"""Turns of the event loop after which nothing moves that can move."""

Value = tuple[int, ...]

keys = st.sampled_from(sorted(WEIGHTS))
policies = st.builds(CachePolicy, st.sampled_from([10, 60]), st.sampled_from([0, 5, 10]))


@dataclass
class Load:
    """A load that runs."""

    key: str
    value: Value
    begun_s: int
    gate: asyncio.Future[None]
    readers: list[asyncio.Task[Value]] = field(default_factory=list)


class CacheMachine(RuleBasedStateMachine):
    """Reads, time, changes behind the cache, slow and failing loads, and readers who give up."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now_s = 0
        self.version = 0
        self.cache: ReadCache[Value] = ReadCache(MAX_WEIGHT, len, lambda: self.now_s)
        self.kept: dict[str, tuple[Value, int]] = {}  # in the order of their last reading
        self.loads: dict[str, Load] = {}
        self.forgotten: list[Load] = []
        self.calls = 0

    @rule(seconds=st.sampled_from([1, 5, 10, 60]))
    def pass_time(self, seconds: int) -> None:
        """Let time pass."""
        self.now_s += seconds

    @rule()
    def change(self) -> None:
        """From now on a load brings something else."""
        self.version += 1

    @rule(key=keys, policy=policies)
    def read(self, key: str, policy: CachePolicy) -> None:
        """Served at once what is young enough; else the reader waits for the one load of that key."""
        reader = self.runner.run(self._begin(key, policy))
        value, begun_s = self.kept.get(key, ((), 0))
        age_s = self.now_s - begun_s
        if value and age_s < policy.fresh_s + policy.stale_s:
            assert reader.result() == value
            self.kept[key] = self.kept.pop(key)
        else:
            assert not reader.done()
            self.loads[key].readers.append(reader)

    @rule(key=keys)
    def give_up(self, key: str) -> None:
        """The first of those who wait for a key stops waiting."""
        if key in self.loads and self.loads[key].readers:
            self.loads[key].readers.pop(0).cancel()
            self.settle()

    @rule(key=keys)
    def finish(self, key: str) -> None:
        """A load brings its result to all who wait, and it is kept if there is room for it at all."""
        if key not in self.loads:
            return
        load = self.loads.pop(key)
        self.end(load)
        self.kept.pop(key, None)
        if len(load.value) <= MAX_WEIGHT:
            self.kept[key] = (load.value, load.begun_s)
        while sum(len(value) for value, _ in self.kept.values()) > MAX_WEIGHT:
            del self.kept[next(iter(self.kept))]

    @rule(key=keys)
    def fail(self, key: str) -> None:
        """A load fails: so do those who wait, and what was kept stays."""
        if key in self.loads:
            load = self.loads.pop(key)
            load.gate.set_exception(OSError("away"))
            self.settle()
            assert all(isinstance(reader.exception(), OSError) for reader in load.readers)

    @rule()
    def forget(self) -> None:
        """Everything is forgotten; loads that run reach their readers and nobody else."""
        self.cache.clear()
        self.kept.clear()
        self.forgotten += self.loads.values()
        self.loads.clear()

    @rule()
    def finish_the_forgotten(self) -> None:
        """Late results are not kept."""
        while self.forgotten:
            self.end(self.forgotten.pop())

    @invariant()
    def the_same_is_kept_and_the_same_loads_run(self) -> None:
        """And never more than the limit."""
        assert self.cache.weight == sum(len(value) for value, _ in self.kept.values()) <= MAX_WEIGHT
        assert self.calls == len(self.loads) + len(self.forgotten)

    def teardown(self) -> None:
        """End what runs."""
        for load in (*self.loads.values(), *self.forgotten):
            self.end(load)
        self.runner.close()

    def end(self, load: Load) -> None:
        """Let a load bring its result to its readers."""
        load.gate.set_result(None)
        self.settle()
        assert [reader.result() for reader in load.readers] == [load.value] * len(load.readers)

    def settle(self) -> None:
        """Let the event loop turn until nothing moves."""
        self.runner.run(_turn())

    async def _begin(self, key: str, policy: CachePolicy) -> asyncio.Task[Value]:
        async def load() -> Value:
            assert key not in self.loads, "one load at a time"
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            value = (self.version,) * WEIGHTS[key]
            self.loads[key] = Load(key, value, self.now_s, gate)
            self.calls += 1
            try:
                await gate
            finally:
                self.calls -= 1
            return value

        reader = asyncio.ensure_future(self.cache.read(key, policy, load))
        await _turn()
        self._refresh_begins_only_when_it_should(key, policy)
        return reader

    def _refresh_begins_only_when_it_should(self, key: str, policy: CachePolicy) -> None:
        """A load that began just now has a reason: nothing kept, or something that is no longer fresh."""
        load, kept = self.loads.get(key), self.kept.get(key)
        begins_now = load is not None and load.begun_s == self.now_s and not load.readers
        if kept is not None and self.now_s - kept[1] >= policy.fresh_s:
            assert load is not None
        elif kept is not None and begins_now:
            assert load is not None
            assert kept[1] < load.begun_s


async def _turn() -> None:
    for _ in range(CYCLES):
        await asyncio.sleep(0)


TestTheCacheAgainstTheModel = CacheMachine.TestCase
TestTheCacheAgainstTheModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
