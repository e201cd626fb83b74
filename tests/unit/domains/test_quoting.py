"""What a market maker wants to have standing: covered, apart, inside the band; and the way there."""

from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.book.vocabulary import Side
from fondaco.core.listings import instrument
from fondaco.core.money import charge
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.domains.maker.quoting import (
    PPM,
    Changes,
    Funds,
    Level,
    Rules,
    Standing,
    centre_of,
    changes,
    followed,
    wanted,
)

UNIT = 10**8
TERMS = Terms(
    world=World.DEMO,
    instrument=instrument("BTC/USDT", {}),
    tick=UNIT // 100,
    lot=UNIT // 100_000,
    max_price_ticks=10**8,
    max_order_lots=10**8,
    maker_ppm=500,
    taker_ppm=1_000,
)
RULES = Rules(levels=3, value=1_000 * UNIT, spread_ppm=1_000, step_ppm=500, move_ppm=300, skew_ppm=2_000)
PRICE = 60_000 * UNIT
RICH = Funds(100 * UNIT, 6_000_000 * UNIT)


def test_quotes_lie_on_both_sides_of_the_price_a_step_apart() -> None:
    assert wanted(TERMS, RULES, PRICE, 0, RICH) == [
        Level(Side.BUY, 5_997_000, 1_667),
        Level(Side.BUY, 5_994_000, 1_668),
        Level(Side.BUY, 5_991_000, 1_669),
        Level(Side.SELL, 6_003_000, 1_665),
        Level(Side.SELL, 6_006_000, 1_665),
        Level(Side.SELL, 6_009_000, 1_664),
    ]


def test_what_is_not_there_is_not_offered() -> None:
    """A thousand and a bit buys one level with its fee, a hundredth of a bitcoin sells none."""
    levels = wanted(TERMS, RULES, PRICE, 0, Funds(UNIT // 100, 1_002 * UNIT))
    assert [(level.side, level.price_ticks) for level in levels] == [(Side.BUY, 5_997_000)]
    assert wanted(TERMS, RULES, PRICE, 0, Funds(0, 1_000 * UNIT)) == [], "the fee is not covered"


def test_quotes_do_not_leave_the_band_round_the_last_trade() -> None:
    """The price has run away: where no order may lie the best one lies at the edge."""
    above = wanted(TERMS, RULES, PRICE, 5_000_000, RICH)
    assert [level.price_ticks for level in above if level.side is Side.BUY] == [5_500_000]
    assert len([level for level in above if level.side is Side.SELL]) == 3
    below = wanted(TERMS, RULES, PRICE, 7_000_000, RICH)
    assert [level.price_ticks for level in below if level.side is Side.SELL] == [6_300_000]
    assert len([level for level in below if level.side is Side.BUY]) == 3


def test_who_has_too_much_base_asks_less_for_it() -> None:
    assert centre_of(TERMS, RULES, PRICE, RICH) == PRICE
    assert centre_of(TERMS, RULES, PRICE, Funds(100 * UNIT, 0)) == PRICE * 998_000 // PPM
    assert centre_of(TERMS, RULES, PRICE, Funds(0, UNIT)) == PRICE * 1_002_000 // PPM
    assert centre_of(TERMS, RULES, PRICE, Funds(0, 0)) == PRICE


def test_quotes_follow_only_when_the_price_has_moved_by_more_than_the_threshold() -> None:
    edge = PRICE * 300 // PPM
    assert followed(RULES, 0, PRICE) == PRICE
    assert followed(RULES, PRICE, PRICE + edge) == PRICE
    assert followed(RULES, PRICE, PRICE + edge + 1) == PRICE + edge + 1
    assert followed(RULES, PRICE, PRICE - edge - 1) == PRICE - edge - 1


def test_orders_that_serve_stay_and_others_give_way() -> None:
    bid, ask = Level(Side.BUY, 100, 10), Level(Side.SELL, 102, 10)
    standing = [
        Standing(1, Side.BUY, 100, 5),  # half of it is filled: it serves
        Standing(2, Side.BUY, 100, 10),  # one too many
        Standing(3, Side.SELL, 102, 4),  # too little is left
        Standing(4, Side.SELL, 101, 10),  # nobody wants it
    ]
    assert changes([bid, ask], standing) == Changes([2, 3, 4], [ask])
    assert changes([], standing) == Changes([1, 2, 3, 4], [])
    assert changes([bid], [Standing(5, Side.BUY, 100, 11)]) == Changes([5], [bid])


@given(
    price=st.integers(1, 10**17),
    last_ticks=st.integers(0, 10**8),
    base=st.integers(0, 10**14),
    quote=st.integers(0, 10**17),
    rules=st.builds(
        Rules,
        levels=st.integers(1, 50),
        value=st.integers(1, 10**15),
        spread_ppm=st.integers(2, 500_000),
        step_ppm=st.integers(1, 500_000),
        move_ppm=st.integers(0, 500_000),
        skew_ppm=st.integers(0, 500_000),
    ),
)
def test_quotes_are_covered_and_never_meet_each_other(
    price: int, last_ticks: int, base: int, quote: int, rules: Rules
) -> None:
    funds = Funds(base, quote)
    levels = wanted(TERMS, rules, centre_of(TERMS, rules, price, funds), last_ticks, funds)
    bids = [level for level in levels if level.side is Side.BUY]
    asks = [level for level in levels if level.side is Side.SELL]
    assert max(len(bids), len(asks)) <= rules.levels
    assert all(0 < level.price_ticks <= TERMS.max_price_ticks for level in levels)
    assert all(0 < level.lots <= TERMS.max_order_lots for level in levels)
    costs = [TERMS.notional(level.price_ticks, level.lots) for level in bids]
    assert sum(cost + charge(cost * TERMS.taker_ppm, PPM) for cost in costs) <= quote
    assert sum(level.lots * TERMS.lot for level in asks) <= base
    if bids and asks:
        assert max(level.price_ticks for level in bids) < min(level.price_ticks for level in asks)
    if last_ticks:
        assert all(level.price_ticks * PPM <= last_ticks * (PPM + TERMS.band_ppm) for level in bids)
        assert all(level.price_ticks * PPM >= last_ticks * (PPM - TERMS.band_ppm) for level in asks)
    as_standing = [Standing(number, *level) for number, level in enumerate(levels)]
    assert changes(levels, as_standing) == Changes([], [])
    assert changes(levels, []) == Changes([], levels)
