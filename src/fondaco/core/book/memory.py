"""Memory as the kernel sees it: whole numbers of 64 bits at an address, and the two ends of a word.

Compiled functions pass arrays about by counting references, which costs more than what a book does with an order. So a
book's arrays are handed in as addresses. Nothing is checked here: an address comes from a live array, and a field lies
inside its row, or the process dies. `fondaco.core.book.Book` owns the arrays and is alone in calling the kernel.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

WORD = ir.IntType(64)


def _element(builder: Any, address: Any, field: Any) -> Any:  # noqa: ANN401 - LLVM's own objects
    return builder.gep(builder.inttoptr(address, WORD.as_pointer()), [field])


@intrinsic
def _get(typing_context: Any, address: Any, field: Any) -> Any:  # noqa: ANN401, ARG001 - numba's protocol
    """The word that is so many words after an address."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - LLVM's own objects
        return builder.load(_element(builder, *arguments))

    return types.int64(types.int64, types.int64), build


@intrinsic
def _put(typing_context: Any, address: Any, field: Any, value: Any) -> Any:  # noqa: ANN401, ARG001 - numba's protocol
    """Write the word that is so many words after an address."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - LLVM's own objects
        *place, value = arguments
        builder.store(value, _element(builder, *place))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), build


@intrinsic
def _leading_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ANN401, ARG001 - numba's protocol
    """How many zeros a word begins with; it must not be 0."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - LLVM's own objects
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:  # noqa: ANN401, ARG001 - numba's protocol
    """How many zeros a word ends with; it must not be 0."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - LLVM's own objects
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build


# To the type checker they are what they are to a compiled caller.
get = cast("Callable[[int, int], int]", _get)
put = cast("Callable[[int, int, int], None]", _put)
leading_zeros = cast("Callable[[int], int]", _leading_zeros)
trailing_zeros = cast("Callable[[int], int]", _trailing_zeros)
