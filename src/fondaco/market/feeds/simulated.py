"""The simulated feed: invented prices for a house without wire and recordings. Plausible, and labelled as play.

Everything follows from the seed and the clock. Time is cut into blocks of ten minutes, each with the same number of
prints, so a print's id is its block times that number plus its place: ids go on without a gap, and a restart invents
the very same prints again, wherever it stopped. Inside a block prints come in bursts, at random moments. A price is a
start price moved by noise on scales from seconds to weeks, the longer the wider, as a random walk has it, but
computable for any moment without walking there. All of it is integer arithmetic.

The first start begins far enough back for the history that was asked for. A restart goes on behind the last stored
print, if that is one of this seed's; one of another seed's means beginning now, since two histories must not mix.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from fondaco.core.candles import MINUTE_US
from fondaco.core.listings import Catalogue, Instrument
from fondaco.infra.settings import MarketSettings
from fondaco.market.feeds.port import LastTick, Read, Resume, ResumePoint
from fondaco.market.messages import Source, Tick, TickBatch

BLOCK_US = 10 * MINUTE_US
PRINTS_PER_BLOCK = 480
BURSTS_PER_BLOCK = 160
BURST_US = 400_000
"""Longest time over which a burst is spread."""
MAX_CATCH_UP_US = 6 * 60 * MINUTE_US
"""A feed further behind the clock than its history and this goes on in the present, with a gap of ids."""
LONGEST_SLEEP_S = 1.0

START_PRICES: Mapping[str, int] = MappingProxyType({"BTC": 61_800, "ETH": 2_650, "SOL": 150, "BNB": 580, "LTC": 65})
"""Whole quote units; an asset that is not here starts somewhere between 1 and 100, by its name."""
SIGNIFICANT_DIGITS = 7
"""Digits of a price down to its tick."""
LOT_DECIMALS = 5
"""Decimals of a quantity."""
MAX_ATOMS = 2**60
"""Largest start price and quantity, so that amounts fit 64 bits at every scale."""
PPM = 1_000_000

_OCTAVES = 10
_SHORTEST_US = 15_000_000
_NARROWEST_PPM = 150
"""The finest noise turns every 15 s and moves by up to 150 ppm. Each octave lasts four times as long and moves twice as
far; the tenth turns in 45 days and moves by 8 %."""


class _Print(NamedTuple):
    time_us: int
    price: int
    quantity: int
    buyer_is_maker: bool


class _Cursor:
    """Where the feed stands in one symbol's prints."""

    def __init__(self, instrument: Instrument, seed: int) -> None:
        self.symbol = instrument.symbol
        self._instrument = instrument
        self._seed = seed
        self._block = self._at = 0
        self._prints: tuple[_Print, ...] = ()

    def place(self, last: LastTick | None, *, now_us: int, history_us: int) -> None:
        """Go behind the last stored print, or to where a first start begins."""
        if last is None:
            self.go_to(now_us - history_us)
            return
        block, at = divmod(last.trade_id, PRINTS_PER_BLOCK)
        self.go_to(now_us)
        if 0 <= block <= self._block and prints_of(self._instrument, self._seed, block)[at].time_us == last.time_us:
            self._open(block)
            self._step(at + 1)

    def go_to(self, time_us: int) -> None:
        """Go to the beginning of the block that a moment belongs to."""
        self._open(time_us // BLOCK_US)

    @property
    def next_us(self) -> int:
        """When the next print is due."""
        return self._prints[self._at].time_us

    def take(self, now_us: int) -> tuple[Tick, ...]:
        """Prints that are due, of one block at most."""
        first_id = self._block * PRINTS_PER_BLOCK
        due = [
            Tick(first_id + at, *self._prints[at], now_us)
            for at in range(self._at, PRINTS_PER_BLOCK)
            if self._prints[at].time_us <= now_us
        ]
        self._step(len(due))
        return tuple(due)

    def _step(self, count: int) -> None:
        self._at += count
        if self._at == PRINTS_PER_BLOCK:
            self._open(self._block + 1)

    def _open(self, block: int) -> None:
        self._block, self._at = block, 0
        self._prints = prints_of(self._instrument, self._seed, block)


class SimulatedFeed:
    """Invents prints of every listed pair."""

    source = Source.SIMULATED
    connected = True

    def __init__(
        self,
        settings: MarketSettings,
        catalogue: Catalogue,
        resume: Resume,
        clock_us: Callable[[], int],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.label = f"Simulated prices, seed {settings.seed}"
        self.symbols = catalogue.symbols
        self.anchors: Mapping[str, int] = MappingProxyType({})
        self._clock_us = clock_us
        self._sleep = sleep
        # A block more than asked for: a minute may have no print, and the first and the last are not whole.
        self._history_us = settings.history_candles * MINUTE_US + BLOCK_US if settings.history_candles else 0
        self._cursors = [_Cursor(instrument, settings.seed) for instrument in catalogue.by_symbol.values()]
        self._started_us = clock_us()
        for cursor in self._cursors:
            last = resume.get((self.source, cursor.symbol), ResumePoint()).last
            cursor.place(last, now_us=self._started_us, history_us=self._history_us)

    async def reads(self) -> AsyncGenerator[Read, None]:
        """Prints as they become due, without end."""
        while True:
            now_us = self._clock_us()
            self._leave_out_what_is_long_past(now_us)
            taken = [(cursor.symbol, cursor.take(now_us)) for cursor in self._cursors]
            batches = tuple(TickBatch(self.source, symbol, ticks) for symbol, ticks in taken if ticks)
            if batches:
                is_history = all(batch.ticks[-1].time_us < self._started_us for batch in batches)
                yield Read(batches, is_history=is_history)
            else:
                wait_us = min(cursor.next_us for cursor in self._cursors) - now_us
                await self._sleep(min(LONGEST_SLEEP_S, wait_us / 1_000_000))

    def _leave_out_what_is_long_past(self, now_us: int) -> None:
        for cursor in self._cursors:
            if now_us - cursor.next_us > self._history_us + MAX_CATCH_UP_US:
                cursor.go_to(now_us)


def prints_of(instrument: Instrument, seed: int, block: int) -> tuple[_Print, ...]:
    """The prints of one block, in order of time."""
    random = Random(f"{seed}:{instrument.symbol}:{block}")  # noqa: S311 - play prices, no secrets
    bursts = [
        (random.randrange(0, BLOCK_US - BURST_US, 1000), bool(random.getrandbits(1))) for _ in range(BURSTS_PER_BLOCK)
    ]
    moments = sorted(
        (block * BLOCK_US + start_us + random.randrange(0, BURST_US, 1000), buyer_is_maker)
        for start_us, buyer_is_maker in random.choices(bursts, k=PRINTS_PER_BLOCK)
    )
    return tuple(_print(instrument, seed, time_us, buyer_is_maker, random) for time_us, buyer_is_maker in moments)


def _print(instrument: Instrument, seed: int, time_us: int, buyer_is_maker: bool, random: Random) -> _Print:  # noqa: FBT001 - a field
    start = _start_price(instrument)
    tick = 10 ** max(0, len(str(start)) - SIGNIFICANT_DIGITS)
    middle = start * (PPM + _noise_ppm(seed, instrument.symbol, time_us)) // PPM // tick
    # Buyers take a tick above, sellers a tick below, now and then one further away.
    away = 1 + random.getrandbits(3) // 7
    price = tick * max(1, middle - away if buyer_is_maker else middle + away)
    notional = 10**instrument.price_scale * (random.randrange(1, 1000) << random.randrange(8)) // 10
    lot = 10 ** max(0, instrument.quantity_scale - LOT_DECIMALS)
    lots = notional * 10**instrument.quantity_scale // price // lot
    return _Print(time_us, price, lot * min(max(1, lots), MAX_ATOMS // lot), buyer_is_maker)


def _start_price(instrument: Instrument) -> int:
    units = START_PRICES.get(instrument.base.code)
    if units is None:
        units = Random(instrument.symbol).randrange(1, 100)  # noqa: S311 - a play price, no secret
    price: int = units * 10**instrument.price_scale
    return min(MAX_ATOMS, price)


def _noise_ppm(seed: int, symbol: str, time_us: int) -> int:
    """How far the price is from its start, in millionths: one value between fixed points on each scale of time."""
    total = 0
    for octave in range(_OCTAVES):
        length_us = _SHORTEST_US << 2 * octave
        index, into_us = divmod(time_us, length_us)
        before, after = _fixed_point(seed, symbol, octave, index), _fixed_point(seed, symbol, octave, index + 1)
        total += (before * (length_us - into_us) + after * into_us) // length_us
    return total


@lru_cache(maxsize=4096)
def _fixed_point(seed: int, symbol: str, octave: int, index: int) -> int:
    most = _NARROWEST_PPM << octave
    return Random(f"{seed}:{symbol}:{octave}:{index}").randint(-most, most)  # noqa: S311 - play prices, no secrets
