"""Asking what an open would come to changes nothing, tells nobody, and says what the open then does."""

from collections import Counter
from itertools import islice

from fondaco.core.commands import OpenPosition
from fondaco.core.desk.opening import check
from fondaco.core.machine import Machine
from fondaco.core.replies import PositionOpened, Refused
from fondaco.core.snapshot import dump
from support.desk_stream import desk_stream

SEED = 11
STEPS = 5_000


def test_what_is_said_of_an_open_is_what_it_does() -> None:
    machine, met = Machine(), Counter[str]()
    for step in islice(desk_stream(SEED), STEPS):
        command = step.command
        if isinstance(command, OpenPosition) and not machine.has_due(step.now_ns):
            machine.house.now_ns = step.now_ns
            before = dump(machine)
            asked = check(machine.house, command)
            assert dump(machine) == before
            assert machine.log.take() == b"\x90", "events were told"
            reply = machine.apply(step.submission, machine.seq + 1, step.now_ns).reply
            if isinstance(asked, Refused):
                assert reply == asked
                met[asked.code] += 1
            else:
                plan, position = asked
                assert isinstance(reply, PositionOpened)
                listed = plan.place.book.listed
                assert (reply.price, reply.margin) == (plan.ticks * listed.tick, plan.margin)
                assert (reply.quantity, reply.closed) == (plan.lots * listed.lot, plan.closed_lots * listed.lot)
                assert (position is None) == (reply.position_id == 0)
                met["opened"] += 1
        else:
            machine.apply(step.submission, machine.seq + 1, step.now_ns)
        machine.log.take()
    assert met["opened"] > 100
    assert met["max_leverage"] > 5
    assert len(met) > 12
