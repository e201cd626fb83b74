"""A desk for tests: a feed that says what it is told to, on a real bus, and what the engine knows of the desk."""

from itertools import count
from typing import Final

import msgspec

from fondaco.core.desk.state import DeskPosition, DeskQuote
from fondaco.core.machine import Machine
from fondaco.core.vocabulary import World
from fondaco.engine.client import EngineClient
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    TICKS_STREAM,
    FeedState,
    Source,
    Tick,
    TickBatch,
    encode_entry,
)

SYMBOL: Final = "BTCUSDT"
UNIT: Final = 10**8


class Feed:
    """Brings one symbol's trades."""

    def __init__(self, bus: Bus, source: Source = Source.REPLAY) -> None:
        self._bus = bus
        self._source = source
        self._ids = count(1)

    async def begin(self) -> None:
        """Say that readers see this feed now."""
        body = msgspec.msgpack.encode(FeedState(self._source, "tested", (SYMBOL,), connected=True, since_us=now_us()))
        await self._bus.set(FEED_KEY, body)
        await self._bus.publish(FEED_CHANNEL, body)

    async def trade(
        self, *prices: int, age_us: int = 0, is_backfill: bool = False, is_history: bool = False
    ) -> list[int]:
        """Trades at these prices, in quote units, all of one read; returns their ids."""
        received_us = now_us() - age_us
        ticks = tuple(
            Tick(next(self._ids), received_us, price * UNIT, UNIT, buyer_is_maker=False, received_us=received_us)
            for price in prices
        )
        batch = TickBatch(self._source, SYMBOL, ticks, is_backfill, is_history)
        await self._bus.append(TICKS_STREAM, encode_entry(batch))
        return [each.trade_id for each in ticks]


async def quote_of(client: EngineClient, world: World = World.DEMO) -> DeskQuote | None:
    """The desk's quote, as the engine has it."""

    def found(machine: Machine) -> DeskQuote | None:
        book = machine.house.desk.books.get((world, SYMBOL))
        return None if book is None else book.quote

    return await client.read(found)


async def open_positions(client: EngineClient) -> list[DeskPosition]:
    """Positions that are open, as the engine has them."""
    return await client.read(lambda machine: list(machine.house.desk.positions.values()))
