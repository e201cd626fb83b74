"""What of a price's path is said, and when: few commands, and no extreme lost. Pure.

Outside trades come hundreds a second; a command for each would cost the engine more than it tells it. So a market's
price is said at most once an interval, and not at all while bid and ask stay. What must not get lost is how far the
price went meanwhile: a stop that was passed is due, though the price has come back. A *submission* therefore has up to
three offers: the lowest and the highest price since the last one, in their own order, and the newest.

One spread holds for all prices of a submission, so that the extremes of the price are the extremes of bid and ask.

Invariants:
    Whatever bids and asks the prices taken would have had, the lowest and highest of each were submitted, or stand
    between what was submitted before and after them.
    Two submissions are at least an interval apart, and their receipts never go back.
    After a submission that was lost only the newest price counts: nothing waits in line.
"""

from typing import NamedTuple

from fondaco.domains.desk.pricing import Grid, Prices, Spread, prices_of


class Passed(NamedTuple):
    """An outside price that is believed, in quote atoms per base unit."""

    price: int
    received_us: int
    tick_id: int


class Placed(NamedTuple):
    """A price with its place in the order in which they came."""

    place: int
    passed: Passed


class Offer(NamedTuple):
    """What the desk says of one outside price."""

    prices: Prices
    passed: Passed


class Conflation:
    """The path of one market.

    Args:
        interval_ns: between two submissions.
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._taken = 0
        self._newest: Passed | None = None
        self._low: Placed | None = None
        """The lowest and the highest since the last submission; of equal ones the first."""
        self._high: Placed | None = None
        self._said: Offer | None = None
        """What the engine was told last; None when that is not known."""
        self._said_ns: int | None = None
        """When that was, whatever became of it."""

    def take(self, passed: Passed) -> None:
        """A price has come, no earlier than the one before it."""
        assert self._newest is None or passed.received_us >= self._newest.received_us, passed
        self._taken += 1
        self._newest = passed
        if self._low is None or passed.price < self._low.passed.price:
            self._low = Placed(self._taken, passed)
        if self._high is None or passed.price > self._high.passed.price:
            self._high = Placed(self._taken, passed)

    @property
    def newest(self) -> Passed | None:
        """The newest price, said or not."""
        return self._newest

    @property
    def due_ns(self) -> int:
        """The first moment at which something may be said, on the clock of `offers`."""
        return 0 if self._said_ns is None else self._said_ns + self._interval_ns

    def offers(self, spread: Spread, grid: Grid, *, now_ns: int, refresh_ns: int) -> tuple[Offer, ...]:
        """What is to be said now: nothing, or one to three offers, the newest last. They count as said from here on.

        Args:
            spread: of all prices since the last submission.
            grid: which prices there are. What would be none is left out.
            now_ns: of a clock that never goes back.
            refresh_ns: after so long an unchanged price is said again, if it was heard again.
        """
        if self._newest is None or now_ns < self.due_ns:
            return ()
        newest = _offer(self._newest, spread, grid)
        if newest is None:
            return ()
        offers = (*self._extremes(newest, spread, grid), newest)
        if len(offers) == 1 and self._is_known(newest, now_ns - refresh_ns):
            return ()
        self._low = self._high = None
        self._said, self._said_ns = newest, now_ns
        return offers

    def lost(self) -> None:
        """What was said last did not arrive, as far as is known: from here the newest price alone counts."""
        self._said = None

    def forget(self) -> None:
        """Begin anew: what comes now is another market's."""
        self._newest = self._low = self._high = self._said = None

    def _is_known(self, newest: Offer, refresh_since_ns: int) -> bool:
        """Whether the engine has this price, and not for so long that hearing it again would be news."""
        if self._said is None or self._said_ns is None or newest.prices != self._said.prices:
            return False
        return newest.passed == self._said.passed or self._said_ns > refresh_since_ns

    def _extremes(self, newest: Offer, spread: Spread, grid: Grid) -> list[Offer]:
        """The lowest and the highest, as far as they lie beyond both what was said and what will be said last."""
        if self._said is None:
            return []
        said, found = self._said.prices, list[tuple[int, Offer]]()
        for placed, sign in ((self._low, -1), (self._high, 1)):
            offer = None if placed is None else _offer(placed.passed, spread, grid)
            if placed is not None and offer is not None and _is_beyond(offer.prices, said, newest.prices, sign):
                found.append((placed.place, offer))
        return [offer for _, offer in sorted(found)]


def _offer(passed: Passed, spread: Spread, grid: Grid) -> Offer | None:
    prices = prices_of(passed.price, spread, grid)
    return None if prices is None else Offer(prices, passed)


def _is_beyond(prices: Prices, said: Prices, newest: Prices, sign: int) -> bool:
    """Whether bid or ask is further out than both others: lower with ``sign`` -1, higher with 1."""
    return any(
        sign * here > max(sign * before, sign * after) for here, before, after in zip(prices, said, newest, strict=True)
    )
