"""The leader: the asyncio shell round the sequencer, from a lease to its end.

One loop: apply what waits, commit it as one row, answer. While a batch is being committed the next one is applied.
Whatever goes wrong with a commit ends the leader, and with it the process: nobody can tell what is on disk but the
journal, and a start is a recovery. Whoever waits then hears that the outcome is unknown.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from fondaco.engine.broadcast import Broadcast
from fondaco.engine.client import EngineClient, Waiting, settle
from fondaco.engine.garbage import without_collections
from fondaco.engine.journal import Committed
from fondaco.engine.port import OutcomeUnknownError
from fondaco.engine.recovery import Standing
from fondaco.engine.sequencer import Batch, Bounds, Sequencer
from fondaco.engine.store import BEAT_S, Lease

log = structlog.get_logger()


class Leader:
    """An engine that leads.

    Args:
        lease: held, and given back in the end.
        standing: a machine at the journal's end.
        bounds: how much may wait.
        clock_ns: the wall clock.
        spent_ns: a clock that only measures how long something takes.
    """

    def __init__(
        self,
        lease: Lease,
        standing: Standing,
        bounds: Bounds,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        spent_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._lease = lease
        self._clock_ns = clock_ns
        self._sequencer: Sequencer[Waiting] = Sequencer(
            standing.machine,
            standing.mark,
            epoch=lease.epoch,
            bounds=bounds,
            clock_ns=lease.clock_ns,
            spent_ns=spent_ns,
        )
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._next_beat_s = 0.0
        self.epoch = lease.epoch
        """Which lease this leads under."""
        self.broadcast = Broadcast(standing.mark)
        """What was committed under this lease."""
        self.client = EngineClient(self._sequencer, self.broadcast, self._woken.set)
        """How commands come in, as long as this leads."""

    async def run(self) -> None:
        """Lead until `stop`; what waits by then is still done.

        Raises:
            FencedError: somebody else has taken over.
            StoreLostError: the last batch may be on disk, or not.
            ClockJumpError: the clock was set forward.
        """
        try:
            with without_collections():
                await self._lead()
        finally:
            self.client.close()
            for future in self._sequencer.abandoned():
                settle(future, OutcomeUnknownError())
            self.broadcast.close()
            await self._lease.aclose()
            log.info("engine.led_until", seq=self._sequencer.mark.seq, epoch=self._lease.epoch)

    def stop(self) -> None:
        """Take nothing more in, and end once everything is answered."""
        self._is_stopping = True
        self.client.close()
        self._woken.set()

    async def _lead(self) -> None:
        while self._sequencer.has_work or not self._is_stopping:
            await self._beat_if_due()
            batch = self._sequencer.next_batch(self._clock_ns())
            if batch is None:
                await self._rest()
            while batch is not None:
                batch = await self._commit_while_applying_the_next(batch)
                await self._beat_if_due()

    async def _commit_while_applying_the_next(self, batch: Batch[Waiting]) -> Batch[Waiting] | None:
        committing = asyncio.ensure_future(self._commit(batch))
        try:
            await asyncio.sleep(0)  # the row leaves now, and whoever was answered can send the next
            return self._sequencer.next_batch(self._clock_ns())
        finally:
            await committing
            for future, outcome in self._sequencer.committed(batch):
                settle(future, outcome)
            if batch.row is not None:
                self.broadcast.publish(Committed(batch.row.end, batch.events))

    async def _commit(self, batch: Batch[Waiting]) -> None:
        if batch.row is not None:
            await self._lease.append(batch.row)

    async def _rest(self) -> None:
        """Until somebody comes, or it is time to look at the clock again."""
        alarm = asyncio.get_running_loop().call_later(BEAT_S, self._woken.set)
        await self._woken.wait()
        alarm.cancel()
        self._woken.clear()

    async def _beat_if_due(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._next_beat_s:
            self._sequencer.note_follower(await self._lease.beat())
            self._next_beat_s = now_s + BEAT_S
