"""The exchange's heart: the book alone, in batches and a call a command; the journal written, replayed, recovered.

Run by `./dev bench engine [--quick] [NAME ...]`. Needs nothing but the checkout: the data are seeded.
"""

import engine_book
import engine_durable
import engine_journal
import engine_memory
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {
    "engine.book_batch": engine_book.book_batch,
    "engine.book_swing": engine_book.book_swing,
    "engine.book_single": engine_book.book_single,
    "engine.memory": engine_memory.memory,
    "engine.replay": engine_journal.replay,
    "engine.durable_inprocess": engine_durable.durable_inprocess,
    "engine.recovery_1m_orders": engine_journal.recovery,
}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
