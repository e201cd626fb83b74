"""Money as whole atoms: text in, exact integers inside, text out.

An amount is an ``int`` of *atoms* of its asset, a price an ``int`` of quote atoms per whole base unit; the asset's
*scale* says how many decimal places an atom has. No float touches an amount: text converts straight to ``int``, since
going through a float brings back the very error that atoms are there to remove.

Python's integers do not overflow, so products are exact whatever their size; what is *stored* must fit 64 bits and is
checked by `fits_int64` at the edge. Division is the one inexact step, and every division here names who wins.

Invariants:
    ``parse_atoms(format_atoms(n, scale), scale) == n`` for every n and scale.
    ``pay_out(n, d) <= n / d <= charge(n, d)``: rounding never favours the client.
"""

from enum import StrEnum

MAX_SCALE = 18
"""The finest asset that the house lists: 18 decimal places, as Ether's wei."""

MAX_DIGITS = 40
"""Longest run of digits that `parse_atoms` reads, so that hostile text costs a bounded amount of work."""

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


class AmountProblem(StrEnum):
    """Why a text is no amount of its asset. The values are stable: they stand in tables and API answers."""

    NOT_A_NUMBER = "not_a_number"
    TOO_LONG = "too_long"
    TOO_MANY_DECIMALS = "too_many_decimals"
    OUT_OF_RANGE = "out_of_range"
    NOT_POSITIVE = "not_positive"


def parse_atoms(text: str, scale: int) -> int | AmountProblem:
    """Read a plain decimal text as atoms.

    Accepts an optional leading minus, ASCII digits and at most one point with digits on both sides. No exponent, plus
    sign, space or grouping: what an exchange sends is plain, and guessing at money is worse than refusing it.

    Args:
        text: the decimal, such as ``"61837.63000000"``.
        scale: decimal places of the asset; digits beyond it must be zeros.

    Returns:
        Atoms within ±2^63, or the problem by name.
    """
    if len(text) > MAX_DIGITS:
        return AmountProblem.TOO_LONG
    unsigned = text.removeprefix("-")
    whole, point, fraction = unsigned.partition(".")
    digits = whole + fraction
    if not (whole and digits.isdecimal() and digits.isascii()) or (point and not fraction):
        return AmountProblem.NOT_A_NUMBER
    if len(fraction) > scale:
        if fraction[scale:].strip("0"):
            return AmountProblem.TOO_MANY_DECIMALS
        digits = whole + fraction[:scale]
        atoms = int(digits)
    else:
        atoms = int(digits) * 10 ** (scale - len(fraction))
    if atoms > INT64_MAX:
        return AmountProblem.OUT_OF_RANGE
    return -atoms if len(unsigned) != len(text) else atoms


def parse_positive_atoms(text: str, scale: int) -> int | AmountProblem:
    """Read a decimal text as atoms that must be above zero, as every price and quantity must."""
    atoms = parse_atoms(text, scale)
    if isinstance(atoms, AmountProblem):
        return atoms
    return atoms if atoms > 0 else AmountProblem.NOT_POSITIVE


def format_atoms(atoms: int, scale: int) -> str:
    """Write atoms as a plain decimal text with exactly ``scale`` places (none and no point at scale 0)."""
    sign = "-" if atoms < 0 else ""
    if scale == 0:
        return f"{sign}{abs(atoms)}"
    whole, fraction = divmod(abs(atoms), 10**scale)
    return f"{sign}{whole}.{fraction:0{scale}d}"


def display_atoms(atoms: int, scale: int, *, places: int = 2) -> str:
    """Write atoms for a person: thousands grouped, at least ``places`` decimals, no further trailing zeros.

    For display only; `format_atoms` is the form that can be read back.
    """
    whole, _, fraction = format_atoms(abs(atoms), scale).partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    sign = "-" if atoms < 0 else ""
    return f"{sign}{int(whole):,}.{fraction}" if fraction else f"{sign}{int(whole):,}"


def fits_int64(value: int) -> bool:
    """Tell whether ``value`` can be stored in a BIGINT column or an int64 kernel."""
    return INT64_MIN <= value <= INT64_MAX


def rescale(atoms: int, *, from_scale: int, to_scale: int) -> int | AmountProblem:
    """Move atoms to another scale exactly, or refuse: a changed scale must never round."""
    if to_scale >= from_scale:
        return atoms * int(10 ** (to_scale - from_scale))
    whole, rest = divmod(atoms, int(10 ** (from_scale - to_scale)))
    return AmountProblem.TOO_MANY_DECIMALS if rest else whole


def charge(numerator: int, denominator: int) -> int:
    """Divide so that the *payer gives* no less than the exact amount: rounds up (toward +infinity). House wins."""
    return -(-numerator // denominator)


def pay_out(numerator: int, denominator: int) -> int:
    """Divide so that the *receiver gets* no more than the exact amount: rounds down (toward -infinity). House wins."""
    return numerator // denominator


def cut(numerator: int, denominator: int) -> int:
    """Divide toward zero, as the source systems' BigInt division does. Nobody wins on purpose: for display and parity.

    Python's ``//`` floors, so the two differ by one atom on negative results that are not whole (EXP-24).
    """
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def multiply_scaled(left: int, right: int, scale: int) -> int:
    """Multiply two numbers of one scale: the product is divided by the scale once, toward zero (EXP-22)."""
    return cut(left * right, 10**scale)


def divide_scaled(left: int, right: int, scale: int) -> int:
    """Divide two numbers of one scale: the first is multiplied by the scale first, then cut toward zero (EXP-22)."""
    return cut(left * 10**scale, right)
