"""The whole of journey 1 up to the tables: recorded raw lines over a socket, the real feed, the bus, the recorder."""

import asyncio
import gzip

import msgspec
import pytest
from sqlalchemy import text
from websockets.asyncio.server import ServerConnection, serve

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.feeder import run_feed
from fondaco.market.feeds.binance import BinanceFeed
from fondaco.market.feeds.recordings import load_recording
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import Batch, StoredBatch, TickStore
from support import needs
from support.feeding import NOW_US, catalogue, unreceived
from support.stored import gaps_of, ticks_of, verified
from support.waiting import eventually

CATALOGUE = catalogue("BTC/USDT")
RUBBISH = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"none","q":"1","T":1723161255342,"m":true}}'
)


class RawLine(msgspec.Struct):
    """A line of a raw recording."""

    msg: msgspec.Raw


class CountingStore(TickStore):
    """The real store, which also counts what was new."""

    new_ticks = 0

    async def store(self, batch: Batch, *, now_us: int) -> StoredBatch:
        """Store as ever."""
        stored = await super().store(batch, now_us=now_us)
        self.new_ticks += stored.new_ticks
        return stored


@pytest.mark.parametrize("days", ["2024-08-08_2024-08-09", "2023-04-05"])
async def test_the_tables_end_equal_to_the_exchanges_own_file(days: str, database: Database) -> None:
    decode = msgspec.json.Decoder(RawLine).decode
    raw = needs.recorded(f"binance_spot_btcusdt_ws_raw_{days}.jsonl.gz")

    async def play(connection: ServerConnection) -> None:
        await connection.send(RUBBISH)
        with gzip.open(raw) as lines:
            for line in lines:
                if b"@trade" in line:
                    await connection.send(bytes(decode(line).msg), text=True)
        await connection.wait_closed()

    csv = needs.recorded(f"binance_spot_btcusdt_trades_{days}.csv.gz")
    columns = load_recording(csv, CATALOGUE, received_us=NOW_US).series["BTCUSDT"]
    listed = (columns.trade_id, columns.time_us, columns.price, columns.quantity, columns.buyer_is_maker)
    expected = list(zip(*(column.tolist() for column in listed), strict=True))

    store = CountingStore(database)

    async def all_stored() -> bool:
        return store.new_ticks >= len(expected)

    async with serve(play, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = MarketSettings(binance_ws_url=f"ws://127.0.0.1:{port}", batch_wait_s=0.1)
        bus = LocalBus(BusSettings())
        prices = PriceWriter(database, Quoter({}, 100), every_s=0)
        recorder = Recorder(bus, store, prices, settings)
        feeding = asyncio.create_task(
            run_feed(BinanceFeed(settings, CATALOGUE, now_us), bus, CATALOGUE, settings, now_us)
        )
        recording = asyncio.create_task(recorder.run())
        await eventually(all_stored, patience_s=90)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        recorder.stop()
        await recording

    assert unreceived(await ticks_of(database)) == expected
    assert await gaps_of(database) == []
    assert [week.different for week in await verified(database)] == [0]
    async with database.transaction() as connection:
        reasons = (await connection.execute(text("SELECT reason FROM quarantine"))).scalars().all()
    assert reasons == ["price_not_a_number"]
