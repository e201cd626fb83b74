"""The one place that reads the clock, so that everything below takes time as an argument."""

import time


def now_us() -> int:
    """Wall clock in whole microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def now_ns() -> int:
    """The same in nanoseconds."""
    return time.time_ns()
