"""The exchange's heart: the book alone, in batches and a call a command.

Run by `./dev bench engine [--quick] [NAME ...]`. Needs nothing but the checkout: the data are seeded.
"""

import engine_book
import engine_memory
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {
    "engine.book_batch": engine_book.book_batch,
    "engine.book_swing": engine_book.book_swing,
    "engine.book_single": engine_book.book_single,
    "engine.memory": engine_memory.memory,
}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
