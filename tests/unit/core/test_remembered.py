"""What was answered is remembered as long as it can come again in time, and at least a million commands."""

import msgspec

from fondaco.core.commands import Submission
from fondaco.core.remembered import LONGEST_NS, Memory
from fondaco.core.replies import DONE


def submission(number: int, not_after_ns: int) -> Submission:
    return Submission(1, f"c{number}", not_after_ns, msgspec.Raw(b""))


def filled(memory: Memory, count: int, *, not_after_ns: int = 0) -> None:
    for number in range(1, count + 1):
        memory.keep(submission(number, not_after_ns), b"", number, number, DONE)


def test_the_least_are_kept_however_old_they_are() -> None:
    memory = Memory(least=3, most=5)
    filled(memory, 3)
    assert memory.forget(10 * LONGEST_NS) == 0
    assert len(memory) == 3


def test_more_than_the_least_are_kept_for_a_day() -> None:
    memory = Memory(least=3, most=5)
    filled(memory, 5)
    assert memory.forget(LONGEST_NS) == 0
    assert memory.forget(LONGEST_NS + 1) == 1  # the first was done at 1
    assert memory.find(submission(1, 0)) is None
    assert memory.find(submission(2, 0)) is not None


def test_more_than_the_most_are_forgotten_at_once_unless_they_may_come_again_in_time() -> None:
    memory = Memory(least=3, most=5)
    filled(memory, 8, not_after_ns=100)
    assert memory.forget(100) == 0
    assert memory.forget(101) == 3
    assert [each.seq for each in memory] == [4, 5, 6, 7, 8]
