"""What other domains and the gateways may know of identity."""

from fondaco.domains.identity.actors import OPERATORS, Actor
from fondaco.domains.identity.people import Person, find_person, set_state
from fondaco.domains.identity.tables import UserRole, UserState

__all__ = ["OPERATORS", "Actor", "Person", "UserRole", "UserState", "find_person", "set_state"]
