"""Automatic garbage collection, and when to do without it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Hold no garbage collection in the block, and leave out of all later ones whatever is there at its end.

    A collection would look through the whole machine, for seconds when it is large. Nothing is lost by it: the machine
    makes no cycles, and what falls out of use is freed at once all the same.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
