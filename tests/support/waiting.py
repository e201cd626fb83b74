"""Waiting for a condition, with a bound: tests wait for what must become true, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 30
POLL_S = 0.01


async def eventually(condition: Callable[[], Awaitable[bool]], *, patience_s: float = PATIENCE_S) -> None:
    """Return once the condition holds; raise `TimeoutError` when it does not within ``patience_s``."""
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 - the condition lives in another process or a database
            await asyncio.sleep(POLL_S)
