"""The real Binance feed against a local WebSocket server that plays recorded raw lines (EXP-1, EXP-2, EXP-15)."""

import asyncio
import gzip
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.binance import MAX_FRAMES_PER_READ, MAX_WAITING_FRAMES, BinanceFeed, RecentIds
from fondaco.market.feeds.binance_wire import MAX_FRAME_BYTES
from fondaco.market.feeds.port import Read
from fondaco.market.feeds.recordings import load_recording
from fondaco.market.messages import Source, Tick
from support import needs
from support.feeding import NOW_US, Clock, catalogue, ticks_of, unreceived
from support.waiting import eventually

NO_SETTINGS: Mapping[str, float] = MappingProxyType({})
CATALOGUE = catalogue("BTC/USDT")
NOISE_EVERY = 7
"""Of the depth and book frames of a recording, one in so many goes along."""

STILL_POLLS = 30
"""Looks at a sender that has not moved, after which it is taken to be held back."""

Play = Callable[[ServerConnection], Awaitable[None]]


class RawLine(msgspec.Struct):
    """A line of a raw recording."""

    msg: msgspec.Raw


@asynccontextmanager
async def server(play: Play, **options: object) -> AsyncIterator[str]:
    """A WebSocket server of our own that plays to each connection; yields its address."""
    async with serve(play, "127.0.0.1", 0, compression=None, **options) as listening:  # type: ignore[arg-type] # passed through
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


def feed_of(
    url: str, *, max_waiting_frames: int = MAX_WAITING_FRAMES, settings: Mapping[str, float] = NO_SETTINGS
) -> BinanceFeed:
    market = MarketSettings.model_validate({"binance_ws_url": url, **settings})
    return BinanceFeed(market, CATALOGUE, Clock(), sleep=no_pause, max_waiting_frames=max_waiting_frames)


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


async def collect(feed: BinanceFeed, count: int) -> list[Read]:
    """Reads until so many ticks have come."""
    reads: list[Read] = []
    gathered: list[Tick] = []
    async with asyncio.timeout(60), aclosing(feed.reads()) as stream:
        async for read in stream:
            reads.append(read)
            gathered += ticks_of([read])
            if len(gathered) >= count:
                break
    return reads


def trade(trade_id: int, **changes: object) -> str:
    fields = {"e": "trade", "s": "BTCUSDT", "t": trade_id, "p": "1.5", "q": "2", "T": 1723161255342, "m": True}
    return msgspec.json.encode({"stream": "btcusdt@trade", "data": fields | changes}).decode()


def ids(reads: Iterable[Read]) -> list[int]:
    return [tick.trade_id for tick in ticks_of(reads)]


def sends(*frames: str | bytes | Sequence[str]) -> Play:
    """Plays frames to the first connection and leaves it open."""

    async def play(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame)
        await connection.wait_closed()

    return play


@pytest.mark.parametrize(("days", "trades"), [("2024-08-08_2024-08-09", 19_904), ("2023-04-05", 3_144)])
async def test_recorded_raw_lines_arrive_as_the_trades_of_the_exchanges_own_file(days: str, trades: int) -> None:
    raw = needs.recorded(f"binance_spot_btcusdt_ws_raw_{days}.jsonl.gz")
    csv = needs.recorded(f"binance_spot_btcusdt_trades_{days}.csv.gz")
    asked: list[str] = []
    decode = msgspec.json.Decoder(RawLine).decode

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)
        with gzip.open(raw) as lines:
            for number, line in enumerate(lines):
                if b"@trade" in line or number % NOISE_EVERY == 0:
                    await connection.send(bytes(decode(line).msg), text=True)
        await connection.wait_closed()

    async with server(play) as url:
        reads = await collect(feed_of(url), trades)
    columns = load_recording(csv, CATALOGUE, received_us=NOW_US).series["BTCUSDT"]
    listed = (columns.trade_id, columns.time_us, columns.price, columns.quantity, columns.buyer_is_maker)
    expected = list(zip(*(column.tolist() for column in listed), strict=True))
    assert unreceived(ticks_of(reads)) == expected
    assert [read.refused for read in reads if read.refused] == []
    assert asked == ["/stream?streams=btcusdt@trade"]


async def test_malformed_prints_are_refused_and_the_next_ones_arrive() -> None:
    frames = (trade(1), "{", trade(2, p="1e5"), trade(3, s="DOGEUSDT"), b"\xff\xfe", '{"result":null}', trade(4))
    async with server(sends(*frames)) as url:
        reads = await collect(feed_of(url), 2)
    assert ids(reads) == [1, 4]
    refused = [(each.reason, each.symbol, each.source) for read in reads for each in read.refused]
    assert refused == [
        ("malformed_json", None, Source.BINANCE),
        ("price_not_a_number", "BTCUSDT", Source.BINANCE),
        ("unknown_symbol", None, Source.BINANCE),
        ("malformed_json", None, Source.BINANCE),
    ]


async def test_a_message_in_fragments_is_put_together() -> None:
    whole = trade(2)
    async with server(sends(trade(1), [whole[:10], whole[10:50], whole[50:]], trade(3))) as url:
        assert ids(await collect(feed_of(url), 3)) == [1, 2, 3]


async def test_a_broken_connection_heals_and_is_announced() -> None:
    connections = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        number = connections
        if number == 2:
            connection.transport.abort()
            return
        await connection.send(trade(number))
        if number == 4:
            await connection.wait_closed()

    states = []
    async with server(play) as url, asyncio.timeout(60):
        feed = feed_of(url)
        async with aclosing(feed.reads()) as stream:
            reads = []
            async for read in stream:
                reads.append(read)
                states.append(feed.connected)
                if ids(reads)[-1:] == [4]:
                    break
    assert ids(reads) == [1, 3, 4]
    assert True in states
    assert False in states


async def test_a_server_that_refuses_is_asked_again_less_and_less_often() -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    feed = BinanceFeed(MarketSettings(binance_ws_url="ws://127.0.0.1:9"), CATALOGUE, Clock(), sleep=note)
    async with asyncio.timeout(60), aclosing(feed.reads()) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        while len(pauses) < 10:  # noqa: ASYNC110 - the feed's own pauses are what is waited for
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
    limits = [min(0.5 * 2**number, 30.0) for number in range(10)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=False))


async def test_pings_are_answered() -> None:
    answered = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await (await connection.ping())
        answered.set()
        await connection.send(trade(1))
        await connection.wait_closed()

    async with server(play) as url:
        assert ids(await collect(feed_of(url), 1)) == [1]
    assert answered.is_set()


async def test_a_slow_consumer_pauses_the_wire_and_loses_nothing() -> None:
    count, most = 40_000, 100
    sent = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal sent
        for number in range(count):
            await connection.send(trade(number, x="x" * 400))
            sent = number + 1
        await connection.wait_closed()

    async with server(play) as url, asyncio.timeout(60):
        feed = feed_of(url, max_waiting_frames=most)
        async with aclosing(feed.reads()) as stream:
            reads = [await anext(stream)]
            # The consumer stands still, until the server cannot send on because all buffers between are full.
            progress: deque[int] = deque(maxlen=STILL_POLLS)

            async def stands_still() -> bool:
                progress.append(sent)
                return sent == count or progress.count(sent) == STILL_POLLS

            await eventually(stands_still)
            assert sent < count
            assert most <= feed._waiting_frames < most + MAX_FRAMES_PER_READ
            async for read in stream:
                reads.append(read)
                if ids(reads[-1:])[-1:] == [count - 1]:
                    break
    assert ids(reads) == list(range(count))


async def test_what_waits_for_a_slow_consumer_becomes_fewer_larger_reads() -> None:
    feed = feed_of("ws://127.0.0.1:9")
    count = MAX_FRAMES_PER_READ + 5
    for number in range(count):
        feed.take(trade(number).encode())
        await asyncio.sleep(0)  # each comes in a turn of its own
    async with aclosing(feed.reads()) as stream:
        reads = [await anext(stream), await anext(stream)]
    assert [len(ids([read])) for read in reads] == [MAX_FRAMES_PER_READ, 5]
    assert ids(reads) == list(range(count))


async def test_a_frame_beyond_the_bound_ends_the_connection_and_the_next_one_goes_on() -> None:
    connections = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send(trade(connections))
        if connections == 1:
            await connection.send("x" * (MAX_FRAME_BYTES + 1))
        elif connections == 2:
            await connection.send(["x" * MAX_FRAME_BYTES, "x"])
        await connection.wait_closed()

    async with server(play) as url:
        assert ids(await collect(feed_of(url), 3)) == [1, 2, 3]


async def test_when_binance_trades_in_time_it_is_chosen_and_its_first_trade_is_not_lost() -> None:
    async with server(sends(trade(1), trade(2))) as url:
        feed = feed_of(url)
        assert await feed.delivers_within(30)
        assert ids(await collect(feed, 2)) == [1, 2]


async def test_a_connection_without_a_trade_is_no_answer() -> None:
    async with server(sends('{"result":null,"id":1}')) as url:
        feed = feed_of(url)
        assert not await feed.delivers_within(0.2)
        assert not feed.connected


SHUTDOWN = '{"stream":"btcusdt@trade","data":{"e":"serverShutdown","E":1770123456789}}'


class Handover:
    """Plays a predecessor and its successor, which repeats the last trade and goes on; notes who is still connected."""

    def __init__(self, *last_words: str) -> None:
        self.last_words = last_words
        self.connections = 0
        self.predecessor_left = asyncio.Event()

    async def play(self, connection: ServerConnection) -> None:
        """Play the next part."""
        self.connections += 1
        if self.connections > 2:  # the successor grows old and quiet too
            await connection.wait_closed()
        elif self.connections == 2:
            # The predecessor has not been let go before its successor has delivered.
            assert not self.predecessor_left.is_set()
            for trade_id in (2, 3):
                await connection.send(trade(trade_id))
            await self.predecessor_left.wait()
            await connection.send(trade(4))
            await connection.wait_closed()
        else:
            for frame in (trade(1), trade(2), *self.last_words):
                await connection.send(frame)
            await connection.wait_closed()
            self.predecessor_left.set()


@pytest.mark.parametrize(
    ("last_words", "settings"),
    [
        pytest.param((SHUTDOWN,), {}, id="Binance says that it shuts down"),
        pytest.param(('{"e":"serverShutdown","E":1770123456789}',), {}, id="it says so outside a stream"),
        pytest.param((), {"binance_replace_after_s": 0.05}, id="it is almost a day old"),
        pytest.param((), {"binance_quiet_s": 0.05}, id="it stalls without closing"),
    ],
)
async def test_a_connection_that_will_end_is_replaced_before_it_is_let_go_and_no_trade_comes_twice(
    last_words: tuple[str, ...], settings: dict[str, float]
) -> None:
    handover = Handover(*last_words)
    states: list[bool] = []
    async with server(handover.play) as url, asyncio.timeout(60):
        feed = feed_of(url, settings=settings)
        got: list[int] = []
        async with aclosing(feed.reads()) as stream:
            async for read in stream:
                got += ids([read])
                states.append(feed.connected)
                if got[-1:] == [4]:
                    break
    assert got == [1, 2, 3, 4]
    assert all(states)


async def test_a_successor_that_breaks_leaves_the_predecessor_at_work() -> None:
    connections = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            connection.transport.abort()
            return
        await connection.send(trade(1))
        await connection.send(SHUTDOWN)
        while connections < 4:  # noqa: ASYNC110 - each connection counts itself
            await asyncio.sleep(0.001)
        await connection.send(trade(2))
        await connection.wait_closed()

    async with server(play) as url:
        assert ids(await collect(feed_of(url), 2)) == [1, 2]


async def test_what_only_mentions_a_shutdown_ends_nothing() -> None:
    connections = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send('{"stream":"x","data":{"e":"news","text":"serverShutdown"}}')
        await connection.send(trade(1))
        await (await connection.ping())
        await connection.send(trade(2))
        await connection.wait_closed()

    async with server(play) as url:
        assert ids(await collect(feed_of(url), 2)) == [1, 2]
    assert connections == 1


def test_recent_ids_are_bounded_and_the_oldest_are_forgotten() -> None:
    recent = RecentIds(kept=3)
    assert [recent.add(each) for each in (1, 2, 3, 1, 4, 1, 3)] == [True, True, True, False, True, True, False]
