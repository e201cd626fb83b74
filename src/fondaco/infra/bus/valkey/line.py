"""Connections to a Valkey or Redis server: `Wire` for questions and their answers, `Ears` for what is published.

The client library connects, authenticates, packs and parses; its own clients are not used, because they connect again
and subscribe again by themselves, and whatever was published in between would be missing without a word. Here a line
that breaks stays broken: everything that waits on it fails with `BusUnavailableError`, and its owner opens another.

Questions are pipelined: whoever asks does not wait for the answers of others. Cancelling whoever waits for an answer
does no harm to the line. An answer that is longer in coming than `ANSWER_WAIT_S` breaks it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from valkey.asyncio.connection import AbstractConnection
from valkey.exceptions import ConnectionError as ValkeyConnectionError
from valkey.exceptions import ResponseError, ValkeyError

from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.bus.valkey.address import Address

ANSWER_WAIT_S = 10.0
"""A server that has not answered for so long counts as away. It may wait for its disk before it answers."""
BROKEN = "The connection to the bus broke."

Reply: TypeAlias = Any
"""Whatever the server answers."""
Take: TypeAlias = Callable[[bytes, bytes], None]
"""Takes a message: its channel and its body."""


class Line(ABC):
    """One connection. `open` it once; when it is lost, make another."""

    def __init__(self, address: Address, client_name: str) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the line is of no use any more."""
        self.reason = BROKEN
        self._address = address
        self._connection: AbstractConnection = address.connection(client_name)
        self._outgoing: deque[bytes] = deque()
        self._has_outgoing = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def open(self) -> None:
        """Connect. Raises `BusUnavailableError` with the server's or the network's reason."""
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call] # the library leaves it untyped
        except (ValkeyError, OSError) as error:
            await self._connection.disconnect(nowait=True)
            raise BusUnavailableError(f"The bus at {self._address} does not answer: {one_line(error)}.") from error
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._write()), loop.create_task(self._read()))

    async def close(self) -> None:
        """Break the connection and wait until nothing of it is left."""
        self.drop(BROKEN)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._connection.disconnect(nowait=True)

    def drop(self, reason: str) -> None:
        """Give the line up: all that waits on it fails."""
        if self.lost.done():
            return
        self.reason = reason
        self.lost.set_result(None)
        for task in self._tasks:
            task.cancel()
        self.fail_all(BusUnavailableError(reason))

    def say(self, *words: bytes | str | int) -> None:
        """Send a command, after all that were sent before."""
        if self.lost.done():
            raise BusUnavailableError(self.reason)
        self._outgoing.extend(self._connection.pack_command(*words))
        self._has_outgoing.set()

    @abstractmethod
    def heard(self, reply: Reply) -> None:
        """Take what the server sent."""

    @abstractmethod
    def fail_all(self, error: BusUnavailableError) -> None:
        """Tell everyone who waits."""

    async def _write(self) -> None:
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            packed = list(self._outgoing)
            self._outgoing.clear()
            try:
                await self._connection.send_packed_command(packed, check_health=False)
            except (ValkeyError, OSError):
                return self.drop(BROKEN)

    async def _read(self) -> None:
        while True:
            try:
                reply = await self._connection.read_response(disconnect_on_error=False)
            except ResponseError as error:
                reply = error
            except (ValkeyError, OSError, asyncio.IncompleteReadError):
                return self.drop(BROKEN)
            self.heard(reply)


class Wire(Line):
    """Questions and answers, in the same order."""

    def __init__(self, address: Address, client_name: str) -> None:
        super().__init__(address, client_name)
        self._asked: deque[asyncio.Future[Reply]] = deque()

    def ask(self, *words: bytes | str | int) -> asyncio.Future[Reply]:
        """Send a question; its answer comes later. A refusal of the server's comes as `ResponseError`."""
        self.say(*words)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        return answer

    async def answer(self, asked: asyncio.Future[Reply]) -> Reply:
        """Wait for an answer. Cancelling this leaves the question standing."""
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return await asyncio.shield(asked)
        except TimeoutError as error:
            self.drop(f"The bus at {self._address} has not answered for {ANSWER_WAIT_S:g} s.")
            raise BusUnavailableError(self.reason) from error
        except ResponseError as error:
            # Out of memory, a disk that is full, a replica: nothing of it is known to have been done.
            raise BusUnavailableError(f"The bus at {self._address} refused: {one_line(error)}.") from error

    async def call(self, *words: bytes | str | int) -> Reply:
        """Send a question and wait for its answer."""
        return await self.answer(self.ask(*words))

    def heard(self, reply: Reply) -> None:
        """Hand an answer to whoever asked first."""
        if not self._asked:
            return self.drop("The bus sent an answer to nothing.")
        asked = self._asked.popleft()
        if asked.done():
            return None
        if isinstance(reply, Exception):
            asked.set_exception(reply)
            asked.exception()  # seen, whether or not anyone still waits for it
        else:
            asked.set_result(reply)
        return None

    def fail_all(self, error: BusUnavailableError) -> None:
        """Nobody gets an answer any more."""
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(error)
                asked.exception()  # seen, whether or not anyone still waits for it
        self._asked.clear()


class Ears(Line):
    """What is published on channels, handed to those who listen to them."""

    def __init__(self, address: Address, client_name: str) -> None:
        super().__init__(address, client_name)
        self._takers: dict[tuple[bytes, bytes], list[Take]] = {}
        self._confirmations: dict[tuple[bytes, bytes], deque[asyncio.Future[None]]] = {}
        self._pongs: deque[asyncio.Future[None]] = deque()

    async def listen(self, name: bytes, take: Take, *, is_pattern: bool = False) -> None:
        """Hand over every message of a channel, or of all that a pattern matches, from the return of this on."""
        kind = b"psubscribe" if is_pattern else b"subscribe"
        self.say(kind, name)
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._confirmations.setdefault((kind, name), deque()).append(confirmed)
        self._takers.setdefault((kind, name), []).append(take)
        await self._within_bounds(confirmed)

    def ignore(self, name: bytes, take: Take, *, is_pattern: bool = False) -> None:
        """Stop what `listen` began."""
        kind = b"psubscribe" if is_pattern else b"subscribe"
        takers = self._takers.get((kind, name), [])
        if take in takers:
            takers.remove(take)
        if not takers and self._takers.pop((kind, name), None) is not None and not self.lost.done():
            self.say(kind.replace(b"sub", b"unsub"), name)

    async def ping(self) -> None:
        """See that the other end is there: a machine that has vanished says nothing."""
        self.say("PING")
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        await self._within_bounds(pong)

    def heard(self, reply: Reply) -> None:
        """Hand a message to those who listen, or a confirmation to who waits for it."""
        match reply:
            case [b"message", bytes(channel), bytes(body)]:
                self._hand_over((b"subscribe", channel), channel, body)
            case [b"pmessage", bytes(pattern), bytes(channel), bytes(body)]:
                self._hand_over((b"psubscribe", pattern), channel, body)
            case [b"subscribe" | b"psubscribe" as kind, bytes(name), int()]:
                _settle(self._confirmations[kind, name])
            case [b"pong", *_] | b"PONG":
                _settle(self._pongs)
            case ResponseError():
                self.drop(f"The bus at {self._address} refused to be listened to: {one_line(reply)}.")
            case _:
                return

    def fail_all(self, error: BusUnavailableError) -> None:
        """Nobody hears anything any more. Who listens knows it by `lost`."""
        for waiting in (self._pongs, *self._confirmations.values()):
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
                    each.exception()  # seen, whether or not anyone still waits for it

    def _hand_over(self, key: tuple[bytes, bytes], channel: bytes, body: bytes) -> None:
        for take in tuple(self._takers.get(key, ())):
            take(channel, body)

    async def _within_bounds(self, expected: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                await asyncio.shield(expected)
        except TimeoutError as error:
            self.drop(f"The bus at {self._address} has not answered for {ANSWER_WAIT_S:g} s.")
            raise BusUnavailableError(self.reason) from error


def one_line(error: BaseException) -> str:
    """The first line of an error's message, without its full stop. The library puts no password into any."""
    cause = error.__cause__ if isinstance(error, ValkeyConnectionError) and not str(error) else error
    return (str(cause).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _settle(waiting: deque[asyncio.Future[None]]) -> None:
    first = waiting.popleft()
    if not first.done():
        first.set_result(None)
