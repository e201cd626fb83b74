"""One client's session: obedience, limits, and an outbox that a slow reader cannot fill."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.listings import Catalogue, instrument
from fondaco.engine.live import LiveHouse
from fondaco.engine.remote import RemoteEngine
from fondaco.gateways.asgi import Message
from fondaco.gateways.rest.app import build_app
from fondaco.gateways.ws.messages import Channel, Kind, Ping, Pong, TickItem, Update, encode
from fondaco.gateways.ws.outbox import MAX_REPLIES, Closing, Frame, Outbox, WriteFrame
from fondaco.gateways.ws.protocol import text_frame
from fondaco.gateways.ws.session import TOO_LONG, Limits, Session
from fondaco.gateways.ws.stream import Stream
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import BusSettings, DatabaseSettings, Settings

CATALOGUE = Catalogue([instrument("BTC/USDT", {})])
TICKS = Channel(Kind.TICKS, "BTCUSDT")
FEED = Channel(Kind.FEED)
LIMITS = Limits(max_subscriptions=2, max_message_bytes=100, max_waiting_ticks=3, max_commands=2)


def new_stream() -> Stream:
    """A real publisher that nothing feeds: its bus is silent and its database away."""
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseSettings(), application="test")
    engine = RemoteEngine(nowhere, b"")
    return build_app(Settings(), nowhere, LocalBus(BusSettings()), engine, LiveHouse(engine, nowhere), page=None).stream


def new_session(stream: Stream | None = None) -> Session:
    stream = stream or new_stream()
    return Session(stream, CATALOGUE, stream._floor, LIMITS, Metrics())


def new_outbox(write_frame: WriteFrame | None = None, *, max_ticks: int = 3) -> Outbox:
    return Outbox(max_ticks, lambda channel: f"snapshot of {channel.name}".encode(), Metrics(), write_frame)


def frame(seq: int, *ids: int) -> Frame:
    update = Update(TICKS.name, seq, [TickItem(each, each, "1", "1", "buy") for each in ids])
    return Frame(update, encode(update), text_frame(encode(update)))


def taken(outbox: Outbox) -> list[Any]:
    """Everything that waits in an outbox, decoded where it is JSON."""
    found = list(iter(outbox.take, None))
    return [msgspec.json.decode(each) if isinstance(each, bytes) and each[:1] == b"{" else each for each in found]


async def test_a_subscription_is_confirmed_before_its_snapshot() -> None:
    session = new_session()
    await session.obey('{"op":"subscribe","channels":["ticks:btc","feed"],"id":7}')
    assert taken(session.outbox) == [
        {"type": "subscribed", "id": 7, "channels": ["ticks:BTCUSDT", "feed"]},
        {"type": "snapshot", "channel": "ticks:BTCUSDT", "seq": 0, "source": None, "data": []},
        {"type": "snapshot", "channel": "feed", "seq": 0, "source": None, "data": None},
    ]


async def test_one_bad_channel_refuses_the_whole_subscription() -> None:
    stream = new_stream()
    session = new_session(stream)
    await session.obey('{"op":"subscribe","channels":["feed","ticks:DOGE"],"id":7}')
    (error,) = taken(session.outbox)
    assert (error["type"], error["id"], error["code"]) == ("error", 7, "unknown_symbol")
    assert set(stream._topics) == set()


async def test_the_limit_of_subscriptions_holds_at_its_edge_and_adds_nothing_beyond() -> None:
    stream = new_stream()
    session = new_session(stream)
    await session.obey('{"op":"subscribe","channels":["ticks:btc","feed"]}')
    await session.obey('{"op":"subscribe","channels":["feed"]}')  # already counted
    await session.obey('{"op":"subscribe","channels":["prices:btc"],"id":9}')
    codes = [each["code"] for each in taken(session.outbox) if each["type"] == "error"]
    assert codes == ["too_many_subscriptions"]
    assert set(stream._topics) == {TICKS, FEED}


async def test_after_unsubscribing_nothing_of_the_channel_leaves() -> None:
    stream = new_stream()
    session = new_session(stream)
    await session.obey('{"op":"subscribe","channels":["feed"]}')
    await session.obey('{"op":"unsubscribe","channels":["feed"],"id":"x"}')
    assert [each["type"] for each in taken(session.outbox)] == ["subscribed", "unsubscribed"]
    assert set(stream._topics) == set()


async def test_a_refused_message_leaves_the_session_open() -> None:
    session = new_session()
    for text in ("{", '{"op":"sell"}', None, '{"op":"ping","id":1}'):
        await session.obey(text)
    answers = taken(session.outbox)
    assert [each.get("code", each["type"]) for each in answers] == ["bad_json", "bad_message", "binary_message", "pong"]


@pytest.mark.parametrize(("filler", "is_refused"), [("x" * 78, False), ("x" * 79, True), ("é" * 40, True)])
async def test_a_message_is_too_long_by_its_bytes(filler: str, *, is_refused: bool) -> None:
    text = '{"op":"ping","id":"' + filler + '"} '
    assert (len(text.encode()) > LIMITS.max_message_bytes) is is_refused
    session = new_session()
    await session.obey(text)
    if is_refused:
        assert (
            session.outbox.take()
            == b'{"type":"error","id":null,"code":"message_too_long","message":"A message may have 100 bytes."}'
        )
        assert session.outbox.take() == Closing(TOO_LONG, "message_too_long")
    else:
        assert taken(session.outbox) == [{"type": "pong", "id": filler}]


def test_updates_that_wait_are_merged_and_the_newest_ticks_kept() -> None:
    outbox = new_outbox()
    outbox.offer(TICKS, frame(1, 1, 2))
    outbox.offer(TICKS, frame(2, 3))
    outbox.offer(TICKS, frame(3, 4, 5))
    (left,) = taken(outbox)
    assert (left["seq"], left["conflated"], left["dropped"]) == (3, 3, 2)
    assert [each[0] for each in left["data"]] == [3, 4, 5]


def test_a_waiting_snapshot_swallows_updates() -> None:
    outbox = new_outbox()
    outbox.want_snapshot(TICKS)
    outbox.offer(TICKS, frame(1, 1))
    assert taken(outbox) == [b"snapshot of ticks:BTCUSDT"]


def test_a_client_that_keeps_up_gets_ready_frames_and_nothing_waits() -> None:
    written: list[bytes] = []

    def write_frame(wire: bytes) -> bool:
        written.append(wire)
        return True

    outbox = new_outbox(write_frame)
    outbox.offer(TICKS, frame(1, 1))
    assert written == [frame(1, 1).wire]
    assert taken(outbox) == []


class Client:
    """A client with both ways to it: ready frames, and a writer that may be under way in `send`."""

    def __init__(self) -> None:
        self.is_ready = True
        self.arrived: list[int] = []
        self.outbox = new_outbox(self.write_frame, max_ticks=1000)
        self._under_way = b""

    def write_frame(self, wire: bytes) -> bool:
        """Take a ready frame, if the client keeps up."""
        if self.is_ready:
            self._arrive(wire[wire.index(b"{") :])
        return self.is_ready

    def turn(self) -> bool:
        """The writer's turn: `send` returns and the next is taken; says whether there was one."""
        self._arrive(self._under_way)
        taken = self.outbox.take()
        self._under_way = taken if isinstance(taken, bytes) else b""
        return taken is not None

    def _arrive(self, payload: bytes) -> None:
        update = msgspec.json.decode(payload or b"{}")
        self.arrived += [each[0] for each in update.get("data", [])]


@given(st.lists(st.sampled_from(["offer", "turn", "behind", "ready", "reply"]), max_size=40))
def test_every_tick_arrives_once_and_in_order_however_the_client_falls_behind(steps: list[str]) -> None:
    client = Client()
    offered = 0
    for step in steps:
        match step:
            case "offer":
                offered += 1
                client.outbox.offer(TICKS, frame(offered, offered))
            case "reply":
                client.outbox.reply(Pong(1))
            case "turn":
                client.turn()
            case _:
                client.is_ready = step == "ready"
    while client.turn():
        pass
    assert client.arrived == list(range(1, offered + 1))


async def test_replies_that_are_not_taken_stop_the_reading() -> None:
    session = new_session()
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        await asyncio.sleep(0)
        return {"type": "websocket.receive", "text": encode_ping(received)}

    async def send(message: Message) -> None:
        del message
        await asyncio.Event().wait()  # a client that never reads

    running = asyncio.create_task(session.run(receive, send))
    for _ in range(10 * MAX_REPLIES):
        await asyncio.sleep(0)
    assert received == MAX_REPLIES + 1  # one has left the outbox and waits in `send`
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def encode_ping(number: int) -> str:
    return msgspec.json.encode(Ping(number)).decode()


async def test_a_session_that_ends_leaves_its_channels() -> None:
    stream = new_stream()
    session = new_session(stream)
    messages = iter(['{"op":"subscribe","channels":["feed","ticks:btc"]}'])

    async def receive() -> Message:
        await asyncio.sleep(0)
        text = next(messages, None)
        return {"type": "websocket.receive", "text": text} if text else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        del message

    await session.run(receive, send)
    assert set(stream._topics) == set()
