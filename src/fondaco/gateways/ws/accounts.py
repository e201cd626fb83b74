"""The account channels: all that happens to a user's own accounts, each change in the engine's order.

Here nothing is merged and nothing left out. A listener begins with what the engine's memory has of the account, after
some command, and goes on with the effects of the commands above it; or, when it comes back, with those above the last
that it was told. Who reads too slowly is told where to go on, and cut off: see `fondaco.gateways.ws.session`.

How the margin of its positions stands follows the quotes and comes in frames of its own: `fondaco.gateways.ws.margins`.

Invariant: a listener has been told every effect up to its ``told_seq``, once, or is still to get its snapshot.
"""

import asyncio
from typing import Final, Protocol

import structlog

from fondaco.engine.account_logs import AccountLog, AccountLogs, Effect
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.gateways.ws.desk_frames import MarginFrame
from fondaco.gateways.ws.house_frames import HouseSnapshot, HouseUpdate, account_data, effect_items
from fondaco.gateways.ws.margins import Margins
from fondaco.gateways.ws.messages import Channel, Error, RequestId, encode, margin_channel
from fondaco.gateways.ws.outbox import Frame, Outbox
from fondaco.gateways.ws.protocol import text_frame

MAX_REPLAYED: Final = 5_000
"""Effects that are told again to one who comes back; beyond that a snapshot is shorter."""
MAX_LOOKS: Final = 3
"""How often the engine is asked for an account, when what happened since is no longer kept."""
PATIENCE_S: Final = 10.0
"""How long a snapshot may take."""

log = structlog.get_logger()


class Subscriber(Protocol):
    """Whoever listens."""

    outbox: Outbox

    def drop(self, channel: Channel) -> None:
        """Forget a channel that is not sent after all."""
        ...


class Listener:
    """A subscriber of one account's channel."""

    def __init__(self, subscriber: Subscriber, channel: Channel, account_log: AccountLog) -> None:
        self.subscriber = subscriber
        self.channel = channel
        self.log = account_log
        self.told_seq: int | None = None
        self.beginning: asyncio.Task[None] | None = None

    def tell(self, seq: int, payload: bytes) -> None:
        """Send a frame that ends at a command."""
        self.told_seq = seq
        self.subscriber.outbox.tell(self.channel, seq, payload)


class AccountStreams:
    """All account channels of a server."""

    def __init__(self, engine: Engine, live: LiveHouse, logs: AccountLogs, margins: Margins) -> None:
        self._engine = engine
        self._live = live
        self._logs = logs
        self._margins = margins
        self._listeners: dict[int, dict[Subscriber, Listener]] = {}

    def join(self, subscriber: Subscriber, channel: Channel, after_seq: int | None, request_id: RequestId) -> None:
        """Send what happened after a command, or else a snapshot; and updates from then on."""
        self.leave(subscriber, channel)
        listener = Listener(subscriber, channel, self._logs.follow(channel.account_id))
        self._listeners.setdefault(channel.account_id, {})[subscriber] = listener
        self._margins.listen(channel.account_id)
        missed = None if after_seq is None or after_seq > self._logs.seq else listener.log.after(after_seq)
        if after_seq is not None and missed is not None and len(missed) <= MAX_REPLAYED:
            seq = max(listener.log.seq, after_seq)
            listener.tell(seq, self._update(channel, after_seq, seq, missed))
            self._tell_margin(listener)
        else:
            self._begin(listener, request_id)

    def leave(self, subscriber: Subscriber, channel: Channel) -> None:
        """Send no more."""
        listeners = self._listeners.get(channel.account_id, {})
        listener = listeners.pop(subscriber, None)
        if listener is None:
            return
        if listener.beginning is not None:
            listener.beginning.cancel()
        if not listeners:
            del self._listeners[channel.account_id]
            self._margins.leave(channel.account_id)
        self._logs.leave(channel.account_id)

    def begin_anew(self) -> None:
        """What happened in between cannot be told: everybody gets a new snapshot."""
        for listeners in self._listeners.values():
            for listener in listeners.values():
                if listener.beginning is None:
                    self._begin(listener, None)

    def flush(self) -> None:
        """Tell everybody what is new."""
        for account_log, effects in self._logs.take_news():
            # Nearly all have been told the same so far, and get the very same bytes.
            frames: dict[int, bytes] = {}
            for listener in self._listeners.get(account_log.account_id, {}).values():
                self._tell_new(listener, effects, frames)
        for account_id, frame in self._margins.take_due():
            sent = _framed(frame)
            for listener in self._listeners[account_id].values():
                if listener.told_seq is not None:
                    listener.subscriber.outbox.offer(margin_channel(account_id), sent)

    def wait_s(self) -> float | None:
        """How long until something must be told though nothing changes; None when nothing must."""
        return self._margins.wait_s()

    def _tell_margin(self, listener: Listener) -> None:
        """Tell one who has just begun how the account stands now."""
        account_id = listener.channel.account_id
        frame = self._margins.frame(account_id)
        if frame is not None:
            listener.subscriber.outbox.offer(margin_channel(account_id), _framed(frame))

    def _tell_new(self, listener: Listener, effects: list[Effect], frames: dict[int, bytes]) -> None:
        told_seq, seq = listener.told_seq, listener.log.seq
        if told_seq is None or told_seq >= seq:
            return
        fresh = [each for each in effects if each.seq > told_seq]
        if not fresh:
            return
        if told_seq not in frames:
            frames[told_seq] = self._update(listener.channel, told_seq, seq, fresh)
        listener.tell(seq, frames[told_seq])

    def _begin(self, listener: Listener, request_id: RequestId) -> None:
        listener.told_seq = None
        listener.beginning = asyncio.create_task(self._bring_snapshot(listener, request_id))

    async def _bring_snapshot(self, listener: Listener, request_id: RequestId) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(MAX_LOOKS):
                    if await self._told_whole(listener):
                        return
        except (OverloadedError, OutcomeUnknownError, TimeoutError) as error:
            log.info("stream.account_not_seen", account=listener.channel.account_id, error=str(error))
        finally:
            listener.beginning = None
        self._give_up(listener, request_id)

    async def _told_whole(self, listener: Listener) -> bool:
        """Send the account as the engine has it, and what has happened since; False when that is no longer known."""
        account_id = listener.channel.account_id
        seen = await self._engine.look(LookAtAccount(account_id))
        assert isinstance(seen, AccountSeen)
        # Assets and markets in the account are known here only then.
        await self._live.come_to(seen.seq)
        since = listener.log.after(seen.seq)
        if since is None:
            return False
        data = account_data(seen, self._live)
        listener.tell(seen.seq, encode(HouseSnapshot(listener.channel.name, seen.seq, data)))
        if since:
            seq = listener.log.seq
            listener.tell(seq, self._update(listener.channel, seen.seq, seq, since))
        self._tell_margin(listener)
        return True

    def _give_up(self, listener: Listener, request_id: RequestId) -> None:
        subscriber, channel = listener.subscriber, listener.channel
        self.leave(subscriber, channel)
        subscriber.drop(channel)
        sentence = f"The engine cannot be asked now. {channel.name} is not subscribed; try again in a moment."
        subscriber.outbox.reply(Error(request_id, "engine_away", sentence))

    def _update(self, channel: Channel, told_seq: int, seq: int, effects: list[Effect]) -> bytes:
        items = effect_items(effects, channel.account_id, self._live)
        return encode(HouseUpdate(channel.name, told_seq + 1, seq, items))


def _framed(frame: MarginFrame) -> Frame:
    payload = encode(frame)
    return Frame(frame, payload, text_frame(payload))
