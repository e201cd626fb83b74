"""The exchange's heart: the book, the machine, the journal, and the tables that are made of it.

Run by `./dev bench engine [--quick] [NAME ...]`. Needs nothing but the checkout: the data are seeded.
"""

import engine_book
import engine_durable
import engine_journal
import engine_memory
import engine_network
import engine_projector
from harness import Benchmark, main

BENCHMARKS: dict[str, Benchmark] = {
    "engine.book_batch": engine_book.book_batch,
    "engine.book_swing": engine_book.book_swing,
    "engine.book_single": engine_book.book_single,
    "engine.memory": engine_memory.memory,
    "engine.replay": engine_journal.replay,
    "engine.durable_inprocess": engine_durable.durable_inprocess,
    "engine.recovery_1m_orders": engine_journal.recovery,
    "engine.projector": engine_projector.projector,
    "engine.durable_ws": engine_network.durable_ws,
    "engine.durable_http": engine_network.durable_http,
    "engine.ack_p99": engine_network.ack_p99,
}


if __name__ == "__main__":
    main(BENCHMARKS, __doc__)
