"""Who is seeded: always the same people under the same ids, so that seeding again finds them."""

from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from fondaco.domains.identity.tables import UserRole


class Part(StrEnum):
    """What is to be seeded."""

    ALL = "all"
    ADMIN = "admin"
    MM = "mm"


class Person(NamedTuple):
    """Somebody of the demo house."""

    id: UUID
    email: str
    role: UserRole

    @property
    def user_id(self) -> str:
        """What the engine knows them by."""
        return str(self.id)


ADMIN: Final = Person(UUID("01937000-0000-7000-8000-00000000000a"), "admin@example.com", UserRole.ADMIN)
MAKER: Final = Person(UUID("01937000-0000-7000-8000-00000000000b"), "maker@example.com", UserRole.MARKET_MAKER)
ALICE: Final = Person(UUID("01937000-0000-7000-8000-00000000000c"), "alice@example.com", UserRole.USER)
BOB: Final = Person(UUID("01937000-0000-7000-8000-00000000000d"), "bob@example.com", UserRole.USER)

PEOPLE: Final = {
    Part.ALL: (ADMIN, MAKER, ALICE, BOB),
    Part.ADMIN: (ADMIN,),
    Part.MM: (MAKER,),
}
