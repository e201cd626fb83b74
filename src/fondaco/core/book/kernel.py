"""The book's machinery, compiled: orders in rows, levels in queues, and matching.

**Orders** are rows of 64 bytes. Those of a price are a doubly linked queue, oldest first. A free row is a link of the
list of free rows. A *handle* is a row's number and its generation, which changes each time the row is freed, so a
handle that outlived its order finds nothing. The **prices** in use are a tree of bits: see `prices`.

A function's ``book`` is the address of the header, where the addresses of everything else stand: see `layout` and
`memory`. Nothing here allocates: a call that may need a free row and finds none answers `GROW` before it has changed
anything.

Invariants: a level is in the tree exactly while it has orders; its lots and count are the sums over its queue; the best
prices in the header are those of the tree; every row is in a queue or in the free list.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fondaco.core.book import layout, memory, prices
from fondaco.core.book.layout import (
    ALLOW,
    BEST,
    BUY,
    CANCEL,
    COUNT,
    COUNT_OF_ORDERS,
    DECREMENT,
    DECREMENTED,
    DONE,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FILL_SIZE,
    FILLS,
    FREE_BLOCK,
    FREE_LEVEL,
    FREE_ORDER,
    GENERATION,
    GENERATIONS,
    GROW,
    HEAD,
    ID,
    LEVEL,
    LEVEL_LOTS,
    LOTS,
    MAKER_EXPIRED,
    MAX_FILLS,
    NEXT,
    NEXT_FREE,
    NO_PRICE,
    NOBODY,
    NONE,
    ORDER_ROWS,
    OWNER,
    PREVIOUS,
    PRICE,
    RESTED,
    ROW_MASK,
    SIDE,
    TAIL,
    TOO_MANY,
    TRADE,
    WORD_BYTES,
    WOULD_TAKE,
    level_at,
    order_at,
)
from fondaco.core.book.memory import get, put
from fondaco.core.book.prices import clear_price, level_of, set_price, worse_price
from fondaco.core.compiling import compiler

compiled = compiler(layout, memory, prices)

Int64s: TypeAlias = npt.NDArray[np.int64]


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
    level_row = level_of(book, side, price)
    if level_row == NONE:
        level_row = _open_level(book, side, price)
    level = level_at(book, level_row)
    row = get(book, FREE_ORDER)
    order = order_at(book, row)
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
        put(order_at(book, tail), NEXT, row)
    put(level, TAIL, row)
    put(level, LEVEL_LOTS, get(level, LEVEL_LOTS) + lots)
    put(level, COUNT, get(level, COUNT) + 1)
    put(book, COUNT_OF_ORDERS, get(book, COUNT_OF_ORDERS) + 1)
    return (get(order, GENERATION) << 32) | row


@compiled
def _open_level(book: int, side: int, price: int) -> int:
    row = get(book, FREE_LEVEL)
    level = level_at(book, row)
    put(book, FREE_LEVEL, get(level, NEXT_FREE))
    put(level, PRICE, price)
    put(level, SIDE, side)
    put(level, HEAD, NONE)
    put(level, TAIL, NONE)
    put(level, LEVEL_LOTS, 0)
    put(level, COUNT, 0)
    set_price(book, side, price, row)
    if _is_better(side, price, get(book, BEST + side)):
        put(book, BEST + side, price)
    return row


@compiled
def _take_off(book: int, row: int, lots: int) -> None:
    """Take lots off an order and its level; an order that has none left leaves."""
    order = order_at(book, row)
    left = get(order, LOTS) - lots
    put(order, LOTS, left)
    level = level_at(book, get(order, LEVEL))
    put(level, LEVEL_LOTS, get(level, LEVEL_LOTS) - lots)
    if left == 0:
        _take_out(book, row)


@compiled
def _take_out(book: int, row: int) -> None:
    """Take an order without lots out of its queue and free its row."""
    order = order_at(book, row)
    level_row, before, behind = get(order, LEVEL), get(order, PREVIOUS), get(order, NEXT)
    level = level_at(book, level_row)
    if before == NONE:
        put(level, HEAD, behind)
    else:
        put(order_at(book, before), NEXT, behind)
    if behind == NONE:
        put(level, TAIL, before)
    else:
        put(order_at(book, behind), PREVIOUS, before)
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
    level = level_at(book, row)
    side, price = get(level, SIDE), get(level, PRICE)
    if get(book, BEST + side) == price:
        put(book, BEST + side, worse_price(book, side, price))
    clear_price(book, side, price)
    put(level, NEXT_FREE, get(book, FREE_LEVEL))
    put(book, FREE_LEVEL, row)


@compiled
def _row_of(book: int, handle: int) -> int:
    """The row that a handle leads to, or `NONE` when its order has left or never was."""
    row = handle & ROW_MASK
    if handle < 0 or row >= get(book, ORDER_ROWS):
        return NONE
    order = order_at(book, row)
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
        row = get(level_at(book, level_of(book, other, at)), HEAD)
        while row != NONE and lots > 0:
            order = order_at(book, row)
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
        at = worse_price(book, other, at)
    return got, notional, worst, met


@compiled
def _match(book: int, side: int, price: int, lots: int, owner: int, self_trade: int) -> tuple[int, int, bool]:
    """Meet the other side's orders: lots left, how many were met, and whether the order has expired."""
    other, met = 1 - side, 0
    while lots > 0 and _crosses(side, price, get(book, BEST + other)):
        at = get(book, BEST + other)
        row = get(level_at(book, level_of(book, other, at)), HEAD)
        order = order_at(book, row)
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
    lots = get(order_at(book, row), LOTS)
    _take_off(book, row, lots)
    return lots


@compiled
def reduce(book: int, handle: int, lots: int) -> bool:
    """Lower an order to so many lots where it stands; False when it has no more than that, or is not there."""
    row = _row_of(book, handle)
    if row == NONE or not 0 < lots < get(order_at(book, row), LOTS):
        return False
    _take_off(book, row, get(order_at(book, row), LOTS) - lots)
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
        level = level_at(book, level_of(book, side, price))
        out[count, 0], out[count, 1], out[count, 2] = price, get(level, LEVEL_LOTS), get(level, COUNT)
        price = worse_price(book, side, price)
        count += 1
    return count


@compiled
def queue_of(book: int, side: int, out: Int64s) -> int:
    """Write each order's id, owner, price and lots to the rows of ``out``, in the order in which they are served."""
    price, count = get(book, BEST + side), 0
    while price != NO_PRICE:
        row = get(level_at(book, level_of(book, side, price)), HEAD)
        while row != NONE:
            order = order_at(book, row)
            out[count, 0], out[count, 1] = get(order, ID), get(order, OWNER)
            out[count, 2], out[count, 3] = price, get(order, LOTS)
            count += 1
            row = get(order, NEXT)
        price = worse_price(book, side, price)
    return count
