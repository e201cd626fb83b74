"""One life of a connection to the bus: a wire, ears, and the name under which its reader is known.

When either line breaks, the session is over: waiting calls and iterators end, and what the reader held belongs to
others. A new session has a new name. A command of the old one that the server still finds in a dead socket can thus
only hand entries to a name that nobody keeps alive, from where they come back.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha1

from valkey.exceptions import NoScriptError

from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.bus.valkey import scripts
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.line import Ears, Reply, Wire

HASHES = {
    text: sha1(text.encode(), usedforsecurity=False).hexdigest()
    for text in (
        scripts.APPEND,
        scripts.TAKE,
        scripts.GIVE_BACK,
        scripts.LEAVE,
        scripts.BEAT,
        scripts.ACK,
        scripts.UNACKNOWLEDGED,
    )
}
"""How the server knows each script."""


class Bell:
    """Wakes whoever waits. It rings when a stream may have what they wait for; they look again."""

    def __init__(self, ears: Ears) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        ears.lost.add_done_callback(lambda _: self.ring())

    @contextmanager
    def next(self) -> Iterator[asyncio.Future[None]]:
        """The next ring. Take it before you look, so that a ring in between is not missed."""
        ring: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(ring)
        try:
            yield ring
        finally:
            self._waiting.discard(ring)

    def ring(self) -> None:
        """Wake everyone. Also the end of the session does: whoever looks again then is told."""
        for each in tuple(self._waiting):
            if not each.done():
                each.set_result(None)


class Session:
    """Both lines and the reader's name. Made by `open_session`."""

    def __init__(self, wire: Wire, ears: Ears, reader: str) -> None:
        self.wire = wire
        self.ears = ears
        self.reader = reader
        self.lost = asyncio.ensure_future(_first_of(wire.lost, ears.lost))
        self._bells: dict[str, asyncio.Task[Bell]] = {}

    @property
    def is_lost(self) -> bool:
        """Whether the session is over."""
        return self.wire.lost.done() or self.ears.lost.done()

    def ask(self, script: str, keys: Iterable[str], *arguments: bytes | str | int) -> asyncio.Future[Reply]:
        """Run a script; its answer comes later."""
        names = tuple(keys)
        return self.wire.ask("EVALSHA", HASHES[script], len(names), *names, *arguments)

    async def run(self, script: str, keys: Iterable[str], *arguments: bytes | str | int) -> Reply:
        """Run a script and wait for its answer."""
        return await self.answer(self.ask(script, keys, *arguments))

    async def answer(self, asked: asyncio.Future[Reply]) -> Reply:
        """Wait for the answer of a script."""
        try:
            return await self.wire.answer(asked)
        except BusUnavailableError as error:
            if isinstance(error.__cause__, NoScriptError):
                self.wire.drop("Somebody made the server forget the scripts.")  # the next session brings them again
            raise

    async def bell(self, channel: str) -> Bell:
        """The bell that rings when something is published on a channel."""
        if channel not in self._bells:
            self._bells[channel] = asyncio.get_running_loop().create_task(self._hung(channel))
        return await asyncio.shield(self._bells[channel])

    def drop(self, reason: str) -> None:
        """End the session: all that waits fails with this reason."""
        self.wire.drop(reason)
        self.ears.drop(reason)

    async def close(self) -> None:
        """End the session and wait until nothing of it is left."""
        self.drop(self.wire.reason if self.wire.lost.done() else self.ears.reason)
        await asyncio.gather(self.wire.close(), self.ears.close(), self.lost)
        await asyncio.gather(*self._bells.values(), return_exceptions=True)

    async def _hung(self, channel: str) -> Bell:
        bell = Bell(self.ears)
        await self.ears.listen(channel.encode(), lambda *_: bell.ring())
        return bell


async def open_session(address: Address) -> Session:
    """Connect. Raises `BusUnavailableError`."""
    reader = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    wire, ears = Wire(address, reader), Ears(address, reader)
    try:
        await wire.open()
        await ears.open()
        await asyncio.gather(*(wire.call("SCRIPT", "LOAD", text) for text in HASHES))
    except BaseException:  # cancelled, too: no half of it may stay
        await asyncio.gather(wire.close(), ears.close())
        raise
    return Session(wire, ears, reader)


async def _first_of(*lost: asyncio.Future[None]) -> None:
    await asyncio.wait(lost, return_when=asyncio.FIRST_COMPLETED)
