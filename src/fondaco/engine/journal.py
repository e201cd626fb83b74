"""The journal: every command that got a number, in order, in batches that are committed as one row each.

A row holds what is needed to do the same again: the commands as they came, each with the moment at which it was done.
What they led to is not stored but vouched for: ``chain_hash`` goes over the events of all batches up to this one, so
whoever applies the journal to a machine of their own learns at which batch it came to something else.

Invariants:
    Batch numbers are contiguous from 1, and so are the numbers of commands, across batches.
    No batch is empty.
    The moments within a journal never go back.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from fondaco.core.commands import Submission

if TYPE_CHECKING:
    from fondaco.core.machine import Machine  # who only names batches loads no compiler

CODEC: Final = 1
"""How a body is written: a MessagePack array of `JournaledCommand`. A new way gets the next number, old ones stay."""
CHAIN_BYTES: Final = 32


class Mark(NamedTuple):
    """A place in the journal: the last batch, the last command, and the chain hash up to here."""

    batch_no: int
    seq: int
    chain_hash: bytes


BEGINNING: Final = Mark(0, 0, bytes(CHAIN_BYTES))


class JournaledCommand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command with the moment at which it was done. Its number follows from its place in the batch."""

    now_ns: int
    account_id: int
    command_id: str
    not_after_ns: int
    body: msgspec.Raw

    @property
    def submission(self) -> Submission:
        """What was submitted."""
        return Submission(self.account_id, self.command_id, self.not_after_ns, self.body)


class JournalRow(NamedTuple):
    """A batch as it is stored."""

    batch_no: int
    first_seq: int
    last_seq: int
    epoch: int
    codec: int
    rules_version: int
    """The rules in force at the end of the batch. They never go back, so this is the newest of them."""
    last_ns: int
    chain_hash: bytes
    body: bytes

    @property
    def end(self) -> Mark:
        """The place right after this batch."""
        return Mark(self.batch_no, self.last_seq, self.chain_hash)


class JournalError(Exception):
    """The journal cannot be followed any further. The message says at which batch, and why."""


class ChainBrokenError(JournalError):
    """A batch came to other events here than where it was written."""


class JournalGapError(JournalError):
    """A batch or a command is missing."""


class UnknownCodecError(JournalError):
    """A batch or a snapshot was written by a later version."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[JournaledCommand]).decode


def chained(previous: bytes, events: bytes) -> bytes:
    """The chain hash after a batch with these events."""
    link = blake2b(previous, digest_size=CHAIN_BYTES)
    link.update(events)
    return link.digest()


def encoded(commands: Sequence[JournaledCommand]) -> bytes:
    """The body of a batch."""
    return _encode(commands)


def commands_of(row: JournalRow) -> list[JournaledCommand]:
    """The commands of a batch. Raises `JournalError` when they cannot be read or are not as many as the row says."""
    if row.codec != CODEC:
        raise UnknownCodecError(
            f"Batch {row.batch_no} of the journal is written in codec {row.codec}, and this version knows {CODEC}: "
            "it was written by a later Fondaco."
        )
    try:
        commands = _decode(row.body)
    except msgspec.DecodeError as error:
        raise JournalError(f"Batch {row.batch_no} of the journal cannot be read: {error}.") from error
    if len(commands) != row.last_seq - row.first_seq + 1:
        raise JournalGapError(
            f"Batch {row.batch_no} of the journal holds {len(commands)} commands instead of those from "
            f"{row.first_seq} to {row.last_seq}."
        )
    return commands


class Committed(NamedTuple):
    """A batch that is on disk: the journal's place right after it, and the events that it came to."""

    mark: Mark
    events: bytes


def replayed(machine: "Machine", mark: Mark, row: JournalRow) -> Committed:
    """Apply the next batch to a machine that stands at ``mark``.

    Raises:
        JournalGapError: it is not the next one.
        ChainBrokenError: it came to other events than when it was written.
        JournalError: it cannot be read.
    """
    commands = following(mark, row)
    try:
        for seq, command in enumerate(commands, row.first_seq):
            if command.now_ns < machine.now_ns:
                raise JournalError(f"In batch {row.batch_no} of the journal time goes back at command {seq}.")
            machine.apply(command.submission, seq, command.now_ns)
    except msgspec.DecodeError as error:
        raise JournalError(f"Batch {row.batch_no} of the journal holds what is no command: {error}.") from error
    events = machine.log.take()
    chain_hash = chained(mark.chain_hash, events)
    if chain_hash != row.chain_hash:
        raise ChainBrokenError(
            f"The journal and this machine differ in batch {row.batch_no} (commands {row.first_seq} to "
            f"{row.last_seq}): the chain hash is {chain_hash.hex()} here and {row.chain_hash.hex()} there."
        )
    return Committed(row.end, events)


def following(mark: Mark, row: JournalRow) -> list[JournaledCommand]:
    """The commands of the batch that follows on ``mark``. Raises `JournalGapError` when ``row`` is another."""
    if (row.batch_no, row.first_seq) != (mark.batch_no + 1, mark.seq + 1):
        raise JournalGapError(
            f"The journal goes on at batch {row.batch_no}, command {row.first_seq}, instead of batch "
            f"{mark.batch_no + 1}, command {mark.seq + 1}."
        )
    return commands_of(row)
