"""The house's own exchange on the stream: an engine, a served house with people, clients who keep what they hear."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fondaco.engine.port import Engine
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from support.house import House, StreamClient, stream_client
from support.live import House as LedEngine
from support.live import whole_engine
from support.trading import TOKENS, Person, opened
from support.waiting import eventually

Frame = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A house that is served, and the engine behind it."""

    house: House
    engine: LedEngine
    people: Mapping[str, Person]

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    @asynccontextmanager
    async def client(self, name: str = "") -> AsyncIterator[StreamClient]:
        """A stream, of somebody or of nobody."""
        async with stream_client(self.house) as client:
            if name:
                answer = await client.ask(op="auth", token=f"dev:{self[name].email}")
                assert answer["type"] == "signed_in", answer
            yield client


@asynccontextmanager
async def served_floor(
    database: Database, settings: Settings = TOKENS, between: Callable[[Engine], Engine] = lambda engine: engine
) -> AsyncIterator[Served]:
    """Open the exchange and serve it on a port until the block ends.

    Args:
        database: of the house.
        settings: of the house.
        between: what stands between the house and its engine, such as a line that may be lost.
    """
    async with whole_engine(database) as engine:
        people = await opened(database, engine.client)
        house = House(settings, database, engine=between(engine.client))

        async def is_up() -> bool:
            return house.live.ready.is_set()

        async with house.served():
            await eventually(is_up)
            yield Served(house, engine, people)


class LocalBook:
    """A book as a client keeps it from a snapshot and updates. A hole in the numbers is found out."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.seq = -1
        self.snapshots = 0
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}

    def take(self, frame: Frame) -> None:
        """Take a frame of the channel."""
        assert frame["channel"] == self.channel
        if frame["type"] == "snapshot":
            self.bids, self.asks = {}, {}
            self.snapshots += 1
        else:
            assert frame["first_seq"] == self.seq + 1, (frame["first_seq"], self.seq)
            assert frame["seq"] >= frame["first_seq"]
        self.seq = frame["seq"]
        for mine, told in ((self.bids, frame["data"]["bids"]), (self.asks, frame["data"]["asks"])):
            for price, quantity in told:
                if quantity == "0":
                    mine.pop(price, None)
                else:
                    mine[price] = quantity

    async def hear_until(self, client: StreamClient, is_there: Callable[["LocalBook"], bool]) -> None:
        """Listen until the book is as wanted."""
        while not is_there(self):
            frame = await client.hear()
            if frame.get("channel") == self.channel:
                self.take(frame)
