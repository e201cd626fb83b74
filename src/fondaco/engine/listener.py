"""The engine's socket: commands and questions of other processes come in here, answers and events go out.

It listens from the moment its process starts, so that its address can stand in the lease; until its engine leads, and
once it leads no longer, whoever comes is turned away. A connection that breaks takes nothing back: what it had
submitted is done or not, and whoever sends it again under the same id hears which.

Invariants:
    Nobody is heard who has not proven to know the secret.
    A client that does not read its answers is not read from; one that follows and does not read is no more than a place
    in the broadcast.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog

from fondaco.core.replies import Answer
from fondaco.engine.broadcast import Broadcast
from fondaco.engine.client import EngineClient
from fondaco.engine.door import enter_encoded
from fondaco.engine.frames import (
    MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES,
    TCP,
    UNIX,
    VERSION,
    Answered,
    Challenge,
    Follow,
    Introduction,
    Look,
    Malformed,
    NotTaken,
    Shown,
    Skipped,
    Submit,
    Told,
    TurnedAway,
    Welcome,
    decode_to_engine,
    is_proof,
    new_nonce,
    proof_of,
)
from fondaco.engine.leader import Leader
from fondaco.engine.looking import look
from fondaco.engine.port import OverloadedError, StartOver
from fondaco.engine.queries import Seen
from fondaco.infra.errors import UserError
from fondaco.infra.framing import FrameProtocol, framed
from fondaco.infra.unix_sockets import listening_socket

log = structlog.get_logger()

MAX_CONNECTIONS: Final = 128
HANDSHAKE_S: Final = 5.0
"""Whoever has not proven anything by then is cut off."""
GOODBYE_S: Final = 1.0
"""How long clients get to take the last answers."""


class EngineListener:
    """Where clients reach the engine of this process.

    Args:
        secret: the house's; who does not know it is turned away.
        address: stands in the lease.
    """

    def __init__(self, secret: bytes, address: str) -> None:
        self.secret = secret
        self.address = address
        self.leader: Leader | None = None
        self.connections: set[Connection] = set()

    def lead(self, leader: Leader) -> None:
        """From now on whoever comes speaks to this engine."""
        self.leader = leader

    async def close(self) -> None:
        """The end: what was said still leaves, as far as those at the other end read it."""
        self.leader = None
        for connection in list(self.connections):
            connection.close()
        leaving = [asyncio.ensure_future(each.gone.wait()) for each in self.connections]
        if leaving:
            _, pending = await asyncio.wait(leaving, timeout=GOODBYE_S)
            for each in pending:
                each.cancel()
        for connection in list(self.connections):
            connection.abort()


class Connection(FrameProtocol):
    """The engine's end of one connection."""

    max_frame_bytes = MAX_REQUEST_BYTES

    def __init__(self, listener: EngineListener) -> None:
        super().__init__()
        self._listener = listener
        self._challenge = new_nonce()
        self._client: EngineClient | None = None
        self._broadcast: Broadcast | None = None
        self._telling: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.gone = asyncio.Event()
        """Set when the connection has ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask who it is."""
        super().connection_made(transport)
        if len(self._listener.connections) >= MAX_CONNECTIONS:
            self._turn_away("too many connections")
            return
        self._listener.connections.add(self)
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_S, self.abort)
        self.send(Challenge(VERSION, self._challenge))

    def closed(self) -> None:
        """Forget it."""
        self._listener.connections.discard(self)
        self.gone.set()
        for each in (self._telling, self._deadline):
            if each is not None:
                each.cancel()

    def pause_writing(self) -> None:
        """Read no more from who does not read."""
        super().pause_writing()
        assert self.transport is not None, "only an open connection is full"
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        super().resume_writing()
        assert self.transport is not None, "only an open connection is full"
        self.transport.resume_reading()

    def frame_received(self, frame: memoryview) -> None:
        """Do what the client wants. Its bytes are kept: the command in them goes into the journal as it is."""
        message = decode_to_engine(bytes(frame))
        if isinstance(message, Introduction):
            self._meet(message)
        elif self._client is None:
            self._turn_away("introduce yourself first")
        elif isinstance(message, Submit):
            self._submit(self._client, message)
        elif isinstance(message, Look):
            self._look(self._client, message)
        else:
            self._follow(message)

    def send(self, message: msgspec.Struct) -> None:
        """Write a message together with whatever else is written before the loop comes round."""
        self.write_soon(framed(message, MAX_REPLY_BYTES))

    def _meet(self, introduction: Introduction) -> None:
        listener, leader = self._listener, self._listener.leader
        nonces = (self._challenge, introduction.nonce)
        if not is_proof(introduction.proof, proof_of(listener.secret, "client", *nonces)):
            self._turn_away("the secret is another")
        elif introduction.version != VERSION:
            self._turn_away(f"this engine speaks version {VERSION}")
        elif leader is None:
            self._turn_away("this engine does not lead")
        else:
            assert self._deadline is not None, "it was set when the connection was made"
            self._deadline.cancel()
            self._client, self._broadcast = leader.client, leader.broadcast
            self.send(Welcome(proof_of(listener.secret, "engine", *nonces), leader.epoch))

    def _turn_away(self, reason: str) -> None:
        log.info("engine.turned_away", reason=reason)
        self.send(TurnedAway(reason))
        self.close()

    def _submit(self, client: EngineClient, message: Submit) -> None:
        try:
            entered = enter_encoded(message.submission)
        except msgspec.DecodeError as error:
            self.send(Malformed(message.request, str(error)))
            return
        if isinstance(entered, Answer):
            self.send(Answered(message.request, entered))
            return
        try:
            client.offer(entered, CommandTicket(self, message.request))
        except OverloadedError as error:
            self.send(NotTaken(message.request, error.why, error.retry_after_s))

    def _look(self, client: EngineClient, message: Look) -> None:
        query = message.query
        try:
            client.offer(lambda machine: look(machine, query), LookTicket(self, message.request))
        except OverloadedError as error:
            self.send(NotTaken(message.request, error.why, error.retry_after_s))

    def _follow(self, message: Follow) -> None:
        if self._telling is not None or self._broadcast is None:
            self._turn_away("a connection follows once")
            return
        self._telling = asyncio.ensure_future(self._tell(self._broadcast, message))

    async def _tell(self, broadcast: Broadcast, message: Follow) -> None:
        async with aclosing(broadcast.follow(message.after)) as stream:
            async for told in stream:
                await self.writable.wait()
                self.send(Skipped(told.mark) if isinstance(told, StartOver) else Told(told.mark, told.events))
                self.flush()


class Ticket:
    """Waits for an outcome in a client's place. To the leader it is a future like any other."""

    __slots__ = ("connection", "request")

    def __init__(self, connection: Connection, request: int) -> None:
        self.connection = connection
        self.request = request

    def done(self) -> bool:
        """Nobody waits for it any more."""
        transport = self.connection.transport
        return transport is None or transport.is_closing()

    def set_exception(self, error: BaseException) -> None:
        """What it came to is not known here: the connection ends, and the client sends it again elsewhere."""
        log.info("engine.outcomes_unknown", error=str(error))
        self.connection.abort()


class CommandTicket(Ticket):
    """For a command."""

    __slots__ = ()

    def set_result(self, answer: Answer) -> None:
        """Send the answer."""
        self.connection.send(Answered(self.request, answer))


class LookTicket(Ticket):
    """For a question."""

    __slots__ = ()

    def set_result(self, seen: Seen) -> None:
        """Send what was seen."""
        self.connection.send(Shown(self.request, seen))


@asynccontextmanager
async def listening(secret: bytes, place: Path | tuple[str, int]) -> AsyncIterator[EngineListener]:
    """Listen until the block ends.

    Args:
        secret: the house's.
        place: of a Unix socket; or host and port, where port 0 takes any that is free.

    Raises:
        UserError: nobody can listen there.
    """
    loop = asyncio.get_running_loop()
    if isinstance(place, Path):
        with listening_socket(place) as bound:
            listener = EngineListener(secret, f"{UNIX}{place}")
            async with serving(await loop.create_unix_server(lambda: Connection(listener), sock=bound), listener):
                yield listener
        return
    host, port = place
    listener = EngineListener(secret, "")
    try:
        server = await loop.create_server(lambda: Connection(listener), host, port)
    except OSError as error:
        raise UserError(
            f"The engine cannot listen at {host}:{port} ({error.strerror}): name another place with engine.listen; "
            "port 0 takes any that is free."
        ) from error
    listener.address = f"{TCP}{host}:{server.sockets[0].getsockname()[1]}"
    async with serving(server, listener):
        yield listener


@asynccontextmanager
async def serving(server: asyncio.Server, listener: EngineListener) -> AsyncIterator[None]:
    """Close a server in the end, and whatever speaks through it."""
    try:
        yield
    finally:
        server.close()
        await listener.close()
