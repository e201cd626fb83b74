"""May this server be trusted with market data? It may if it answers only once its disk has what it was given.

A feed hands a trade over and forgets it. So an entry that the server has taken must be there after a crash of the
server and of its machine: an append-only file, synced before each answer, and no eviction when memory runs out.
"""

import re
from collections.abc import Mapping

import structlog
from valkey.exceptions import ResponseError

from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.line import Wire
from fondaco.infra.errors import UserError

log = structlog.get_logger()

WANTED: Mapping[str, str] = {"appendonly": "yes", "appendfsync": "always"}
FIRST_MAJOR = 7
"""Redis 7.0 and Valkey 7.2 are the first whose scripts and streams do all that the bus needs."""
FORGETS = "allkeys-"
"""How the names of the policies begin that throw keys away which were never said to be temporary."""


class NotDurableError(BusUnavailableError, UserError):
    """The server works, but would lose what it has taken. Trying again does not help."""


async def check_durability(wire: Wire, address: Address, *, accept_loss: bool) -> None:
    """See that the server keeps what it takes.

    Raises:
        NotDurableError: it does not, or is too old.
        BusUnavailableError: it does not answer.
    """
    version = await _version(wire)
    if version is not None and version < FIRST_MAJOR:
        raise NotDurableError(f"The server at {address} is too old: the bus needs Valkey 7.2 or Redis 7.0 at least.")
    if accept_loss:
        return
    found = await _configuration(wire, address)
    if found is None:
        return
    wrong = [f"{name} is {found.get(name)!r}" for name, wanted in WANTED.items() if found.get(name) != wanted]
    if found.get("maxmemory", "0") != "0" and found.get("maxmemory-policy", "").startswith(FORGETS):
        wrong.append(f"maxmemory-policy is {found['maxmemory-policy']!r}")
    if wrong:
        raise NotDurableError(
            f"The server at {address} would lose trades in a crash ({', '.join(wrong)}): set appendonly to yes, "
            "appendfsync to always and maxmemory-policy to noeviction there, or accept the loss with "
            "FONDACO_BUS__ACCEPT_LOSS=true."
        )


async def _version(wire: Wire) -> int | None:
    """The major version, in Redis's count, which Valkey keeps giving; None where it may not be asked."""
    told = await _told(wire, "INFO", "server")
    found = re.search(rb"redis_version:(\d+)", told) if isinstance(told, bytes) else None
    return None if found is None else int(found[1])


async def _configuration(wire: Wire, address: Address) -> Mapping[str, str] | None:
    told = await _told(wire, "CONFIG", "GET", *WANTED, "maxmemory", "maxmemory-policy")
    if not isinstance(told, list):
        log.warning("bus.durability_unknown", address=str(address), help="CONFIG may not be used there")
        return None
    words = [each.decode() for each in told]
    return dict(zip(words[::2], words[1::2], strict=True))


async def _told(wire: Wire, *words: str) -> bytes | list[bytes] | None:
    """The answer, or None when the server forbids the question."""
    try:
        told: bytes | list[bytes] = await wire.call(*words)
    except BusUnavailableError as error:
        if isinstance(error.__cause__, ResponseError):
            return None
        raise
    return told
