"""The house's data for scripts of your own: ``from fondaco.data import house``, and ask (EXD-1).

`house` is the process's one session, ready without being made or opened: it finds the database that DATABASE_URL names,
else the running house's own, at its first use. Importing this does nothing else. docs/data-layer.md shows how to ask.
"""

from fondaco.data.blocking import run
from fondaco.data.cache import CachePolicy
from fondaco.data.results import UncacheableError
from fondaco.data.session import HouseSession, OtherLoopError
from fondaco.infra.columns import WrongWordError
from fondaco.infra.database import DatabaseUnavailableError
from fondaco.infra.errors import UserError

__all__ = [
    "CachePolicy",
    "DatabaseUnavailableError",
    "HouseSession",
    "OtherLoopError",
    "UncacheableError",
    "UserError",
    "WrongWordError",
    "house",
    "run",
]

house: HouseSession = globals().get("house") or HouseSession()
"""The process's one session. globals() survives importlib.reload, so that a reload reuses it (EXD-2)."""
