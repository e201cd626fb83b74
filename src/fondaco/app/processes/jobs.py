"""The process that works through jobs: periodic work, and what waits in the outbox."""

from typing import Annotated, Final

from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import house_parts, run, settle, until_stopped
from fondaco.domains.desk.nights import night_jobs
from fondaco.engine.commanding import command_handlers
from fondaco.engine.projection import notices
from fondaco.infra.jobs import run_jobs
from fondaco.infra.settings import Settings
from fondaco.market.jobs import market_handlers, market_jobs

UNCLAIMED: Final = frozenset({notices.TOPIC})
"""Topics of the outbox whose taker comes with a later version."""


def jobs(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> None:
    """Work."""
    run(_jobs(begin("jobs"), supervised=supervised))


async def _jobs(settings: Settings, *, supervised: bool) -> None:
    async with (
        house_parts(settings, "jobs", supervised=supervised) as (database, bus),
        remote_engine(settings, database) as engine,
    ):
        settle()
        handlers = {**market_handlers(bus), **command_handlers(engine)}
        periodic = [*market_jobs(settings.market), *night_jobs(engine)]
        await until_stopped(run_jobs(settings, database, periodic=periodic, handlers=handlers, unclaimed=UNCLAIMED))
