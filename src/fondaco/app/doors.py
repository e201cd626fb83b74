"""The door that the house opens to its clients, and whom it must not be open to."""

import socket

from fondaco.infra.errors import UserError
from fondaco.infra.listening import is_loopback, listen
from fondaco.infra.settings import ServeSettings


def open_door(settings: ServeSettings) -> socket.socket:
    """Open the socket that is served on. Raises `UserError` when that is not possible, or must not be."""
    keep_strangers_out(settings, settings.host)
    return listen(settings.host, settings.port)


def keep_strangers_out(settings: ServeSettings, host: str) -> None:
    """With development tokens anybody is whoever they say, so only this machine may reach the house.

    Args:
        settings: of the server.
        host: the address that is served on.

    Raises:
        UserError: others would reach it.
    """
    if settings.development_tokens and not is_loopback(host):
        raise UserError(
            f"With serve.development_tokens on, anybody who reaches the house may act as any user, so it serves "
            f"loopback only, not {host}: leave --host out, or set FONDACO_SERVE__DEVELOPMENT_TOKENS=false."
        )
