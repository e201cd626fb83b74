"""Market data: how fast ticks are stored with their candles, candles read, prints delivered, and the house is up.

Run by `./dev bench market [--quick] [NAME ...]`. Needs nothing but the checkout: the database is an embedded one of its
own, the data are the recorded BTCUSDT trades where they lie beside the checkout, else seeded.
"""

import argparse
import asyncio
import functools
from collections.abc import Awaitable, Callable

import market_bus
import market_reading
import market_recording
import market_starting
import market_streaming

BENCHMARKS: dict[str, Callable[..., Awaitable[None]]] = {
    "market.recorder_batch_10000": functools.partial(market_recording.recorder_batch, 10_000),
    "market.recorder_batch_100": functools.partial(market_recording.recorder_batch, 100),
    "market.recorder_over_local_bus": functools.partial(market_bus.recorder_over_bus, market_bus.LOCAL),
    "market.recorder_over_valkey": functools.partial(market_bus.recorder_over_bus, market_bus.VALKEY),
    "market.candles_1000_p50": market_reading.candles_1000_p50,
    "market.wire_to_subscriber_p99": market_streaming.wire_to_subscriber_p99,
    "market.up_seconds": market_starting.up_seconds,
}


async def run(names: list[str], *, quick: bool) -> None:
    """Run the named benchmarks one after the other, each on a house of its own."""
    for name in names:
        await BENCHMARKS[name](name, quick=quick)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", default=list(BENCHMARKS), help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the stored data")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    asyncio.run(run(arguments.names, quick=arguments.quick))


if __name__ == "__main__":
    main()
