"""The book's machinery, compiled: orders in rows, levels in queues, prices in a tree of bits.

**Orders** are rows of 64 bytes. Those of a price are a doubly linked queue, oldest first. A free row is a link of the
list of free rows. A *handle* is a row's number and its generation, which changes each time the row is freed, so a
handle that outlived its order finds nothing.

**Prices** in use are the bits of a tree with 64 branches: a *block* has one bit and one level for each of 64
neighbouring prices; blocks that exist are bits of the first *summary*, words of it that are not zero bits of the next.
The next price, however far away, is a few words off; an empty stretch costs address space and no memory.

A function's ``book`` is the address of the header, where the addresses of everything else stand (see `memory`). Nothing
here allocates: a call that may need a free row and finds none answers `GROW` before it has changed anything.

Invariants: a level is in the tree exactly while it has orders; its lots and count are the sums over its queue; the best
prices in the header are those of the tree; every row is in a queue or in the free list.
"""

from typing import Final, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from fondaco.core.book.memory import get, leading_zeros, put, trailing_zeros

Int64s: TypeAlias = npt.NDArray[np.int64]

compiled = numba.njit(cache=True)

# The header: addresses first, each with the size of what lies there in the book's hands.
ORDERS, LEVELS, BLOCKS, DIRECTORY, SUMMARIES, FILLS = 0, 1, 2, 3, 4, 5
COUNT_OF_ORDERS, ORDER_ROWS, MAX_FILLS = 6, 7, 8
FREE_ORDER, FREE_LEVEL, FREE_BLOCK = 9, 10, 11
BEST: Final = 12
"""And the next: the best price of bids and of asks."""
DIRECTORY_SIZE, SUMMARY_SIZE = 14, 15
"""Words that the directory and the summaries of one side take."""
HEIGHTS: Final = 16
"""How many summaries there are; behind it, where each begins."""
MAX_HEIGHTS: Final = 5
HEADER_SIZE: Final = HEIGHTS + 1 + MAX_HEIGHTS

# An order.
ID, OWNER, LOTS, LEVEL, NEXT, PREVIOUS, GENERATION = 0, 1, 2, 3, 4, 5, 6
ORDER_SIZE: Final = 8
"""A line of cache."""

# A level.
PRICE, SIDE, HEAD, TAIL, LEVEL_LOTS, COUNT, NEXT_FREE = 0, 1, 2, 3, 4, 5, 6
LEVEL_SIZE: Final = 8

# A block: the bits of its prices (or, when it is free, the next free block), and the level of each.
BITS, FIRST_LEVEL = 0, 1
BLOCK_SIZE: Final = 65

# A fill: the maker, the price, the lots, what the maker has left, and how they met.
FILL_SIZE: Final = 5

# A command of a batch: what to do, then side, price and lots, or which command's order to cancel.
PLACE, CANCEL = 0, 1
COMMAND_SIZE: Final = 4

WORD_BYTES: Final = 8
NONE: Final = -1
NO_PRICE: Final = 0
GENERATIONS: Final = 2**31
ROW_MASK: Final = 2**32 - 1

# As in `vocabulary`, whose enums numba would look up each time.
BUY: Final = 0
DONE, RESTED, EXPIRED, WOULD_TAKE, TOO_MANY, GROW = 0, 1, 2, 3, 4, 5
ALLOW, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT = 0, 1, 2, 3, 4
TRADE, MAKER_EXPIRED, DECREMENTED = 0, 1, 2
NOBODY: Final = 0


# --- where things lie -------------------------------------------------------------------------------------------------


@compiled
def _order(book: int, row: int) -> int:
    return get(book, ORDERS) + row * (ORDER_SIZE * WORD_BYTES)


@compiled
def _level(book: int, row: int) -> int:
    return get(book, LEVELS) + row * (LEVEL_SIZE * WORD_BYTES)


@compiled
def _block(book: int, row: int) -> int:
    return get(book, BLOCKS) + row * (BLOCK_SIZE * WORD_BYTES)


@compiled
def _directory(book: int, side: int) -> int:
    """For each 64 prices of a side the row of their block, plus one; 0 where there is none."""
    return get(book, DIRECTORY) + side * get(book, DIRECTORY_SIZE) * WORD_BYTES


@compiled
def _summary(book: int, side: int, height: int) -> int:
    """For each 64 blocks, or words of the summary below, a word with a bit for each."""
    start = side * get(book, SUMMARY_SIZE) + get(book, HEIGHTS + 1 + height)
    return get(book, SUMMARIES) + start * WORD_BYTES


# --- the tree of prices -----------------------------------------------------------------------------------------------


@compiled
def _set_price(book: int, side: int, price: int, level: int) -> None:
    """Put a price that was not in use into the tree."""
    at = price >> 6
    directory = _directory(book, side)
    row = get(directory, at) - 1
    if row == NONE:
        row = get(book, FREE_BLOCK)
        put(book, FREE_BLOCK, get(_block(book, row), BITS))
        put(_block(book, row), BITS, 0)
        put(directory, at, row + 1)
        _mark(book, side, at)
    block, bit = _block(book, row), price & 63
    put(block, BITS, get(block, BITS) | (1 << bit))
    put(block, FIRST_LEVEL + bit, level)


@compiled
def _mark(book: int, side: int, at: int) -> None:
    """Mark a block in the summaries, up to one that had another mark in its word already."""
    for height in range(get(book, HEIGHTS)):
        summary = _summary(book, side, height)
        before = get(summary, at >> 6)
        put(summary, at >> 6, before | (1 << (at & 63)))
        if before != 0:
            return
        at >>= 6


@compiled
def _clear_price(book: int, side: int, price: int) -> None:
    """Take a price out of the tree."""
    at = price >> 6
    directory = _directory(book, side)
    row = get(directory, at) - 1
    block = _block(book, row)
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
        summary = _summary(book, side, height)
        after = get(summary, at >> 6) & ~(1 << (at & 63))
        put(summary, at >> 6, after)
        if after != 0:
            return
        at >>= 6


@compiled
def _level_at(book: int, side: int, price: int) -> int:
    """The row of a price's level, or `NONE`."""
    row = get(_directory(book, side), price >> 6) - 1
    if row == NONE:
        return NONE
    block, bit = _block(book, row), price & 63
    return get(block, FIRST_LEVEL + bit) if (get(block, BITS) >> bit) & 1 else NONE


@compiled
def _worse_price(book: int, side: int, price: int) -> int:
    """The next price in use behind one in use: below it among bids, above it among asks; `NO_PRICE` at the end."""
    at = price >> 6
    row = get(_directory(book, side), at) - 1
    bits = _behind(get(_block(book, row), BITS), side, price & 63)
    if bits != 0:
        return (at << 6) | _first(bits, side)
    for height in range(get(book, HEIGHTS)):
        word = at >> 6
        bits = _behind(get(_summary(book, side, height), word), side, at & 63)
        if bits != 0:
            return _descend(book, side, height, (word << 6) | _first(bits, side))
        at = word
    return NO_PRICE


@compiled
def _descend(book: int, side: int, height: int, at: int) -> int:
    """The first price in use under a branch of the tree."""
    for lower in range(height - 1, -1, -1):
        at = (at << 6) | _first(get(_summary(book, side, lower), at), side)
    row = get(_directory(book, side), at) - 1
    return (at << 6) | _first(get(_block(book, row), BITS), side)


@compiled
def _behind(bits: int, side: int, bit: int) -> int:
    """The bits of a word that stand behind one of them."""
    return bits & ((1 << bit) - 1) if side == BUY else bits & (-2 << bit)


@compiled
def _first(bits: int, side: int) -> int:
    """The best bit of a word that is not 0: the highest among bids, the lowest among asks."""
    return 63 - leading_zeros(bits) if side == BUY else trailing_zeros(bits)


# --- queues -----------------------------------------------------------------------------------------------------------


@compiled
def _crosses(side: int, price: int, resting: int) -> bool:
    """Whether an order of this side and price trades with a price of the other side, `NO_PRICE` being none."""
    if resting == NO_PRICE:
        return False
    return resting <= price if side == BUY else resting >= price


@compiled
def _is_better(side: int, price: int, than: int) -> bool:
    if than == NO_PRICE:
        return True
    return price > than if side == BUY else price < than


@compiled
def _rest(book: int, order_id: int, owner: int, side: int, price: int, lots: int) -> int:
    """Put an order at the end of its price's queue; returns its handle. There must be a free row of each kind."""
    level_row = _level_at(book, side, price)
    if level_row == NONE:
        level_row = _open_level(book, side, price)
    level = _level(book, level_row)
    row = get(book, FREE_ORDER)
    order = _order(book, row)
    put(book, FREE_ORDER, get(order, NEXT))
    tail = get(level, TAIL)
    put(order, ID, order_id)
    put(order, OWNER, owner)
    put(order, LOTS, lots)
    put(order, LEVEL, level_row)
    put(order, NEXT, NONE)
    put(order, PREVIOUS, tail)
    if tail == NONE:
        put(level, HEAD, row)
    else:
        put(_order(book, tail), NEXT, row)
    put(level, TAIL, row)
    put(level, LEVEL_LOTS, get(level, LEVEL_LOTS) + lots)
    put(level, COUNT, get(level, COUNT) + 1)
    put(book, COUNT_OF_ORDERS, get(book, COUNT_OF_ORDERS) + 1)
    return (get(order, GENERATION) << 32) | row


@compiled
def _open_level(book: int, side: int, price: int) -> int:
    row = get(book, FREE_LEVEL)
    level = _level(book, row)
    put(book, FREE_LEVEL, get(level, NEXT_FREE))
    put(level, PRICE, price)
    put(level, SIDE, side)
    put(level, HEAD, NONE)
    put(level, TAIL, NONE)
    put(level, LEVEL_LOTS, 0)
    put(level, COUNT, 0)
    _set_price(book, side, price, row)
    if _is_better(side, price, get(book, BEST + side)):
        put(book, BEST + side, price)
    return row


@compiled
def _take_off(book: int, row: int, lots: int) -> None:
    """Take lots off an order and its level; an order that has none left leaves."""
    order = _order(book, row)
    left = get(order, LOTS) - lots
    put(order, LOTS, left)
    level = _level(book, get(order, LEVEL))
    put(level, LEVEL_LOTS, get(level, LEVEL_LOTS) - lots)
    if left == 0:
        _take_out(book, row)


@compiled
def _take_out(book: int, row: int) -> None:
    """Take an order without lots out of its queue and free its row."""
    order = _order(book, row)
    level_row, before, behind = get(order, LEVEL), get(order, PREVIOUS), get(order, NEXT)
    level = _level(book, level_row)
    if before == NONE:
        put(level, HEAD, behind)
    else:
        put(_order(book, before), NEXT, behind)
    if behind == NONE:
        put(level, TAIL, before)
    else:
        put(_order(book, behind), PREVIOUS, before)
    put(order, GENERATION, (get(order, GENERATION) + 1) % GENERATIONS)
    put(order, NEXT, get(book, FREE_ORDER))
    put(book, FREE_ORDER, row)
    put(book, COUNT_OF_ORDERS, get(book, COUNT_OF_ORDERS) - 1)
    left = get(level, COUNT) - 1
    put(level, COUNT, left)
    if left == 0:
        _close_level(book, level_row)


@compiled
def _close_level(book: int, row: int) -> None:
    level = _level(book, row)
    side, price = get(level, SIDE), get(level, PRICE)
    if get(book, BEST + side) == price:
        put(book, BEST + side, _worse_price(book, side, price))
    _clear_price(book, side, price)
    put(level, NEXT_FREE, get(book, FREE_LEVEL))
    put(book, FREE_LEVEL, row)


@compiled
def _row_of(book: int, handle: int) -> int:
    """The row that a handle leads to, or `NONE` when its order has left or never was."""
    row = handle & ROW_MASK
    if handle < 0 or row >= get(book, ORDER_ROWS):
        return NONE
    order = _order(book, row)
    return row if get(order, GENERATION) == handle >> 32 and get(order, LOTS) > 0 else NONE


# --- matching ---------------------------------------------------------------------------------------------------------


@compiled
def _walk(
    book: int, side: int, price: int, lots: int, owner: int, self_trade: int, most: int
) -> tuple[int, int, int, int]:
    """What an order would get: lots, notional, worst price, and how many orders it would meet, counted to most + 1."""
    other, got, notional, worst, met = 1 - side, 0, 0, 0, 0
    at = get(book, BEST + other)
    while lots > 0 and _crosses(side, price, at):
        row = get(_level(book, _level_at(book, other, at)), HEAD)
        while row != NONE and lots > 0:
            order = _order(book, row)
            row = get(order, NEXT)
            met += 1
            if met > most:
                return got, notional, worst, met
            taken = min(lots, get(order, LOTS))
            if self_trade == ALLOW or owner == NOBODY or get(order, OWNER) != owner:
                got, notional, worst = got + taken, notional + taken * at, at
                lots -= taken
            elif self_trade == DECREMENT:
                lots -= taken
            elif self_trade != EXPIRE_MAKER:
                return got, notional, worst, met
        at = _worse_price(book, other, at)
    return got, notional, worst, met


@compiled
def _match(book: int, side: int, price: int, lots: int, owner: int, self_trade: int) -> tuple[int, int, bool]:
    """Meet the other side's orders: lots left, how many were met, and whether the order has expired."""
    other, met = 1 - side, 0
    while lots > 0 and _crosses(side, price, get(book, BEST + other)):
        at = get(book, BEST + other)
        row = get(_level(book, _level_at(book, other, at)), HEAD)
        order = _order(book, row)
        has = get(order, LOTS)
        taken, meeting = min(lots, has), TRADE
        is_own = self_trade != ALLOW and owner != NOBODY and get(order, OWNER) == owner
        if is_own:
            if self_trade == EXPIRE_TAKER:
                return lots, met, True
            meeting = DECREMENTED
            if self_trade != DECREMENT:
                taken, meeting = has, MAKER_EXPIRED
        if meeting != MAKER_EXPIRED:
            lots -= taken
        _note(book, met, get(order, ID), at, taken, has - taken, meeting)
        met += 1
        _take_off(book, row, taken)
        if is_own and self_trade == EXPIRE_BOTH:
            return lots, met, True
    return lots, met, False


@compiled
def _note(book: int, number: int, maker: int, price: int, lots: int, left: int, meeting: int) -> None:
    fill = get(book, FILLS) + number * (FILL_SIZE * WORD_BYTES)
    put(fill, 0, maker)
    put(fill, 1, price)
    put(fill, 2, lots)
    put(fill, 3, left)
    put(fill, 4, meeting)


# --- what Python calls ------------------------------------------------------------------------------------------------


@compiled
def place(
    book: int,
    order_id: int,
    side: int,
    price: int,
    lots: int,
    owner: int,
    self_trade: int,
    rests: bool,
    makes_only: bool,
) -> tuple[int, int, int, int]:
    """Match an order and let the rest of it rest: outcome, handle, lots left, and how many fills were noted.

    The outcome is one of `vocabulary.Outcome`, or `GROW`.
    """
    if rests and min(get(book, FREE_ORDER), get(book, FREE_LEVEL), get(book, FREE_BLOCK)) == NONE:
        return GROW, NONE, lots, 0
    met, is_expired = 0, False
    if _crosses(side, price, get(book, BEST + 1 - side)):
        if makes_only:
            return WOULD_TAKE, NONE, lots, 0
        most = get(book, MAX_FILLS)
        if get(book, COUNT_OF_ORDERS) > most and _walk(book, side, price, lots, owner, self_trade, most)[3] > most:
            return TOO_MANY, NONE, lots, 0
        lots, met, is_expired = _match(book, side, price, lots, owner, self_trade)
    if is_expired:
        return EXPIRED, NONE, lots, met
    if lots == 0 or not rests:
        return DONE, NONE, lots, met
    return RESTED, _rest(book, order_id, owner, side, price, lots), lots, met


@compiled
def walk(book: int, side: int, price: int, lots: int, owner: int, self_trade: int) -> tuple[int, int, int, int]:
    """Lots, notional, worst price and orders met of an order that is not sent."""
    return _walk(book, side, price, lots, owner, self_trade, get(book, COUNT_OF_ORDERS))


@compiled
def cancel(book: int, handle: int) -> int:
    """Take an order out: its lots, or 0 when the handle leads nowhere."""
    row = _row_of(book, handle)
    if row == NONE:
        return 0
    lots = get(_order(book, row), LOTS)
    _take_off(book, row, lots)
    return lots


@compiled
def reduce(book: int, handle: int, lots: int) -> bool:
    """Lower an order to so many lots where it stands; False when it has no more than that, or is not there."""
    row = _row_of(book, handle)
    if row == NONE or not 0 < lots < get(_order(book, row), LOTS):
        return False
    _take_off(book, row, get(_order(book, row), LOTS) - lots)
    return True


@compiled
def run(book: int, commands: Int64s, start: int, handles: Int64s, sums: Int64s) -> int:
    """Run a batch from ``start`` on; returns where it stopped for want of rows, or the batch's length.

    An order's id is its command's number, and its handle is written to ``handles`` there. ``sums`` gathers trades,
    traded lots, lots cancelled, and a mix of every fill that tells one outcome from another.
    """
    for number in range(start, len(commands)):
        if commands[number, 0] == CANCEL:
            sums[2] += cancel(book, handles[commands[number, 1]])
            continue
        side, price, lots = commands[number, 1], commands[number, 2], commands[number, 3]
        outcome, handle, _, met = place(book, number, side, price, lots, NOBODY, ALLOW, True, False)
        if outcome == GROW:
            return number
        handles[number] = handle
        sums[0] += met
        for at in range(met):
            fill = get(book, FILLS) + at * (FILL_SIZE * WORD_BYTES)
            sums[1] += get(fill, 2)
            sums[3] = (sums[3] * 31 + get(fill, 0) * 7 + get(fill, 1) * 3 + get(fill, 2)) & 0xFFFFFFFFFFFF
    return len(commands)


@compiled
def levels_of(book: int, side: int, out: Int64s) -> int:
    """Write the best levels' price, lots and count to the rows of ``out``; returns how many there were."""
    price, count = get(book, BEST + side), 0
    while price != NO_PRICE and count < len(out):
        level = _level(book, _level_at(book, side, price))
        out[count, 0], out[count, 1], out[count, 2] = price, get(level, LEVEL_LOTS), get(level, COUNT)
        price = _worse_price(book, side, price)
        count += 1
    return count


@compiled
def queue_of(book: int, side: int, out: Int64s) -> int:
    """Write each order's id, owner, price and lots to the rows of ``out``, in the order in which they are served."""
    price, count = get(book, BEST + side), 0
    while price != NO_PRICE:
        row = get(_level(book, _level_at(book, side, price)), HEAD)
        while row != NONE:
            order = _order(book, row)
            out[count, 0], out[count, 1] = get(order, ID), get(order, OWNER)
            out[count, 2], out[count, 3] = price, get(order, LOTS)
            count += 1
            row = get(order, NEXT)
        price = _worse_price(book, side, price)
    return count
