"""The sequencer: order, numbers, moments, bounds, and that nobody hears of anything too early."""

import pytest

from fondaco.core.commands import HOUSE, CancelAll, CancelOrder, Command, Deposit, Tick, TripBreaker, decode_command
from fondaco.core.replies import DONE, Answer
from fondaco.core.vocabulary import World
from fondaco.engine import sequencer
from fondaco.engine.door import Entry, enter
from fondaco.engine.journal import BEGINNING, Mark, commands_of, replayed
from fondaco.engine.machine import Machine
from fondaco.engine.sequencer import (
    FOLLOWER_RETRY_S,
    MAX_BATCH_COMMANDS,
    MAX_JUMP_NS,
    QUEUE_RETRY_S,
    Batch,
    Bounds,
    ClockJumpError,
    Overloaded,
    Sequencer,
    Why,
)
from support.tiny_machine import PIECES, TinyMachine

NOW_NS = 1_800_000_000_000_000_000
ALICE = 1_001
WIDE = Bounds(queue_commands=10_000, follower_lag=1_000_000)


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
    return Sequencer(
        machine or TinyMachine(), mark, epoch=7, bounds=bounds, clock_ns=NOW_NS, spent_ns=spent or Stopwatch()
    )


def entry(command: Command, command_id: str = "c", account_id: int = ALICE) -> Entry:
    """A command that the door has let in."""
    entered = enter(account_id, command_id, 0, command)
    assert isinstance(entered, Entry)
    return entered


def deposit(amount: int = 1, command_id: str = "c") -> Entry:
    """A command that is not urgent."""
    return entry(Deposit(ALICE, "USDT", amount), command_id)


def batch_of(sequencer: Sequencer[str], clock_ns: int = NOW_NS) -> Batch[str]:
    """The next batch, which there must be."""
    batch = sequencer.next_batch(clock_ns)
    assert batch is not None
    return batch


def ids_of(batch: Batch[str]) -> list[str]:
    """The ids of the commands of a batch."""
    assert batch.row is not None
    return [command.command_id for command in commands_of(batch.row)]


def test_commands_are_numbered_in_the_order_in_which_they_came_and_a_row_holds_what_replays_them() -> None:
    sequencer = new()
    for name in "abc":
        sequencer.offer(deposit(5, name), name)
    first = batch_of(sequencer)
    sequencer.committed(first)
    sequencer.offer(deposit(6, "d"), "d")
    second = batch_of(sequencer, NOW_NS + 1_000)
    assert [ids_of(first), ids_of(second)] == [["a", "b", "c"], ["d"]]
    assert first.row is not None
    assert second.row is not None
    assert (first.row.first_seq, first.row.last_seq, second.row.first_seq, second.row.batch_no) == (1, 3, 4, 2)
    assert (second.row.epoch, second.row.last_ns) == (7, NOW_NS + 1_000)
    other, mark = TinyMachine(), BEGINNING
    for batch in (first, second):
        assert batch.row is not None
        mark, events = replayed(other, mark, batch.row)
        assert events == batch.events
    assert mark == sequencer.mark
    assert other.state.total == {ALICE: 21}


def test_answers_leave_after_their_own_commit_and_in_order() -> None:
    sequencer = new()
    sequencer.offer(deposit(), "a")
    first = batch_of(sequencer)
    sequencer.offer(deposit(), "b")
    second = batch_of(sequencer)
    with pytest.raises(AssertionError, match="in the order"):
        sequencer.committed(second)
    assert sequencer.committed(first) == [("a", Answer(1, is_duplicate=False, reply=DONE))]
    assert [token for token, _ in sequencer.committed(second)] == ["b"]


def test_no_more_than_one_batch_is_applied_while_another_is_being_committed() -> None:
    sequencer = new()
    batches = []
    for name in "ab":
        sequencer.offer(deposit(), name)
        batches.append(batch_of(sequencer))
    sequencer.offer(deposit(), "c")
    assert sequencer.next_batch(NOW_NS) is None
    sequencer.committed(batches[0])
    assert ids_of(batch_of(sequencer)) == ["c"]


def test_a_read_sees_what_went_before_it_and_is_answered_with_its_batch() -> None:
    sequencer = new()
    sequencer.offer(deposit(5), "a")
    sequencer.offer_read(_total, "early")
    sequencer.offer(deposit(6), "b")
    sequencer.offer_read(_total, "late")
    batch = batch_of(sequencer)
    outcomes = sequencer.committed(batch)
    assert [token for token, _ in outcomes] == ["a", "early", "b", "late"]
    assert (outcomes[1][1], outcomes[3][1]) == (5, 11)


def test_a_batch_of_reads_needs_no_row_and_still_waits_for_the_batch_before_it() -> None:
    sequencer = new()
    sequencer.offer(deposit(5), "a")
    first = batch_of(sequencer)
    sequencer.offer_read(_total, "read")
    second = batch_of(sequencer)
    assert second.row is None
    with pytest.raises(AssertionError):
        sequencer.committed(second)
    sequencer.committed(first)
    assert sequencer.committed(second) == [("read", 5)]
    sequencer.offer(deposit(), "b")
    following = batch_of(sequencer).row
    assert following is not None
    assert following.batch_no == 2


def test_a_read_that_fails_is_its_askers_trouble_alone() -> None:
    sequencer = new()
    sequencer.offer_read(_nothing, "bad")
    sequencer.offer(deposit(), "good")
    (_, failure), (_, answer) = sequencer.committed(batch_of(sequencer))
    assert isinstance(failure, KeyError)
    assert isinstance(answer, Answer)


def test_the_queue_takes_as_many_as_its_bound_and_the_last_tenth_is_for_what_gives_back_and_for_the_house() -> None:
    full = Overloaded(Why.QUEUE_FULL, QUEUE_RETRY_S)
    sequencer = new(bounds=Bounds(queue_commands=20, follower_lag=1_000_000))
    assert [sequencer.offer(deposit(), "x") for _ in range(19)] == [None] * 18 + [full]
    assert sequencer.offer_read(_total, "x") == full
    assert sequencer.offer(entry(CancelOrder(ALICE, 1)), "x") is None
    assert sequencer.offer(entry(Deposit(ALICE, "USDT", 1), account_id=HOUSE), "x") is None
    assert sequencer.offer(entry(CancelAll(ALICE)), "x") == full
    batch_of(sequencer)
    assert sequencer.offer(deposit(), "x") is None


def test_a_follower_too_far_behind_lets_in_only_what_is_urgent_until_it_has_come_closer() -> None:
    behind = Overloaded(Why.FOLLOWER_BEHIND, FOLLOWER_RETRY_S)
    sequencer = new(bounds=Bounds(queue_commands=1_000, follower_lag=20))
    assert [sequencer.offer(deposit(), "x") for _ in range(19)] == [None] * 18 + [behind]
    sequencer.committed(batch_of(sequencer))
    assert sequencer.offer(deposit(), "x") == behind, "being applied does not make them projected"
    assert [sequencer.offer(entry(CancelAll(ALICE)), "x") for _ in range(3)] == [None, None, behind]
    sequencer.note_follower(18)
    assert sequencer.offer(deposit(), "x") is None


def test_a_batch_holds_no_more_commands_than_its_bound() -> None:
    sequencer = new()
    for _ in range(MAX_BATCH_COMMANDS + 1):
        sequencer.offer(deposit(), "x")
    sizes = []
    for _ in range(2):
        batch = batch_of(sequencer)
        sizes.append(len(batch.outcomes))
        sequencer.committed(batch)
    assert sizes == [MAX_BATCH_COMMANDS, 1]


def test_a_batch_takes_nothing_more_in_once_it_is_large_or_has_taken_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "MAX_BATCH_BYTES", 150)
    by_size = new()
    by_time = new(spent=Stopwatch(step_ns=sequencer.MAX_BATCH_NS // 2))
    for each in (by_size, by_time):
        for name in "abcdef":
            each.offer(deposit(command_id=name), name)
    assert len(ids_of(batch_of(by_size))) == 3
    monkeypatch.undo()
    assert len(ids_of(batch_of(by_time))) == 2


def test_a_clock_that_goes_back_does_not_take_commands_with_it() -> None:
    sequencer = new()
    moments = []
    for clock_ns in (NOW_NS + 5_999, NOW_NS - 10_000_000_000, NOW_NS + 7_001):
        sequencer.offer(deposit(), "x")
        batch = batch_of(sequencer, clock_ns)
        sequencer.committed(batch)
        assert batch.row is not None
        moments.append(batch.row.last_ns - NOW_NS)
    assert moments == [5_000, 5_000, 7_000]


def test_moments_do_not_go_back_after_a_takeover_by_a_machine_whose_clock_is_behind() -> None:
    before = new()
    before.offer(deposit(), "x")
    row = batch_of(before).row
    assert row is not None
    machine = TinyMachine()
    mark, _ = replayed(machine, BEGINNING, row)
    after = new(machine, mark=mark)
    after.offer(deposit(), "y")
    following = batch_of(after, NOW_NS - 60_000_000_000).row
    assert following is not None
    assert (following.last_ns, following.first_seq) == (NOW_NS, 2)


def test_a_clock_that_is_set_forward_stops_the_engine_with_a_sentence() -> None:
    sequencer = new()
    sequencer.offer(deposit(), "x")
    assert sequencer.next_batch(NOW_NS + MAX_JUMP_NS) is not None
    with pytest.raises(ClockJumpError, match=r"jumped from 2027-01-15T09:00:00\+00:00 to 2027-01-15T10:00:01"):
        sequencer.next_batch(NOW_NS + 2 * MAX_JUMP_NS + 1_000_000_000)


def test_unfinished_work_goes_on_ahead_of_whatever_waits() -> None:
    sequencer = new()
    sequencer.offer(entry(CancelAll(ALICE), "all"), "x")
    sequencer.offer(deposit(command_id="after"), "y")
    batch = batch_of(sequencer)
    ticks = [f"tick-{seq}" for seq in range(2, 2 + PIECES)]
    assert ids_of(batch) == ["all", *ticks, "after"]
    assert [token for token, _ in sequencer.committed(batch)] == ["x", "y"]


def test_an_idle_engine_ticks_once_when_something_is_due_and_not_before() -> None:
    sequencer = new()
    sequencer.offer(entry(TripBreaker(World.DEMO, "", "why", "who", until_ns=NOW_NS + 1_000_000)), "x")
    sequencer.committed(batch_of(sequencer))
    assert sequencer.next_batch(NOW_NS + 999_999) is None
    batch = batch_of(sequencer, NOW_NS + 1_000_000)
    assert batch.row is not None
    (tick,) = commands_of(batch.row)
    assert (tick.account_id, decode_command(tick.body), tick.not_after_ns) == (HOUSE, Tick(), tick.now_ns)
    assert batch.outcomes == []
    sequencer.committed(batch)
    assert sequencer.next_batch(NOW_NS + 2_000_000) is None


def test_whoever_waits_when_the_engine_ends_is_named() -> None:
    sequencer = new()
    sequencer.offer(deposit(), "applied")
    batch_of(sequencer)
    sequencer.offer(deposit(), "waiting")
    sequencer.offer_read(_total, "reading")
    assert sequencer.abandoned() == ["applied", "waiting", "reading"]


def _total(machine: Machine) -> int:
    assert isinstance(machine, TinyMachine)
    return machine.state.total[ALICE]


def _nothing(machine: Machine) -> int:
    assert isinstance(machine, TinyMachine)
    return machine.state.total[-1]
