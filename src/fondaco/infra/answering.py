"""The address of a database that answers, for whoever comes to a house that should be running already."""

from fondaco.infra.database import DatabaseUnavailableError
from fondaco.infra.database_check import check_database
from fondaco.infra.errors import UserError
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import Settings


async def answering_url(settings: Settings, *, wait_s: float) -> str:
    """The address that DATABASE_URL gives, else that of the house's embedded database. Starts nothing.

    Args:
        settings: of the house.
        wait_s: how long to wait for a house that is just starting; what DATABASE_URL names is tried once.

    Raises:
        DatabaseMisconfiguredError: DATABASE_URL can never work.
        DatabaseRefusedError: nobody answers at DATABASE_URL, or not as wanted.
        UserError: there is none of ours.
    """
    if settings.database_url is not None:
        await check_database(settings.database_url, settings.database)
        return settings.database_url
    url = EmbeddedPostgres(settings.data_dir).url
    try:
        await check_database(url, settings.database, wait_s=wait_s)
    except DatabaseUnavailableError as error:
        raise UserError(
            f"No house is running in {settings.data_dir}: start one with `fondaco up`, or set DATABASE_URL."
        ) from error
    return url
