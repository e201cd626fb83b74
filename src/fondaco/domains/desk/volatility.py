"""How much a price has moved lately: realised volatility in whole numbers. Pure.

The last price of each second is a sample. Between two samples lies a return; the square root of the sum of their
squares over the window is the realised volatility of the window. Only seconds that are over count, so the figure, and
a spread that follows it, changes at most once a second.
"""

from collections import deque
from math import isqrt
from typing import Final

SECOND_US: Final = 1_000_000
PPB: Final = 1_000_000_000
PPB_PER_PPM: Final = 1_000


class Volatility:
    """Follows one price.

    Args:
        window_s: seconds that count; no more samples than these are kept.
    """

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._second = 0
        """The one that is not over,"""
        self._price = 0
        """and the last price in it."""
        self._closed: tuple[int, int] | None = None
        """The last second that is over, and its price."""
        self._squares: deque[tuple[int, int]] = deque()
        """The square of each return in ppb, with the second in which it ended, oldest first."""
        self._sum = 0

    @property
    def realised_ppm(self) -> int:
        """The realised volatility of the window, in ppm of the price, rounded down."""
        return isqrt(self._sum) // PPB_PER_PPM

    def take(self, price: int, received_us: int) -> None:
        """Take a price, above zero, with the moment of its receipt. One that is earlier counts as of now."""
        second = max(self._second, received_us // SECOND_US)
        if second > self._second and self._price:
            self._close()
        self._second, self._price = second, price
        while self._squares and self._squares[0][0] <= second - self._window_s:
            self._sum -= self._squares.popleft()[1]

    def forget(self) -> None:
        """Begin anew: what comes now is another price's."""
        self.__init__(self._window_s)  # type: ignore[misc] # the class has no heirs

    def _close(self) -> None:
        """The second is over: its last price is a sample."""
        if self._closed is not None:
            before = self._closed[1]
            square = ((self._price - before) * PPB // before) ** 2
            self._squares.append((self._second, square))
            self._sum += square
        self._closed = self._second, self._price
