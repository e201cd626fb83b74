"""Realised volatility in whole numbers: what counts, for how long, and worked numbers."""

from fondaco.domains.desk.volatility import Volatility

S = 1_000_000


def after(window_s: int, *samples: tuple[int, int]) -> Volatility:
    """What has been told these prices, each with its second."""
    made = Volatility(window_s)
    for second, price in samples:
        made.take(price, second * S)
    return made


def test_a_price_that_stays_has_none() -> None:
    assert after(60, (1, 100), (2, 100), (3, 100)).realised_ppm == 0


def test_returns_of_three_and_four_make_five() -> None:
    prices = (1, 1_000_000), (2, 1_000_300), (3, 999_900)  # +300 ppm, then -399.88 ppm
    assert after(60, *prices).realised_ppm == 300  # the third second is not over
    assert after(60, *prices, (4, 999_900)).realised_ppm == 499


def test_only_the_last_price_of_a_second_counts() -> None:
    made = Volatility(60)
    for price, at_us in ((100, 0), (999, S), (100, S + 1), (100, 2 * S)):
        made.take(price, at_us)
    assert made.realised_ppm == 0


def test_what_is_older_than_the_window_counts_no_more() -> None:
    jump = (1, 100_000), (2, 110_000), (3, 110_000)
    assert after(10, *jump, (11, 110_000)).realised_ppm == 100_000
    assert after(10, *jump, (12, 110_000)).realised_ppm == 0


def test_a_clock_that_goes_back_changes_nothing_that_was_measured() -> None:
    made = after(10, (5, 100_000), (6, 110_000), (7, 110_000))
    made.take(110_000, 0)
    assert made.realised_ppm == 100_000


def test_it_begins_anew_when_told_to() -> None:
    made = after(10, (5, 100_000), (6, 110_000), (7, 110_000))
    made.forget()
    made.take(5, 8 * S)
    made.take(5, 9 * S)
    assert made.realised_ppm == 0
