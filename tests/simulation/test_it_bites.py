"""The simulation finds what is wrong: each of these mistakes is planted, and found within a few seeds.

A proof that cannot fail proves nothing. The number beside each is how many seeds it may take.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fondaco.core import snapshot
from fondaco.core.book.book import Book
from fondaco.core.desk import paying
from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.state import DeskPosition
from fondaco.core.exchange import matching
from fondaco.core.fees import PPM, fee_of_fill
from fondaco.core.ledger import Balance, Hold, Ledger, PostingCode
from fondaco.core.machine import Machine
from fondaco.core.remembered import Memory
from fondaco.core.state import Order
from fondaco.core.vocabulary import Direction
from fondaco.engine import follower, recovery
from fondaco.engine.client import EngineClient, settle
from fondaco.engine.follower import Follower
from fondaco.engine.journal import JournalRow, Mark
from fondaco.engine.leader import Leader
from fondaco.engine.recovery import Standing
from fondaco.engine.sequencer import Batch, Sequencer
from fondaco.engine.simulation.ground import SimulatedLease
from fondaco.engine.simulation.simulation import simulate
from fondaco.engine.simulation.tables import SimulatedProjector
from fondaco.engine.store import SnapshotHead

STEPS = 150
Plant = Callable[[pytest.MonkeyPatch], None]


def acknowledge_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Whoever waits hears before the batch is on disk."""
    commit = Leader._commit

    async def early(self: Leader, batch: Batch[Any]) -> None:
        for future, outcome in batch.outcomes:
            settle(future, outcome)
        await commit(self, batch)

    patch.setattr(Leader, "_commit", early)


def look_before_commit(patch: pytest.MonkeyPatch) -> None:
    """A look at the machine does not wait for its batch."""

    async def early(self: EngineClient, read: Callable[[Machine], Any]) -> Any:  # noqa: ANN401 - as what it replaces
        return read(self._sequencer._machine)

    patch.setattr(EngineClient, "read", early)


def hold_not_released(patch: pytest.MonkeyPatch) -> None:
    """What an order still held stays held when it ends."""
    patch.setattr(Ledger, "release", lambda _self, _hold: 0)


def batch_projected_twice(patch: pytest.MonkeyPatch) -> None:
    """A batch whose projection may have failed is written again, and nobody asks where the tables are."""

    async def careless(self: Follower) -> None:
        if self._pending:
            await self._projector.write(self._pending)
            self._pending = []

    patch.setattr(Follower, "_project", careless)
    patch.setattr(SimulatedProjector, "_must_follow", lambda *_: None)


def fence_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A leader that was turned out goes on writing."""
    patch.setattr(SimulatedLease, "_must_hold", lambda _: None)
    patch.setattr(SimulatedLease, "_must_be_next", lambda *_: None)


def reused_slot(patch: pytest.MonkeyPatch) -> None:
    """The place of an order that has left the book is handed out again, and its old handle still opens it."""
    cancel = Book.cancel

    def any_generation(self: Book, handle: int) -> int:
        return cancel(self, handle - (1 << 32) if handle >= 1 << 33 else handle)

    patch.setattr(Book, "cancel", any_generation)


def fee_rounded_to_the_user(patch: pytest.MonkeyPatch) -> None:
    """A fee is rounded down."""

    def generous(notional: int, rate_ppm: int, carry: int) -> tuple[int, int]:
        return (notional * rate_ppm - carry) // PPM, 0

    patch.setattr(matching, "fee_of_fill", generous)


def carry_dropped(patch: pytest.MonkeyPatch) -> None:
    """Each fill is rounded up anew."""
    patch.setattr(matching, "fee_of_fill", lambda notional, rate, _carry: (fee_of_fill(notional, rate, 0)[0], 0))


def queue_order_lost_in_a_dump(patch: pytest.MonkeyPatch) -> None:
    """What is loaded stands in its book by id, not by priority: any order of a dictionary would do as well."""
    load = snapshot._load_orders

    def by_id(house: Any, orders: list[Order]) -> None:  # noqa: ANN401 - as what it replaces
        for order in orders:
            order.priority_seq = order.order_id
        load(house, orders)

    patch.setattr(snapshot, "_load_orders", by_id)


def memory_lost_in_a_dump(patch: pytest.MonkeyPatch) -> None:
    """A takeover forgets which commands were answered."""
    patch.setattr(snapshot, "Memory", lambda _entries=(): Memory())


def clock_goes_back(patch: pytest.MonkeyPatch) -> None:
    """The clock is believed, wherever it goes."""
    patch.setattr(Sequencer, "_now", lambda _self, clock_ns: clock_ns - clock_ns % 1_000)


def snapshot_at_the_wrong_place(patch: pytest.MonkeyPatch) -> None:
    """A snapshot says that it was taken a batch earlier than it was."""
    taken = recovery.snapshot_of

    def early(standing: Standing) -> tuple[SnapshotHead, bytes]:
        head, body = taken(standing)
        mark = head.mark
        return head._replace(mark=Mark(mark.batch_no - 1, mark.seq, mark.chain_hash)), body

    patch.setattr(follower, "snapshot_of", early)


def money_from_nowhere(patch: pytest.MonkeyPatch) -> None:
    """A transfer credits an atom more than it debits."""
    post = Ledger.post

    def lavish(
        self: Ledger,
        debit: Balance,
        credit: Balance,
        amount: int,
        code: PostingCode,
        reference: int,
        symbol: str = "",
    ) -> None:
        post(self, debit, credit, amount, code, reference, symbol)
        if code is PostingCode.TRANSFER:
            credit.available += 1

    patch.setattr(Ledger, "post", lavish)


def journal_row_lost(patch: pytest.MonkeyPatch) -> None:
    """Every hundredth commit is answered and never written."""
    append = SimulatedLease.append

    async def forgetful(self: SimulatedLease, row: JournalRow) -> None:
        if row.batch_no % 100:
            await append(self, row)

    patch.setattr(SimulatedLease, "append", forgetful)


def hold_paid_twice(patch: pytest.MonkeyPatch) -> None:
    """What is paid out of a hold is also given back."""
    pay = Ledger.pay_from_hold

    def doubled(
        self: Ledger, hold: Hold, credit: Balance, amount: int, code: PostingCode, reference: int, symbol: str = ""
    ) -> None:
        pay(self, hold, credit, amount, code, reference, symbol)
        hold.balance.available += 1

    patch.setattr(Ledger, "pay_from_hold", doubled)


def marks_lost_in_a_dump(patch: pytest.MonkeyPatch) -> None:
    """A takeover lets trailing stops begin anew, from where the price is now."""
    arm = DealingBook.arm

    def forgetful(self: DealingBook, position: DeskPosition, _mark_ticks: int) -> None:
        assert self.quote is not None
        is_long = position.direction is Direction.LONG
        arm(self, position, self.quote.bid_ticks if is_long else self.quote.ask_ticks)

    patch.setattr(DealingBook, "arm", forgetful)


def margin_not_given_back(patch: pytest.MonkeyPatch) -> None:
    """What a position had set aside stays so when a part of it is closed."""
    patch.setattr(Ledger, "lower_hold", lambda _self, _hold, _amount: None)


def gap_paid_by_the_client(patch: pytest.MonkeyPatch) -> None:
    """Nothing is covered: a loss beyond the margin is taken from whatever there is."""
    patch.setattr(paying, "_covered", lambda _house, _position, _amount: paying.NO_COVER)


PLANTED: dict[Plant, int] = {
    acknowledge_before_commit: 1,
    look_before_commit: 3,
    hold_not_released: 1,
    batch_projected_twice: 5,
    fence_unchecked: 12,
    reused_slot: 2,
    fee_rounded_to_the_user: 1,
    carry_dropped: 2,
    queue_order_lost_in_a_dump: 8,
    memory_lost_in_a_dump: 2,
    clock_goes_back: 8,
    snapshot_at_the_wrong_place: 1,
    money_from_nowhere: 1,
    journal_row_lost: 1,
    hold_paid_twice: 1,
    marks_lost_in_a_dump: 8,
    margin_not_given_back: 1,
    gap_paid_by_the_client: 1,
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_mistake_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(_found(PLANTED[plant])), plant.__doc__


def _found(seeds: int) -> Iterator[bool]:
    for seed in range(seeds):
        yield simulate(seed, STEPS).faults != []
