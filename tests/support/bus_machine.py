"""A bus held against a naive model of one stream: nothing lost, nothing in two hands, order kept, no wake-up missed."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fondaco.infra.bus.port import Bus, Entry
from fondaco.infra.settings import BusSettings
from support.buses import Connect, order, settled
from support.waiting import eventually

READERS = 3
GROUPS = ("g", "h")
LONG_S = 600.0

readers = st.integers(0, READERS - 1)
groups = st.sampled_from(GROUPS)


class BusMachine(RuleBasedStateMachine):
    """Three connections append, read, wait, acknowledge, break and come back; `open_bus` says to which bus."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.house = AsyncExitStack()
        self.buses: list[Bus] = []
        self.leave: list[AsyncExitStack] = []
        self.entries: list[Entry] = []
        self.holder: dict[str, dict[str, int | None]] = {name: {} for name in GROUPS}  # the unacknowledged, by group
        self.waiting: dict[int, tuple[str, asyncio.Task[list[Entry]]]] = {}

    def open_bus(self, settings: BusSettings) -> AbstractAsyncContextManager[Connect]:
        """The bus under test."""
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        """Connect everyone; both groups are known from the start."""
        self.runner.run(self._start())

    @rule(reader=readers, count=st.integers(1, 4))
    def append(self, reader: int, count: int) -> None:
        """Add entries."""
        for _ in range(count):
            body = str(len(self.entries)).encode()
            entry = Entry(self.runner.run(self.buses[reader].append("s", body)), body)
            assert not self.entries or order(entry.id) > order(self.entries[-1].id)
            self.entries.append(entry)
            for holder in self.holder.values():
                holder[entry.id] = None

    @rule(reader=readers, group=groups, count=st.integers(1, 5))
    def read(self, reader: int, group: str, count: int) -> None:
        """Take the oldest that are free, exactly those."""
        taken = self.runner.run(self.buses[reader].read("s", group, max_entries=count, wait_s=0))
        assert taken == self.free(group)[:count]
        self.hold(group, reader, taken)

    @rule(reader=readers, group=groups)
    def wait(self, reader: int, group: str) -> None:
        """Begin to wait for an entry."""
        if reader not in self.waiting:
            call = self.buses[reader].read("s", group, max_entries=1, wait_s=LONG_S)
            self.waiting[reader] = (group, self.runner.get_loop().create_task(call))

    @rule(reader=readers)
    def give_up(self, reader: int) -> None:
        """Stop waiting."""
        if reader in self.waiting:
            self.runner.run(cancelled(self.waiting.pop(reader)[1]))
            self.runner.run(settled(*self.buses))

    @rule(group=groups, data=st.data())
    def ack(self, group: str, data: st.DataObject) -> None:
        """Acknowledge some that have been read, whoever holds them, and some that were acknowledged before."""
        read = [each.id for each in self.entries if self.holder[group].get(each.id, -1) is not None]
        some = data.draw(st.lists(st.sampled_from(read), max_size=4) if read else st.just([]))
        self.runner.run(self.buses[0].ack("s", group, some))
        for entry_id in some:
            self.holder[group].pop(entry_id, None)

    @rule(reader=readers)
    def break_connection(self, reader: int) -> None:
        """Leave without a word and come back: what was held is free again."""
        self.runner.run(self._break(reader))
        for holder in self.holder.values():
            holder.update({each: None for each, who in holder.items() if who == reader})

    @rule(reader=readers, group=groups)
    def look(self, reader: int, group: str) -> None:
        """A watcher sees exactly what is unacknowledged, in order."""
        unacknowledged = [each for each in self.entries if each.id in self.holder[group]]
        assert self.runner.run(self._look(reader, group, len(unacknowledged))) == unacknowledged

    @invariant()
    def nobody_waits_for_what_is_there(self) -> None:
        """A waiting reader is served as soon as something is free, with an entry that nobody holds."""
        if self.buses:
            self.runner.run(settled(*self.buses))
            self.runner.run(eventually(self._everyone_is_served))

    def teardown(self) -> None:
        """Leave, and see that everything not acknowledged is still there."""
        for _, task in self.waiting.values():
            self.runner.run(cancelled(task))
        for group in GROUPS if self.buses else ():
            self.look(0, group)
        for leave in self.leave:
            self.runner.run(leave.aclose())
        self.runner.run(self.house.aclose())
        self.runner.close()

    def free(self, group: str) -> list[Entry]:
        """What the model would hand out, oldest first."""
        return [each for each in self.entries if self.holder[group].get(each.id, -1) is None]

    def hold(self, group: str, reader: int, taken: list[Entry]) -> None:
        """Note who has them; each must have been free."""
        for entry in taken:
            assert entry in self.free(group)
            self.holder[group][entry.id] = reader

    async def _start(self) -> None:
        self.connect = await self.house.enter_async_context(self.open_bus(BusSettings()))
        for _ in range(READERS):
            stack = AsyncExitStack()
            self.buses.append(await stack.enter_async_context(self.connect()))
            self.leave.append(stack)
        for group in GROUPS:
            await self.buses[0].read("s", group, max_entries=1, wait_s=0)

    async def _everyone_is_served(self) -> bool:
        for reader, (group, task) in tuple(self.waiting.items()):
            if task.done():
                del self.waiting[reader]
                self.hold(group, reader, task.result())
        return not any(self.free(group) for group, _ in self.waiting.values())

    async def _break(self, reader: int) -> None:
        if reader in self.waiting:
            await cancelled(self.waiting.pop(reader)[1])
        await self.leave[reader].aclose()
        self.buses[reader] = await self.leave[reader].enter_async_context(self.connect())

    async def _look(self, reader: int, group: str, count: int) -> list[Entry]:
        async with self.buses[reader].tail("s", group) as entries:
            return [await anext(entries) for _ in range(count)]


async def cancelled(task: asyncio.Task[list[Entry]]) -> None:
    """Cancel a wait and see it end."""
    task.cancel()
    await asyncio.wait([task])
