"""The socket that the page is served on, opened before the server exists.

The supervisor opens it and hands it down: its address is known at once, a port that is taken is found out at once, and
while the server starts, or starts again, clients wait in the socket's queue instead of being turned away.
"""

import errno
import os
import socket
from ipaddress import ip_address

from fondaco.infra.errors import UserError

BACKLOG = 1_024
"""Connections that may wait to be accepted."""
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked for, not bound to
"""Addresses that mean every address, and where a browser on this machine finds them."""

REASONS = {
    errno.EADDRINUSE: "is taken by another program: choose another port with --port, or --port 0 for any that is free",
    errno.EACCES: "may only be opened by root: choose a port from 1024 up with --port",
    errno.EADDRNOTAVAIL: "is not an address of this machine: choose another with --host",
}


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket. Raises `UserError` when that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        if number < 0:  # a resolver's error, which shares the class but not the numbers
            raise UserError(f"There is no address {host}: choose another with --host.") from error
        reason = REASONS.get(number, f"cannot be opened ({os.strerror(number)})")
        raise UserError(f"{_url_host(host)}:{port} {reason}.") from error


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone. Of names only ``localhost`` is known to be."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def page_address(listener: socket.socket) -> str:
    """Where a browser on this machine finds what is served on the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{_url_host(WILDCARDS.get(host, host))}:{port}"


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
