"""Nights: every position pays, or is paid, for each day that it was open over, once.

The engine does it, and does it once: `Rollover` is refused for any day but the next. So what stands here need not be
clever: a job looks every minute whether a day has ended that was not paid for, and submits the days that are missing,
one after the other. That covers midnight, a start after days of silence, and an engine that was away. Running twice at
the same time submits the same ids, of which the engine does one.

A refusal is remembered under its id too. Should one have been refused too early, by clocks that differ, another id is
used, made of the moment; it can do no harm, since a day that was paid for is refused.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from fondaco.core.commands import HOUSE, Rollover
from fondaco.core.replies import Answer, NightPaid, Refused
from fondaco.core.vocabulary import World
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.jobs import PeriodicJob

log = structlog.get_logger()

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400_000_000
SETTLED_US: Final = 2_000_000
"""A day counts as ended so long after midnight: the engine's clock may be a little behind ours."""
VALID_NS: Final = 30_000_000_000
ANSWER_S: Final = 35.0
_DUE: Final = """
SELECT r.world, coalesce(max(n.day) + 1, (r.created_at AT TIME ZONE 'UTC')::date) - date '1970-01-01' AS day
FROM desk_rules r LEFT JOIN desk_rollovers n USING (world) GROUP BY r.world, r.created_at ORDER BY r.world
"""


class Night(NamedTuple):
    """The night after a day, counted from 1970, in a world."""

    world: World
    day: int


def night_jobs(engine: Engine) -> list[PeriodicJob]:
    """The periodic work of the desk."""

    async def pay(database: Database, _now_us: int) -> None:
        await pay_nights(engine, database)

    return [PeriodicJob("pay_nights", "* * * * *", pay)]


async def pay_nights(engine: Engine, database: Database, clock_us: Callable[[], int] = now_us) -> int:
    """Have every night paid that is due; returns how many were. What cannot be done now is done the next time.

    Args:
        engine: whose positions these are.
        database: where its tables are.
        clock_us: the wall clock.

    Raises:
        DatabaseUnavailableError: what was paid is not known.
    """
    paid = 0
    for first in await next_nights(database):
        for day in range(first.day, ended_days(clock_us())):
            try:
                is_paid = await _pay(engine, Night(first.world, day), clock_us)
            except (OverloadedError, OutcomeUnknownError, TimeoutError) as error:
                log.info("nights.wait_for_engine", world=first.world, day=day, why=str(error) or "no answer came")
                return paid
            if not is_paid:
                break
            paid += 1
    return paid


def ended_days(now_us: int) -> int:
    """The first day, counted from 1970 in UTC, that has not ended."""
    return (now_us - SETTLED_US) // DAY_US


async def next_nights(database: Database) -> list[Night]:
    """The next night of each world in which the desk has rules, due or not: as far as the tables are."""
    async with database.driver_transaction() as connection:
        rows = await (await connection.execute(_DUE)).fetchall()
    return [Night(World(world), day) for world, day in rows]


async def _pay(engine: Engine, night: Night, clock_us: Callable[[], int]) -> bool:
    """Have a night paid; returns whether it is."""
    command_id = f"rollover-{night.world}-{night.day}"
    answer = await _submit(engine, night, command_id, clock_us())
    if isinstance(answer.reply, Refused) and answer.is_duplicate:
        answer = await _submit(engine, night, f"{command_id}-{clock_us() // SECOND_US}", clock_us())
    if isinstance(answer.reply, Refused):
        log.warning("nights.refused", world=night.world, day=night.day, code=answer.reply.code.value)
        return False
    assert isinstance(answer.reply, NightPaid), "that is what a night is answered with"
    if not answer.is_duplicate:
        log.info("nights.paid", world=night.world, day=night.day, positions=answer.reply.count)
    return True


async def _submit(engine: Engine, night: Night, command_id: str, now_us: int) -> Answer:
    not_after_ns = now_us * 1_000 + VALID_NS
    async with asyncio.timeout(ANSWER_S):
        command = Rollover(night.world, night.day)
        return await engine.submit(HOUSE, command, command_id=command_id, not_after_ns=not_after_ns)
