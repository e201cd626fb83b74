"""The sequencer: gives every command its number and its moment, has it done, and keeps answers until they are true.

It is told the time and that a batch is committed, and does no I/O of its own. Commands wait in one bounded queue;
`Sequencer.next_batch` takes what waits, applies it to the machine and hands out the row that must be committed. The
next batch may be applied while the former is being committed. `Sequencer.committed` then gives the answers free: nobody
hears of anything, reads of memory included, before the batch that it came from, and every one before, is on disk.

Invariants:
    Numbers are contiguous, moments are whole microseconds and never go back.
    Answers leave in the order in which their commands were applied.
    At most `MAX_UNCOMMITTED_BATCHES` batches are ahead of the journal.
    The last tenth of the queue, and of the follower's leeway, is for what gives back and for the house's own.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from fondaco.core.commands import HOUSE, Submission, Tick, encode_command
from fondaco.core.machine import Machine
from fondaco.engine.door import Entry
from fondaco.engine.journal import CODEC, JournaledCommand, JournalRow, Mark, chained, encoded
from fondaco.engine.port import QUEUE_RETRY_S, Overloaded, Why

Token = TypeVar("Token")
Read: TypeAlias = Callable[[Machine], object]
"""Looks at the machine and changes nothing."""

MAX_BATCH_COMMANDS: Final = 1_000
MAX_BATCH_BYTES: Final = 1024 * 1024
MAX_BATCH_NS: Final = 20_000_000
"""A batch takes nothing more in once applying it has taken so long: commands differ in size, heartbeats must not wait.
"""
MAX_UNCOMMITTED_BATCHES: Final = 2
"""One that is being committed, and one that is applied meanwhile."""
RESERVED: Final = 10
"""One part in so many is kept for urgent commands."""
MAX_JUMP_NS: Final = 3_600 * 1_000_000_000
"""The clock may go forward by so much between two looks at it. More, and somebody has set it."""
FOLLOWER_RETRY_S: Final = 5
"""When to come back while the tables are too far behind."""
_ENTRY_BYTES: Final = 32
"""What a command adds to a batch beside its body and its id."""
_TICK: Final = Tick()
_TICK_BODY: Final = msgspec.Raw(encode_command(_TICK))


class ClockJumpError(Exception):
    """The clock has gone forward by more than any pause of ours explains. The message says from when to when."""


class Bounds(NamedTuple):
    """How much may wait."""

    queue_commands: int
    follower_lag: int
    """Commands that the follower may be behind."""


class Batch(NamedTuple, Generic[Token]):
    """What was applied together."""

    row: JournalRow | None
    """What must be committed; None when all were reads."""
    events: bytes
    outcomes: list[tuple[Token, object]]
    """For whoever asked, in order: an `Answer` to a command; what a read came to, or the exception that it raised."""


class Sequencer(Generic[Token]):
    """The one place where commands get their order.

    Args:
        machine: stands at ``mark``. It belongs to the sequencer from now on.
        mark: the journal's end.
        epoch: of the lease under which rows are written.
        bounds: how much may wait.
        clock_ns: what another clock, the database's, shows now: the first reading of ours is held against it.
        spent_ns: a clock that only measures how long something takes.
    """

    def __init__(
        self,
        machine: Machine,
        mark: Mark,
        *,
        epoch: int,
        bounds: Bounds,
        clock_ns: int,
        spent_ns: Callable[[], int],
    ) -> None:
        self.mark = mark
        """The end of the last batch that was applied. It may not be committed yet."""
        self._machine = machine
        self._epoch = epoch
        self._bounds = bounds
        self._clock_ns = clock_ns
        self._spent_ns = spent_ns
        self._follower_seq = mark.seq
        self._waiting: deque[tuple[Entry | Read, Token]] = deque()
        self._in_hand: list[Token] = []
        """Whose commands were taken out of the queue and are in no batch yet."""
        self._uncommitted: deque[Batch[Token]] = deque()

    @property
    def has_work(self) -> bool:
        """Whether something waits to be applied."""
        return bool(self._waiting) or self._machine.backlog

    def offer(self, entry: Entry, token: Token) -> Overloaded | None:
        """Let a command wait for its turn; its outcome will be the `Answer`. Says so when there is no room."""
        if (overloaded := self._overloaded(is_urgent=entry.is_urgent)) is None:
            self._waiting.append((entry, token))
        return overloaded

    def offer_read(self, read: Read, token: Token) -> Overloaded | None:
        """Let a look at the machine wait for its turn."""
        if (overloaded := self._overloaded(is_urgent=False)) is None:
            self._waiting.append((read, token))
        return overloaded

    def note_follower(self, seq: int) -> None:
        """The follower has come to this command."""
        self._follower_seq = seq

    def next_batch(self, clock_ns: int) -> Batch[Token] | None:
        """Apply what waits, within the bounds of a batch. None when nothing waits or too much is uncommitted.

        Raises:
            ClockJumpError: the clock was set forward.
        """
        now_ns = self._now(clock_ns)
        if len(self._uncommitted) >= MAX_UNCOMMITTED_BATCHES:
            return None
        commands, outcomes = self._apply_waiting(now_ns)
        if not commands and not outcomes:
            return None
        events = self._machine.log.take() if commands else b""
        row = self._row(commands, events) if commands else None
        batch = Batch(row, events, outcomes)
        self._uncommitted.append(batch)
        self._in_hand.clear()
        return batch

    def committed(self, batch: Batch[Token]) -> list[tuple[Token, object]]:
        """A batch is on disk: its outcomes may leave."""
        assert batch is self._uncommitted[0], "batches are committed in the order in which they were applied"
        self._uncommitted.popleft()
        return batch.outcomes

    def abandoned(self) -> list[Token]:
        """Whoever will get no outcome from here any more. The sequencer is of no use after that."""
        tokens = [token for batch in self._uncommitted for token, _ in batch.outcomes]
        tokens += [*self._in_hand, *(token for _, token in self._waiting)]
        self._uncommitted.clear()
        self._in_hand.clear()
        self._waiting.clear()
        return tokens

    def _overloaded(self, *, is_urgent: bool) -> Overloaded | None:
        if len(self._waiting) >= _part(self._bounds.queue_commands, is_urgent=is_urgent):
            return Overloaded(Why.QUEUE_FULL, QUEUE_RETRY_S)
        behind = self.mark.seq + len(self._waiting) - self._follower_seq
        if behind >= _part(self._bounds.follower_lag, is_urgent=is_urgent):
            return Overloaded(Why.FOLLOWER_BEHIND, FOLLOWER_RETRY_S)
        return None

    def _now(self, clock_ns: int) -> int:
        if clock_ns > self._clock_ns + MAX_JUMP_NS:
            raise ClockJumpError(
                f"The clock has jumped from {_moment(self._clock_ns)} to {_moment(clock_ns)}. Nothing was done at the "
                "later time. If it is right, start the house again; if not, put the clock right first."
            )
        self._clock_ns = max(self._clock_ns, clock_ns)
        return max(clock_ns - clock_ns % 1_000, self._machine.now_ns)

    def _apply_waiting(self, now_ns: int) -> tuple[list[JournaledCommand], list[tuple[Token, object]]]:
        machine = self._machine
        commands: list[JournaledCommand] = []
        outcomes: list[tuple[Token, object]] = []
        size_bytes = 0
        until_ns = self._spent_ns() + MAX_BATCH_NS
        for step in range(MAX_BATCH_COMMANDS):
            if step and (size_bytes >= MAX_BATCH_BYTES or self._spent_ns() >= until_ns):
                break
            work, token = self._next(now_ns)
            if work is None:
                break
            if token is not None:
                self._in_hand.append(token)
            outcome: object
            if isinstance(work, Entry):
                sent = work.submission
                outcome = machine.apply(sent, machine.seq + 1, now_ns, work.command)
                size_bytes += len(sent.body) + len(sent.command_id) + _ENTRY_BYTES
                commands.append(
                    JournaledCommand(now_ns, sent.account_id, sent.command_id, sent.not_after_ns, sent.body)
                )
            else:
                outcome = _looked(work, machine)
            if token is not None:
                outcomes.append((token, outcome))
        return commands, outcomes

    def _next(self, now_ns: int) -> tuple[Entry | Read | None, Token | None]:
        """What has its turn: what is unfinished or has fallen due, as many ticks as that takes, and then who waits."""
        if self._machine.has_due(now_ns):
            return self._tick(now_ns), None
        return self._waiting.popleft() if self._waiting else (None, None)

    def _tick(self, now_ns: int) -> Entry:
        return Entry(Submission(HOUSE, f"tick-{self._machine.seq + 1}", now_ns, _TICK_BODY), _TICK, is_urgent=True)

    def _row(self, commands: list[JournaledCommand], events: bytes) -> JournalRow:
        last = self.mark
        self.mark = Mark(last.batch_no + 1, last.seq + len(commands), chained(last.chain_hash, events))
        return JournalRow(
            self.mark.batch_no,
            last.seq + 1,
            self.mark.seq,
            self._epoch,
            CODEC,
            self._machine.rules_version,
            commands[-1].now_ns,
            self.mark.chain_hash,
            encoded(commands),
        )


def _looked(read: Read, machine: Machine) -> object:
    try:
        return read(machine)
    except Exception as error:  # noqa: BLE001 - a look changes nothing, so what it raises is its asker's business alone
        return error


def _part(most: int, *, is_urgent: bool) -> int:
    return most if is_urgent else most - most // RESERVED


def _moment(clock_ns: int) -> str:
    return datetime.fromtimestamp(clock_ns // 1_000_000_000, UTC).isoformat()
