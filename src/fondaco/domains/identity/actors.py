"""Who acts: what every service of the house is told about whoever asks."""

from typing import Final

import msgspec

from fondaco.domains.identity.tables import UserRole

OPERATORS: Final = frozenset({UserRole.ADMIN, UserRole.SUPERADMIN})
"""Roles that may act for the house."""


class Actor(msgspec.Struct, frozen=True, gc=False):
    """A user who was let in."""

    user_id: str
    role: UserRole

    @property
    def is_operator(self) -> bool:
        """Whether the user may act for the house."""
        return self.role in OPERATORS
