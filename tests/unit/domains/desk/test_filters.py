"""Which prices are believed: far ones are not, unless several in a row agree; old ones are not."""

from fondaco.domains.desk.filters import Limits, OffMarket, is_stale

LIMITS = Limits(ppm=10_000, window=5, run=3)


def believing(*prices: int) -> OffMarket:
    """A filter that has believed these."""
    made = OffMarket(LIMITS)
    assert [made.is_off(each) for each in prices] == [False] * len(prices)
    return made


def test_a_far_price_is_off_and_the_edge_is_not() -> None:
    made = believing(10_000, 10_000, 10_000)
    assert not made.is_off(10_100)
    assert made.is_off(10_101)
    assert made.is_off(9_899)
    assert not made.is_off(9_900)


def test_the_median_is_not_moved_by_one_odd_price_among_the_last() -> None:
    made = believing(10_000, 10_099, 10_000)
    assert made.is_off(10_150)


def test_a_run_that_agrees_confirms_the_move_and_the_past_is_forgotten() -> None:
    made = believing(10_000, 10_000, 10_000)
    assert [made.is_off(each) for each in (11_000, 11_010, 11_005)] == [True, True, False]
    assert not made.is_off(11_000)
    assert made.is_off(10_000)


def test_a_run_is_broken_by_a_price_that_is_believed() -> None:
    made = believing(10_000, 10_000, 10_000)
    assert [made.is_off(each) for each in (11_000, 11_000, 10_000, 11_000, 11_000)] == [True, True, False, True, True]


def test_prices_that_disagree_with_one_another_confirm_nothing() -> None:
    made = believing(10_000, 10_000, 10_000)
    assert all(made.is_off(each) for each in (11_000, 13_000, 11_000, 13_000, 7_000, 11_000))


def test_it_begins_anew_when_told_to() -> None:
    made = believing(10_000)
    made.forget()
    assert not made.is_off(50)


def test_a_run_of_one_believes_everything() -> None:
    made = OffMarket(Limits(ppm=1, window=1, run=1))
    assert [made.is_off(each) for each in (1, 10**9, 5)] == [False] * 3


def test_staleness_has_an_edge() -> None:
    assert not is_stale(1_000, 4_000, 3_000)
    assert is_stale(1_000, 4_001, 3_000)
    assert not is_stale(5_000, 4_000, 3_000)  # a clock ahead of ours: the engine has its say
