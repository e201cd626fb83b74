"""The terms that the seed lists a pair on: those that people know for known prices, and possible ones for any."""

from hypothesis import given
from hypothesis import strategies as st

from fondaco.app.seeding.listing import MAX_PRICE_TICKS, lots_worth, nearest_ticks, terms_of
from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.listings import Asset, Instrument, instrument
from fondaco.core.money import MAX_SCALE, format_atoms
from fondaco.core.terms import terms_refusal
from fondaco.core.vocabulary import World

PAIRS = """
BTC/USDT   61800      0.01000000   0.00001000
ETH/USDT   2650       0.00100000   0.00010000
SOL/USDT   150        0.00010000   0.00100000
PEPE/USDT  0.00001    0.00000001   10000.00
"""


def test_steps_are_those_of_the_price() -> None:
    for pair, price, tick, lot in map(str.split, PAIRS.strip().splitlines()):
        found = instrument(pair, {"PEPE": 2})
        whole, _, fraction = price.partition(".")
        terms = terms_of(found, World.DEMO, int(whole + fraction.ljust(8, "0")))
        assert format_atoms(terms.tick, found.price_scale) == tick
        assert format_atoms(terms.lot, found.quantity_scale) == lot
        assert terms_refusal(terms) is None


ROUND_PRICES = st.integers(0, 18).map(lambda digits: 10**digits)


@given(
    base_scale=st.integers(0, MAX_SCALE),
    quote_scale=st.integers(0, MAX_SCALE),
    price=st.integers(1, 2**61) | ROUND_PRICES,
    units=st.integers(1, 10),
)
def test_a_price_leads_to_terms_that_can_be_listed(base_scale: int, quote_scale: int, price: int, units: int) -> None:
    found = Instrument("AB", Asset("A", base_scale), Asset("B", quote_scale))
    terms = terms_of(found, World.TRADING, price)
    assert terms_refusal(terms) is None
    assert price // 10**7 < terms.tick <= max(1, price // 10**6)
    assert terms.max_price_ticks == MAX_PRICE_TICKS or terms.max_price_ticks * terms.tick > MAX_TOTAL - terms.tick
    assert nearest_ticks(terms, price) * terms.tick <= price
    assert lots_worth(terms, price, units) >= 1
