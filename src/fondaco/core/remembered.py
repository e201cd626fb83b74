"""Commands that were answered, so that one that comes again gets the same answer and does nothing.

A command is known by its sender's account and id, and told apart from another under the same id by the digest of its
body. Until when it was worth doing is not part of that: a sender that heard nothing may try again with a later moment.

A command is remembered until it can no longer come in time, and as long as it is one of the last `LEAST_REMEMBERED`;
older ones stay for a day, as far as `MOST_REMEMBERED` allows. So what was sent once is never done twice, however often
the same bytes arrive; and a sender that says a new moment for an old id has a million commands' time for that.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from fondaco.core.commands import Submission
from fondaco.core.replies import Reply

LEAST_REMEMBERED: Final = 1_000_000
MOST_REMEMBERED: Final = 2_000_000
LONGEST_NS: Final = 86_400_000_000_000


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command and its answer."""

    account_id: int
    command_id: str
    digest: int
    seq: int
    applied_ns: int
    not_after_ns: int
    reply: Reply


class Memory:
    """The commands that are remembered, oldest first.

    Args:
        entries: what a snapshot remembers.
        least: how many are kept however old they are.
        most: how many are kept at most, but for those that may still come in time.
    """

    def __init__(
        self, entries: Iterable[Remembered] = (), *, least: int = LEAST_REMEMBERED, most: int = MOST_REMEMBERED
    ) -> None:
        self._least = least
        self._most = most
        self._by_id: dict[tuple[int, str], Remembered] = {}
        self._by_age: deque[Remembered] = deque()
        for entry in entries:
            self._add(entry)

    def __len__(self) -> int:
        return len(self._by_age)

    def __iter__(self) -> Iterator[Remembered]:
        return iter(self._by_age)

    def find(self, submission: Submission) -> Remembered | None:
        """What stands under this sender's id."""
        return self._by_id.get((submission.account_id, submission.command_id))

    def keep(self, submission: Submission, digest: int, seq: int, now_ns: int, reply: Reply) -> None:
        """Remember an answer."""
        self._add(
            Remembered(
                submission.account_id, submission.command_id, digest, seq, now_ns, submission.not_after_ns, reply
            )
        )

    def forget(self, now_ns: int) -> int:
        """Forget what need not be remembered any more; returns the number of the last command forgotten, or 0."""
        seq = 0
        while len(self._by_age) > self._least:
            oldest = self._by_age[0]
            is_old = now_ns - oldest.applied_ns >= LONGEST_NS or len(self._by_age) > self._most
            if not is_old or now_ns <= oldest.not_after_ns:
                break
            self._by_age.popleft()
            del self._by_id[oldest.account_id, oldest.command_id]
            seq = oldest.seq
        return seq

    def _add(self, entry: Remembered) -> None:
        self._by_id[entry.account_id, entry.command_id] = entry
        self._by_age.append(entry)


def digest_of(body: bytes | memoryview | msgspec.Raw) -> int:
    """What tells a command from another under the same id."""
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "big")
