"""What is too much for one command goes on ahead of the next ones, in the same order and to the same end.

With 10,000 closes a command nobody would see that here, so it is three.
"""

import pytest

from fondaco.core.commands import Tick
from fondaco.core.desk import running
from fondaco.core.desk.state import DeskFill
from fondaco.core.snapshot import dump, load, state_hash
from support.desk_lines import DeskTable, peopled, play

LANDSLIDE = """
house quote 50000 50000        | ok
alice long 0.1 x2 stop=49000   | #1 0.1 @50000 margin 2500
alice long 0.1 x2 stop=49500   | #2 0.1 @50000 margin 2500
bob   long 0.1 x2 trail=500    | #3 0.1 @50000 margin 2500
bob   short 0.1 x2 take=49800  | #4 0.1 @50000 margin 2500
nora  long 1 x5 cross          | #5 1 @50000 margin 10000
alice long 0.1 x2 limit@49900  | e1
bob   long 0.1 x2 limit@48900  | e2
house quote 34000 34000 50000 50000 | ok                      -- nora's stop-out first, and then by crossing
    #5 closed 1 @34000 earned -16000 stop_out
    nora largest_loss: 4000 of 10000, then 4000 of 0
    #2 closed 0.1 @34000 earned -1600 stop_loss
    #3 closed 0.1 @34000 earned -1600 trailing_stop
"""
REST = [
    "#1 closed 0.1 @34000 earned -1600 stop_loss",
    "#4 closed 0.1 @34000 earned 1600 take_profit",
    "#6 opened 0.1 @34000 margin 1700",
    "e1 filled #6",
    "#7 opened 0.1 @34000 margin 1700",
    "e2 filled #7",
]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> DeskTable:
    """A desk that closes three positions a command."""
    monkeypatch.setattr(running, "MAX_CLOSED", 3)
    monkeypatch.setattr(running, "_COST", 1)
    return peopled()


def test_a_quote_goes_on_ahead_of_the_next_command_at_its_own_price(table: DeskTable) -> None:
    play(table, LANDSLIDE)
    assert table.machine.backlog
    # It is at the first quote of the path that all this happens; the second, back at 50,000, waits for it.
    play(
        table,
        """
house wait 0                   | ok
    #1 closed 0.1 @34000 earned -1600 stop_loss
    #4 closed 0.1 @34000 earned 1600 take_profit
    #6 opened 0.1 @34000 margin 1700
    e1 filled #6
house wait 0                   | ok
    #7 opened 0.1 @34000 margin 1700
    e2 filled #7
""",
    )
    assert not table.machine.backlog
    play(table, "alice close #6 | 0.1 @50000 earned 1600")


def test_nobody_gets_between_the_parts_of_a_quote(table: DeskTable) -> None:
    play(table, LANDSLIDE)
    # Bob's command comes to its turn when three more are done; his position is closed before he can close it.
    play(table, "bob close #4 | unknown_position\n    " + "\n    ".join(REST[:4]))


def test_a_machine_loaded_in_the_middle_goes_on_the_same(table: DeskTable) -> None:
    play(table, LANDSLIDE)
    loaded = load(dump(table.machine))
    assert loaded.backlog
    straight = table.machine
    ends = []
    for machine in (straight, loaded):
        table.machine = machine
        while machine.backlog:
            table.now_ns = machine.now_ns
            table.give(Tick(), command_id=f"tick-{machine.seq}")
        ends.append(state_hash(machine))
    assert ends[0] == ends[1]


def test_a_night_and_the_end_of_an_instrument_go_on_too(table: DeskTable) -> None:
    play(table, "house terms long_financing_ppm=100 | ok\nhouse quote 50000 50000 | ok")
    for number in range(1, 9):
        table.check(f"alice long 0.1 x5 | #{number} 0.1 @50000 margin 1000")
    play(
        table,
        """
house wait 86400               | ok
house night                    | 3 paid and more               | alice 11997+8000
house wait 0                   | ok                            | alice 11994+8000
house wait 0                   | ok                            | alice 11992+8000
""",
    )
    assert not table.machine.backlog
    table.check("house delist GOLDCASH | cancelled 0")
    closed = 0
    while True:
        closed += sum(isinstance(event, DeskFill) for event in table.events)
        if not table.machine.backlog:
            break
        assert closed % 3 == 0
        table.check("house wait 0 | ok")
    assert closed == 8
