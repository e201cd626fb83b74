"""Whatever the prices do and whenever something may be told: no extreme is lost, and nothing is told too often."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from fondaco.domains.desk.conflation import Conflation, Offer, Passed
from fondaco.domains.desk.pricing import Grid, Prices, Spread, prices_of

INTERVAL_NS = 50
REFRESH_NS = 300
GRID = Grid(tick=3, highest=10_000)
SPREADS = st.builds(Spread, st.integers(0, 5), st.integers(0, 50_000), st.integers(0, 50_000))
PRICES = st.integers(1_000, 3_000)


class Step(NamedTuple):
    """Time passes, these prices come, and then something may be told."""

    after_ns: int
    prices: Sequence[int]
    spread: Spread


class Told(NamedTuple):
    """A submission, and what had come since the one before, as it would have been quoted."""

    at_ns: int
    offers: tuple[Offer, ...]
    raw: list[Prices]


PATHS = st.lists(st.builds(Step, st.integers(0, 120), st.lists(PRICES, max_size=6), SPREADS), max_size=40)


def submissions(path: Sequence[Step]) -> list[Told]:
    """What is told along a path."""
    conflation, told = Conflation(INTERVAL_NS), list[Told]()
    now_ns, number, waiting = 0, 0, list[int]()
    for step in path:
        now_ns += step.after_ns
        for price in step.prices:
            number += 1
            conflation.take(Passed(price, now_ns, number))
            waiting.append(price)
        offers = conflation.offers(step.spread, GRID, now_ns=now_ns, refresh_ns=REFRESH_NS)
        if offers:
            told.append(Told(now_ns, offers, [_quoted(price, step.spread) for price in waiting]))
            waiting.clear()
    return told


def _quoted(price: int, spread: Spread) -> Prices:
    prices = prices_of(price, spread, GRID)
    assert prices is not None, "all prices here can be quoted"
    return prices


@given(PATHS)
def test_no_extreme_of_bid_or_ask_is_lost(path: Sequence[Step]) -> None:
    told = submissions(path)
    for before, now in pairwise(told):
        known = [before.offers[-1].prices, *(each.prices for each in now.offers)]
        raw = [before.offers[-1].prices, *now.raw, now.offers[-1].prices]
        for side in (0, 1):
            assert min(each[side] for each in known) == min(each[side] for each in raw)
            assert max(each[side] for each in known) == max(each[side] for each in raw)


@given(PATHS)
def test_nothing_is_told_more_often_than_once_an_interval(path: Sequence[Step]) -> None:
    moments = [each.at_ns for each in submissions(path)]
    assert all(later - earlier >= INTERVAL_NS for earlier, later in pairwise(moments))


@given(PATHS)
def test_a_submission_is_one_that_the_engine_takes(path: Sequence[Step]) -> None:
    """At most three quotes, bid not above ask, receipts that never go back, over the whole path."""
    told = submissions(path)
    assert all(1 <= len(each.offers) <= 3 for each in told)
    offers = [offer for each in told for offer in each.offers]
    assert all(0 < each.prices.bid <= each.passed.price <= each.prices.ask <= GRID.highest for each in offers)
    assert all(price % GRID.tick == 0 for each in offers for price in each.prices)
    receipts = [(each.passed.received_us, each.passed.tick_id) for each in offers]
    assert receipts == sorted(receipts)


@given(PATHS)
def test_what_is_told_is_news_or_old_enough(path: Sequence[Step]) -> None:
    told = submissions(path)
    for before, now in pairwise(told):
        is_news = len(now.offers) > 1 or now.offers[0].prices != before.offers[-1].prices
        assert is_news or now.at_ns - before.at_ns >= REFRESH_NS


@given(st.lists(PRICES, min_size=1), SPREADS)
def test_the_lower_of_two_prices_has_no_higher_bid_and_no_higher_ask(prices: list[int], spread: Spread) -> None:
    quoted = [_quoted(price, spread) for price in sorted(prices)]
    assert [each.bid for each in quoted] == sorted(each.bid for each in quoted)
    assert [each.ask for each in quoted] == sorted(each.ask for each in quoted)
