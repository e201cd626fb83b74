"""The client of an engine in another process: `fondaco.engine.port.Engine` over a socket to whoever leads.

The address stands in the lease. When the connection breaks, what is still unanswered waits, and is sent again under the
same ids to whoever leads next: who was done already gets the answer that it got. New commands are refused meanwhile, so
that nobody waits for an engine that is away.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
import structlog

from fondaco.core.commands import Command, Submission
from fondaco.core.replies import Answer
from fondaco.engine.door import enter
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
    decode_to_client,
    is_proof,
    new_nonce,
    proof_of,
)
from fondaco.engine.journal import Committed, Mark
from fondaco.engine.port import (
    QUEUE_RETRY_S,
    OutcomeUnknownError,
    Overloaded,
    OverloadedError,
    StartOver,
    Why,
    engine_away,
)
from fondaco.engine.postgres_store import current_lease
from fondaco.engine.queries import Query, Seen
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.framing import FrameProtocol, framed
from fondaco.infra.unix_sockets import short_address

log = structlog.get_logger()

RETRY_S: Final = 0.05
"""Between two looks for whoever leads."""
HANDSHAKE_S: Final = 1.0
"""An engine that takes longer to introduce itself does not run."""
LEASE_LOOK_S: Final = 0.5
"""How often the lease is looked at while connected: an engine that was stopped keeps its connections open."""
UNKNOWN_AFTER_S: Final = 8.0
"""What has no answer so long after its connection broke will get none: longer than a takeover takes."""
MAX_IN_FLIGHT: Final = 20_000
"""Commands and questions without an answer; one more is refused."""
MAX_TOLD: Final = 256
"""Batches that wait for a follower of the stream before the socket is read no further."""

Answering = TypeVar("Answering", Answer, Seen)


class EngineAwayError(Exception):
    """There is no engine to speak to: none leads, or it does not want us. The message says why."""


class Asked(NamedTuple):
    """What waits for an answer: the frame, to be sent again, and who waits."""

    message: Submit | Look
    future: asyncio.Future[Any]


class ClientConnection(FrameProtocol):
    """The client's end of one connection, to the end of its introduction and after."""

    max_frame_bytes = MAX_REPLY_BYTES

    def __init__(
        self, secret: bytes, take: Callable[[Any], None], closed: "Callable[[ClientConnection], None]"
    ) -> None:
        super().__init__()
        self._closed = closed
        self._secret = secret
        self._nonce = new_nonce()
        self._challenge = b""
        self._take = take
        self.welcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The epoch of the engine, once both ends know each other."""
        self.ended = asyncio.Event()

    def closed(self) -> None:
        """It broke, or was ended."""
        self.ended.set()
        self._closed(self)
        if not self.welcome.done():
            self.welcome.set_exception(EngineAwayError("the connection broke"))
            self.welcome.exception()  # whoever waited may have gone: nobody must be told that nobody looked

    def frame_received(self, frame: memoryview) -> None:
        """Meet, and then hand on what comes."""
        message = decode_to_client(bytes(frame))
        if self.welcome.done():
            self._take(message)
        else:
            self._meet(message)

    def send(self, message: msgspec.Struct) -> None:
        """Write a message together with whatever else is written before the loop comes round."""
        self.write_soon(framed(message, MAX_REQUEST_BYTES))

    def _meet(self, message: object) -> None:
        match message:
            case Challenge(version, nonce) if version == VERSION:
                self._challenge = nonce
                proof = proof_of(self._secret, "client", nonce, self._nonce)
                self.send(Introduction(VERSION, self._nonce, proof))
            case Welcome(proof, epoch) if is_proof(
                proof, proof_of(self._secret, "engine", self._challenge, self._nonce)
            ):
                self.welcome.set_result(epoch)
            case TurnedAway(reason):
                self._fail(reason)
            case _:
                self._fail(f"what listens there is no engine of this house, or of another version than {VERSION}")

    def _fail(self, reason: str) -> None:
        self.welcome.set_exception(EngineAwayError(reason))
        self.abort()


class Hearing:
    """What one who follows has been told and has not looked at yet."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Told | Skipped | None] = asyncio.Queue()
        self._connection: ClientConnection | None = None
        self._ending: asyncio.Task[None] | None = None

    def begin(self, connection: ClientConnection) -> None:
        """It comes from there."""
        self._connection = connection
        self._ending = asyncio.ensure_future(self._end_with(connection))

    def take(self, told: Told | Skipped) -> None:
        """Something was told. When much waits, the socket is read no further."""
        self._told.put_nowait(told)
        if self._told.qsize() >= MAX_TOLD:
            self._may_read(is_reading=False)

    async def next(self) -> Told | Skipped | None:
        """The next thing, as soon as there is one; None when nothing more will come."""
        told = await self._told.get()
        if self._told.qsize() < MAX_TOLD // 2:
            self._may_read(is_reading=True)
        return told

    def end(self) -> None:
        """Hear no more."""
        assert self._connection is not None, "it has begun"
        assert self._ending is not None, "it has begun"
        self._ending.cancel()
        self._connection.abort()

    async def _end_with(self, connection: ClientConnection) -> None:
        await connection.ended.wait()
        self._told.put_nowait(None)

    def _may_read(self, *, is_reading: bool) -> None:
        transport = self._connection.transport if self._connection is not None else None
        if transport is None or transport.is_closing():
            return
        if is_reading:
            transport.resume_reading()
        else:
            transport.pause_reading()


class RemoteEngine:
    """Speaks to whoever leads. `running` keeps the connection.

    Args:
        database: the house's: the lease says where the engine is.
        secret: see `fondaco.engine.frames`.
        unknown_after_s: see `UNKNOWN_AFTER_S`.
    """

    def __init__(self, database: Database, secret: bytes, *, unknown_after_s: float = UNKNOWN_AFTER_S) -> None:
        self._database = database
        self._secret = secret
        self._unknown_after_s = unknown_after_s
        self._connection: ClientConnection | None = None
        self._numbers = count(1)
        self._asked: dict[int, Asked] = {}
        self._connections: dict[ClientConnection, int] = {}
        """Those that are open, with the epoch of the engine at the other end."""
        self.connected = asyncio.Event()
        """Set while there is an engine to speak to."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connected until the block ends."""
        tasks = [asyncio.ensure_future(work) for work in (self._keep_connected(), self._watch_the_lease())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._give_up(list(self._asked))

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Have a command done: see `Engine.submit`."""
        entered = enter(account_id, command_id, not_after_ns, command)
        if isinstance(entered, Answer):
            return entered
        return cast("Answer", await self.ask(entered.submission))

    async def look(self, query: Query) -> Seen:
        """Ask something of the engine's memory: see `Engine.look`."""
        return cast("Seen", await self.ask(query))

    def ask(self, what: Submission | Query) -> "asyncio.Future[Answer | Seen]":
        """Send a command or a question; returns what will be the answer to it. Raises `OverloadedError`."""
        if self._connection is None:
            raise engine_away()
        if len(self._asked) >= MAX_IN_FLIGHT:
            raise OverloadedError(Overloaded(Why.QUEUE_FULL, QUEUE_RETRY_S))
        number = next(self._numbers)
        message = Submit(number, what) if isinstance(what, Submission) else Look(number, what)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._connection.send(message)
        self._asked[number] = Asked(message, future)
        return future

    async def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Every batch as it is committed, from whoever leads: see `Engine.follow`. It has a connection of its own."""
        after: Mark | None = None
        while True:
            hearing = Hearing()
            connection = await self._patiently_connected(hearing.take)
            hearing.begin(connection)
            try:
                connection.send(Follow(after))
                while (told := await hearing.next()) is not None:
                    after = told.mark
                    yield StartOver(after) if isinstance(told, Skipped) else Committed(after, told.events)
            finally:
                hearing.end()

    async def _keep_connected(self) -> None:
        while True:
            connection = await self._patiently_connected(self._take)
            for asked in self._asked.values():
                connection.send(asked.message)
            self._connection = connection
            self.connected.set()
            try:
                await connection.ended.wait()
            finally:
                self._connection = None
                self.connected.clear()
                connection.abort()
            log.info("engine.connection_lost", unanswered=len(self._asked))
            asyncio.get_running_loop().call_later(self._unknown_after_s, self._give_up, list(self._asked))

    async def _watch_the_lease(self) -> None:
        """Leave an engine that leads no longer, even when it does not know that yet."""
        while True:
            await asyncio.sleep(LEASE_LOOK_S)
            try:
                lease = await current_lease(self._database)
            except DatabaseUnavailableError:
                continue  # without a database nobody takes over either
            for connection in [each for each, epoch in self._connections.items() if epoch < lease.epoch]:
                log.info("engine.left_behind", epoch=self._connections[connection], newest=lease.epoch)
                connection.abort()

    async def _patiently_connected(self, take: Callable[[Any], None]) -> ClientConnection:
        """A connection to whoever leads, as soon as somebody does."""
        said = ""
        while True:
            try:
                return await self._connected(take)
            except (EngineAwayError, DatabaseUnavailableError, OSError, TimeoutError) as error:
                if str(error) != said:
                    log.info("engine.not_reached", why=str(error))
                said = str(error)
            await asyncio.sleep(RETRY_S)

    async def _connected(self, take: Callable[[Any], None]) -> ClientConnection:
        address = (await current_lease(self._database)).address
        if not address:
            raise EngineAwayError("no engine leads")
        async with asyncio.timeout(HANDSHAKE_S):
            connection = await _connect(address, lambda: ClientConnection(self._secret, take, self._forget))
            try:
                epoch = await connection.welcome
            except BaseException:  # whatever it is: nobody else would end the connection
                connection.abort()
                raise
        log.info("engine.connected", address=address, epoch=epoch)
        self._connections[connection] = epoch
        return connection

    def _forget(self, connection: ClientConnection) -> None:
        self._connections.pop(connection, None)

    def _take(self, message: Answered | Shown | NotTaken | Malformed) -> None:
        asked = self._asked.pop(message.request, None)
        if asked is None or asked.future.done():
            return
        match message:
            case Answered(_, answer):
                asked.future.set_result(answer)
            case Shown(_, seen):
                asked.future.set_result(seen)
            case NotTaken(_, why, retry_after_s):
                asked.future.set_exception(OverloadedError(Overloaded(Why(why), retry_after_s)))
            case Malformed(_, reason):
                asked.future.set_exception(msgspec.ValidationError(reason))

    def _give_up(self, numbers: list[int]) -> None:
        """Nobody will hear any more what these came to, as far as they still wait."""
        for number in numbers:
            asked = self._asked.pop(number, None)
            if asked is not None and not asked.future.done():
                asked.future.set_exception(OutcomeUnknownError())


async def _connect(address: str, protocol: Callable[[], ClientConnection]) -> ClientConnection:
    loop = asyncio.get_running_loop()
    if address.startswith(UNIX):
        with short_address(Path(address.removeprefix(UNIX))) as path:
            return (await loop.create_unix_connection(protocol, path))[1]
    host, _, port = address.removeprefix(TCP).rpartition(":")
    return (await loop.create_connection(protocol, host, int(port)))[1]
