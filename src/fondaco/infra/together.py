"""Several works at once, as long as all of them go well."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_error(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of it until one fails; raises what that raised.

    Not a group: one that is cancelled while its tasks fail raises their errors alone, so that whoever goes on after
    such an error would never end.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
