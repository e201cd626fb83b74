"""A feed through everything that goes wrong: afterwards the tables equal the exchange's own file, and the ledger tells.

The exchange is played by a WebSocket server that drops connections, passes over trades, repeats them, talks rubbish,
stalls without closing and announces its shutdown, and by a REST server that is at times too busy. Feed, bus, recorder
and back-filler are the real ones.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from sqlalchemy import text
from websockets.asyncio.server import ServerConnection, serve

from fondaco.core.money import format_atoms
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.feeder import run_feed
from fondaco.market.feeds.backfill import Backfiller
from fondaco.market.feeds.binance import BinanceFeed
from fondaco.market.feeds.binance_rest import BinanceHistory
from fondaco.market.feeds.recordings import load_recording
from fondaco.market.messages import Tick
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import TickStore
from support import needs
from support.feeding import NOW_US, Clock, catalogue, unreceived
from support.past_trades import Answer, past_trades
from support.stored import gaps_of, ticks_of, verified
from support.waiting import eventually

CATALOGUE = catalogue("BTC/USDT")
SHUTDOWN = '{"stream":"btcusdt@trade","data":{"e":"serverShutdown","E":1723161255343}}'
RUBBISH = ("{", "[]", '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":7}}', "\x00")


class FaultyExchange:
    """Plays a recording over several connections; each ends in a way of its own."""

    def __init__(self, ticks: Sequence[Tick]) -> None:
        self.ticks = ticks
        self.lost: list[range] = []
        self.connections = 0
        self.is_through = asyncio.Event()

    async def play(self, connection: ServerConnection) -> None:
        """Play the part of this connection; the last one stays open."""
        part, self.connections = self.connections, self.connections + 1
        size = len(self.ticks) // 5
        start = part * size
        match part:
            case 0:
                await self._send(connection, self.ticks[start : start + size - 40])
                self._lose(start + size - 40, start + size)
                connection.transport.abort()
            case 1:
                await self._send(connection, self.ticks[start : start + 100])
                self._lose(start + 100, start + 2_200)  # more than a page of old trades
                self._lose(start + 2_300, start + 2_301)
                await self._send(connection, self.ticks[start + 2_200 : start + 2_300])
                await self._send(connection, self.ticks[start + 2_301 : start + size])
                await connection.close()
            case 2:
                await self._send(connection, self.ticks[start - 300 : start + size])  # repeats and goes on
                for each in RUBBISH:
                    await connection.send(each)
                await connection.wait_closed()  # says no more and does not close
            case 3:
                await self._send(connection, self.ticks[start : start + size])
                await connection.send(SHUTDOWN)
                await connection.wait_closed()
            case 4:
                await self._send(connection, [*self.ticks[start - 50 : start], *self.ticks[start:]])
                self.is_through.set()
                await connection.wait_closed()
            case _:
                await connection.wait_closed()

    def _lose(self, start: int, end: int) -> None:
        self.lost.append(range(self.ticks[start].trade_id, self.ticks[end - 1].trade_id + 1))

    async def _send(self, connection: ServerConnection, ticks: Sequence[Tick]) -> None:
        for tick in ticks:
            await connection.send(_frame(tick))


def _frame(tick: Tick) -> str:
    fields = {
        "e": "trade",
        "s": "BTCUSDT",
        "t": tick.trade_id,
        "p": format_atoms(tick.price, 8),
        "q": format_atoms(tick.quantity, 8),
        "T": tick.time_us // 1000,
        "m": tick.buyer_is_maker,
    }
    return msgspec.json.encode({"stream": "btcusdt@trade", "data": fields}).decode()


@asynccontextmanager
async def running(database: Database, settings: MarketSettings) -> AsyncIterator[None]:
    """Feed, recorder and back-filler, together as in a house."""
    bus, clock = LocalBus(BusSettings()), Clock()
    feed = BinanceFeed(settings, CATALOGUE, now_us, sleep=_briefly)
    history = BinanceHistory(settings, sleep=clock.sleep, clock_s=lambda: clock.now_us / 1e6)
    backfiller = Backfiller(database, bus, CATALOGUE, history, settings, clock_us=now_us, sleep=_briefly)
    recorder = Recorder(bus, TickStore(database), PriceWriter(database, Quoter({}, 100), every_s=0), settings)
    working = [
        asyncio.create_task(run_feed(feed, bus, CATALOGUE, settings, now_us)),
        asyncio.create_task(backfiller.run()),
    ]
    recording = asyncio.create_task(recorder.run())
    yield
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    recorder.stop()
    await recording
    await history.aclose()


@pytest.mark.timeout(240)
async def test_whatever_goes_wrong_the_tables_end_equal_to_the_file_and_the_ledger_tells(database: Database) -> None:
    csv = needs.recorded("binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz")
    columns = load_recording(csv, CATALOGUE, received_us=NOW_US).series["BTCUSDT"]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    file = [Tick(trade_id, time, price, quantity, maker, 0) for time, trade_id, price, quantity, maker in rows]
    exchange = FaultyExchange(file)

    async def all_is_there() -> bool:
        async with database.transaction() as connection:
            count = (await connection.execute(text("SELECT count(*) FROM ticks"))).scalar_one()
        return bool(count == len(file) and all(is_filled for *_, is_filled in await gaps_of(database)))

    with past_trades(file) as rest:
        rest.instead += [Answer(429, headers=(("Retry-After", "3"),)), Answer(503), Answer(200, "<html>")]
        async with serve(exchange.play, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            settings = MarketSettings(
                binance_ws_url=f"ws://127.0.0.1:{port}",
                binance_rest_url=rest.url,
                binance_quiet_s=0.2,
                batch_wait_s=0.1,
                backfill_after_s=0,
            )
            async with running(database, settings):
                await asyncio.wait_for(exchange.is_through.wait(), 90)
                await eventually(all_is_there, patience_s=90)

    assert unreceived(await ticks_of(database)) == unreceived(file)
    assert [week.different for week in await verified(database)] == [0]
    assert await _story(database) == [(each[0] - 1, each[-1] + 1, 0, 0, None) for each in exchange.lost]
    assert await _reasons(database) == {"malformed_json", "missing_field", "wrong_type"}


async def _story(database: Database) -> list[tuple[int, int, int, int, str | None]]:
    query = "SELECT after_trade_id, before_trade_id, missing, absent, problem FROM gaps ORDER BY after_trade_id"
    async with database.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def _reasons(database: Database) -> set[str]:
    async with database.transaction() as connection:
        return set((await connection.execute(text("SELECT DISTINCT reason FROM quarantine"))).scalars())


async def _briefly(_seconds: float) -> None:
    await asyncio.sleep(0.01)
