"""The journals of earlier versions lead to what they led to: the same events, byte for byte, and the same state."""

from itertools import product
from pathlib import Path

import pytest

from fondaco.core.commands import CancelAll, CancelOrder, Command, PlaceOrder, decode_command
from fondaco.core.desk.state import DeskFill
from fondaco.core.events import decode_events
from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from fondaco.core.state import Order
from fondaco.core.vocabulary import CloseReason, Closing, OrderType
from support.golden import FOLDER, STREAMS, Journal, decode, path_of, record
from support.journals import chain_hash

JOURNALS = sorted(FOLDER.glob("*.msgpack"))
EXCHANGES = [each for each in JOURNALS if each.name.startswith("exchange-")]
DESKS = [each for each in JOURNALS if each.name.startswith("desk-")]
MOST_BYTES = 200_000
TAKEN_BACK = (CloseReason.CANCELLED_BY_OWNER, CloseReason.CANCELLED_BY_HOUSE)


def test_there_are_journals_of_each_kind() -> None:
    assert {each.name.partition("-")[0] for each in JOURNALS} == set(STREAMS)


@pytest.mark.parametrize("path", JOURNALS, ids=lambda each: each.stem)
def test_a_recorded_journal_leads_to_its_recorded_hashes(path: Path) -> None:
    journal = read(path)
    machine = Machine()
    assert chain_hash(machine, journal.moments) == journal.chain
    assert state_hash(machine) == journal.state


@pytest.mark.parametrize("path", JOURNALS, ids=lambda each: each.stem)
def test_a_recorded_journal_is_small(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize(("exchange", "desk"), list(zip(EXCHANGES, DESKS, strict=True)))
def test_the_journals_of_a_version_have_every_command_and_type_of_order(exchange: Path, desk: Path) -> None:
    commands = [decode_command(each.submission.body) for path in (exchange, desk) for each in read(path).moments]
    assert {type(each) for each in commands} == set(Command.__args__)
    assert {each.type for each in commands if isinstance(each, PlaceOrder)} == set(OrderType)


@pytest.mark.parametrize("path", DESKS, ids=lambda each: each.stem)
def test_a_recorded_desk_closes_for_every_reason(path: Path) -> None:
    machine, reasons = Machine(), set()
    for seq, each in enumerate(read(path).moments, 1):
        machine.apply(each.submission, seq, each.now_ns)
        fills = [event for event in decode_events(machine.log.take()) if isinstance(event, DeskFill)]
        reasons |= {fill.closing for fill in fills}
    assert reasons == set(Closing) - {Closing.INSTRUMENT_CLOSED}


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda each: each.stem)
def test_in_a_recorded_journal_orders_are_taken_back_by_their_owner_and_by_the_house(path: Path) -> None:
    """One at a time and all at once; the events say which of the two it was."""
    machine = Machine()
    taken_back = set()
    for seq, each in enumerate(read(path).moments, 1):
        machine.apply(each.submission, seq, each.now_ns)
        command = type(decode_command(each.submission.body))
        orders = [event for event in decode_events(machine.log.take()) if isinstance(event, Order)]
        taken_back |= {(command, order.close_reason) for order in orders}
    assert taken_back >= set(product((CancelOrder, CancelAll), TAKEN_BACK))


def test_what_was_recorded_is_never_written_again() -> None:
    version = read(DESKS[0]).version
    with pytest.raises(FileExistsError):
        record(version, "desk")
    assert path_of(version, "desk") == DESKS[0]


def read(path: Path) -> Journal:
    return decode(path.read_bytes())
