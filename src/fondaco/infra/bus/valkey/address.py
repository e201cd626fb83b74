"""Where a Valkey or Redis server is. Shown to people it has neither user nor password, and neither has any error."""

from typing import Any
from urllib.parse import urlsplit

from valkey.asyncio.connection import AbstractConnection, Connection, parse_url
from valkey.exceptions import ValkeyError

from fondaco.infra.errors import UserError

SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
CONNECT_WAIT_S = 3.0
"""How long one try to connect may take."""


class BadAddressError(UserError):
    """The text is no address of a server. It is not repeated: it may hold a password."""


class Address:
    """The address of one server; ``str`` is what may be shown."""

    def __init__(self, url: str) -> None:
        scheme = urlsplit(url).scheme
        if scheme not in SCHEMES:
            raise BadAddressError(f"FONDACO_BUS__URL must begin with {', '.join(f'{each}://' for each in SCHEMES)}.")
        try:
            self._arguments: dict[str, Any] = dict(parse_url(url))
            self._kind: type[AbstractConnection] = self._arguments.pop("connection_class", Connection)
            self.connection("trial")  # refuses what it does not know
        except (ValueError, TypeError, ValkeyError) as error:
            raise BadAddressError("FONDACO_BUS__URL cannot be read: docs/operations.md shows how it looks.") from error
        self._shown = _shown(scheme, self._arguments)

    def __str__(self) -> str:
        return self._shown

    def connection(self, client_name: str) -> AbstractConnection:
        """A connection that has yet to be opened. It waits for replies as long as they take; its user bounds that."""
        return self._kind(
            **self._arguments,
            client_name=client_name,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_WAIT_S,
            protocol=2,
        )


def _shown(scheme: str, arguments: dict[str, Any]) -> str:
    if "path" in arguments:
        return str(arguments["path"])
    return f"{scheme}://{arguments.get('host', 'localhost')}:{arguments.get('port', 6379)}/{arguments.get('db', 0)}"
