"""However an order fills, it pays the fee of the whole, rounded up once."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.fees import PPM, fee_of_fill, most_fee
from fondaco.core.money import charge

rates = st.integers(-5_000, 50_000)
fills = st.lists(st.tuples(st.integers(1, 10**18), rates), min_size=1, max_size=30)


@given(fills)
def test_the_fees_of_all_fills_are_the_fee_of_their_sum_rounded_up_once(parts: list[tuple[int, int]]) -> None:
    carry = paid = 0
    for notional, rate_ppm in parts:
        fee, carry = fee_of_fill(notional, rate_ppm, carry)
        paid += fee
        assert 0 <= carry < PPM
    exact = Fraction(sum(notional * rate_ppm for notional, rate_ppm in parts), PPM)
    assert exact <= paid < exact + 1


@given(st.lists(st.tuples(st.integers(1, 10**18), st.booleans()), min_size=1, max_size=30), rates, rates)
def test_what_is_held_for_the_fee_is_enough_and_never_more_than_the_whole_could_cost(
    parts: list[tuple[int, bool]], one_ppm: int, other_ppm: int
) -> None:
    highest_ppm = max(one_ppm, other_ppm)
    left = sum(notional for notional, _ in parts)
    carry, held = 0, most_fee(left, highest_ppm, 0)
    assert held == max(0, charge(left * highest_ppm, PPM))
    for notional, is_maker in parts:
        fee, carry = fee_of_fill(notional, one_ppm if is_maker else other_ppm, carry)
        left -= notional
        still = most_fee(left, highest_ppm, carry)
        assert held - fee >= still
        held = still
    assert held == 0
