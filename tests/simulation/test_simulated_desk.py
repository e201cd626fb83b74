"""The simulation's tables and judge know the desk: they agree with a machine, and say where it is damaged."""

from fondaco.engine.projection.audit import differences
from fondaco.engine.projection.folding import Fold
from fondaco.engine.simulation.inspection import standing, unbalanced
from fondaco.engine.simulation.tables import Tables
from support.desk_crowd import LONG, Dealing, DeskCrowd


def test_tables_that_were_folded_are_what_the_machine_remembers() -> None:
    crowd, tables, seq = DeskCrowd(6), Tables(), 0
    for _ in range(15):
        crowd.act(15)
        fold = Fold(seq)
        fold.take([crowd.exchange.cut()])
        tables.write(fold)
        seq = fold.seq
        memory = standing(crowd.exchange.machine)
        assert differences(tables.open(), memory) == []
        assert list(unbalanced(crowd.exchange.machine)) == []
    assert len(tables.desk_positions) > len(memory["desk position"]) > 0
    assert tables.desk_entries


def test_a_margin_that_nothing_holds_is_named() -> None:
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000)
    position_id = dealing.opened(ann, LONG, 10)
    machine = dealing.exchange.machine
    assert list(unbalanced(machine)) == []
    machine.house.desk.positions[position_id].margin += 1
    assert list(unbalanced(machine)) == [
        f"position {position_id} has a margin of 1000001 atoms, and its hold is 1000000"
    ]
