"""The house's database for code that is not asynchronous: one verb, `run`, that waits for any of its coroutines.

They run on one event loop in a thread of its own, begun at the first use and ended with the process, so that pool and
cache live from one call to the next. ``asyncio.run`` would end them each time.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="fondaco-data", daemon=True)
        self.thread.start()
        atexit.register(self.end)

    def end(self) -> None:
        """End the thread; its connections close with the process."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


_running: list[_Loop] = globals().get("_running", [])
"""The loop, once there is one. globals() survives importlib.reload."""
_beginning = threading.Lock()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine such as ``house.find(...)`` and return what it gives, or raise what it raises."""
    with _beginning:
        if not _running:
            _running.append(_Loop())
    waited = asyncio.run_coroutine_threadsafe(work, _running[0].loop)
    try:
        return waited.result()
    except BaseException:  # such as Ctrl-C: what nobody waits for any more must not go on
        waited.cancel()
        raise
