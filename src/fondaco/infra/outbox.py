"""The transactional outbox: what must happen elsewhere because of a change is written in the change's own transaction.

`enqueue` writes a row; `Courier` hands it to the handler of its topic, later, at least once, and in the order of ids
for each topic and key. A row that fails waits, longer each time, and the rows of its key wait behind it; after
`MAX_ATTEMPTS` it is ``dead``: it stays in the table with its last error, an error is logged, and its key moves on. A
handler may say more about a failure: `LaterError` never counts, `HopelessError` is the last.

A topic is *unclaimed* when messages are written to it already and whoever takes them comes with a later version. They
wait, untried, and `purge_outbox` drops those that have waited too long. Any other topic without a handler is a mistake,
and its rows fail.

Transactions that write the same key at the same time have no order between them; take a lock on what they change
before enqueueing where that matters.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import structlog
from psycopg.types.json import Jsonb
from sqlalchemy import (
    CheckConstraint,
    Index,
    Integer,
    Row,
    Select,
    Text,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, aliased, mapped_column

from fondaco.infra.clock import now_us
from fondaco.infra.database import Base, Database, DatabaseUnavailableError, PsycopgConnection, one_line
from fondaco.infra.ids import new_id

log = structlog.get_logger()

POLL_S = 0.5
"""Time between looks at an outbox that was empty."""
BATCH_ROWS = 50
"""Most rows delivered in one transaction."""
DELIVERY_TIMEOUT_S = 5.0
"""A handler that takes longer has failed."""
FIRST_RETRY_S = 1
LONGEST_RETRY_S = 300
MAX_ATTEMPTS = 20
"""Attempts before a row is dead: about an hour at this backoff."""
MAX_ERROR_CHARACTERS = 500
PURGE_ROWS = 5_000
"""Rows deleted in one transaction of a purge."""

COPY: Final = b"COPY outbox (id, topic, key, body, state, attempts, next_attempt_at) FROM STDIN"

Deliver: TypeAlias = Callable[[str, Mapping[str, Any], UUID], Awaitable[None]]
"""Takes topic, body and id of a row. May be called twice for the same id."""


class LaterError(Exception):
    """What a message is for is away. It is tried again for as long as that takes."""


class HopelessError(Exception):
    """Trying again would change nothing: the message is dead at once."""


class OutboxState(StrEnum):
    """What has become of a row."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class OutboxRow(Base):
    """Messages to the world outside the database, written in the transaction that causes them."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'dead')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        Index("idx_outbox_waiting", "topic", "key", "id", postgresql_where=text("state = 'waiting'")),
        Index("idx_outbox_sent_at", "sent_at", postgresql_where=text("state = 'sent'")),
        {"info": {"owner": "infra"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_attempt_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class Message(NamedTuple):
    """What `enqueue_all` writes: its id, which says where it stands among those of its key, and as `enqueue` has it."""

    id: UUID
    topic: str
    key: str
    body: Mapping[str, Any]


async def enqueue(connection: AsyncConnection, topic: str, key: str, body: Mapping[str, Any]) -> UUID:
    """Write a message in the caller's transaction; it leaves once that has committed, and never if it does not.

    Args:
        connection: the transaction that makes the change.
        topic: what it is; says which handler takes it.
        key: whose it is; messages of one topic and key are delivered one after the other.
        body: JSON.
    """
    row_id = new_id()
    message = {"id": row_id, "topic": topic, "key": key, "body": dict(body)}
    fresh = {"state": OutboxState.WAITING, "attempts": 0, "next_attempt_at": _moment(now_us())}
    await connection.execute(insert(OutboxRow).values(message | fresh))
    return row_id


async def enqueue_all(connection: PsycopgConnection, messages: Iterable[Message]) -> None:
    """Write any number of messages at once in the caller's transaction, under ids of the caller's."""
    due = _moment(now_us())
    async with connection.cursor().copy(COPY) as copy:
        for row_id, topic, key, body in messages:
            await copy.write_row((row_id, topic, key, Jsonb(body), OutboxState.WAITING.value, 0, due))


def retry_pause(attempts: int) -> timedelta:
    """How long a row waits after its ``attempts``-th failure."""
    return timedelta(seconds=min(FIRST_RETRY_S * 2 ** (attempts - 1), LONGEST_RETRY_S))


class Courier:
    """Delivers what waits in the outbox. Any number may work side by side: a row is in one hand at a time.

    Args:
        database: where the outbox is.
        handlers: who takes which topic.
        unclaimed: topics that nobody takes yet.
        clock_us: the moment, microseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Deliver],
        *,
        unclaimed: Collection[str] = (),
        clock_us: Callable[[], int] = now_us,
    ) -> None:
        assert not set(unclaimed) & set(handlers), unclaimed
        self._database = database
        self._handlers = handlers
        self._unclaimed = unclaimed
        self._clock_us = clock_us

    async def run(self) -> None:
        """Deliver until cancelled. While the database is away, wait for it."""
        while True:
            try:
                worked = await self.deliver_batch()
            except DatabaseUnavailableError as error:
                log.warning("outbox.database_away", error=str(error))
                worked = 0
            if not worked:
                await asyncio.sleep(POLL_S)

    async def deliver_batch(self) -> int:
        """Try the oldest due row of each key, at most `BATCH_ROWS`, in one transaction; returns how many were tried."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_due_rows(self._now(), self._unclaimed))).all()
            for row in rows:
                error = await self._deliver(row)
                outcome = self._outcome(row, error)
                await connection.execute(update(OutboxRow).where(OutboxRow.id == row.id).values(outcome))
        return len(rows)

    async def _deliver(self, row: Row[Any]) -> Exception | None:
        """Call the handler; returns what went wrong."""
        handler = self._handlers.get(row.topic)
        if handler is None:
            return LookupError(f"No handler takes the topic {row.topic!r}.")
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_S):
                await handler(row.topic, row.body, row.id)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its row waits and the others go on
            return error
        return None

    def _outcome(self, row: Row[Any], error: Exception | None) -> dict[str, Any]:
        now, attempts = self._now(), row.attempts + 1
        if error is None:
            return {"state": OutboxState.SENT, "attempts": attempts, "sent_at": now, "last_error": None}
        wrong = f"{type(error).__name__}: {one_line(error)}"[:MAX_ERROR_CHARACTERS]
        said = {"topic": row.topic, "key": row.key, "id": str(row.id), "attempts": attempts, "error": wrong}
        if isinstance(error, LaterError):
            attempts = min(attempts, MAX_ATTEMPTS - 1)
        if attempts >= MAX_ATTEMPTS or isinstance(error, HopelessError):
            log.error("outbox.dead", **said)
            return {"state": OutboxState.DEAD, "attempts": attempts, "last_error": wrong}
        log.warning("outbox.failed", **said)
        return {"attempts": attempts, "last_error": wrong, "next_attempt_at": now + retry_pause(attempts)}

    def _now(self) -> datetime:
        return _moment(self._clock_us())


async def purge_outbox(
    database: Database, older_than: timedelta, now_us: int, unclaimed: Collection[str] = ()
) -> tuple[int, int]:
    """Delete rows sent longer ago than this, and unclaimed ones written longer ago, in bounded transactions.

    Returns:
        How many of each. Dead rows stay.
    """
    limit = _moment(now_us) - older_than
    sent = select(OutboxRow.id).where(OutboxRow.state == OutboxState.SENT, OutboxRow.sent_at < limit)
    untaken = select(OutboxRow.id).where(
        OutboxRow.state == OutboxState.WAITING, OutboxRow.topic.in_(unclaimed), OutboxRow.created_at < limit
    )
    return await _deleted(database, sent), await _deleted(database, untaken)


async def _deleted(database: Database, old: Select[UUID]) -> int:
    total = 0
    while True:
        some = delete(OutboxRow).where(OutboxRow.id.in_(old.limit(PURGE_ROWS)))
        async with database.transaction() as connection:
            deleted = (await connection.execute(some)).rowcount
        total += deleted
        if deleted < PURGE_ROWS:
            return total


async def count_dead(connection: AsyncConnection) -> int:
    """How many messages were given up."""
    dead = select(func.count()).select_from(OutboxRow).where(OutboxRow.state == OutboxState.DEAD)
    return (await connection.execute(dead)).scalar_one()


def _moment(time_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)


def _due_rows(now: datetime, unclaimed: Collection[str]) -> Select[Any]:
    """The oldest waiting row of each topic and key, where it is due, locked so that no other courier takes it.

    A row that another courier holds still counts as waiting, so nothing overtakes it.
    """
    earlier = aliased(OutboxRow)
    waits_before = exists().where(
        earlier.topic == OutboxRow.topic,
        earlier.key == OutboxRow.key,
        earlier.state == OutboxState.WAITING,
        earlier.id < OutboxRow.id,
    )
    return (
        select(OutboxRow.__table__)
        .where(OutboxRow.state == OutboxState.WAITING, OutboxRow.next_attempt_at <= now, ~waits_before)
        # Two ranges of the index each, where <> would read all that waits for nobody.
        .where(*(or_(OutboxRow.topic < topic, OutboxRow.topic > topic) for topic in unclaimed))
        .order_by(OutboxRow.id)
        .limit(BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
