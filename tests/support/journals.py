"""The hash over everything that a machine has said: what a journal's rows carry, and what two runs are compared by."""

import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, Protocol

from fondaco.core.commands import Submission
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer
from fondaco.core.snapshot import state_hash
from support.command_stream import Step, stream

BATCH: Final = 50
"""Commands whose events are hashed together."""
FIRST: Final = bytes(32)


class Timed(Protocol):
    """A command on its way, and when it is applied."""

    @property
    def submission(self) -> Submission:
        """The command."""

    @property
    def now_ns(self) -> int:
        """When."""


def chained(machine: Machine, steps: Iterable[Step]) -> Iterator[tuple[bytes, Answer]]:
    """Apply steps; gives each one's events and answer."""
    for step in steps:
        answer = machine.apply(step.submission, machine.seq + 1, step.now_ns, step.command)
        yield machine.log.take(), answer


def chain_hash(machine: Machine, steps: Iterable[Timed]) -> bytes:
    """Apply steps; gives the hash of the last batch over the one before it and its own events, from 32 zeros on."""
    hashed, remaining = FIRST, iter(steps)
    while batch := list(islice(remaining, BATCH)):
        for step in batch:
            machine.apply(step.submission, machine.seq + 1, step.now_ns)
        hashed = blake2b(hashed + machine.log.take(), digest_size=32).digest()
    return hashed


def tell(seed: int, count: int) -> None:
    """Write the hashes of a stream to the output, for whoever started this process."""
    machine = Machine()
    chain = chain_hash(machine, islice(stream(seed), count))
    sys.stdout.write(f"{chain.hex()} {state_hash(machine).hex()}\n")
