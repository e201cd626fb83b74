"""Work that goes on beside a test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def ended(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have work go on, and cut it off when the block ends, wherever it stands. Its own errors are the test's."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(outcome, asyncio.CancelledError) and outcome is not None:
        raise outcome
