"""The users of the house: who they are, and how they come in.

A user is a row here and, under the same id, somebody who may own accounts in the engine. Both come of one transaction:
the row, and the commands that let the user in (`fondaco.engine.commanding`), which the engine does a moment later. Ids
and addresses are unique, and of two who want the same one at once, one is refused by name.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.commands import AdmitUser, Deposit, OpenAccount
from fondaco.core.money import AmountProblem, parse_atoms
from fondaco.core.vocabulary import World
from fondaco.domains.identity.actors import OPERATORS, Actor
from fondaco.domains.identity.people import MAX_WHO, is_who
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.commanding import OPENED, Step, enqueue_commands
from fondaco.engine.projection.tables import AssetRow
from fondaco.infra.ids import new_id

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")


class UserRefusal(StrEnum):
    """Why a user was not let in."""

    USER_EXISTS = "user_exists"
    BAD_EMAIL = "bad_email"
    UNKNOWN_ASSET = "unknown_asset"


class User(NamedTuple):
    """A user as the house knows one."""

    id: UUID
    email: str
    role: UserRole
    status: UserState
    created_at: datetime


class NewUser(NamedTuple):
    """Who shall be let in (EXD-10). The balance is decimal text and real money: it is put into a trading account."""

    email: str
    currency: str
    id: UUID | None = None
    role: UserRole = UserRole.USER
    balance: str = "0"


_COLUMNS: Final = (UserRow.id, UserRow.email, UserRow.role, UserRow.status, UserRow.created_at)


async def create_user(connection: AsyncConnection, new: NewUser) -> User | UserRefusal | AmountProblem:
    """Let a user in, with a trading account and what it begins with (EXD-10, 15). The engine follows in a moment."""
    email = new.email.strip().lower()
    if not is_email(email):
        return UserRefusal.BAD_EMAIL
    scale = (await connection.execute(select(AssetRow.scale).where(AssetRow.code == new.currency))).scalar()
    if scale is None:
        return UserRefusal.UNKNOWN_ASSET
    balance = parse_atoms(new.balance, scale)
    if isinstance(balance, AmountProblem):
        return balance
    if balance < 0:
        return AmountProblem.NOT_POSITIVE
    user = await add_user(connection, new.id or new_id(), email, new.role)
    if isinstance(user, User):
        await enqueue_commands(connection, str(user.id), admission(user.id, new.currency, balance))
    return user


async def add_user(connection: AsyncConnection, id_: UUID, email: str, role: UserRole) -> User | UserRefusal:
    """Write the row of an active user."""
    row = {"id": id_, "email": email, "role": role, "status": UserState.ACTIVE}
    # Without a target, either key that is taken counts; and the transaction goes on.
    added = await connection.execute(insert(UserRow).values(row).on_conflict_do_nothing().returning(*_COLUMNS))
    found = added.one_or_none()
    return UserRefusal.USER_EXISTS if found is None else User(*found)


def admission(user_id: UUID, currency: str, balance: int) -> list[Step]:
    """The commands that let a user in, open a trading account and put this many atoms into it."""
    steps = [
        Step(f"admit-{user_id}", AdmitUser(str(user_id))),
        Step(f"open-{user_id}", OpenAccount(str(user_id), World.TRADING, currency)),
    ]
    if balance:
        steps.append(Step(f"fund-{user_id}", Deposit(OPENED, currency, balance)))
    return steps


async def find_user(connection: AsyncConnection, who: str) -> User | None:
    """The user of this id or e-mail address (EXD-11)."""
    condition = is_who(who)
    if condition is None:
        return None
    found = (await connection.execute(select(*_COLUMNS).where(condition))).one_or_none()
    return None if found is None else User(*found)


def may_appoint(actor: Actor, role: UserRole) -> bool:
    """Whether the actor may let somebody in with this role: operators do, and operators are a superadmin's to make."""
    return actor.is_operator and (role not in OPERATORS or actor.role is UserRole.SUPERADMIN)


def is_email(text: str) -> bool:
    """Whether a text may be an address. Only a letter that arrives says that it is one."""
    return len(text) <= MAX_WHO and text.isprintable() and _EMAIL.fullmatch(text) is not None
