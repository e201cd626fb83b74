"""The journal's rows: written and read the same, and every difference is noticed and named."""

import msgspec
import pytest

from fondaco.core.commands import Deposit, Submission, encode_command
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
from support.tiny_machine import TinyMachine


def command(amount: int) -> JournaledCommand:
    """A deposit."""
    body = msgspec.Raw(encode_command(Deposit(1_001, "USDT", amount)))
    return JournaledCommand(amount * 1_000, 1_001, f"c{amount}", 5, body)


def row_of(mark: Mark, *amounts: int) -> JournalRow:
    """The batch of these deposits that follows on the mark, as a leader would write it."""
    machine = TinyMachine()
    machine.state.seq = mark.seq
    commands = [command(amount) for amount in amounts]
    for seq, each in enumerate(commands, mark.seq + 1):
        machine.apply(each.submission, seq, each.now_ns)
    chain_hash = chained(mark.chain_hash, machine.log.take())
    last_seq = mark.seq + len(amounts)
    return JournalRow(
        mark.batch_no + 1, mark.seq + 1, last_seq, 1, 1, 1, commands[-1].now_ns, chain_hash, encoded(commands)
    )


def test_a_body_holds_the_commands_as_they_came() -> None:
    row = row_of(BEGINNING, 1, 2)
    assert commands_of(row) == [command(1), command(2)]
    assert commands_of(row)[0].submission == Submission(1_001, "c1", 5, command(1).body)


def test_a_body_is_an_array_of_moment_account_id_limit_and_command() -> None:
    assert msgspec.msgpack.decode(encoded([command(7)])) == [[7_000, 1_001, "c7", 5, ["deposit", 1_001, "USDT", 7, ""]]]


def test_the_chain_goes_over_all_events_before() -> None:
    first = row_of(BEGINNING, 1)
    assert row_of(first.end, 2).chain_hash != row_of(BEGINNING, 2).chain_hash
    assert first.end == Mark(1, 1, first.chain_hash)


def test_a_machine_that_comes_to_something_else_is_told_where() -> None:
    first = row_of(BEGINNING, 1)
    second = row_of(first.end, 2, 3)
    machine = TinyMachine()
    mark, _ = replayed(machine, BEGINNING, first)
    later = second._replace(body=encoded([command(2), command(4)]))
    with pytest.raises(ChainBrokenError, match=r"differ in batch 2 \(commands 2 to 3\)"):
        replayed(machine, mark, later)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"batch_no": 3}, JournalGapError, "goes on at batch 3, command 2, instead of batch 2, command 2"),
        ({"first_seq": 3}, JournalGapError, "instead of batch 2, command 2"),
        ({"last_seq": 4}, JournalGapError, "holds 2 commands instead of those from 2 to 4"),
        ({"codec": 2}, UnknownCodecError, "codec 2, and this version knows 1"),
        ({"body": b"\x91"}, JournalError, "Batch 2 of the journal cannot be read"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(
    change: dict[str, int | bytes], error: type[Exception], said: str
) -> None:
    first = row_of(BEGINNING, 1)
    machine = TinyMachine()
    mark, _ = replayed(machine, BEGINNING, first)
    second = JournalRow(**{**row_of(mark, 2, 3)._asdict(), **change})
    with pytest.raises(error, match=said.replace("(", r"\(")):
        replayed(machine, mark, second)
    assert machine.seq == 1, "nothing was applied"
