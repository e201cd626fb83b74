"""The journals of earlier versions lead to what they led to: the same events, byte for byte, and the same state."""

from collections import Counter
from pathlib import Path

import pytest

from fondaco.core.commands import Command, PlaceOrder, decode_command
from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from fondaco.core.vocabulary import OrderType
from support.golden import FOLDER, Journal, decode, path_of, record
from support.journals import chain_hash

JOURNALS = sorted(FOLDER.glob("journal-*.msgpack"))
MOST_BYTES = 200_000


def test_there_is_a_journal() -> None:
    assert JOURNALS


@pytest.mark.parametrize("path", JOURNALS, ids=lambda each: each.stem)
def test_a_recorded_journal_leads_to_its_recorded_hashes(path: Path) -> None:
    journal = read(path)
    machine = Machine()
    assert chain_hash(machine, journal.moments) == journal.chain
    assert state_hash(machine) == journal.state


@pytest.mark.parametrize("path", JOURNALS, ids=lambda each: each.stem)
def test_a_recorded_journal_is_small_and_has_every_command_and_type_of_order(path: Path) -> None:
    commands = [decode_command(each.submission.body) for each in read(path).moments]
    types = Counter(type(each) for each in commands)
    assert set(types) == set(Command.__args__)
    assert {each.type for each in commands if isinstance(each, PlaceOrder)} == set(OrderType)
    assert path.stat().st_size < MOST_BYTES


def test_what_was_recorded_is_never_written_again() -> None:
    with pytest.raises(FileExistsError):
        record(read(JOURNALS[0]).version)
    assert path_of(read(JOURNALS[0]).version) == JOURNALS[0]


def read(path: Path) -> Journal:
    return decode(path.read_bytes())
