"""The wire to Binance: one WebSocket kept up through everything that ends one.

A connection that breaks is opened again, with exponential back-off and jitter, so that a thousand houses do not return
in the same second. One that will end soon, because Binance said so (``serverShutdown``) or because its 24 hours are
almost over, and one that has said nothing for a while, is replaced *before* it is let go: the successor has delivered,
or has had its time, when the predecessor is closed. Meanwhile both deliver, so whoever takes the frames must expect
each trade twice.

Binance pings every 20 s and gives up on a peer that has not answered within a minute; so do we.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from random import Random
from typing import NamedTuple

import structlog
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

log = structlog.get_logger()

MAX_FRAME_BYTES = 64 * 1024
"""A longer frame ends the connection: a trade takes 200 bytes."""
HANDSHAKE_TIMEOUT_S = 10.0
PING_IDLE_S = 30.0
PING_REPLY_S = 30.0
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 30.0
HANDOVER_PAUSE_S = 2.0
"""Longest pause before a successor is opened: a server that ends all its connections must not be stormed."""
HANDOVER_WAIT_S = 10.0
"""How long a successor may take to deliver before its predecessor is let go all the same."""

_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION})


class FrameKind(Enum):
    """What a frame turned out to be."""

    TRADE = "trade"
    SHUTDOWN = "shutdown"
    OTHER = "other"


class Ending(Enum):
    """Why a connection needs a successor."""

    ENDED = "it ended"
    SHUTDOWN = "Binance is about to end it"
    OLD = "it is almost a day old"
    QUIET = "it has said nothing for a while"


class Lifetimes(NamedTuple):
    """How long a connection serves."""

    replace_after_s: float
    quiet_s: float


class Wire(WSListener):
    """One connection: puts frames together and passes them on. picows answers pings by itself."""

    def __init__(self, take: Callable[[bytes], FrameKind]) -> None:
        super().__init__()
        self.has_traded = asyncio.Event()
        self.is_announced_to_end = asyncio.Event()
        self.heard_at = asyncio.get_running_loop().time()
        self.opened_at = self.heard_at
        self.transport: WSTransport | None = None
        self._take = take
        self._parts = bytearray()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle one frame. It points into picows' buffer, so what is kept is copied."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type in _DATA:
            self._gather(transport, frame)

    def close(self) -> None:
        """Let go of the connection, without waiting for the other side."""
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def _gather(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.fin and not self._parts:
            self._pass_on(payload)
            return
        self._parts += payload
        if len(self._parts) > MAX_FRAME_BYTES:
            transport.disconnect()
        elif frame.fin:
            self._pass_on(bytes(self._parts))
            self._parts.clear()

    def _pass_on(self, payload: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        match self._take(payload):
            case FrameKind.TRADE:
                self.has_traded.set()
            case FrameKind.SHUTDOWN:
                self.is_announced_to_end.set()


class WireKeeper:
    """Keeps one connection up. `run` works until it is cancelled."""

    def __init__(
        self,
        url: str,
        lifetimes: Lifetimes,
        take: Callable[[bytes], FrameKind],
        say_connected: Callable[[bool], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._url = url
        self._lifetimes = lifetimes
        self._take = take
        self._say_connected = say_connected
        self._sleep = sleep
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._retry_s = FIRST_RETRY_S
        self._wires: dict[Wire, asyncio.Task[None]] = {}
        self.is_paused = False

    async def run(self) -> None:
        """Connect, and remain so."""
        try:
            while True:
                await self._connect_and_serve()
        finally:
            for wire, ended in tuple(self._wires.items()):
                wire.close()
                ended.cancel()
            self._wires.clear()
            self._say_connected(False)  # noqa: FBT003 - a callback of one argument

    def pause(self) -> None:
        """Read no more, so that TCP holds Binance back."""
        self.is_paused = True
        for transport in self._transports():
            transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.is_paused = False
        for transport in self._transports():
            transport.underlying_transport.resume_reading()

    async def _connect_and_serve(self) -> None:
        """Open a connection and stay with it until it needs a successor."""
        try:
            wire = await self._open()
        except (OSError, WSError) as error:
            await self._pause_before_retry(f"{type(error).__name__}: {error}", was_useful=False)
            return
        await self._let_go_of_others(wire)
        ending = await self._until_ending(wire)
        if ending is Ending.ENDED:
            await self._pause_before_retry("closed by Binance", was_useful=wire.has_traded.is_set())
        else:
            log.info("binance.connection_replaced", why=ending.value)
            await self._sleep(HANDOVER_PAUSE_S * self._random.uniform(0.5, 1.0))

    async def _open(self) -> Wire:
        wire = Wire(self._take)
        transport, _ = await ws_connect(
            lambda: wire,
            self._url,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            max_frame_size=MAX_FRAME_BYTES,
            enable_auto_ping=True,
            auto_ping_idle_timeout=PING_IDLE_S,
            auto_ping_reply_timeout=PING_REPLY_S,
        )
        wire.transport = transport
        if self.is_paused:
            transport.underlying_transport.pause_reading()
        self._wires[wire] = asyncio.create_task(self._until_ended(wire, transport))
        self._say_connected(True)  # noqa: FBT003 - a callback of one argument
        return wire

    async def _until_ended(self, wire: Wire, transport: WSTransport) -> None:
        """Wait for a connection's end and strike it off."""
        try:
            await transport.wait_disconnected()
        except (OSError, WSError) as error:
            log.info("binance.connection_failed", problem=f"{type(error).__name__}: {error}")
        finally:
            self._wires.pop(wire, None)
            self._say_connected(bool(self._wires))

    async def _let_go_of_others(self, wire: Wire) -> None:
        """Once the new connection has delivered, close those that it succeeds. If it ended first, they stay."""
        others = [each for each in self._wires if each is not wire]
        if not others:
            return
        await self._first_of(wire, wire.has_traded.wait(), timeout_s=HANDOVER_WAIT_S)
        if wire in self._wires:
            for other in others:
                other.close()

    async def _until_ending(self, wire: Wire) -> Ending:
        """Wait until a connection needs a successor."""
        loop = asyncio.get_running_loop()
        while True:
            age_left_s = wire.opened_at + self._lifetimes.replace_after_s - loop.time()
            quiet_left_s = wire.heard_at + self._lifetimes.quiet_s - loop.time()
            if wire not in self._wires:
                return Ending.ENDED
            if wire.is_announced_to_end.is_set():
                return Ending.SHUTDOWN
            if age_left_s <= 0:
                return Ending.OLD
            if quiet_left_s <= 0 and not self.is_paused:
                return Ending.QUIET
            wait_s = min(age_left_s, max(quiet_left_s, 0) or self._lifetimes.quiet_s)
            await self._first_of(wire, wire.is_announced_to_end.wait(), timeout_s=wait_s)

    async def _first_of(self, wire: Wire, event: Awaitable[object], *, timeout_s: float) -> None:
        """Wait for an event of a connection, its end or the time, whichever is first."""
        awaited = asyncio.ensure_future(event)
        ended = self._wires.get(wire)
        try:
            await asyncio.wait(
                {awaited} | ({ended} if ended else set()), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            awaited.cancel()

    async def _pause_before_retry(self, problem: str, *, was_useful: bool) -> None:
        self._retry_s = FIRST_RETRY_S if was_useful else min(2 * self._retry_s, LONGEST_RETRY_S)
        pause_s = self._retry_s * self._random.uniform(0.5, 1.0)
        log.warning("binance.connection_ended", problem=problem, retry_s=round(pause_s, 3))
        await self._sleep(pause_s)

    def _transports(self) -> list[WSTransport]:
        transports = (wire.transport for wire in self._wires)
        return [each for each in transports if each is not None and not each.is_disconnected]
