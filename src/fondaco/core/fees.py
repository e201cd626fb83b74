"""Fees: a rate in millionths of the notional, rounded once for a whole order however often it fills.

Each order carries what its last rounding took too much (`carry`, in millionths of an atom, from 0 to 999,999) and has
it counted against the next fill. So over the whole order the house gains less than one atom by rounding, and an order
that fills in a thousand parts costs what it would have cost in one.

A negative rate is a rebate; it is rounded so that the house keeps the fraction.
"""

from typing import Final

from fondaco.core.money import charge

PPM: Final = 1_000_000


def fee_of_fill(notional: int, rate_ppm: int, carry: int) -> tuple[int, int]:
    """The fee of one fill of an order: atoms to be paid now (negative: to be received), and what to carry to the next.

    Args:
        notional: of the fill, in quote atoms.
        rate_ppm: of the fill; maker's or taker's.
        carry: what the order has carried so far; 0 for a new one.
    """
    exact = notional * rate_ppm - carry
    # As `fondaco.core.money.charge` does, without a call: this is done twice for every fill.
    atoms = -(-exact // PPM)
    return atoms, atoms * PPM - exact


def most_fee(notional: int, rate_ppm: int, carry: int) -> int:
    """The most that the rest of an order can still cost, however it fills, at no more than this rate."""
    return max(0, charge(notional * rate_ppm - carry, PPM))
