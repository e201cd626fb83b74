"""Who is known: looking a user up by id or address, and changing whether it is let in."""

from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.domains.identity.actors import Actor
from fondaco.domains.identity.tables import UserRole, UserRow, UserState

MAX_WHO: Final = 254
"""The longest address that mail knows."""


class Person(msgspec.Struct, frozen=True, gc=False):
    """A user as other domains may know it."""

    user_id: str
    role: UserRole
    state: UserState

    @property
    def actor(self) -> Actor:
        """The user as one who acts."""
        return Actor(self.user_id, self.role)


async def find_person(connection: AsyncConnection, who: str) -> Person | None:
    """Find a user by id or by e-mail address, in whatever case it is written."""
    condition = _is(who)
    if condition is None:
        return None
    row = (await connection.execute(select(UserRow.id, UserRow.role, UserRow.status).where(condition))).one_or_none()
    return None if row is None else Person(str(row.id), row.role, row.status)


async def set_state(connection: AsyncConnection, user_id: str, state: UserState) -> None:
    """Let a user in, or no longer."""
    await connection.execute(update(UserRow).where(UserRow.id == UUID(user_id)).values(status=state))


def _is(who: str) -> ColumnElement[bool] | None:
    """The condition that finds a user; None when the text can be nobody's id or address."""
    if len(who) > MAX_WHO or not who.isprintable():
        return None
    if "@" in who:
        return UserRow.email == who.lower()
    try:
        return UserRow.id == UUID(who)
    except ValueError:
        return None
