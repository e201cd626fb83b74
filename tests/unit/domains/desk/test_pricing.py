"""Bid and ask out of an outside price: each kind of markup, the widening, and the edges of what a price may be."""

from fondaco.domains.desk.pricing import (
    Grid,
    Markup,
    Prices,
    Spread,
    Widening,
    markup_ppm,
    prices_of,
    spread_of,
    widened,
)

GRID = Grid(tick=10, highest=1_000_000)
WIDENING = Widening(ppm=200, at_ppm=800_000)
EVEN = Spread(0, 100, 100)


def test_ppm_and_fixed_are_rounded_outward_to_the_tick() -> None:
    assert prices_of(60_007, Spread(0, 100, 100), GRID) == Prices(60_000, 60_020)  # 60,000.9993 and 60,013.0007
    assert prices_of(60_000, Spread(15, 0, 0), GRID) == Prices(59_980, 60_020)
    assert prices_of(60_000, Spread(0, 0, 0), GRID) == Prices(60_000, 60_000)


def test_the_worked_example_of_the_page() -> None:
    """docs/dealing.md, with a tick of a cent: prices in cents."""
    cents = Grid(tick=1, highest=10**9)
    markup = Markup(ppm=80, volatility_ppm=500_000, max_ppm=5_000)
    spread = spread_of(markup, 41)
    assert spread == Spread(0, 101, 101)
    assert prices_of(6_183_763, spread, cents) == Prices(6_183_138, 6_184_388)
    assert prices_of(6_150_000, spread, cents) == Prices(6_149_378, 6_150_622)
    assert prices_of(6_190_000, spread, cents) == Prices(6_189_374, 6_190_626)
    assert prices_of(6_170_000, spread, cents) == Prices(6_169_376, 6_170_624)
    wider = widened(spread, WIDENING, 810, 1_000)
    assert prices_of(6_170_000, wider, cents) == Prices(6_169_376, 6_171_858)


def test_what_would_be_no_price_of_the_instrument_is_none() -> None:
    assert prices_of(1_000_000, Spread(0, 0, 0), GRID) == Prices(1_000_000, 1_000_000)
    assert prices_of(1_000_001, Spread(0, 0, 0), GRID) is None
    assert prices_of(10, Spread(0, 0, 0), GRID) == Prices(10, 10)
    assert prices_of(9, Spread(0, 0, 0), GRID) is None
    assert prices_of(100, Spread(100, 0, 0), GRID) is None


def test_a_spread_follows_volatility_up_to_a_bound() -> None:
    markup = Markup(ppm=80, volatility_ppm=500_000, max_ppm=300)
    assert spread_of(markup, 0) == Spread(0, 80, 80)
    assert spread_of(markup, 101) == Spread(0, 131, 131)  # half of 101, rounded up
    assert spread_of(markup, 440) == Spread(0, 300, 300)
    assert spread_of(markup, 10**9) == Spread(0, 300, 300)
    assert spread_of(Markup(ppm=80), 10**9) == Spread(0, 80, 80)


def test_only_the_side_on_which_clients_would_go_on_is_widened() -> None:
    assert widened(EVEN, WIDENING, 80, 100) == EVEN
    assert widened(EVEN, WIDENING, 81, 100) == Spread(0, 100, 300)
    assert widened(EVEN, WIDENING, -81, 100) == Spread(0, 300, 100)
    assert widened(EVEN, WIDENING, -80, 100) == EVEN


def test_without_a_cap_nothing_is_widened() -> None:
    assert widened(EVEN, WIDENING, 10**9, 0) == EVEN


def test_provenance_names_the_wider_side() -> None:
    assert markup_ppm(60_000, Spread(0, 100, 300)) == 300
    assert markup_ppm(60_000, Spread(15, 0, 0)) == 250
    assert markup_ppm(70_000, Spread(15, 0, 0)) == 215  # 214.28, rounded up
