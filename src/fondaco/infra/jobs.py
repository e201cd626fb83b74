"""The jobs process: periodic work on procrastinate, and the courier of the outbox.

Procrastinate keeps its tables in PostgreSQL, in the schema `SCHEMA`. Everything here works through a transaction-mode
pooler: new jobs are found by polling instead of LISTEN, nothing is prepared, and the schema is chosen inside each
transaction, because a pooler forgets what a session was told (`SchemaPool`).

A job runs at least once and by one worker at a time. It opens its own transaction, one for what belongs together; a job
that is interrupted starts again from its beginning, so each must bear that.
"""

import asyncio
import importlib.resources
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import procrastinate
import structlog
from procrastinate import exceptions
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.infra.clock import now_us
from fondaco.infra.database import Database, PsycopgConnection, libpq_url, one_line
from fondaco.infra.outbox import Courier, Deliver, purge_outbox
from fondaco.infra.settings import Settings

log = structlog.get_logger()

SCHEMA = "procrastinate"
QUEUE = "house"
POLL_S = 2.0
"""How often a worker looks for jobs."""
STOP_S = 5.0
"""Running jobs get this long to finish when the process is stopped; then they are aborted, and start again later."""
RETRY_S = 1.0
"""Pause before a worker that lost the database starts again."""
MAX_CONNECTIONS = 3
"""A worker's connections: for the job being fetched or finished, its heartbeat, and what is due."""
MAX_ATTEMPTS = 5
"""How often a failing job is tried again; it waits 3, 9, 27, 81 and 243 seconds."""
LATEST_START_S = 86_400
"""A periodic job that was due while no house ran is made up for, if it was due less than this long ago."""
FAILED_JOBS_KEPT_HOURS = 30 * 24

_ENUMERATION = re.compile(r"CREATE TYPE (\w+) AS ENUM \((.*?)\);", re.DOTALL)
_ADDED_LABEL = re.compile(r"ALTER TYPE (\w+) ADD VALUE '(\w+)'(?: (BEFORE|AFTER) '(\w+)')?;")
_LABEL = re.compile(r"'(\w+)'")
_COMMENT = re.compile(r"--[^\n]*")
_FAILED = text(f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'failed'")  # noqa: S608 - our own name

Run: TypeAlias = Callable[[Database, int], Awaitable[None]]
"""A job's work; takes the database and the present moment in microseconds."""


@dataclass(frozen=True)
class PeriodicJob:
    """Work that comes back. ``cron`` is in UTC; two turns of one job never overlap."""

    name: str
    cron: str
    run: Run


class SchemaPool(AsyncConnectionPool[PsycopgConnection]):
    """A pool that hands out connections inside a transaction which sees procrastinate's schema.

    The setting ends with the transaction, so a pooler may give each one another server connection. ``options`` or a
    SET for the session would not survive that.
    """

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[PsycopgConnection]:  # noqa: ASYNC109 - not ours
        """One transaction."""
        async with super().connection(timeout) as connection:
            await connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
            yield connection


def schema_statements(*, after: str = "", up_to: str) -> str:
    """SQL that brings procrastinate's tables from one of its own migrations to a later one, for a migration of ours.

    Procrastinate ships its migrations with every version and never changes one, so the same call gives the same tables
    whatever version is installed. The text is for one transaction, without bound parameters.

    Args:
        after: name of the last migration that stands already, without ``.sql``; empty for none.
        up_to: name of the last one to apply.
    """
    names = [name for name in schema_versions() if after < name <= up_to]
    assert names, f"procrastinate has no migration after {after!r} up to {up_to!r}"
    folder = importlib.resources.files("procrastinate.sql") / "migrations"
    parts = [(folder / f"{name}.sql").read_text(encoding="utf-8") for name in names]
    begin = (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n"
        "SELECT set_config('fondaco.search_path', current_setting('search_path'), true);\n"
        f"SET LOCAL search_path TO {SCHEMA};"
    )
    # Back to what it was, which need not be the server's default.
    end = "SELECT set_config('search_path', current_setting('fondaco.search_path'), true);"
    return "\n".join((begin, _with_whole_enumerations("\n".join(parts)), end))


def _with_whole_enumerations(statements: str) -> str:
    """Make each enumeration with all the labels that it gets later on.

    Before PostgreSQL 17, a label that was added to a type cannot be used in the same transaction.
    """
    labels = {name: _LABEL.findall(_COMMENT.sub("", body)) for name, body in _ENUMERATION.findall(statements)}
    for name, label, side, neighbour in _ADDED_LABEL.findall(statements):
        if name in labels:
            at = labels[name].index(neighbour) + (side == "AFTER") if side else len(labels[name])
            labels[name].insert(at, label)

    def made_whole(found: re.Match[str]) -> str:
        listed = ", ".join(f"'{label}'" for label in labels[found[1]])
        return f"CREATE TYPE {found[1]} AS ENUM ({listed});"

    def left_out(found: re.Match[str]) -> str:
        return "" if found[1] in labels else found[0]

    return _ADDED_LABEL.sub(left_out, _ENUMERATION.sub(made_whole, statements))


def schema_versions() -> list[str]:
    """Names of the migrations that the installed procrastinate has, in their order."""
    folder = importlib.resources.files("procrastinate.sql") / "migrations"
    return sorted(each.name.removesuffix(".sql") for each in folder.iterdir() if each.name.endswith(".sql"))


async def run_jobs(
    settings: Settings,
    database: Database,
    *,
    periodic: Sequence[PeriodicJob],
    handlers: Mapping[str, Deliver],
    unclaimed: Collection[str] = (),
) -> None:
    """Work until cancelled: periodic jobs, and what waits in the outbox.

    Args:
        settings: how long the outbox keeps what it has sent.
        database: where jobs and outbox are.
        periodic: the jobs of the domains; the house's own are added.
        handlers: who takes which topic of the outbox.
        unclaimed: topics of the outbox that nobody takes yet.
    """
    own = outbox_job(timedelta(days=settings.jobs.outbox_retention_days), unclaimed)
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_working(database, settings, [*periodic, own]))
        group.create_task(Courier(database, handlers, unclaimed=unclaimed).run())


def outbox_job(older_than: timedelta, unclaimed: Collection[str] = ()) -> PeriodicJob:
    """Forgets what the outbox sent long ago, and what nobody has come for."""

    async def purge(database: Database, now_us: int) -> None:
        sent, untaken = await purge_outbox(database, older_than, now_us, unclaimed)
        log.info("outbox.purged", rows=sent, untaken=untaken)

    return PeriodicJob("purge_outbox", "40 3 * * *", purge)


def job_app(database: Database, settings: Settings, periodic: Sequence[PeriodicJob]) -> procrastinate.App:
    """Procrastinate's application with these jobs."""
    connector = procrastinate.PsycopgConnector(
        pool_factory=SchemaPool,
        conninfo=libpq_url(database.url),
        min_size=0,
        max_size=MAX_CONNECTIONS,
        timeout=settings.database.pool_wait_s,
        kwargs={
            "prepare_threshold": None,
            "connect_timeout": settings.database.connect_timeout_s,
            "application_name": "fondaco jobs",
        },
    )
    app = procrastinate.App(connector=connector, periodic_defaults={"max_delay": LATEST_START_S})
    for job in periodic:
        _register(app, job, database)
    app.periodic(cron="*/10 * * * *")(app.task(name="retry_stalled", queue=QUEUE, pass_context=True)(_retry_stalled))
    app.periodic(cron="50 3 * * *")(app.task(name="forget_failed", queue=QUEUE, pass_context=True)(_forget_failed))
    return app


async def count_failed(connection: AsyncConnection) -> int:
    """How many jobs failed for good; they are kept for `FAILED_JOBS_KEPT_HOURS`."""
    return int((await connection.execute(_FAILED)).scalar_one())


def _register(app: procrastinate.App, job: PeriodicJob, database: Database) -> None:
    async def work(timestamp: int) -> None:
        del timestamp  # when it was due; what counts is now
        await job.run(database, now_us())

    retry = procrastinate.RetryStrategy(max_attempts=MAX_ATTEMPTS, exponential_wait=3)
    task = app.task(name=job.name, queue=QUEUE, lock=job.name, queueing_lock=job.name, retry=retry)(work)
    app.periodic(cron=job.cron)(task)


async def _keep_working(database: Database, settings: Settings, periodic: Sequence[PeriodicJob]) -> None:
    """Run a worker; when it loses the database, or the tables are not there yet, wait and start another."""
    app = job_app(database, settings, periodic)
    async with app.open_async():
        while True:
            try:
                await app.run_worker_async(
                    queues=[QUEUE],
                    listen_notify=False,
                    fetch_job_polling_interval=POLL_S,
                    shutdown_graceful_timeout=STOP_S,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                )
            except exceptions.ConnectorException as error:
                _raise_if_cancelled()
                log.warning("jobs.database_away", error=one_line(error.__cause__ or error))
            await asyncio.sleep(RETRY_S)


def _raise_if_cancelled() -> None:
    """Do not lose a cancelling: a worker that is cancelled while the database is away raises the latter's error."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:
    """Start jobs again whose worker died; they would hold their lock for ever."""
    del timestamp
    for job in await context.app.job_manager.get_stalled_jobs():
        log.warning("jobs.stalled", job=job.task_name, id=job.id)
        await context.app.job_manager.retry_job(job)


async def _forget_failed(context: procrastinate.JobContext, timestamp: int) -> None:
    """Delete jobs that failed long ago."""
    del timestamp
    await context.app.job_manager.delete_old_jobs(
        nb_hours=FAILED_JOBS_KEPT_HOURS, include_failed=True, include_aborted=True
    )
