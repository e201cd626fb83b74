"""The process that makes the market of the demo world."""

from typing import Annotated

from cyclopts import Parameter
from sqlalchemy import select

from fondaco.app.configuration import begin
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import catalogue_of, house_parts, run, until_stopped
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.domains.maker.api import Maker
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings


def maker(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> None:
    """Make the market."""
    run(_maker(begin("maker"), supervised=supervised))


async def _maker(settings: Settings, *, supervised: bool) -> None:
    async with (
        house_parts(settings, "maker", supervised=supervised) as (database, bus),
        remote_engine(settings, database) as engine,
    ):
        catalogue = catalogue_of(settings)
        maker = Maker(engine, database, bus, catalogue, settings.maker, lambda: market_makers(database))
        try:
            await until_stopped(maker.run())
        finally:
            await maker.withdraw()


async def market_makers(database: Database) -> list[str]:
    """Users who may make the market, the first one first. Raises `DatabaseUnavailableError`."""
    makers = select(UserRow.id).where(UserRow.role == UserRole.MARKET_MAKER, UserRow.status == UserState.ACTIVE)
    async with database.transaction() as connection:
        found = await connection.execute(makers.order_by(UserRow.created_at, UserRow.id))
        return [str(id_) for id_ in found.scalars()]
