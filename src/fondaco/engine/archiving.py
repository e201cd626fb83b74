"""Moves old journal out of the database, and proves the whole of it.

What lies before the newest snapshot that is whole is needed for no recovery any more, only to look back. It goes into
the archive, and out of the table once it is on disk there. Cut off in between, it is in both places, and the next run
completes the move.
"""

import asyncio
from typing import Final, NamedTuple

from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from fondaco.engine.archive import Archive
from fondaco.engine.journal import BEGINNING, ChainBrokenError, JournalGapError, JournalRow, Mark, replayed
from fondaco.engine.recovery import PAGE_ROWS, Standing, loaded
from fondaco.engine.store import Store, ThinnedStore

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Bodies of batches in one archive file, before they are compressed; a file ends with the page that passes it."""


class Moved(NamedTuple):
    """What was moved."""

    begins: Mark
    ends: Mark
    files: int


async def archived(store: ThinnedStore, archive: Archive) -> Moved:
    """Move what no recovery needs any more. Raises `JournalError` when archive and table do not fit together."""
    with archive.held():
        begins = await asyncio.to_thread(archive.end)
        await _require_same(store, begins)
        await store.drop_until(begins.batch_no)
        until = min((await loaded(store)).mark.batch_no, (await store.end()).batch_no - 1)
        mark, files = begins, 0
        while mark.batch_no < until:
            rows = await _rows_of_a_file(store, mark, until)
            await asyncio.to_thread(archive.add, rows, mark)
            mark, files = rows[-1].end, files + 1
            await store.drop_until(mark.batch_no)
    return Moved(begins, mark, files)


async def verified(store: Store, archive: Archive) -> Standing:
    """Do the whole journal again, from its first command; returns where it ends.

    Raises:
        JournalError: a file, a batch or a snapshot is not what it must be. The message says which.
    """
    await asyncio.to_thread(archive.check)
    snapshots = {head.mark: head.state_hash for head in await store.snapshots()}
    machine, mark = Machine(), BEGINNING
    while rows := await store.rows_after(mark.batch_no, PAGE_ROWS):
        for row in rows:
            mark, _ = replayed(machine, mark, row)
            if mark in snapshots and state_hash(machine) != snapshots[mark]:
                raise ChainBrokenError(f"The snapshot at batch {mark.batch_no} is not what the journal comes to there.")
    return Standing(machine, mark)


async def _rows_of_a_file(store: Store, mark: Mark, until: int) -> list[JournalRow]:
    rows: list[JournalRow] = []
    size_bytes = 0
    while mark.batch_no < until and size_bytes < MAX_FILE_BYTES:
        page = await store.rows_after(mark.batch_no, min(PAGE_ROWS, until - mark.batch_no))
        if not page or (page[0].batch_no, page[0].first_seq) != (mark.batch_no + 1, mark.seq + 1):
            raise JournalGapError(f"The journal does not go on after batch {mark.batch_no}.")
        rows += page
        size_bytes += sum(len(row.body) for row in page)
        mark = page[-1].end
    return rows


async def _require_same(store: Store, mark: Mark) -> None:
    """Where archive and table overlap, they say the same."""
    if mark.batch_no == 0:
        return
    end = await store.end()
    if end.batch_no <= mark.batch_no:
        raise JournalGapError(
            f"The archive goes to batch {mark.batch_no}, the database to {end.batch_no}: was an old backup restored?"
        )
    rows = await store.rows_after(mark.batch_no - 1, 1)
    if rows and rows[0].batch_no == mark.batch_no and rows[0].end != mark:
        raise ChainBrokenError(f"The archive is of another journal than the database: batch {mark.batch_no} differs.")
