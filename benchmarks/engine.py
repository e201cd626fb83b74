"""The exchange's heart: the book alone, in batches and a call a command; and what the engine makes of it.

Run by `./dev bench engine [--quick] [NAME ...]`. Needs nothing but the checkout: the data are seeded.
"""

import engine_book
import engine_projector
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {
    "engine.book_batch": engine_book.book_batch,
    "engine.book_swing": engine_book.book_swing,
    "engine.book_single": engine_book.book_single,
    "engine.projector": engine_projector.projector,
}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
