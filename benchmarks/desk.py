"""The dealing desk under many positions: quotes that set off nothing, quotes that set off a little, and a landslide.

Run by `./dev bench desk [--quick] [NAME ...]`. Needs nothing but the checkout: the data are seeded.
"""

import desk_following
import desk_idle
import desk_liquidating
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {
    "desk.quote_idle_1m": desk_idle.quote_idle,
    "desk.quote_trailing_cross": desk_following.quote_trailing_cross,
    "desk.liquidate_10k": desk_liquidating.liquidate,
}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
