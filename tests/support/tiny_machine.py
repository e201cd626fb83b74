"""A machine that is small enough to know by heart: it adds up deposits, lifts halts in time, and cancels in pieces."""

import hashlib
from typing import Self

import msgspec

from fondaco.core.commands import CancelAll, Deposit, Submission, TripBreaker, decode_command
from fondaco.core.eventlog import EventLog
from fondaco.core.events import Began
from fondaco.core.replies import DONE, Answer, Reply

PIECES = 3
"""Commands that it takes to cancel all."""


class _Remembered(msgspec.Struct):
    seq: int = 0
    now_ns: int = 0
    pieces: int = 0
    total: dict[int, int] = {}
    due: list[int] = []


class TinyMachine:
    """As `fondaco.engine.machine.Machine` says."""

    rules_version = 1

    def __init__(self) -> None:
        self.log = EventLog()
        self.state = _Remembered()

    @classmethod
    def load(cls, dump: bytes) -> Self:
        """One that remembers what another dumped."""
        machine = cls()
        machine.state = msgspec.msgpack.decode(dump, type=_Remembered)
        return machine

    @property
    def seq(self) -> int:
        """The last command."""
        return self.state.seq

    @property
    def now_ns(self) -> int:
        """Its moment."""
        return self.state.now_ns

    @property
    def backlog(self) -> bool:
        """Whether pieces are left."""
        return self.state.pieces > 0

    def has_due(self, now_ns: int) -> bool:
        """Whether a halt ends by then."""
        return any(due <= now_ns for due in self.state.due)

    def apply(self, submission: Submission, seq: int, now_ns: int) -> Answer:
        """Do a command."""
        state = self.state
        assert seq == state.seq + 1
        assert now_ns >= state.now_ns
        state.seq, state.now_ns = seq, now_ns
        state.due = [due for due in state.due if due > now_ns]
        state.pieces = max(state.pieces - 1, 0)
        self.log.emit(Began(seq, now_ns))
        command = decode_command(submission.body)
        if isinstance(command, Deposit):
            state.total[command.account_id] = state.total.get(command.account_id, 0) + command.amount
        if isinstance(command, TripBreaker):
            state.due.append(command.until_ns)
        if isinstance(command, CancelAll):
            state.pieces = PIECES
        reply: Reply = DONE
        self.log.emit(reply)
        return Answer(seq, is_duplicate=False, reply=reply)

    def dump(self) -> bytes:
        """All of it."""
        return msgspec.msgpack.encode(self.state)

    def state_hash(self) -> bytes:
        """Over all of it."""
        return hashlib.blake2b(self.dump(), digest_size=32).digest()
