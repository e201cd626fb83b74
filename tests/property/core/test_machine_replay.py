"""However a machine came to where it is, it goes on the same: live, replayed from the start, or loaded from a dump.

Equal hashes are not enough: what counts are the bytes of the *next* events. So each machine is given the commands that
follow, across cut points at which larger work or orders that fired are unfinished, and in processes whose hash seeds
differ.
"""

import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from fondaco.core.commands import Command
from fondaco.core.desk import running
from fondaco.core.machine import Machine
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Refused
from fondaco.core.snapshot import dump, load, state_hash
from support.command_stream import Step, stream
from support.desk_stream import desk_stream
from support.journals import chain_hash, chained

SEED = 20_261_121
FOLLOWING = 10_000
FEW = 3_000
CUT = 8_000
DESK_STEPS = 12_000
DESK_CUT = 97
MANY_CUTS = 60
CROWDS = 3_000
"""So that every kind of crowd has come and gone by then."""


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    """A long stream."""
    return list(islice(stream(SEED, crowds=CROWDS), CUT + FOLLOWING))


@pytest.fixture(scope="module")
def desk_steps() -> list[Step]:
    """A long stream of a desk."""
    return list(islice(desk_stream(SEED), DESK_STEPS))


def test_live_replayed_and_loaded_machines_say_the_same_from_then_on(steps: list[Step]) -> None:
    live, replayed = Machine(), Machine()
    for machine in (live, replayed):
        played(machine, steps[:CUT])
    loaded = load(dump(live))
    said = [played(machine, steps[CUT:]) for machine in (live, replayed, loaded)]
    assert len(said[0]) == FOLLOWING
    assert said[0] == said[1]
    assert said[0] == said[2]
    assert dump(live) == dump(replayed) == dump(loaded)


def test_a_machine_loaded_in_the_middle_of_larger_work_or_of_fired_orders_goes_on_the_same(steps: list[Step]) -> None:
    live = Machine()
    loaded: list[Machine] = []
    cuts: Counter[str] = Counter()
    for step in steps:
        said = played(live, [step])
        for other in loaded:
            assert played(other, [step]) == said
        if len(loaded) > 1:
            loaded.pop(0)
        kind = unfinished(live)
        if kind and cuts[kind] < 3:
            cuts[kind] += 1
            body = dump(live)
            fresh = load(body)
            assert dump(fresh) == body
            loaded.append(fresh)
    for other in loaded:
        assert dump(other) == dump(live)
    assert {"work", "fired", "due"} <= set(cuts)


def test_dumping_what_was_loaded_gives_the_same_bytes_at_every_moment(steps: list[Step]) -> None:
    machine = Machine()
    for at, step in enumerate(steps):
        played(machine, [step])
        if at % 2_003 == 0:
            body = dump(machine)
            assert dump(load(body)) == body


def test_the_seed_of_hashes_reaches_no_event() -> None:
    tests = Path(__file__).parents[2]
    script = f"import sys; sys.path.insert(0, {str(tests)!r}); from support.journals import tell; tell({SEED}, {FEW})"
    started = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in ("1", "2")
    ]
    told = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    machine = Machine()
    chain = chain_hash(machine, islice(stream(SEED), FEW))
    assert told == [f"{chain.hex()} {state_hash(machine).hex()}\n"] * 2


def test_every_command_and_every_reason_against_one_is_reached(steps: list[Step], desk_steps: list[Step]) -> None:
    types: set[type] = set()
    reached: Counter[Refusal] = Counter()
    for each in (steps, desk_steps):
        machine = Machine()
        for step in each:
            answer = machine.apply(step.submission, machine.seq + 1, step.now_ns)
            machine.log.take()
            types.add(type(step.command))
            if isinstance(answer.reply, Refused):
                reached[answer.reply.code] += 1
    assert types == set(Command.__args__)
    assert sorted(set(Refusal) - set(reached)) == []


def test_a_desk_says_the_same_live_replayed_and_loaded_at_any_moment(
    desk_steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few closes a command, so that quotes and nights are often left unfinished where it is cut."""
    monkeypatch.setattr(running, "MAX_CLOSED", 2)
    live, replayed = Machine(), Machine()
    loaded = Machine()
    unfinished_cuts = 0
    for at, step in enumerate(desk_steps):
        said = played(live, [step])
        assert played(replayed, [step]) == said
        assert played(loaded, [step]) == said
        if at % DESK_CUT == 0 or (live.house.desk.runs and unfinished_cuts < MANY_CUTS):
            unfinished_cuts += bool(live.house.desk.runs)
            body = dump(live)
            loaded = load(body)
            assert dump(loaded) == body
    assert unfinished_cuts >= MANY_CUTS
    assert dump(live) == dump(replayed) == dump(loaded)


def played(machine: Machine, steps: list[Step]) -> list[bytes]:
    """The events of each."""
    return [events for events, _ in chained(machine, steps)]


def unfinished(machine: Machine) -> str:
    """What the machine has yet to do ahead of other commands, if anything."""
    if machine.house.fired:
        return "fired"
    if machine.house.works:
        return "work"
    return "due" if machine.backlog else ""
