"""The Host check: the house answers to its own names only.

A web page of a stranger can make a browser resolve the stranger's name to 127.0.0.1 and talk to the house (DNS
rebinding); the browser then still sends the stranger's name as Host, and for WebSockets as Origin. Ports do not matter
here.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fondaco.gateways.asgi import Scope
from fondaco.gateways.rest.problems import ProblemError


class HostCheck:
    """Knows the host names that are answered."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)

    def refusal(self, scope: Scope) -> ProblemError | None:
        """Why a request is not answered, or None when it is."""
        hosts = _headers(scope, b"host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._allowed:
            return ProblemError("host_not_allowed", "This house does not answer to the host name of the request.")
        if scope["type"] == "websocket" and any(_origin_name(each) not in self._allowed for each in _origins(scope)):
            return ProblemError("origin_not_allowed", "This house does not open streams for pages of that origin.")
        return None


def host_name(header: str) -> str:
    """The name in a Host header: lower case, without port and final dot, IPv6 in its brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[: text.find("]") + 1]
    return text.partition(":")[0].removesuffix(".")


def _origins(scope: Scope) -> list[str]:
    """Browsers always send one; other clients need not."""
    return _headers(scope, b"origin")


def _origin_name(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets without an address between them
        return ""
    return host_name(parts.netloc) if parts.scheme in {"http", "https"} else ""


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
