"""The tables of identity.

A user's id is what the engine knows it by; what else is known about a person never leaves this domain.
"""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.infra.columns import WordOf
from fondaco.infra.database import Base, Timestamps


class UserRole(StrEnum):
    """What a user may do in the house (BHC-20, BBX-11)."""

    USER = "user"
    MARKET_MAKER = "market_maker"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class UserState(StrEnum):
    """Whether a user is let in (BHC-20, BBX-11). The engine knows only whether it may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    BANNED = "banned"
    DISABLED = "disabled"


class UserRow(Timestamps, Base):
    """People and programs who may sign in. An address is kept in lower case, so that it is one user's alone."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'market_maker', 'admin', 'superadmin')", name="role"),
        CheckConstraint("status IN ('active', 'suspended', 'banned', 'disabled')", name="status"),
        CheckConstraint("email = lower(email)", name="email"),
        UniqueConstraint("email"),
        {"info": {"owner": "identity"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    role: Mapped[UserRole] = mapped_column(WordOf(UserRole))
    status: Mapped[UserState] = mapped_column(WordOf(UserState))
