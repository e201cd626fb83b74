"""The door of the engine: what is looked at before a command gets its number.

Behind it every command is journaled, refused or not; so here stays out what could not be journaled or done again: text
that is no text, numbers that no table and no kernel can hold. Everything else is for the machine to judge.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from fondaco.core.commands import (
    HOUSE,
    CancelAll,
    CancelEntry,
    CancelOrder,
    ClosePosition,
    Command,
    Submission,
    decode_command,
    encode_command,
)
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Refused

LARGEST: Final = 2**63 - 1
"""The largest number of 64 bits with a sign."""
_MAY_BE_LARGE = re.compile(rb"\xcf[\x80-\xff]")
"""How MessagePack begins a number above `LARGEST`. It may turn up by chance, so what matches is looked at closely."""
NO_SEQ: Final = 0
"""The number of a command that was refused at the door: it has none, and is not in the journal."""

_LETTING_GO: TypeAlias = CancelOrder | CancelAll | CancelEntry | ClosePosition


class Entry(NamedTuple):
    """A command that was let in."""

    submission: Submission
    command: Command
    """The submission's body, decoded: what a replay will see, not what the sender had in hand."""
    is_urgent: bool
    """It gives something back, or the house itself sends it: for these a part of the queue is kept free."""


def enter(account_id: int, command_id: str, not_after_ns: int, command: Command) -> Entry | Answer:
    """Let a command in, or answer why not. Raises `msgspec.ValidationError` when it is not what its type says."""
    try:
        body = encode_command(command)
        command_id.encode()
    except OverflowError:
        return refused(Refusal.OUT_OF_RANGE)
    except UnicodeEncodeError:
        return refused(Refusal.BAD_TEXT)
    return enter_encoded(Submission(account_id, command_id, not_after_ns, msgspec.Raw(body)))


def enter_encoded(submission: Submission) -> Entry | Answer:
    """The same for a command that came in over a wire. Raises `msgspec.DecodeError` when it is none."""
    command = decode_command(submission.body)
    if not (_fits(submission.account_id) and _fits(submission.not_after_ns)):
        return refused(Refusal.OUT_OF_RANGE)
    if _MAY_BE_LARGE.search(submission.body) and not _all_fit(command):
        return refused(Refusal.OUT_OF_RANGE)
    return Entry(submission, command, submission.account_id == HOUSE or isinstance(command, _LETTING_GO))


def refused(code: Refusal) -> Answer:
    """The answer to what stays outside."""
    return Answer(NO_SEQ, is_duplicate=False, reply=Refused(code))


def _fits(number: int) -> bool:
    return -LARGEST - 1 <= number <= LARGEST


def _all_fit(value: Any) -> bool:  # noqa: ANN401 - whatever a command is made of
    if isinstance(value, int):
        return _fits(value)
    parts: Iterable[Any] = value if isinstance(value, tuple) else ()
    if isinstance(value, msgspec.Struct):
        parts = msgspec.structs.astuple(value)
    return all(_all_fit(part) for part in parts)
