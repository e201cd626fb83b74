"""An event loop whose time passes only when nobody has anything to do: hours go by in no time, and always alike.

There is no I/O and no second thread, so what is ready runs in the order in which it became ready, and timers in the
order of their moments. Nothing else decides.
"""

import asyncio
from typing import Any


class DeadlockError(Exception):
    """Everybody waits for somebody else, and no timer is set."""


class _Sleeper:
    """Stands where a selector would: "waiting for I/O" is time going by."""

    def __init__(self, loop: "VirtualTimeLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass until the next timer."""
        if timeout is None:
            raise DeadlockError("Everybody waits, and nobody will come.")
        self._loop.pass_time(max(timeout, 0))
        return []

    def close(self) -> None:
        """Nothing was open."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """asyncio's own loop over a clock of ours. Its three hooks for subclasses are all that is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self._elapsed_s = 0.0
        self._selector = _Sleeper(self)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._elapsed_s

    def pass_time(self, seconds: float) -> None:
        """Go on to a later moment."""
        self._elapsed_s += seconds

    def _process_events(self, event_list: list[Any]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """No other thread wakes this loop."""
