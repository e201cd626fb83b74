"""The journal's rows: written and read the same, and every difference is noticed and named."""

import msgspec
import pytest

from fondaco.core.commands import HOUSE, Submission
from fondaco.core.machine import Machine
from fondaco.core.snapshot import dump, load
from fondaco.engine.journal import (
    BEGINNING,
    ChainBrokenError,
    JournaledCommand,
    JournalError,
    JournalGapError,
    JournalRow,
    Mark,
    UnknownCodecError,
    chained,
    commands_of,
    encoded,
    replayed,
)
from support.floor import ALICE, NOW_NS, OPENING, VALID_NS, set_aside, submission


def command(amount: int) -> JournaledCommand:
    """Alice sets so much aside, as it stands in the journal."""
    sent = submission(ALICE, set_aside(amount), f"c{amount}")
    return JournaledCommand(NOW_NS, ALICE, sent.command_id, sent.not_after_ns, sent.body)


def written(machine: Machine, mark: Mark, commands: list[JournaledCommand]) -> JournalRow:
    """The batch of these commands that follows on the mark, as a leader would write it."""
    for seq, each in enumerate(commands, mark.seq + 1):
        machine.apply(each.submission, seq, each.now_ns)
    chain_hash = chained(mark.chain_hash, machine.log.take())
    return JournalRow(
        mark.batch_no + 1, mark.seq + 1, mark.seq + len(commands), 1, 1, 1, NOW_NS, chain_hash, encoded(commands)
    )


def opened() -> tuple[Machine, Mark]:
    """A machine that stands at the end of batch 1, which opened the exchange."""
    machine = Machine()
    sent = [submission(HOUSE, each, f"open-{number}") for number, each in enumerate(OPENING)]
    commands = [JournaledCommand(NOW_NS, HOUSE, each.command_id, each.not_after_ns, each.body) for each in sent]
    return machine, written(machine, BEGINNING, commands).end


def row_of(machine: Machine, mark: Mark, *amounts: int) -> JournalRow:
    """The batch in which Alice sets these amounts aside; the machine does not notice."""
    return written(load(dump(machine)), mark, [command(amount) for amount in amounts])


def test_a_body_holds_the_commands_as_they_came() -> None:
    row = row_of(*opened(), 1, 2)
    assert commands_of(row) == [command(1), command(2)]
    assert commands_of(row)[0].submission == Submission(ALICE, "c1", NOW_NS + VALID_NS, command(1).body)


def test_a_body_is_an_array_of_moment_account_id_limit_and_command() -> None:
    assert msgspec.msgpack.decode(encoded([command(7)])) == [
        [NOW_NS, ALICE, "c7", NOW_NS + VALID_NS, ["request_withdrawal", ALICE, "USDT", 7]]
    ]


def test_the_chain_goes_over_the_events_of_all_batches() -> None:
    assert chained(bytes(32), b"a") != chained(chained(bytes(32), b"b"), b"a")
    machine, mark = opened()
    row = row_of(machine, mark, 5)
    done = replayed(machine, mark, row)
    assert done.mark == row.end == Mark(2, mark.seq + 1, chained(mark.chain_hash, done.events))


def test_a_machine_that_comes_to_something_else_is_told_where() -> None:
    machine, mark = opened()
    row = row_of(machine, mark, 2, 3)._replace(body=encoded([command(2), command(4)]))
    said = rf"differ in batch 2 \(commands {mark.seq + 1} to {mark.seq + 2}\)"
    with pytest.raises(ChainBrokenError, match=said):
        replayed(machine, mark, row)


def test_time_that_goes_back_and_what_is_no_command_are_named() -> None:
    machine, mark = opened()
    early = msgspec.structs.replace(command(1), now_ns=NOW_NS - 1_000)
    no_command = msgspec.structs.replace(command(1), body=msgspec.Raw(msgspec.msgpack.encode(["nothing"])))
    for changed, said in ((early, "time goes back at command 12"), (no_command, "holds what is no command")):
        row = row_of(machine, mark, 1)._replace(body=encoded([changed]))
        with pytest.raises(JournalError, match=f"atch 2 of the journal {said}"):
            replayed(load(dump(machine)), mark, row)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"batch_no": 3}, JournalGapError, "goes on at batch 3, command 12, instead of batch 2, command 12"),
        ({"first_seq": 13}, JournalGapError, "command 13, instead of batch 2, command 12"),
        ({"last_seq": 14}, JournalGapError, "holds 2 commands instead of those from 12 to 14"),
        ({"codec": 2}, UnknownCodecError, "codec 2, and this version knows 1"),
        ({"body": b"\x91"}, JournalError, "Batch 2 of the journal cannot be read"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name_and_nothing_is_applied(
    change: dict[str, int | bytes], error: type[Exception], said: str
) -> None:
    machine, mark = opened()
    row = JournalRow(**{**row_of(machine, mark, 2, 3)._asdict(), **change})
    with pytest.raises(error, match=said):
        replayed(machine, mark, row)
    assert machine.seq == mark.seq
