"""What of a path is told: extremes in their order, nothing while the price stays, the newest after a loss."""

from fondaco.domains.desk.conflation import Conflation, Passed
from fondaco.domains.desk.pricing import Grid, Spread

MS = 1_000_000
INTERVAL_NS = 50 * MS
REFRESH_NS = 3_000 * MS
EVEN = Spread(0, 0, 0)
GRID = Grid(tick=10, highest=10_000)


class Path:
    """A path, its clock, and what was told of it: the bids."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.path = Conflation(INTERVAL_NS)
        self.number = 0

    def come(self, *prices: int) -> None:
        """These prices come in now."""
        for price in prices:
            self.number += 1
            self.path.take(Passed(price, self.now_ns // 1_000, self.number))

    def told(self, spread: Spread = EVEN) -> list[int]:
        """What is told now."""
        offers = self.path.offers(spread, GRID, now_ns=self.now_ns, refresh_ns=REFRESH_NS)
        return [each.prices.bid for each in offers]

    def later(self, ns: int = INTERVAL_NS) -> None:
        """Time passes."""
        self.now_ns += ns


def begun(*prices: int) -> Path:
    """A path of which something was told one interval ago."""
    made = Path()
    made.come(*prices)
    assert made.told() == [prices[-1]]
    made.later()
    return made


def test_nothing_is_told_of_a_market_without_a_price() -> None:
    assert Path().told() == []


def test_of_what_was_before_the_first_submission_only_the_newest_is_told() -> None:
    begun(500, 100, 900, 500)


def test_extremes_are_told_in_their_own_order_and_the_newest_last() -> None:
    path = begun(500)
    path.come(510, 400, 600, 520)
    assert path.told() == [400, 600, 520]
    path.later()
    path.come(700, 650, 300, 520)
    assert path.told() == [700, 300, 520]


def test_a_spike_that_came_back_is_told() -> None:
    path = begun(500)
    path.come(600, 500)
    assert path.told() == [600, 500]


def test_what_lies_between_two_submissions_is_left_out() -> None:
    path = begun(500)
    path.come(510, 505, 520, 515, 530)
    assert path.told() == [530]


def test_of_equal_extremes_the_first_is_told() -> None:
    path = begun(500)
    path.come(600, 400, 600, 500)
    assert path.told() == [600, 400, 500]
    path.later()
    path.come(400, 600, 400, 500)
    assert path.told() == [400, 600, 500]


def test_nothing_is_told_before_the_interval_is_over() -> None:
    path = begun(500)
    path.come(510)
    assert path.told() == [510]
    path.later(INTERVAL_NS - 1)
    path.come(520)
    assert path.told() == []
    path.later(1)
    assert path.told() == [520]


def test_an_unchanged_price_is_not_told_again() -> None:
    path = begun(500)
    path.come(500, 500)
    assert path.told() == []


def test_an_unchanged_price_is_told_again_when_it_was_heard_again_after_a_while() -> None:
    path = begun(500)
    path.later(REFRESH_NS - INTERVAL_NS - 1)
    path.come(500)
    assert path.told() == []
    path.later(1)
    assert path.told() == [500]
    path.later(REFRESH_NS)
    assert path.told() == []  # nobody has said so again


def test_a_spread_that_has_changed_is_told() -> None:
    path = begun(500)
    assert path.told(Spread(10, 0, 0)) == [490]


def test_after_a_loss_the_newest_price_alone_counts() -> None:
    path = begun(500)
    path.come(600)
    assert path.told() == [600]
    path.come(100, 900, 610)
    path.path.lost()
    path.come(50, 620)
    path.later()
    assert path.told() == [620]
    path.later()
    assert path.told() == []


def test_a_lost_price_is_told_again_though_nothing_new_has_come() -> None:
    path = begun(500)
    path.come(600)
    assert path.told() == [600]
    path.path.lost()
    path.later()
    assert path.told() == [600]


def test_another_market_begins_with_its_own_price() -> None:
    path = begun(500)
    path.come(600)
    path.path.forget()
    assert path.told() == []
    path.come(20)
    assert path.told() == [20]


def test_what_is_no_price_of_the_instrument_is_left_out() -> None:
    path = begun(500)
    path.come(20_000)
    assert path.told() == []
    path.come(400, 500)
    assert path.told() == [400, 500]
