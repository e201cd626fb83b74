"""Which database a command works on: that of DATABASE_URL, the running house's, or the embedded one, started for it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fondaco.infra.database import DatabaseMisconfiguredError, DatabaseUnavailableError
from fondaco.infra.database_check import DatabaseRefusedError, check_database
from fondaco.infra.errors import UserError
from fondaco.infra.house import HouseRunningError, house_lock
from fondaco.infra.postgres import EmbeddedPostgres, running_postgres
from fondaco.infra.settings import Settings

STARTING_WAIT_S = 30.0
"""How long a command waits for the database of a house that is just starting."""


@asynccontextmanager
async def house_database(settings: Settings, *, command: str, wait_s: float = 0.0) -> AsyncIterator[str]:
    """The address of a database that answers, for as long as the block runs.

    Args:
        settings: of the house.
        command: what works on it, for the sentence that others get meanwhile.
        wait_s: how long to wait for the database that DATABASE_URL names.

    Raises:
        UserError: there is none, in one sentence.
    """
    async with AsyncExitStack() as stack:
        with said_to_the_user():
            url = settings.database_url
            if url is None:
                url = await _embedded(settings, command, stack)
            else:
                await check_database(url, settings.database, wait_s=wait_s)
        yield url


@asynccontextmanager
async def idle_database(settings: Settings, *, command: str) -> AsyncIterator[str]:
    """The address of a database that no house of this data directory works on, nor will for as long as the block runs.

    Args:
        settings: of the house.
        command: what works on it, for the sentence that others get meanwhile.

    Raises:
        UserError: a house works on it, or there is none, in one sentence.
    """
    async with AsyncExitStack() as stack:
        try:
            if settings.database_url is None:
                url = await stack.enter_async_context(running_postgres(settings.data_dir, command=command))
            else:
                url = settings.database_url
                stack.enter_context(house_lock(settings.data_dir, command=command))
        except HouseRunningError as error:
            raise UserError(f"{error} `{command}` needs the house stopped.") from error
        if settings.database_url is not None:
            with said_to_the_user():
                await check_database(url, settings.database)
        yield url


async def _embedded(settings: Settings, command: str, stack: AsyncExitStack) -> str:
    try:
        return await stack.enter_async_context(running_postgres(settings.data_dir, command=command))
    except HouseRunningError as error:
        if error.owner is None or error.owner.address is None:
            raise  # not a house but a command, whose server ends with it
    url = EmbeddedPostgres(settings.data_dir).url
    await check_database(url, settings.database, wait_s=STARTING_WAIT_S)
    return url


@contextmanager
def said_to_the_user() -> Iterator[None]:
    """Turn what is wrong with the database into the user's error, in one sentence."""
    try:
        yield
    except (DatabaseMisconfiguredError, DatabaseRefusedError) as error:
        raise UserError(str(error)) from error
    except DatabaseUnavailableError as error:
        raise UserError(f"The database gave up: {error}.") from error
