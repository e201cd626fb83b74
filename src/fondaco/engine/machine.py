"""What the engine asks of the machine inside it: `fondaco.core.machine.Machine`, or a small one in a test.

A machine is a pure function of the commands applied to it. Two that were given the same commands, at the same numbers
and moments, have told the same events, byte for byte.
"""

from typing import Protocol

from fondaco.core.commands import Submission
from fondaco.core.replies import Answer


class Log(Protocol):
    """Where a machine's events collect."""

    def take(self) -> bytes:
        """The events since it was last taken, as one MessagePack array."""
        ...


class Machine(Protocol):
    """What commands are applied to, one after the other."""

    @property
    def log(self) -> Log:
        """The events of what was applied."""
        ...

    @property
    def seq(self) -> int:
        """The number of the last command applied; 0 before the first."""
        ...

    @property
    def now_ns(self) -> int:
        """The moment of the last command applied; 0 before the first."""
        ...

    @property
    def rules_version(self) -> int:
        """The rules in force."""
        ...

    @property
    def backlog(self) -> bool:
        """Whether larger work is unfinished, which goes ahead of other commands."""
        ...

    def has_due(self, now_ns: int) -> bool:
        """Whether something falls due by then."""
        ...

    def apply(self, submission: Submission, seq: int, now_ns: int) -> Answer:
        """Do a command, or refuse it by name. Raises for nothing that a user can cause."""
        ...

    def dump(self) -> bytes:
        """All that it remembers."""
        ...

    def state_hash(self) -> bytes:
        """32 bytes that differ when anything that it remembers does."""
        ...


class MachineKind(Protocol):
    """How machines are made."""

    def __call__(self) -> Machine:
        """One to which nothing was applied yet."""
        ...

    def load(self, dump: bytes, /) -> Machine:
        """One that remembers what another dumped."""
        ...
