"""Recovery: the newest snapshot that is whole, and the journal after it.

Nothing else is needed, and nothing else is looked at: the tables that people read are made from the journal, never the
other way round. A snapshot vouches for itself by a hash over its bytes, and the journal for it by the chain.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec
import structlog

from fondaco.core.machine import Machine
from fondaco.core.snapshot import dump, hash_of, load
from fondaco.engine.journal import BEGINNING, Mark, replayed
from fondaco.engine.store import SNAPSHOT_CODEC, SnapshotHead, Store

log = structlog.get_logger()

PAGE_ROWS: Final = 64
"""Batches that are read at once."""


class SnapshotError(Exception):
    """A snapshot cannot be used. The message says why."""


class Standing(NamedTuple):
    """A machine, and where in the journal it stands."""

    machine: Machine
    mark: Mark


def snapshot_of(standing: Standing) -> tuple[SnapshotHead, bytes]:
    """All that the machine remembers, ready to be saved."""
    body = dump(standing.machine)
    rules_version = standing.machine.rules_version
    return SnapshotHead(standing.mark, hash_of(body), SNAPSHOT_CODEC, rules_version, len(body)), body


async def loaded(store: Store, *, newest_batch_no: int | None = None) -> Standing:
    """A machine from the newest snapshot that is whole; a fresh one when there is none.

    Args:
        store: where the snapshots are.
        newest_batch_no: leave out snapshots of later batches.
    """
    for head in await store.snapshots():
        if newest_batch_no is not None and head.mark.batch_no > newest_batch_no:
            continue
        try:
            return await _loaded(store, head)
        except SnapshotError as error:
            log.warning("engine.snapshot_unusable", batch_no=head.mark.batch_no, why=str(error))
    return Standing(Machine(), BEGINNING)


async def catching_up(store: Store, standing: Standing) -> AsyncIterator[Standing]:
    """Replay what the journal has after ``standing``, page by page; yields it after each page.

    Raises:
        JournalError: a batch is missing, cannot be read, or comes to something else here. The message says which.
    """
    machine, mark = standing
    while rows := await store.rows_after(mark.batch_no, PAGE_ROWS):
        for row in rows:
            mark, _ = replayed(machine, mark, row)
        yield Standing(machine, mark)


async def recovered(store: Store) -> Standing:
    """A machine at the journal's end. Raises `JournalError`."""
    standing = await loaded(store)
    begun = standing.mark
    async for further in catching_up(store, standing):
        standing = further
    log.info("engine.recovered", snapshot_seq=begun.seq, seq=standing.mark.seq, batch_no=standing.mark.batch_no)
    return standing


async def _loaded(store: Store, head: SnapshotHead) -> Standing:
    if head.codec != SNAPSHOT_CODEC:
        raise SnapshotError(f"it is written in codec {head.codec}, and this version knows {SNAPSHOT_CODEC}")
    batch_no = head.mark.batch_no
    written = await store.rows_after(batch_no - 1, 1)
    if written and written[0].batch_no == batch_no and written[0].end != head.mark:
        raise SnapshotError("the journal's chain hash is another there")
    body = await store.snapshot_body(batch_no)
    if len(body) != head.byte_count or hash_of(body) != head.state_hash:
        raise SnapshotError(f"its bytes ({len(body)}) are not those that were saved ({head.byte_count})")
    try:
        machine = load(body)
    except (msgspec.DecodeError, AssertionError) as error:
        raise SnapshotError(f"this version cannot read it ({error!r})") from error
    if machine.seq != head.mark.seq:
        raise SnapshotError(f"it stands at command {machine.seq} instead of {head.mark.seq}")
    return Standing(machine, head.mark)
