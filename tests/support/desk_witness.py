"""The machine's desk and the naive desk side by side: every command goes to both, and after each all is compared.

What the machine says in events is held against what the naive desk has written down: the reply, every fill with its
price, result and reason, every receipt and warning, every posting, position and entry. Then the balances, and what must
hold whoever is right: money adds up, only those may owe that may, and an isolated position's hold is its margin.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from fondaco.core.commands import HOUSE, Command, Submission, Tick, encode_command
from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, MarginWarning, StopOut
from fondaco.core.events import Event, decode_events
from fondaco.core.ledger import HoldReason, Posting, PostingCode
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, Answer, EntryPlaced, HoldPlaced, PositionOpened, Refused, Reply
from fondaco.core.snapshot import dump, load
from fondaco.core.state import DESK_ACCOUNT, OUTSIDE_ACCOUNT
from fondaco.core.vocabulary import EntryState, MarginMode, PositionState
from support.naive.desk import NaiveDesk
from support.naive.desk_state import Desk

START_NS = 1_767_312_000_000_000_000
"""Midnight of a Friday."""
SECOND_NS = 1_000_000_000
OF_THE_DESK = {
    PostingCode.DESK_RESULT,
    PostingCode.LOSS_COVER,
    PostingCode.FINANCING,
    PostingCode.PREMIUM,
    PostingCode.INSURANCE,
}
MAY_OWE = {*OUTSIDE_ACCOUNT.values(), *DESK_ACCOUNT.values()}

POSITION_STEPS = {
    (None, PositionState.OPEN),
    (None, PositionState.CLOSED),
    (PositionState.OPEN, PositionState.OPEN),
    (PositionState.OPEN, PositionState.CLOSED),
}
"""Every step that a position is told to have taken. One that lives for a single command is first told of as closed."""
ENTRY_STEPS = {(None, EntryState.PENDING)} | {
    (EntryState.PENDING, after)
    for after in (EntryState.FILLED, EntryState.CANCELLED, EntryState.EXPIRED, EntryState.REJECTED)
}

Told = TypeVar("Told", bound=msgspec.Struct)


class DeskWitness:
    """Both desks.

    Args:
        looks_at_all: whether every position is compared after each command, and not only those that were told about.
    """

    def __init__(self, *, looks_at_all: bool = True) -> None:
        self.machine = Machine()
        self.other: Machine | None = None
        """The machine that `reload` was called on: it goes on beside the loaded one, and both must say the same."""
        self.naive = NaiveDesk()
        self.now_ns = START_NS
        self.sent = 0
        self.counts: Counter[str] = Counter()
        """Answers, fills by reason, receipts by policy, ends of entries: what has been met so far."""
        self.positions: dict[int, DeskPosition] = {}
        self.entries: dict[int, DeskEntry] = {}
        self.receipts: dict[int, int] = {}
        self.fills: list[DeskFill] = []
        """Every fill so far, with the machine's ids."""
        self._looks_at_all = looks_at_all

    @property
    def desk(self) -> Desk:
        """What the naive desk remembers."""
        return self.naive.state

    def send(self, command: Command, sender: int = HOUSE) -> Reply:
        """Have both do a command; returns what they answer."""
        reply = self._apply(command, sender)
        while self.machine.backlog:
            self._apply(Tick(), HOUSE)
        return reply

    def reload(self) -> None:
        """Go on with a machine that was loaded from a dump, and with the old one beside it."""
        body = dump(self.machine)
        self.other, self.machine = self.machine, load(body)
        assert dump(self.machine) == body

    def finish(self) -> None:
        """Compare all that there is."""
        self._compare_rows(self.positions, {each.position_id: each for each in self._their_positions()})
        self._compare_rows(self.entries, {each.entry_id: each for each in self.desk.entries})
        self._compare_money()

    def _apply(self, command: Command, sender: int) -> Reply:
        self.sent += 1
        body = msgspec.Raw(encode_command(command))
        return self.apply(Submission(sender, f"c{self.sent}", self.now_ns + 10 * SECOND_NS, body), command).reply

    def apply(self, submission: Submission, command: Command) -> Answer:
        """The same with one as it is on its way; returns the answer that both gave."""
        answer = self.machine.apply(submission, self.machine.seq + 1, self.now_ns)
        said = self.machine.log.take()
        if self.other is not None:
            assert self.other.apply(submission, self.other.seq + 1, self.now_ns) == answer
            assert self.other.log.take() == said
        events = decode_events(said)
        filled = _of(events, DeskEntry)
        given = {each.entry_id: each.position_id for each in filled if each.state is EntryState.FILLED}
        expected = self.naive.apply(submission, command, self.now_ns, _given_id(answer.reply), given)
        assert answer == expected, f"{command}: {answer}, but expected {expected}"
        self._count(answer.reply, events)
        self._hear(events)
        if self._looks_at_all:
            self.finish()
        return answer

    def _hear(self, events: list[Event]) -> None:
        """What the machine says has happened is what has happened."""
        desk = self.desk
        for stop_out in _of(events, StopOut):
            self.receipts[stop_out.stop_out_id] = len(self.receipts) + 1
        fills = [
            msgspec.structs.replace(each, fill_id=0, stop_out_id=self.receipts.get(each.stop_out_id, 0))
            for each in _of(events, DeskFill)
        ]
        _must_be(fills, desk.fills)
        self.fills += _of(events, DeskFill)
        stop_outs = [
            msgspec.structs.replace(each, stop_out_id=self.receipts[each.stop_out_id]) for each in _of(events, StopOut)
        ]
        _must_be(stop_outs, desk.stop_outs)
        _must_be(_of(events, MarginWarning), desk.warnings)
        postings = [
            (each.debit_account_id, each.credit_account_id, each.asset, each.amount, each.code, each.reference)
            for each in _of(events, Posting)
            if each.code in OF_THE_DESK
        ]
        _must_be(sorted(postings), sorted(desk.postings))
        for position in _of(events, DeskPosition):
            before = self.positions.get(position.position_id)
            assert (before and before.state, position.state) in POSITION_STEPS, position
            self.positions[position.position_id] = position
        for entry in _of(events, DeskEntry):
            earlier = self.entries.get(entry.entry_id)
            assert (earlier and earlier.state, entry.state) in ENTRY_STEPS, entry
            self.entries[entry.entry_id] = entry

    def _their_positions(self) -> list[DeskPosition]:
        return [*self.desk.closed, *self.desk.all_open()]

    def _compare_rows(self, ours: dict[int, Told], theirs: dict[int, Told]) -> None:
        assert sorted(ours) == sorted(theirs)
        _must_be([ours[key] for key in sorted(ours)], [theirs[key] for key in sorted(theirs)])

    def _compare_money(self) -> None:
        ledger, desk = self.machine.house.ledger, self.desk
        totals = {(each.account_id, each.asset): each.total for each in ledger.balances() if each.total}
        assert totals == {key: total for key, total in desk.totals.items() if total}
        sums: Counter[str] = Counter()
        for balance in ledger.balances():
            sums[balance.asset] += balance.total
            assert balance.available >= 0 or balance.account_id in MAY_OWE, balance
        assert not any(sums.values()), sums
        margins = {key: each.amount for key, each in ledger.holds.items() if each.reason is HoldReason.MARGIN}
        isolated = (each for each in desk.all_open() if each.mode is MarginMode.ISOLATED)
        assert margins == {each.position_id: each.margin for each in isolated if each.margin}
        held = {key: each.amount for key, each in ledger.holds.items() if each.reason is not HoldReason.MARGIN}
        assert held == {each.hold_id: each.amount for each in desk.holds}

    def _count(self, reply: Reply, events: list[Event]) -> None:
        self.counts[reply.code if isinstance(reply, Refused) else type(reply).__name__] += 1
        for fill in _of(events, DeskFill):
            self.counts["opened" if fill.is_open else f"closed: {fill.closing}"] += 1
            self.counts["covered"] += fill.covered > 0
        for stop_out in _of(events, StopOut):
            self.counts[f"stop-out: {stop_out.policy}"] += 1
            self.counts["insurance paid"] += stop_out.insurance_paid > 0
        for entry in _of(events, DeskEntry):
            self.counts[f"entry {entry.state}"] += 1
        for warning in _of(events, MarginWarning):
            self.counts["position warned" if warning.position_id else "account warned"] += 1
        for position in _of(events, DeskPosition):
            self.counts["settled ahead"] += position.settled > 0 and position.state is PositionState.OPEN


def _given_id(reply: Reply) -> int:
    match reply:
        case AccountOpened():
            return reply.account_id
        case HoldPlaced():
            return reply.hold_id
        case EntryPlaced():
            return reply.entry_id
        case PositionOpened():
            return reply.position_id
    return 0


def _of(events: Iterable[Event], kind: type[Told]) -> list[Told]:
    return [each for each in events if isinstance(each, kind)]


def _must_be(ours: Sequence[object], theirs: Sequence[object]) -> None:
    """Two lists are equal; the first difference is shown whole."""
    for mine, expected in zip(ours, theirs, strict=False):
        assert mine == expected, f"\n{mine}, but expected\n{expected}"
    assert len(ours) == len(theirs), f"\n{ours[len(theirs) :]}, and missing\n{theirs[len(ours) :]}"
