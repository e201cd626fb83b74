"""The loop of the feed process on a real bus: what arrives there, and that nothing is lost (EXP-3 to EXP-8, EXP-C6)."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from fondaco.infra.bus.local import LocalBus
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.settings import BusSettings, MarketSettings
from fondaco.market.feeder import MAX_TICKS_PER_ENTRY, run_feed
from fondaco.market.feeds.port import Read
from fondaco.market.feeds.replay import ReplayFeed, open_replay
from fondaco.market.messages import (
    FEED_CHANNEL,
    FEED_KEY,
    RECORDERS,
    TICKS_STREAM,
    FeedState,
    Refused,
    StreamEntry,
    TickBatch,
    decode_entry,
    quote_channel,
)
from support.buses import connected
from support.feeding import NOW_US, Clock, catalogue, write_trades
from support.waiting import eventually

CATALOGUE = catalogue("BTC/USDT")
FIRST_MS = 1_723_161_240_000
LABEL = "Recorded Binance trades of 2024-08-08, replayed with their own times"


def record(folder: Path, count: int, *, pause_ms: int = 0) -> Path:
    """A recording of so many trades of ever rising prices."""
    return write_trades(folder, [(n, f"{n}.00", "1", FIRST_MS + n * pause_ms, True) for n in range(1, count + 1)])


def market(**changes: object) -> MarketSettings:
    fixed = {"replay_times": "recorded", "replay_speed": 0, "replay_loop": False, "default_markup_ppm": 10_000}
    return MarketSettings.model_validate(fixed | changes)


def replay(path: Path, settings: MarketSettings, *, with_history: bool = False) -> ReplayFeed:
    clock = Clock()
    return open_replay([path], settings, CATALOGUE, {}, clock, with_history=with_history, sleep=clock.sleep)


async def entries(bus: Bus) -> list[StreamEntry]:
    read = await bus.read(TICKS_STREAM, RECORDERS, max_entries=100_000, wait_s=0)
    await bus.ack(TICKS_STREAM, RECORDERS, [entry.id for entry in read])
    return [decode_entry(entry.body) for entry in read]


async def state(bus: Bus) -> FeedState | None:
    body = await bus.get(FEED_KEY)
    return None if body is None else msgspec.msgpack.decode(body, type=FeedState)


def ids(found: list[StreamEntry]) -> list[int]:
    return [tick.trade_id for entry in found if isinstance(entry, TickBatch) for tick in entry.ticks]


@pytest.mark.parametrize("count", [MAX_TICKS_PER_ENTRY, MAX_TICKS_PER_ENTRY + 1])
async def test_every_tick_is_appended_in_order_in_entries_of_bounded_length(tmp_path: Path, count: int) -> None:
    bus = LocalBus(BusSettings())
    await run_feed(replay(record(tmp_path, count), market()), bus, CATALOGUE, market(), Clock())
    found = await entries(bus)
    assert ids(found) == list(range(1, count + 1))
    assert [len(each.ticks) for each in found if isinstance(each, TickBatch)] == [MAX_TICKS_PER_ENTRY, 1][: len(found)]


async def test_refused_lines_are_appended_too_and_every_read_is_observed(tmp_path: Path) -> None:
    path = record(tmp_path, 1)
    path.write_text(path.read_text() + "2,zero,1,0,1723161255342,true,true\n")
    bus, observed = LocalBus(BusSettings()), list[Read]()
    await run_feed(replay(path, market()), bus, CATALOGUE, market(), Clock(), observe=observed.append)
    refused, batch = await entries(bus)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.raw) == ("price_not_a_number", "2,zero,1,0,1723161255342,true,true")
    assert ids([batch]) == [1]
    assert [(len(read.refused), len(read.ticks)) for read in observed] == [(1, 0), (0, 1), (0, 0)]


async def test_the_newest_tick_of_each_read_is_quoted_on_the_channel_and_under_the_key(tmp_path: Path) -> None:
    bus = LocalBus(BusSettings())
    path = record(tmp_path, 4, pause_ms=40_000)
    async with bus.subscribe(quote_channel("BTCUSDT")) as messages:
        await run_feed(replay(path, market()), bus, CATALOGUE, market(), Clock())
        first, second = [(await anext(messages)).body for _ in range(2)]
    assert json.loads(first)["originalPrice"] == "2.00000000"
    assert json.loads(second) == {
        "symbol": "BTCUSDT",
        "originalPrice": "4.00000000",
        "bidPrice": "3.96000000",
        "askPrice": "4.04000000",
        "timestamp": FIRST_MS + 160_000,
    }
    assert await bus.get("market:BTCUSDT") == second


async def test_nobody_is_quoted_a_price_of_history(tmp_path: Path) -> None:
    bus = LocalBus(BusSettings())
    settings = market(history_candles=1)
    async with bus.subscribe("market:*") as messages:
        await run_feed(replay(record(tmp_path, 1), settings, with_history=True), bus, CATALOGUE, settings, Clock())
        assert json.loads((await anext(messages)).body)["timestamp"] == FIRST_MS
    assert ids(await entries(bus)) == [0, 1]


async def test_the_feed_is_announced_at_its_start_and_at_its_end(tmp_path: Path) -> None:
    bus = LocalBus(BusSettings())
    async with bus.subscribe(FEED_CHANNEL) as messages:
        await run_feed(replay(record(tmp_path, 1), market()), bus, CATALOGUE, market(), Clock())
        said = [msgspec.msgpack.decode((await anext(messages)).body, type=FeedState) for _ in range(2)]
    assert [(each.label, each.symbols, each.connected) for each in said] == [
        (LABEL, ("BTCUSDT",), True),
        (LABEL, ("BTCUSDT",), False),
    ]
    assert [each.since_us for each in said] == [NOW_US, NOW_US]
    assert await state(bus) == said[-1]


async def test_while_the_bus_is_away_the_same_entry_is_tried_again_and_the_state_is_said_anew(tmp_path: Path) -> None:
    path, place, gate, clock = record(tmp_path, 3, pause_ms=1_000), tmp_path / "bus.sock", asyncio.Event(), Clock()

    async def sleep(seconds: float) -> None:
        await gate.wait()
        await clock.sleep(seconds)

    settings = market(replay_speed=1)
    feed = open_replay([path], settings, CATALOGUE, {}, clock, with_history=False, sleep=sleep)
    async with AsyncExitStack() as first, asyncio.timeout(60):
        hub = await first.enter_async_context(serve_local_bus(place, BusSettings()))
        async with connected(place) as bus:
            running = asyncio.create_task(run_feed(feed, bus, CATALOGUE, settings, Clock()))
            before = await hub.read(TICKS_STREAM, RECORDERS, max_entries=1, wait_s=30)
            assert ids([decode_entry(entry.body) for entry in before]) == [1]
            await first.aclose()
            gate.set()
            await refused_by(bus)
            async with serve_local_bus(place, BusSettings()) as second:
                await running
                assert ids(await entries(second)) == [2, 3]
                now = await state(second)
    assert now is not None
    assert not now.connected


async def refused_by(bus: Bus) -> None:
    """Return when the bus is known to be away."""

    async def is_away() -> bool:
        try:
            await bus.get(FEED_KEY)
        except BusUnavailableError:
            return True
        return False

    await eventually(is_away)
