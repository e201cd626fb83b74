"""Compiles functions and keeps what was compiled, until the source of anything that went into it changes.

Compiling takes seconds, so numba keeps the result on disk; but it looks at the age of the function's own file alone,
while the machine code holds constants and functions of other files as well. After an upgrade that changed one of those,
a house would run a mixture of old and new. So a cache here is stamped with all files that it is made of.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., Any])


def compiler(*parts: ModuleType) -> Callable[[F], F]:
    """A decorator for a module's functions that are compiled when they are first called.

    Args:
        parts: the modules of ours whose functions or constants those functions use.
    """

    def compiled(function: F) -> F:
        try:
            dispatcher: Any = numba.njit(cache=True)(function)
        except RuntimeError:  # nowhere to keep it: a read-only installation without a home; it is compiled each time
            return cast("F", numba.njit(function))
        dispatcher._cache = _Cache(function, parts)  # noqa: SLF001 - numba has no other way in
        return cast("F", dispatcher)

    return compiled


class _Cache(FunctionCache):
    """A function's cache, stamped with the parts' sources besides its own."""

    def __init__(self, function: Callable[..., Any], parts: tuple[ModuleType, ...]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=(self._impl.locator.get_source_stamp(), *map(_stamp, parts)),
        )


def _stamp(module: ModuleType) -> tuple[Any, ...]:
    """Name, age and size of a module's source, as the import system itself sees them."""
    stats = getattr(module.__loader__, "path_stats", None)
    return (module.__name__, *(sorted(stats(module.__file__).items()) if stats else ()))
