"""Where everything of a book lies: the header, and behind its addresses rows of words.

``book`` is everywhere the address of the header. The names are offsets in words.
"""

from typing import Final

from fondaco.core.book import memory
from fondaco.core.book.memory import get
from fondaco.core.compiling import compiler

compiled = compiler(memory)

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


@compiled
def order_at(book: int, row: int) -> int:
    """The address of an order."""
    return get(book, ORDERS) + row * (ORDER_SIZE * WORD_BYTES)


@compiled
def level_at(book: int, row: int) -> int:
    """The address of a level."""
    return get(book, LEVELS) + row * (LEVEL_SIZE * WORD_BYTES)


@compiled
def block_at(book: int, row: int) -> int:
    """The address of a block."""
    return get(book, BLOCKS) + row * (BLOCK_SIZE * WORD_BYTES)


@compiled
def directory_at(book: int, side: int) -> int:
    """For each 64 prices of a side the row of their block, plus one; 0 where there is none."""
    return get(book, DIRECTORY) + side * get(book, DIRECTORY_SIZE) * WORD_BYTES


@compiled
def summary_at(book: int, side: int, height: int) -> int:
    """For each 64 blocks, or words of the summary below, a word with a bit for each."""
    start = side * get(book, SUMMARY_SIZE) + get(book, HEIGHTS + 1 + height)
    return get(book, SUMMARIES) + start * WORD_BYTES
