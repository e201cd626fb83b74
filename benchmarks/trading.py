"""Trading over HTTP and the stream: what the edge itself costs for each order.

Run by `./dev bench trading [--quick] [NAME ...]`. Needs nothing but the checkout.
"""

import trading_edge
import trading_stream
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {"trading.edge": trading_edge.edge, "trading.stream": trading_stream.entry}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
