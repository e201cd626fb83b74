"""Who asks: the one place that turns a request into an actor. Everything behind it only knows `Actor`.

Until people can sign in, a *development token* names a user and proves nothing: ``Authorization: Bearer dev:WHO``,
where WHO is a user's id or e-mail address. It works only where `serve.development_tokens` is on, and a house that has
it on serves nothing but loopback.

The way of an order cannot ask the database each time, so whoever was let in is known for `KNOWN_S`: what changes about
a user (suspended, another role) is noticed after so long at the latest, and at once by the process that changed it.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from fondaco.domains.identity.api import Actor, Person, UserState, find_person
from fondaco.gateways.asgi import Headers
from fondaco.gateways.rest.problems import ProblemError
from fondaco.infra.database import Database

KNOWN_S: Final = 3.0
"""How long a user that was let in is not asked about again."""
MOST_KNOWN: Final = 10_000
"""Tokens that are remembered; the oldest gives way."""
SCHEME: Final = "bearer"
PREFIX: Final = "dev:"
CHALLENGE: Final = {"www-authenticate": 'Bearer realm="fondaco"'}


class Known(NamedTuple):
    """Who a token stood for, and until when that is believed."""

    actor: Actor
    until_s: float


class Actors:
    """Knows who is behind a request.

    Args:
        database: where users are looked up.
        development_tokens: whether development tokens are let in.
        clock_s: a clock that never goes back.
    """

    def __init__(
        self, database: Database, *, development_tokens: bool, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._development_tokens = development_tokens
        self._clock_s = clock_s
        self._known: dict[bytes, Known] = {}

    async def of(self, headers: Headers) -> Actor:
        """Who sent a request with these headers. Raises `ProblemError` for nobody, and for who is not let in."""
        header = next((value for name, value in headers if name == b"authorization"), b"")
        known = self._known.get(header)
        if known is not None and self._clock_s() < known.until_s:
            return known.actor
        return await self._ask(header)

    async def behind(self, token: str) -> Actor:
        """Who a token stands for that came otherwise than in a header. Raises as `of` does."""
        return await self.of([(b"authorization", b"Bearer " + token.encode())])

    async def person(self, who: str) -> Person | None:
        """A user by id or address, as the table has it now."""
        async with self._database.transaction() as connection:
            return await find_person(connection, who)

    def forget_all(self) -> None:
        """Ask about everybody again: something about a user has changed."""
        self._known.clear()

    async def _ask(self, header: bytes) -> Actor:
        self._known.pop(header, None)
        who = self._who(header.decode("latin-1"))
        person = await self.person(who) if who is not None else None
        if person is None:
            raise ProblemError("unknown_token", "The token stands for nobody.", CHALLENGE)
        if person.state is not UserState.ACTIVE:
            raise ProblemError("user_not_active", f"This user is {person.state.value}.")
        while len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[header] = Known(person.actor, self._clock_s() + KNOWN_S)
        return person.actor

    def _who(self, header: str) -> str | None:
        """The user that a token names; None when it is no token of ours."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != SCHEME or not token:
            raise ProblemError("not_signed_in", "This needs a token: `Authorization: Bearer …`.", CHALLENGE)
        if not (self._development_tokens and token.startswith(PREFIX)):
            return None
        return token.removeprefix(PREFIX)
