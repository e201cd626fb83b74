"""The way from any process of the house to the engine that leads, and the secret by which they know each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fondaco.engine.remote import RemoteEngine
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.house import make_house
from fondaco.infra.secret_file import BadSecretError, shared_secret
from fondaco.infra.settings import Settings


def engine_secret(settings: Settings) -> bytes:
    """What the processes of this house prove to each other that they know. Raises `UserError`."""
    if settings.engine.secret is not None:
        return settings.engine.secret.get_secret_value().encode()
    make_house(settings.data_dir)
    try:
        return shared_secret(settings.engine_key)
    except (BadSecretError, OSError) as error:
        raise UserError(f"The secret of the house cannot be read. {error}") from error


@asynccontextmanager
async def remote_engine(settings: Settings, database: Database) -> AsyncIterator[RemoteEngine]:
    """The engine of the house, for as long as the block runs. It may be away at any time, and come back."""
    engine = RemoteEngine(database, engine_secret(settings))
    async with engine.running():
        yield engine
