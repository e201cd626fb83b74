"""Trading over HTTP: what the edge itself costs for each order.

Run by `./dev bench trading [--quick] [NAME ...]`. Needs nothing but the checkout.
"""

import trading_edge
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {"trading.edge": trading_edge.edge}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
