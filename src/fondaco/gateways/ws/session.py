"""One client of the stream: who it is, what it listens to, and the commands that it has under way.

`run` has two sides: one task reads and obeys, one writes and waits as long as the client makes it. What the client says
is obeyed in its order; an answer of the engine comes when it comes. While the client has as many commands under way as
it may, or as many replies waiting, nothing further is read from it: that is all the flow control there is.
"""

import asyncio
from typing import NamedTuple, Protocol

from fondaco.core.listings import Catalogue
from fondaco.domains.identity.api import Actor
from fondaco.gateways.asgi import Receive, Send
from fondaco.gateways.ws.entry import OrderEntry
from fondaco.gateways.ws.errors import error_frame
from fondaco.gateways.ws.floor import Floor
from fondaco.gateways.ws.messages import (
    Authenticate,
    Channel,
    ClientMessage,
    Error,
    Kind,
    Ping,
    Pong,
    RequestId,
    SignedIn,
    StreamError,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    decode,
    parse_channel,
    request_id_of,
)
from fondaco.gateways.ws.outbox import Closing, Outbox, WriteFrame
from fondaco.infra.metrics import Metrics

TOO_LONG = 1009
GOING_AWAY = 1001


class Limits(NamedTuple):
    """What one client may ask for."""

    max_subscriptions: int
    max_message_bytes: int
    max_waiting_ticks: int
    max_commands: int


class Publisher(Protocol):
    """Whoever sends the frames of channels."""

    def join(self, session: "Session", channel: Channel, after_seq: int | None, request_id: RequestId) -> None:
        """Send a snapshot of a channel, and updates from now on; of an account what came after a command."""
        ...

    def leave(self, session: "Session", channel: Channel) -> None:
        """Send no more."""
        ...

    def snapshot(self, channel: Channel) -> bytes:
        """The snapshot of a channel as it stands now, as JSON."""
        ...


class Session:
    """One open stream."""

    def __init__(
        self,
        publisher: Publisher,
        catalogue: Catalogue,
        floor: Floor,
        limits: Limits,
        metrics: Metrics,
        write_frame: WriteFrame | None = None,
    ) -> None:
        self._publisher = publisher
        self._catalogue = catalogue
        self._floor = floor
        self._limits = limits
        self._channels: set[Channel] = set()
        self._actor: Actor | None = None
        self.outbox = Outbox(limits.max_waiting_ticks, publisher.snapshot, metrics, write_frame)
        self._entry = OrderEntry(floor.trading, self.outbox, limits.max_commands)

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve until the client leaves or the outbox is closed. Commands that are under way are done all the same."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(send))
                await self._read(receive)
                writer.cancel()
        finally:
            for channel in self._channels:
                self._publisher.leave(self, channel)

    async def _read(self, receive: Receive) -> None:
        while True:
            await self.outbox.room()
            await self._entry.room()
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            await self.obey(message.get("text"))

    async def _write(self, send: Send) -> None:
        while True:
            match await self.outbox.next():
                case Closing(code, reason):
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                case payload:
                    await send({"type": "websocket.send", "text": payload.decode(), "bytes": None})

    async def obey(self, text: str | None) -> None:
        """Do what one message of the client says; None is a binary frame."""
        if text is not None and self._is_too_long(text):
            self._refuse_too_long()
            return
        try:
            message = decode(text)
        except StreamError as error:
            self.outbox.reply(error_frame(request_id_of(text), error))
            return
        try:
            await self._do(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, `error_frame` names it and logs what nobody foresaw
            self.outbox.reply(error_frame(message.id, error))

    async def _do(self, message: ClientMessage) -> None:
        match message:
            case Subscribe():
                self._subscribe(message)
            case Unsubscribe():
                self._unsubscribe(message)
            case Ping():
                self.outbox.reply(Pong(message.id))
            case Authenticate():
                await self._authenticate(message)
            case _:
                self._entry.take(self._signed_in(), message)

    async def _authenticate(self, message: Authenticate) -> None:
        """Let the client be somebody. It stays so while it is connected, and can become nobody else."""
        if self._actor is not None:
            raise StreamError("already_signed_in", "This connection has said who it is. Open another for another user.")
        self._actor = await self._floor.actors.behind(message.token)
        self.outbox.reply(SignedIn(message.id, self._actor.user_id))

    def _signed_in(self) -> Actor:
        if self._actor is None:
            raise StreamError("not_signed_in", "Nobody is signed in here.")
        return self._actor

    def drop(self, channel: Channel) -> None:
        """Forget a channel that the publisher does not send after all."""
        self._channels.discard(channel)

    def _subscribe(self, message: Subscribe) -> None:
        channels = [self._channel(name) for name in message.channels]
        if len(self._channels.union(channels)) > self._limits.max_subscriptions:
            raise StreamError(
                "too_many_subscriptions",
                f"One connection may listen to {self._limits.max_subscriptions} channels; none of these was added.",
            )
        self.outbox.reply(Subscribed(message.id, [channel.name for channel in channels]))
        for channel in channels:
            self._channels.add(channel)
            self._publisher.join(self, channel, message.after_seq, message.id)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        channels = [self._channel(name) for name in message.channels]
        for channel in channels:
            self._channels.discard(channel)
            self._publisher.leave(self, channel)
            self.outbox.forget(channel)
        self.outbox.reply(Unsubscribed(message.id, [channel.name for channel in channels]))

    def _channel(self, name: str) -> Channel:
        """Read a channel's name. Another user's account looks missing."""
        if name.startswith(f"{Kind.ACCOUNT}:"):
            return self._floor.account_channel(name, self._signed_in())
        return self._floor.exchange.market_channel(name) or parse_channel(name, self._catalogue)

    def _is_too_long(self, text: str) -> bool:
        most = self._limits.max_message_bytes
        return len(text) > most or len(text.encode()) > most

    def _refuse_too_long(self) -> None:
        most = self._limits.max_message_bytes
        self.outbox.reply(Error(None, "message_too_long", f"A message may have {most} bytes."))
        self.outbox.close(Closing(TOO_LONG, "message_too_long"))
