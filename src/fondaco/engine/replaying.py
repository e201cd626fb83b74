"""What the house was at some moment: the journal done again up to there, and not a command further."""

from typing import Final, NamedTuple

from fondaco.core.machine import Machine
from fondaco.engine.door import LARGEST
from fondaco.engine.journal import JournalRow, following, replayed
from fondaco.engine.recovery import PAGE_ROWS, Standing, loaded
from fondaco.engine.store import Store

NEVER: Final = LARGEST


class Until(NamedTuple):
    """Where to stop: after the last command with this number or moment, whichever comes first."""

    seq: int = NEVER
    now_ns: int = NEVER


async def replayed_until(store: Store, until: Until) -> Machine:
    """A machine as it was then. Raises `JournalError`."""
    machine, mark = await loaded(store, newest_batch_no=await store.batch_until(*until))
    while rows := await store.rows_after(mark.batch_no, PAGE_ROWS):
        for row in rows:
            if row.last_seq > until.seq or row.last_ns > until.now_ns:
                _apply_part(Standing(machine, mark), row, until)
                return machine
            mark, _ = replayed(machine, mark, row)
    return machine


def _apply_part(standing: Standing, row: JournalRow, until: Until) -> None:
    """The commands of a batch that are not too late. Unchecked, for the chain hash is that of the whole batch."""
    machine, mark = standing
    for seq, command in enumerate(following(mark, row), row.first_seq):
        if seq > until.seq or command.now_ns > until.now_ns:
            break
        machine.apply(command.submission, seq, command.now_ns)
    machine.log.take()
