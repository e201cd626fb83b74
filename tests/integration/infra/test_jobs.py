"""Periodic jobs on procrastinate: its tables, the pooler, retries, and a worker that dies."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import text
from structlog.testing import capture_logs

from fondaco.infra.database import Database, libpq_url
from fondaco.infra.jobs import (
    QUEUE,
    SCHEMA,
    PeriodicJob,
    SchemaPool,
    job_app,
    run_jobs,
    schema_statements,
    schema_versions,
)
from fondaco.infra.outbox import enqueue
from fondaco.infra.settings import Settings
from support.waiting import PATIENCE_S, eventually

OFTEN = "* * * * * */1"
"""Croniter's six fields: every second."""
YEARLY = "0 0 1 1 *"

CATALOGUE = (
    """SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns
    WHERE table_schema = 'procrastinate' ORDER BY 1, 2""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'procrastinate' ORDER BY 1",
    """SELECT proname, pg_get_function_identity_arguments(p.oid), regexp_replace(prosrc, '\\s+', ' ', 'g')
    FROM pg_proc p WHERE pronamespace = 'procrastinate'::regnamespace ORDER BY 1, 2""",
    """SELECT tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = 'procrastinate'::regnamespace AND NOT tgisinternal ORDER BY 1""",
    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'procrastinate'::regnamespace AND contype <> 'n' ORDER BY 1""",
)
"""What procrastinate's schema is made of."""


class Counted:
    """A job that counts its turns, and fails for the first few."""

    def __init__(self, failures: int = 0) -> None:
        self.turns = 0
        self.failures = failures

    async def __call__(self, database: Database, now_us: int) -> None:
        """Take a turn."""
        assert now_us > 0
        async with database.transaction() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        self.turns += 1
        if self.turns <= self.failures:
            raise OSError("not yet")

    async def has_run(self, times: int = 1) -> bool:
        """Whether it has had so many turns."""
        return self.turns >= times


@asynccontextmanager
async def working(
    database: Database, *jobs: PeriodicJob, handlers: Mapping[str, Any] | None = None
) -> AsyncIterator[None]:
    """The jobs process at work."""
    task = asyncio.create_task(run_jobs(Settings(), database, periodic=jobs, handlers=handlers or {}))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE_S)
    assert task.cancelled()


def test_the_migrations_stop_at_what_the_installed_procrastinate_expects(database_url: str) -> None:
    """When this fails after an upgrade of procrastinate: add a migration with `schema_statements(after=…, up_to=…)`."""
    with psycopg.connect(database_url) as connection:
        migrated = described(connection)
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        connection.execute(SchemaManager.get_schema())
        expected = described(connection)
        connection.rollback()
    assert migrated == expected
    assert all(migrated)


def test_the_schema_can_be_brought_forward_in_steps(database_url: str) -> None:
    versions = schema_versions()
    middle, last = versions[len(versions) // 2], versions[-1]
    with psycopg.connect(database_url) as connection:
        expected = described(connection)
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE; SET LOCAL search_path TO public")
        connection.execute(schema_statements(up_to=middle))
        connection.execute(schema_statements(after=middle, up_to=last))
        assert connection.execute("SHOW search_path").fetchone() == ("public",), "what it was before"
        assert described(connection) == expected
        connection.rollback()


async def test_the_schema_is_chosen_for_one_transaction_and_no_longer(database_url: str) -> None:
    """So that a pooler may hand every transaction another server connection (BBX-3)."""
    async with SchemaPool(libpq_url(database_url), min_size=0, max_size=1, open=False) as pool:
        async with pool.connection() as connection:
            assert await (await connection.execute("SHOW search_path")).fetchone() == (SCHEMA,)
        await connection.set_autocommit(True)
        async with super(SchemaPool, pool).connection() as same:
            assert same is connection
            assert await (await same.execute("SHOW search_path")).fetchone() == ('"$user", public',)


async def test_a_periodic_job_comes_back(database: Database) -> None:
    job = Counted()
    async with working(database, PeriodicJob("count", OFTEN, job)):
        await eventually(lambda: job.has_run(2))


async def test_a_failing_job_is_tried_again_and_others_go_on(database: Database) -> None:
    failing, sound = Counted(failures=1), Counted()
    async with working(database, PeriodicJob("fails", YEARLY, failing), PeriodicJob("sound", OFTEN, sound)):
        await defer(database, "fails")
        await eventually(lambda: failing.has_run(2))
        await eventually(lambda: sound.has_run(2))


async def test_two_workers_never_work_at_the_same_job_at_once(database: Database) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    counted = Counted()
    inside = [0]

    async def slow(_database: Database, _now_us: int) -> None:
        inside.append(inside[-1] + 1)
        entered.set()
        await leave.wait()
        inside.append(inside[-1] - 1)

    jobs = (PeriodicJob("count", YEARLY, slow), PeriodicJob("others", OFTEN, counted))
    async with working(database, *jobs), working(database, *jobs):
        await defer(database, "count")
        await entered.wait()
        await defer(database, "count")
        done = counted.turns
        # The other worker takes jobs in the order of their ids: one that was put off later comes only after it has
        # passed over the second turn.
        await eventually(lambda: counted.has_run(done + 3))
        assert await states(database, "count") == ["doing", "todo"]
        leave.set()
        await eventually(lambda: are_done(database, "count"))
    assert inside == [0, 1, 0, 1, 0]


async def test_a_job_whose_worker_died_starts_again(database: Database) -> None:
    job = Counted()
    periodic = PeriodicJob("count", YEARLY, job)
    await defer(database, "count")
    async with database.transaction() as connection:  # a worker took it and never came back
        await connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
        await connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    async with working(database, periodic):
        await defer(database, "retry_stalled", timestamp=0)
        await eventually(job.has_run)


async def test_jobs_wait_for_tables_that_are_not_there_yet(database: Database) -> None:
    job = Counted()
    async with database.transaction() as connection:
        await connection.execute(text(f"ALTER SCHEMA {SCHEMA} RENAME TO away"))
    with capture_logs() as logs:
        async with working(database, PeriodicJob("count", OFTEN, job)):
            await eventually(lambda: is_said(logs, "jobs.database_away"))
            async with database.transaction() as connection:
                await connection.execute(text(f"ALTER SCHEMA away RENAME TO {SCHEMA}"))
            await eventually(job.has_run)


async def test_the_process_ends_when_told_to_while_its_tables_are_away(database: Database) -> None:
    job = Counted()
    async with working(database, PeriodicJob("count", OFTEN, job)):
        await eventually(job.has_run)
        async with database.transaction() as connection:
            await connection.execute(text(f"ALTER SCHEMA {SCHEMA} RENAME TO away"))


async def test_the_process_delivers_the_outbox_too(database: Database) -> None:
    taken: list[Any] = []

    async def take(topic: str, body: Mapping[str, Any], row_id: UUID) -> None:
        taken.append((topic, body, row_id))

    async def is_taken() -> bool:
        return bool(taken)

    async with working(database, handlers={"t": take}):
        async with database.transaction() as connection:
            row_id = await enqueue(connection, "t", "k", {"n": 1})
        await eventually(is_taken)
    assert taken == [("t", {"n": 1}, row_id)]


@pytest.mark.parametrize(("after", "up_to"), [("99", "99"), ("", "0")])
def test_a_range_without_migrations_is_a_mistake(after: str, up_to: str) -> None:
    with pytest.raises(AssertionError, match="no migration"):
        schema_statements(after=after, up_to=up_to)


async def states(database: Database, name: str) -> list[str]:
    """The states of a job's turns that are not over, by age."""
    query = f"SELECT status FROM {SCHEMA}.procrastinate_jobs WHERE task_name = :name ORDER BY id"  # noqa: S608 - our own names
    async with database.transaction() as connection:
        return list((await connection.execute(text(query), {"name": name})).scalars())


async def are_done(database: Database, name: str) -> bool:
    """Whether every turn is over."""
    return await states(database, name) == []


async def is_said(logs: Sequence[Mapping[str, Any]], event: str) -> bool:
    """Whether a line has been logged."""
    return any(each["event"] == event for each in logs)


def described(connection: psycopg.Connection) -> list[list[Any]]:
    """Everything in procrastinate's schema, which stays the one in sight."""
    connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
    return [connection.execute(each).fetchall() for each in CATALOGUE]


async def defer(database: Database, name: str, **arguments: Any) -> None:  # noqa: ANN401 - a job's arguments
    """Put a job into the queue, as if it were due."""
    app = job_app(
        database,
        Settings(),
        [PeriodicJob("count", YEARLY, Counted()), PeriodicJob("fails", YEARLY, Counted())],
    )
    async with app.open_async():
        arguments = {"timestamp": 0} | arguments
        await app.configure_task(name, queue=QUEUE).defer_async(**arguments)
    assert isinstance(app, procrastinate.App)
