"""Users for tests: known to the house, with accounts and money in an exchange of a test's own."""

from collections.abc import Sequence
from uuid import UUID

from fondaco.domains.identity.actors import Actor
from fondaco.domains.identity.tables import UserRole
from fondaco.domains.identity.users import add_user
from fondaco.engine.journal import Committed
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.database import Database

OPERATOR = Actor(str(UUID(int=1)), UserRole.ADMIN)
ALICE = Actor(str(UUID(int=0xA)), UserRole.USER)
BOB = Actor(str(UUID(int=0xB)), UserRole.USER)
CAROL = Actor(str(UUID(int=0xC)), UserRole.USER)
NAMES = {OPERATOR: "operator", ALICE: "alice", BOB: "bob", CAROL: "carol"}


async def settle_in(database: Database) -> None:
    """Write the rows of these users."""
    async with database.transaction() as connection:
        for actor, name in NAMES.items():
            await add_user(connection, UUID(actor.user_id), f"{name}@example.com", actor.role)


async def project_live(database: Database, batches: Sequence[Committed]) -> None:
    """Write batches into the tables that readers see."""
    await (await open_projection(database)).write(batches)
