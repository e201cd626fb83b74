"""The prices in use, as the bits of a tree with 64 branches.

A *block* has one bit and one level for each of 64 neighbouring prices; blocks that exist are bits of the first
*summary*, words of it that are not zero bits of the next. The next price, however far away, is a few words off; an
empty stretch costs address space and no memory.
"""

from fondaco.core.book import layout, memory
from fondaco.core.book.layout import (
    BITS,
    BUY,
    FIRST_LEVEL,
    FREE_BLOCK,
    HEIGHTS,
    NO_PRICE,
    NONE,
    block_at,
    directory_at,
    summary_at,
)
from fondaco.core.book.memory import get, leading_zeros, put, trailing_zeros
from fondaco.core.compiling import compiler

compiled = compiler(layout, memory)


@compiled
def set_price(book: int, side: int, price: int, level: int) -> None:
    """Put a price that was not in use into the tree."""
    at = price >> 6
    directory = directory_at(book, side)
    row = get(directory, at) - 1
    if row == NONE:
        row = get(book, FREE_BLOCK)
        put(book, FREE_BLOCK, get(block_at(book, row), BITS))
        put(block_at(book, row), BITS, 0)
        put(directory, at, row + 1)
        _mark(book, side, at)
    block, bit = block_at(book, row), price & 63
    put(block, BITS, get(block, BITS) | (1 << bit))
    put(block, FIRST_LEVEL + bit, level)


@compiled
def _mark(book: int, side: int, at: int) -> None:
    """Mark a block in the summaries, up to one that had another mark in its word already."""
    for height in range(get(book, HEIGHTS)):
        summary = summary_at(book, side, height)
        before = get(summary, at >> 6)
        put(summary, at >> 6, before | (1 << (at & 63)))
        if before != 0:
            return
        at >>= 6


@compiled
def clear_price(book: int, side: int, price: int) -> None:
    """Take a price out of the tree."""
    at = price >> 6
    directory = directory_at(book, side)
    row = get(directory, at) - 1
    block = block_at(book, row)
    bits = get(block, BITS) & ~(1 << (price & 63))
    put(block, BITS, bits)
    if bits == 0:
        put(block, BITS, get(book, FREE_BLOCK))
        put(book, FREE_BLOCK, row)
        put(directory, at, 0)
        _unmark(book, side, at)


@compiled
def _unmark(book: int, side: int, at: int) -> None:
    """Strike a block from the summaries, up to one that has another mark in its word."""
    for height in range(get(book, HEIGHTS)):
        summary = summary_at(book, side, height)
        after = get(summary, at >> 6) & ~(1 << (at & 63))
        put(summary, at >> 6, after)
        if after != 0:
            return
        at >>= 6


@compiled
def level_of(book: int, side: int, price: int) -> int:
    """The row of a price's level, or `NONE`."""
    row = get(directory_at(book, side), price >> 6) - 1
    if row == NONE:
        return NONE
    block, bit = block_at(book, row), price & 63
    return get(block, FIRST_LEVEL + bit) if (get(block, BITS) >> bit) & 1 else NONE


@compiled
def worse_price(book: int, side: int, price: int) -> int:
    """The next price in use behind one in use: below it among bids, above it among asks; `NO_PRICE` at the end."""
    at = price >> 6
    row = get(directory_at(book, side), at) - 1
    bits = _behind(get(block_at(book, row), BITS), side, price & 63)
    if bits != 0:
        return (at << 6) | _first(bits, side)
    for height in range(get(book, HEIGHTS)):
        word = at >> 6
        bits = _behind(get(summary_at(book, side, height), word), side, at & 63)
        if bits != 0:
            return _descend(book, side, height, (word << 6) | _first(bits, side))
        at = word
    return NO_PRICE


@compiled
def _descend(book: int, side: int, height: int, at: int) -> int:
    """The first price in use under a branch of the tree."""
    for lower in range(height - 1, -1, -1):
        at = (at << 6) | _first(get(summary_at(book, side, lower), at), side)
    row = get(directory_at(book, side), at) - 1
    return (at << 6) | _first(get(block_at(book, row), BITS), side)


@compiled
def _behind(bits: int, side: int, bit: int) -> int:
    """The bits of a word that stand behind one of them."""
    return bits & ((1 << bit) - 1) if side == BUY else bits & (-2 << bit)


@compiled
def _first(bits: int, side: int) -> int:
    """The best bit of a word that is not 0: the highest among bids, the lowest among asks."""
    return 63 - leading_zeros(bits) if side == BUY else trailing_zeros(bits)
