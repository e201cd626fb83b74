"""Recording off a bus: the real recorder reads entries, stores them with their candles and acknowledges them.

The bus is a process of its own, as in a house: the local hub behind its socket, or the embedded Valkey with each step
synced to disk. The stream is filled first; timed is from the recorder's start until nothing is left. The two buses take
turns on the same data; for the local one the baseline is storing the same entries off no bus at all.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from fondaco.infra.bus import open_bus
from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database
from fondaco.infra.settings import BusSettings, MarketSettings, Settings
from fondaco.infra.valkey import running_valkey
from fondaco.market.messages import RECORDERS, STORED_CHANNEL, TICKS_STREAM, decode_stored
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import TickStore
from harness import RUNS, Baseline, Stopwatch, durability, progress, report
from house import folder, fresh_database
from market_data import described, entries, loop_of_ticks
from market_recording import TICKS, TICKS_PER_ENTRY, recorded_rate

LOCAL, VALKEY = "local", "valkey"
SYNC = {LOCAL: "in memory", VALKEY: "appendonly yes, appendfsync always"}
HUB = """
import asyncio, sys
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.settings import Settings
from pathlib import Path

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]))
    async with serve_local_bus(settings.bus_socket, settings.bus):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def recorder_over_bus(kind: str, name: str, *, quick: bool) -> None:
    """Ticks a second over one bus, in batches of 10,000, with those of 100 in the details."""
    figures: dict[int, tuple[list[float], list[float]]] = {}
    for size in TICKS:
        figures[size] = await _measured(kind, name, size, count=TICKS[size] // (10 if quick else 1))
    async with fresh_database() as database:
        terms = await durability(database)
    (ours, theirs), (ours_100, theirs_100) = figures[10_000], figures[100]
    other = "no bus" if kind == LOCAL else "the local bus"
    report(
        name,
        median(ours),
        "ticks/s",
        Baseline(f"the same entries off {other}", median(theirs)),
        runs=[round(each) for each in ours],
        batches_of_100=round(median(ours_100)),
        batches_of_100_baseline=round(median(theirs_100)),
        bus=SYNC[kind],
        data=described(),
        **terms,
    )


async def _measured(kind: str, name: str, size: int, *, count: int) -> tuple[list[float], list[float]]:
    """Rates over the bus and of the baseline, one each a run, the warm-up left out."""
    ticks = loop_of_ticks(count)
    ours, theirs = [], []
    async with fresh_database() as database, _bus(kind) as bus, _bus(LOCAL) as local:
        for run in range(RUNS + 1):
            ours.append(await _rate(database, bus, entries(ticks, f"OURS{run}", TICKS_PER_ENTRY[size]), size))
            bodies = entries(ticks, f"THEIRS{run}", TICKS_PER_ENTRY[size])
            if kind == LOCAL:
                theirs.append(await recorded_rate(database, bodies, size))
            else:
                theirs.append(await _rate(database, local, bodies, size))
            progress(f"  {name}, batches of {size}: {ours[-1]:,.0f} ticks/s, baseline {theirs[-1]:,.0f}")
    return ours[1:], theirs[1:]


async def _rate(database: Database, bus: Bus, bodies: Sequence[bytes], size: int) -> float:
    """Fill the stream, then let a recorder empty it."""
    await asyncio.gather(*(bus.append(TICKS_STREAM, body) for body in bodies))
    market = MarketSettings(batch_size=size, batch_max=size)
    prices = PriceWriter(database, Quoter({}, market.default_markup_ppm), every_s=market.price_row_s)
    recorder = Recorder(bus, TickStore(database), prices, market)
    left = len(bodies)
    async with bus.subscribe(STORED_CHANNEL) as messages:
        watch = Stopwatch()
        recording = asyncio.create_task(recorder.run())
        while left:
            left -= len(decode_stored((await anext(messages)).body).entry_ids)
        seconds = watch.seconds()
    recorder.stop()
    await recording
    assert await bus.read(TICKS_STREAM, RECORDERS, max_entries=1, wait_s=0) == []
    return len(bodies) * TICKS_PER_ENTRY[size] / seconds


@asynccontextmanager
async def _bus(kind: str) -> AsyncIterator[Bus]:
    async with folder() as path, _server(kind, path / "bus") as settings, open_bus(settings) as bus:
        yield bus


@asynccontextmanager
async def _server(kind: str, data_dir: Path) -> AsyncIterator[Settings]:
    if kind == VALKEY:
        async with running_valkey(data_dir, command="benchmark") as url:
            yield Settings(data_dir=data_dir, bus=BusSettings(url=url))
        return
    hub = await asyncio.create_subprocess_exec(sys.executable, "-c", HUB, str(data_dir))
    try:
        yield Settings(data_dir=data_dir)
    finally:
        hub.terminate()
        await hub.wait()
