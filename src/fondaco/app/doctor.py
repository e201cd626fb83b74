"""A check-up of the house: reads, changes nothing, starts nothing, and says of each part whether it is well.

*fail* is what must be put right, *warn* what somebody should know. Each check stands on its own; what cannot be looked
at, because a part that it needs is away, is left out, and that part's own line says why.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.app.migrations import known_revisions
from fondaco.engine.archive import Archive
from fondaco.engine.journal import JournalError
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.audit import (
    CHECKS,
    MAX_SHOWN,
    differences,
    faults,
    machine_state,
    tables_state,
    told,
)
from fondaco.engine.projection.checks import Check
from fondaco.engine.projection.projection import read_watermark
from fondaco.engine.replaying import Until, replayed_until
from fondaco.infra.answering import answering_url
from fondaco.infra.bus import open_bus
from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.children import children_of
from fondaco.infra.database import Database, DatabaseMisconfiguredError, DatabaseUnavailableError
from fondaco.infra.errors import UserError
from fondaco.infra.house import Owner, owner_of
from fondaco.infra.jobs import count_failed
from fondaco.infra.outbox import count_dead
from fondaco.infra.postgres.place import Place
from fondaco.infra.settings import Settings
from fondaco.market.condition import Newest, count_quarantined, newest_ticks, open_gaps
from fondaco.market.messages import FEED_KEY
from fondaco.market.partitions import moment

PROCESSES = ("serve", "record", "feed", "jobs", "engine", "follower", "maker")
"""What `fondaco up` keeps running, beside the embedded database."""
LEAST_FREE_BYTES = 512 * 1024 * 1024
"""With less room than this the database may stop at any moment."""
LITTLE_FREE_BYTES = 4 * 1024 * 1024 * 1024
OLDEST_NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Before this there was no Fondaco: a clock that shows it is wrong."""
CLOCKS_APART = timedelta(seconds=2)
"""Our clock and the database's may differ by so much."""
OLDEST_SERVER = 150_000
QUIET = timedelta(minutes=5)
"""A symbol of which nothing came for so long is worth a word."""
RECENT = timedelta(days=1)
BUS_WAIT_S = 3.0
"""A bus that has not answered by then does not."""
AUDIT_MS = 60_000
"""Longest question to the engine's tables."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_SERVER = text("""
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit, clock_timestamp() AS now,
    to_regclass('public.alembic_version') IS NOT NULL AS has_schema
""")
_REVISION = text("SELECT version_num FROM alembic_version")


class Level(StrEnum):
    """How a part is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """What one check came to."""

    level: Level
    part: str
    said: str


def ok(part: str, said: str) -> Finding:
    """It is well."""
    return Finding(Level.OK, part, said)


def warn(part: str, said: str) -> Finding:
    """Somebody should know."""
    return Finding(Level.WARN, part, said)


def fail(part: str, said: str) -> Finding:
    """It must be put right."""
    return Finding(Level.FAIL, part, said)


async def check_up(settings: Settings, clock_us: Callable[[], int]) -> AsyncIterator[Finding]:
    """Every check, as it ends."""
    folder = settings.data_dir
    yield ok("settings", f"read; the data directory is {folder}")
    yield check_folder(folder)
    yield check_disk(folder)
    yield check_clock(moment(clock_us()))
    owner = owner_of(folder)
    yield check_house(settings, owner)
    if owner is not None and owner.address is not None:
        yield check_processes(settings, owner)
        yield await check_bus(settings)
    elif settings.database_url is None:
        yield warn("database", "not looked at: the embedded database runs with the house")
        return
    for found in await check_database(settings, clock_us):
        yield found


def check_folder(folder: Path) -> Finding:
    """Who may look into the house's folder."""
    if not folder.is_dir():
        return warn("folder", f"{folder} is not there: no house has been opened yet")
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail("folder", f"{folder} belongs to another user")
    if _mode(folder) & OTHERS_WRITE:
        return fail("folder", f"other users may write to {folder}: chmod go-w {folder}")
    for secret in _secrets(folder):
        if _mode(secret) & OTHERS:
            return fail("folder", f"other users may look into {secret}: chmod go-rwx {secret}")
    return ok("folder", "only its owner may write to it, and nobody else sees a secret")


def _secrets(folder: Path) -> Iterator[Path]:
    """What nobody else may see: the sockets, the engine's secret, the database's password, its socket and its data."""
    place = Place(folder / "postgres")
    private = (folder / "run", folder / "engine.key", place.password_file, place.socket_dir, place.data)
    yield from (each for each in private if each.exists())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def check_disk(folder: Path) -> Finding:
    """Whether there is room."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    said = f"{free // 1024**2} MiB are free at {existing}"
    if free < LEAST_FREE_BYTES:
        return fail("disk", f"{said}: make room, or the database stops")
    return warn("disk", said) if free < LITTLE_FREE_BYTES else ok("disk", said)


def check_clock(now: datetime) -> Finding:
    """Whether the time can be right."""
    if now < OLDEST_NOW:
        return fail("clock", f"it shows {now:%Y-%m-%d}, which is long ago: set it")
    return ok("clock", f"it shows {now:%Y-%m-%d %H:%M:%S} UTC")


def check_house(settings: Settings, owner: Owner | None) -> Finding:
    """Whether a house runs here."""
    if owner is None:
        return warn("house", f"none is running in {settings.data_dir}: start it with `fondaco up`")
    if owner.address is None:
        return warn("house", f"none is running; `{owner.command}` (process {owner.pid}) is working on its data")
    return ok("house", f"running as process {owner.pid}; its page is {owner.address}")


def check_processes(settings: Settings, owner: Owner) -> Finding:
    """Whether all that the house keeps running runs."""
    lines = children_of(owner.pid)
    names = {line[3] for line in lines if line[1:3] == ["-m", "fondaco"] and len(line) > 3}  # noqa: PLR2004 - its name
    names |= {"database" for line in lines if Path(line[0]).name == "postgres"}
    wanted = (*PROCESSES, *(("database",) if settings.database_url is None else ()))
    missing = [name for name in wanted if name not in names]
    if missing:
        return fail("processes", f"not running now: {', '.join(missing)}; the log of `fondaco up` says why")
    return ok("processes", f"running: {', '.join(wanted)}")


async def check_bus(settings: Settings) -> Finding:
    """Whether the bus answers."""
    try:
        async with asyncio.timeout(BUS_WAIT_S), open_bus(settings, wait_s=0) as bus:
            await bus.get(FEED_KEY)
    except TimeoutError:
        return fail("bus", f"it has not answered within {BUS_WAIT_S:.0f} s: `fondaco up` hangs or is stopped")
    except BusUnavailableError as error:
        return fail("bus", str(error))
    return ok("bus", "it answers")


async def check_database(settings: Settings, clock_us: Callable[[], int]) -> list[Finding]:
    """The server, the schema, and what the tables say about the house's work."""
    try:
        url = await answering_url(settings, wait_s=0)
        database = Database(url, settings.database, application="doctor")
        try:
            async with database.transaction() as connection:
                findings = await _look_into(connection, clock_us)
            if all(each.part != "schema" or each.level is Level.OK for each in findings):
                findings += [await _audit(database, check) for check in CHECKS]
                findings.append(await _compare(database, Archive(settings.journal_dir)))
        finally:
            await database.dispose()
    except (DatabaseUnavailableError, DatabaseMisconfiguredError, UserError) as error:
        return [fail("database", str(error))]
    return findings


async def _look_into(connection: AsyncConnection, clock_us: Callable[[], int]) -> list[Finding]:
    server = (await connection.execute(_SERVER)).one()
    now = moment(clock_us())
    found = [check_server(server.version, server.number), check_durability(server), check_clocks(now, server.now)]
    schema = check_schema((await connection.execute(_REVISION)).scalar() if server.has_schema else None)
    if schema.level is not Level.OK:
        return [*found, schema]  # tables that are not as the code knows them cannot be asked
    gaps = await open_gaps(connection)
    quarantined = await count_quarantined(connection, now - RECENT)
    return [
        *found,
        schema,
        *check_feeds(await newest_ticks(connection), now),
        count("gaps", gaps.gaps, f"{gaps.trades} trades are known to be missing: GET /api/v1/gaps lists them"),
        count("quarantine", quarantined, "messages of the feed refused in the last day: the table quarantine says why"),
        count("outbox", await count_dead(connection), "messages given up: the table outbox has their last errors"),
        count("jobs", await count_failed(connection), "jobs failed for good: the log of the jobs process says why"),
    ]


async def _audit(database: Database, check: Check) -> Finding:
    """Ask one question to the engine's tables. They may be large: one that takes too long is no fault of theirs."""
    try:
        async with database.driver_transaction() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = {AUDIT_MS}".encode())
            found = await faults(connection, check)
    except DatabaseUnavailableError as error:
        return warn(check.part, f"not looked at: {error}")
    return fail(check.part, found) if found else ok(check.part, check.well)


async def _compare(database: Database, archive: Archive) -> Finding:
    """Hold the tables against a machine that has done the same commands."""
    try:
        async with database.driver_transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await connection.execute(f"SET LOCAL statement_timeout = {AUDIT_MS}".encode())
            watermark, tables = await read_watermark(connection), await tables_state(connection)
        machine = await replayed_until(PostgresStore(database, archive=archive), Until(seq=watermark.seq))
    except DatabaseUnavailableError as error:
        return warn("memory", f"not compared: {error}")
    except JournalError as error:
        return fail("memory", str(error))
    found = differences(tables, machine_state(machine))
    if found:
        return fail("memory", told(found[:MAX_SHOWN], len(found)))
    return ok("memory", f"what stands after command {watermark.seq} is what the journal comes to")


def check_server(version: str, number: int) -> Finding:
    """Whether it is one that we know."""
    if number < OLDEST_SERVER:
        return fail("database", f"PostgreSQL {version} is too old: 15 is the oldest that Fondaco runs on")
    return ok("database", f"PostgreSQL {version} answers")


def check_durability(server: Row[Any]) -> Finding:
    """Whether what was committed survives a power cut."""
    settings = {name: getattr(server, name) for name in ("fsync", "full_page_writes", "synchronous_commit")}
    off = [name for name, value in settings.items() if value == "off"]
    if off:
        return fail("durability", f"{', '.join(off)} is off: what was committed may be lost; switch it on")
    return ok("durability", ", ".join(f"{name} {value}" for name, value in settings.items()))


def check_clocks(now: datetime, database_now: datetime) -> Finding:
    """Whether we and the database live at the same time."""
    apart = abs(now - database_now)
    if apart > CLOCKS_APART:
        return warn(
            "clocks", f"ours and the database's are {apart.total_seconds():.1f} s apart: let both be set by NTP"
        )
    return ok("clocks", "ours and the database's agree")


def check_schema(revision: str | None) -> Finding:
    """Whether the tables are those that the code knows."""
    known = known_revisions()
    if revision is None:
        return fail("schema", "there are no tables yet: `fondaco db migrate` makes them, as `fondaco up` does")
    if revision not in known:
        return fail("schema", f"{revision} is of a newer Fondaco than this one, which knows those up to {known[0]}")
    if revision != known[0]:
        return fail("schema", f"{revision} is older than {known[0]}: run `fondaco db migrate`")
    return ok("schema", f"{revision}, the newest")


def check_feeds(newest: Sequence[Newest], now: datetime) -> list[Finding]:
    """How long ago something was last received."""
    if not newest:
        return [warn("feed", "nothing was ever received")]
    return [_check_symbol(each, now) for each in newest]


def _check_symbol(newest: Newest, now: datetime) -> Finding:
    if newest.received_at is None:
        return warn("feed", f"{newest.symbol}: no trade is stored")
    age = now - newest.received_at
    said = f"{newest.symbol}: the newest trade was received {int(age.total_seconds())} s ago"
    return warn("feed", said) if age > QUIET else ok("feed", said)


def count(part: str, number: int, said: str) -> Finding:
    """A number that should be nought."""
    return warn(part, f"{number}: {said}") if number else ok(part, "none")
