"""Runs feeds in tests: a clock that moves when somebody sleeps, recordings written on the spot, ticks collected."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from fondaco.core.candles import Candle, fold_minutes
from fondaco.core.listings import Catalogue, instrument
from fondaco.market.feeds.port import Feed, LastTick, Read, Resume, ResumePoint
from fondaco.market.messages import Source, Tick
from support.ticks import columns

NOW_US = 1_800_000_000_000_000
"""2027-01-15 08:00:00, a whole minute."""


class Clock:
    """A clock that stands still but for `sleep`."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        """The time."""
        return self.now_us

    async def sleep(self, seconds: float) -> None:
        """Let time pass, a microsecond at least so that it always moves."""
        self.now_us += max(1, round(seconds * 1_000_000))


def catalogue(*pairs: str) -> Catalogue:
    """The listing of some pairs, PEPE with its coarse atoms."""
    return Catalogue([instrument(pair, {"PEPE": 2}) for pair in pairs])


async def reads_until(feed: Feed, enough: Callable[[Read], bool]) -> list[Read]:
    """Reads up to the first one that is enough, or to the feed's end."""
    reads = []
    async with aclosing(feed.reads()) as stream:
        async for read in stream:
            reads.append(read)
            if enough(read):
                break
    return reads


def ticks_of(reads: Iterable[Read], symbol: str = "BTCUSDT") -> list[Tick]:
    """The ticks of one symbol, in the order delivered."""
    return [tick for read in reads for batch in read.ticks if batch.symbol == symbol for tick in batch.ticks]


def unreceived(ticks: Iterable[Tick]) -> list[tuple[int, int, int, int, bool]]:
    """Ticks without the moment of receipt, which differs from run to run."""
    return [(each.trade_id, each.time_us, each.price, each.quantity, each.buyer_is_maker) for each in ticks]


def minutes_of(ticks: Sequence[Tick]) -> dict[int, Candle]:
    """The 1m candles of ticks."""
    return fold_minutes(columns(ticks))


def resumed(source: Source, stored: Sequence[Tick], symbol: str = "BTCUSDT") -> Resume:
    """What the database knows once these ticks are stored."""
    if not stored:
        return {}
    last = max(stored, key=lambda tick: (tick.time_us, tick.trade_id))
    return {(source, symbol): ResumePoint(last=LastTick(last.trade_id, last.time_us))}


def write_trades(folder: Path, rows: Iterable[tuple[int, str, str, int, bool]], name: str = "trades_test") -> Path:
    """A recording of BTCUSDT from rows of id, price, quantity, time in milliseconds, and whether the buyer made."""
    path = folder / f"binance_spot_btcusdt_{name}.csv"
    lines = [
        f"{trade_id},{price},{quantity},0,{time_ms},{str(is_maker).lower()},true\n"
        for trade_id, price, quantity, time_ms, is_maker in rows
    ]
    path.write_text("".join(["id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n", *lines]))
    return path
