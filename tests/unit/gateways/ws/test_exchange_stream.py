"""Where snapshot and updates meet, moment by moment: nothing is missing and nothing comes twice."""

import asyncio
from typing import Any

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.listings import Catalogue
from fondaco.domains.identity.actors import Actor
from fondaco.domains.identity.tables import UserRole
from fondaco.engine.journal import BEGINNING
from fondaco.engine.live import LiveHouse
from fondaco.engine.looking import look
from fondaco.engine.queries import Query, Seen
from fondaco.engine.remote import RemoteEngine
from fondaco.gateways.rest.app import build_app
from fondaco.gateways.ws.session import Limits, Session
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import BusSettings, DatabaseSettings, Settings
from support.exchange import BTC, Exchange

LIMITS = Limits(max_subscriptions=5, max_message_bytes=1_000, max_waiting_ticks=10, max_commands=2)


class LookingEngine(RemoteEngine):
    """Answers questions from a machine as it is now, and nothing else."""

    def __init__(self, exchange: Exchange, nowhere: Database) -> None:
        super().__init__(nowhere, b"")
        self._exchange = exchange

    async def look(self, query: Query) -> Seen:
        """Look at the machine."""
        return look(self._exchange.machine, query)


class House:
    """A house whose batches are heard when a test says so, and flushed when it says so."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.exchange.list_markets(BTC)
        self.alice = self.exchange.open_account("alice", USDT=10**12)
        nowhere = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseSettings(), application="test")
        engine = LookingEngine(self.exchange, nowhere)
        self.live = LiveHouse(engine, nowhere)
        self.stream = build_app(Settings(), nowhere, LocalBus(BusSettings()), engine, self.live, page=None).stream
        self.live.mark = BEGINNING
        self.live.ready.set()
        self.hear()
        self.stream.flush()

    def bid(self, ticks: int) -> int:
        """Alice bids; returns the command's number."""
        self.exchange.order(self.alice, Side.BUY, ticks, 1)
        return self.exchange.machine.seq

    def hear(self) -> None:
        """End a batch here, and have the live view hear of it."""
        batch = self.exchange.cut()
        self.live._take(batch)
        self.live._news.set()
        self.live._news = asyncio.Event()

    async def subscribed(self, channel: str, **fields: object) -> Session:
        """A client of alice's that listens to a channel."""
        session = Session(self.stream, Catalogue([]), self.stream._floor, LIMITS, Metrics())
        session._actor = Actor("alice", UserRole.USER)
        await session.obey(msgspec.json.encode({"op": "subscribe", "channels": [channel], **fields}).decode())
        assert taken(session, 1)[0]["type"] == "subscribed"
        return session


def taken(session: Session, count: int) -> list[dict[str, Any]]:
    """The next frames for a client, and no more than there are."""
    found = [each for each in (session.outbox.take() for _ in range(count)) if isinstance(each, bytes)]
    return [msgspec.json.decode(each) for each in found]


async def begun() -> None:
    """Let what has been started come to where it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def told_seqs(frame: dict[str, Any]) -> list[int]:
    return [each["seq"] for each in frame["data"]]


async def test_what_a_book_s_snapshot_has_is_not_told_again() -> None:
    house = House()
    before = house.bid(100)
    house.hear()
    session = await house.subscribed("book:BTCUSDT")
    after = house.bid(101)
    house.hear()
    (snapshot,) = taken(session, 1)
    assert (snapshot["seq"], len(snapshot["data"]["bids"])) == (after, 2)
    house.stream.flush()
    assert taken(session, 1) == []
    last = house.bid(102)
    house.hear()
    house.stream.flush()
    (update,) = taken(session, 1)
    assert (update["first_seq"], update["seq"], len(update["data"]["bids"])) == (after + 1, last, 1)
    assert before < after


async def test_an_account_seen_in_the_middle_of_a_batch_goes_on_with_the_rest_of_that_batch() -> None:
    house = House()
    first = house.bid(100)
    session = await house.subscribed(f"account:{house.alice}")
    await begun()  # the engine has answered; what it answered is not heard of yet
    second, third = house.bid(101), house.bid(102)
    house.hear()
    await begun()
    snapshot, update = taken(session, 2)
    assert (snapshot["seq"], len(snapshot["data"]["orders"])) == (first, 1)
    assert (update["first_seq"], told_seqs(update), update["seq"]) == (first + 1, [second, third], third)
    house.stream.flush()
    assert taken(session, 1) == []


async def test_what_an_account_s_snapshot_has_is_not_told_again_by_a_later_flush() -> None:
    house = House()
    session = await house.subscribed(f"account:{house.alice}")
    await begun()
    assert [each["type"] for each in taken(session, 2)] == ["snapshot"]
    second = house.bid(100)
    house.hear()  # an effect that waits for its flush
    other = await house.subscribed(f"account:{house.alice}")
    await begun()
    third = house.bid(101)
    house.hear()
    house.stream.flush()
    snapshot, update = taken(other, 2)
    assert (snapshot["seq"], told_seqs(update)) == (second, [third])
    (both,) = taken(session, 2)
    assert told_seqs(both) == [second, third]


async def test_who_comes_back_gets_what_waits_for_its_flush_once() -> None:
    house = House()
    session = await house.subscribed(f"account:{house.alice}")
    await begun()
    (snapshot,) = taken(session, 2)
    seq = house.bid(100)
    house.hear()
    other = await house.subscribed(f"account:{house.alice}", after_seq=snapshot["seq"])
    house.stream.flush()
    for client in (session, other):
        (update,) = taken(client, 2)
        assert (update["type"], update["first_seq"], told_seqs(update)) == ("update", snapshot["seq"] + 1, [seq])
    again = await house.subscribed(f"account:{house.alice}", after_seq=seq)
    (nothing,) = taken(again, 2)
    assert (nothing["first_seq"], nothing["seq"], nothing["data"]) == (seq + 1, seq, [])
