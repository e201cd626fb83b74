"""People who trade with each other, for tests of what follows from trades."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fondaco.core.book.vocabulary import Side
from fondaco.core.replies import OrderPlaced
from fondaco.engine.client import EngineClient
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.settings import MarketSettings
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import TickStore
from support.engines import submit
from support.floor import ALICE, BOB, limit
from support.tasks import ended

QUICK = MarketSettings(batch_wait_s=0.01)


async def trade(client: EngineClient, price_ticks: int, lots: int, *, buyer_takes: bool = True) -> None:
    """Alice buys from Bob. Whoever takes comes second."""
    orders = [(BOB, Side.SELL), (ALICE, Side.BUY)]
    for account_id, side in orders if buyer_takes else reversed(orders):
        answer = await submit(client, account_id, limit(account_id, side, price_ticks, lots))
        assert isinstance(answer.reply, OrderPlaced), answer


@asynccontextmanager
async def recording(database: Database, ticks: TickStore, bus: LocalBus) -> AsyncIterator[None]:
    """Record until the block ends, and then be cut off as by a kill: what was read and not stored goes to the next."""
    with bus.connect() as own:
        prices = PriceWriter(database, Quoter({}, 0), every_s=10)
        async with ended(Recorder(own, ticks, prices, QUICK).run()):
            yield
