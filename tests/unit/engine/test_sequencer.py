"""The sequencer: order, numbers, moments, bounds, and that nobody hears of anything too early."""

from itertools import count
from typing import Any

import msgspec
import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import HOUSE, CancelAll, CancelOrder, Command, SetRules, Tick, TripBreaker, decode_command
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer, HoldPlaced, OrderPlaced
from fondaco.core.vocabulary import OrderState, TimeInForce, World
from fondaco.engine import sequencer as module
from fondaco.engine.door import Entry, enter
from fondaco.engine.journal import BEGINNING, JournalRow, Mark, commands_of, replayed
from fondaco.engine.port import QUEUE_RETRY_S, Overloaded, Why
from fondaco.engine.sequencer import (
    FOLLOWER_RETRY_S,
    MAX_BATCH_COMMANDS,
    MAX_BATCH_NS,
    MAX_JUMP_NS,
    Batch,
    Bounds,
    ClockJumpError,
    Sequencer,
)
from support.floor import ALICE, BOB, NOW_NS, OPENING, SYMBOL, VALID_NS, limit, set_aside

WIDE = Bounds(queue_commands=10_000, follower_lag=1_000_000)
OPENED_SEQ = len(OPENING)
"""The number of the last command that opened the exchange, in batch 1."""
_numbers = count()


class Stopwatch:
    """Time that passes only when a test says so."""

    def __init__(self, step_ns: int = 0) -> None:
        self.ns = 0
        self.step_ns = step_ns

    def __call__(self) -> int:
        """A look at it."""
        self.ns += self.step_ns
        return self.ns


def new(
    machine: Machine | None = None, *, mark: Mark = BEGINNING, bounds: Bounds = WIDE, spent: Stopwatch | None = None
) -> Sequencer[str]:
    """A sequencer whose clock shows NOW_NS."""
    return Sequencer(machine or Machine(), mark, epoch=7, bounds=bounds, clock_ns=NOW_NS, spent_ns=spent or Stopwatch())


def opened(**how: Any) -> Sequencer[str]:  # noqa: ANN401 - as `new` takes it
    """One before an open exchange, with nothing on the way."""
    machine, mark = Machine(), BEGINNING
    for row in opening_rows():
        mark, _ = replayed(machine, mark, row)
    return new(machine, mark=mark, **how)


def opening_rows() -> list[JournalRow]:
    """The journal of an exchange that has just been opened."""
    sequencer = new()
    for number, command in enumerate(OPENING):
        sequencer.offer(entry(command, f"open-{number}", HOUSE), "house")
    return [row_of(batch_of(sequencer))]


def entry(command: Command, command_id: str = "", account_id: int = ALICE) -> Entry:
    """A command that the door has let in, under an id of its own."""
    entered = enter(account_id, command_id or f"c{next(_numbers)}", NOW_NS + VALID_NS, command)
    assert isinstance(entered, Entry)
    return entered


def plain(amount: int = 1, command_id: str = "") -> Entry:
    """A command that is not urgent."""
    return entry(set_aside(amount), command_id)


def row_of(batch: Batch[str]) -> JournalRow:
    """What is to be committed."""
    assert batch.row is not None
    return batch.row


def held(machine: Machine) -> int:
    """How much of Alice's money is set aside."""
    return next(each.held for each in machine.balances_of(ALICE) if each.asset == "USDT")


def batch_of(sequencer: Sequencer[str], clock_ns: int = NOW_NS) -> Batch[str]:
    """The next batch, which there must be."""
    batch = sequencer.next_batch(clock_ns)
    assert batch is not None
    return batch


def ids_of(batch: Batch[str]) -> list[str]:
    """The ids of the commands of a batch."""
    return [command.command_id for command in commands_of(row_of(batch))]


def test_commands_are_numbered_in_the_order_in_which_they_came_and_a_row_holds_what_replays_them() -> None:
    sequencer = opened()
    for name in "abc":
        sequencer.offer(plain(5, name), name)
    first = batch_of(sequencer)
    sequencer.committed(first)
    sequencer.offer(plain(6, "d"), "d")
    second = batch_of(sequencer, NOW_NS + 1_000)
    assert [ids_of(first), ids_of(second)] == [["a", "b", "c"], ["d"]]
    assert (row_of(first).first_seq, row_of(first).last_seq) == (OPENED_SEQ + 1, OPENED_SEQ + 3)
    assert (row_of(second).batch_no, row_of(second).first_seq) == (3, OPENED_SEQ + 4)
    assert (row_of(second).epoch, row_of(second).last_ns) == (7, NOW_NS + 1_000)
    other, mark = Machine(), BEGINNING
    for row in (*opening_rows(), row_of(first), row_of(second)):
        mark, events = replayed(other, mark, row)
    assert (mark, events) == (sequencer.mark, second.events)
    assert held(other) == 5 + 5 + 5 + 6


def test_answers_leave_after_their_own_commit_and_in_order() -> None:
    sequencer = opened()
    sequencer.offer(plain(), "a")
    first = batch_of(sequencer)
    sequencer.offer(plain(), "b")
    second = batch_of(sequencer)
    with pytest.raises(AssertionError, match="in the order"):
        sequencer.committed(second)
    assert sequencer.committed(first) == [
        ("a", Answer(OPENED_SEQ + 1, is_duplicate=False, reply=HoldPlaced(ALICE + 2)))
    ]
    assert [token for token, _ in sequencer.committed(second)] == ["b"]


def test_no_more_than_one_batch_is_applied_while_another_is_being_committed() -> None:
    sequencer = opened()
    batches = []
    for name in "ab":
        sequencer.offer(plain(), name)
        batches.append(batch_of(sequencer))
    sequencer.offer(plain(command_id="c"), "c")
    assert sequencer.next_batch(NOW_NS) is None
    sequencer.committed(batches[0])
    assert ids_of(batch_of(sequencer)) == ["c"]


def test_a_read_sees_what_went_before_it_and_is_answered_with_its_batch() -> None:
    sequencer = opened()
    sequencer.offer(plain(5), "a")
    sequencer.offer_read(held, "early")
    sequencer.offer(plain(6), "b")
    sequencer.offer_read(held, "late")
    batch = batch_of(sequencer)
    outcomes = sequencer.committed(batch)
    assert [token for token, _ in outcomes] == ["a", "early", "b", "late"]
    assert (outcomes[1][1], outcomes[3][1]) == (5, 11)


def test_a_batch_of_reads_needs_no_row_and_still_waits_for_the_batch_before_it() -> None:
    sequencer = opened()
    sequencer.offer(plain(5), "a")
    first = batch_of(sequencer)
    sequencer.offer_read(held, "read")
    second = batch_of(sequencer)
    assert second.row is None
    with pytest.raises(AssertionError):
        sequencer.committed(second)
    sequencer.committed(first)
    assert sequencer.committed(second) == [("read", 5)]
    sequencer.offer(plain(), "b")
    assert row_of(batch_of(sequencer)).batch_no == 3


def test_a_read_that_fails_is_its_askers_trouble_alone() -> None:
    sequencer = opened()
    sequencer.offer_read(_nothing, "bad")
    sequencer.offer(plain(), "good")
    (_, failure), (_, answer) = sequencer.committed(batch_of(sequencer))
    assert isinstance(failure, IndexError)
    assert isinstance(answer, Answer)


def test_the_queue_takes_as_many_as_its_bound_and_the_last_tenth_is_for_what_gives_back_and_for_the_house() -> None:
    full = Overloaded(Why.QUEUE_FULL, QUEUE_RETRY_S)
    sequencer = opened(bounds=Bounds(queue_commands=20, follower_lag=1_000_000))
    assert [sequencer.offer(plain(), "x") for _ in range(19)] == [None] * 18 + [full]
    assert sequencer.offer_read(held, "x") == full
    assert sequencer.offer(entry(CancelOrder(ALICE, 1)), "x") is None
    assert sequencer.offer(entry(SetRules(2), account_id=HOUSE), "x") is None
    assert sequencer.offer(entry(CancelAll(ALICE)), "x") == full
    batch_of(sequencer)
    assert sequencer.offer(plain(), "x") is None


def test_a_follower_too_far_behind_lets_in_only_what_is_urgent_until_it_has_come_closer() -> None:
    behind = Overloaded(Why.FOLLOWER_BEHIND, FOLLOWER_RETRY_S)
    sequencer = opened(bounds=Bounds(queue_commands=1_000, follower_lag=20))
    assert [sequencer.offer(plain(), "x") for _ in range(19)] == [None] * 18 + [behind]
    sequencer.committed(batch_of(sequencer))
    assert sequencer.offer(plain(), "x") == behind, "being applied does not make them projected"
    assert [sequencer.offer(entry(CancelAll(ALICE)), "x") for _ in range(3)] == [None, None, behind]
    sequencer.note_follower(18)
    assert sequencer.offer(plain(), "x") is None


def test_a_batch_holds_no_more_commands_than_its_bound() -> None:
    sequencer = opened()
    for _ in range(MAX_BATCH_COMMANDS + 1):
        sequencer.offer(plain(), "x")
    sizes = []
    for _ in range(2):
        batch = batch_of(sequencer)
        sizes.append(len(batch.outcomes))
        sequencer.committed(batch)
    assert sizes == [MAX_BATCH_COMMANDS, 1]


def test_a_batch_takes_nothing_more_in_once_it_is_large_or_has_taken_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH_BYTES", 150)
    by_size = new()
    by_time = new(spent=Stopwatch(step_ns=MAX_BATCH_NS // 2))
    for each in (by_size, by_time):
        for name in "abcdef":
            each.offer(plain(command_id=name), name)
    assert len(ids_of(batch_of(by_size))) == 3
    monkeypatch.undo()
    assert len(ids_of(batch_of(by_time))) == 2


def test_a_clock_that_goes_back_does_not_take_commands_with_it() -> None:
    sequencer = opened()
    moments = []
    for clock_ns in (NOW_NS + 5_999, NOW_NS - 10_000_000_000, NOW_NS + 7_001):
        sequencer.offer(plain(), "x")
        batch = batch_of(sequencer, clock_ns)
        sequencer.committed(batch)
        moments.append(row_of(batch).last_ns - NOW_NS)
    assert moments == [5_000, 5_000, 7_000]


def test_moments_do_not_go_back_after_a_takeover_by_a_machine_whose_clock_is_behind() -> None:
    sequencer = opened()
    sequencer.offer(plain(), "x")
    row = row_of(batch_of(sequencer, NOW_NS - 60_000_000_000))
    assert (row.last_ns, row.first_seq) == (NOW_NS, OPENED_SEQ + 1)


def test_a_clock_that_is_set_forward_stops_the_engine_with_a_sentence() -> None:
    sequencer = opened()
    sequencer.offer(plain(), "x")
    assert sequencer.next_batch(NOW_NS + MAX_JUMP_NS) is not None
    with pytest.raises(ClockJumpError, match=r"jumped from 2027-01-15T09:00:00\+00:00 to 2027-01-15T10:00:01"):
        sequencer.next_batch(NOW_NS + 2 * MAX_JUMP_NS + 1_000_000_000)


def test_unfinished_work_goes_on_ahead_of_whatever_waits() -> None:
    sequencer = opened()
    for number in range(2 * MAX_TOUCHED + 1):
        sequencer.offer(entry(limit(ALICE, Side.BUY, 1 + number % 9, 1)), "x")
        if number % MAX_BATCH_COMMANDS == 0:
            sequencer.committed(batch_of(sequencer))
    sequencer.offer(entry(CancelAll(ALICE), "all"), "x")
    sequencer.offer(plain(command_id="after"), "y")
    batch = batch_of(sequencer)
    first = row_of(batch).first_seq
    assert ids_of(batch) == ["all", f"tick-{first + 1}", f"tick-{first + 2}", "after"]
    assert [token for token, _ in sequencer.committed(batch)] == ["x", "y"]


def test_no_command_meets_an_order_whose_moment_has_passed_however_many_there_are() -> None:
    sequencer, soon_ns = opened(), NOW_NS + 1_000_000_000
    standing = msgspec.structs.replace(
        limit(ALICE, Side.SELL, 100, 1), time_in_force=TimeInForce.GTD, expires_ns=soon_ns
    )
    for _ in range(2 * MAX_TOUCHED + 1):
        assert sequencer.offer(entry(standing), "alice") is None
    while sequencer.has_work:
        sequencer.committed(batch_of(sequencer))
    sequencer.offer(entry(limit(BOB, Side.BUY, 100, 1), account_id=BOB), "bob")
    batch = batch_of(sequencer, soon_ns)
    ((_, answer),) = batch.outcomes
    assert isinstance(answer, Answer)
    assert isinstance(answer.reply, OrderPlaced)
    assert answer.reply.state is OrderState.OPEN
    assert len(ids_of(batch)) == 4  # three ticks before it


def test_an_idle_engine_ticks_once_when_something_is_due_and_not_before() -> None:
    sequencer = opened()
    sequencer.offer(entry(TripBreaker(World.TRADING, SYMBOL, "why", "who", NOW_NS + 1_000_000), account_id=HOUSE), "x")
    sequencer.committed(batch_of(sequencer))
    assert sequencer.next_batch(NOW_NS + 999_999) is None
    batch = batch_of(sequencer, NOW_NS + 1_000_000)
    (tick,) = commands_of(row_of(batch))
    assert (tick.account_id, decode_command(tick.body), tick.not_after_ns) == (HOUSE, Tick(), tick.now_ns)
    assert batch.outcomes == []
    sequencer.committed(batch)
    assert sequencer.next_batch(NOW_NS + 2_000_000) is None


def test_whoever_waits_when_the_engine_ends_is_named() -> None:
    sequencer = opened()
    sequencer.offer(plain(), "applied")
    batch_of(sequencer)
    sequencer.offer(plain(), "waiting")
    sequencer.offer_read(held, "reading")
    assert sequencer.abandoned() == ["applied", "waiting", "reading"]


def _nothing(machine: Machine) -> int:
    return machine.balances_of(ALICE)[9].held
