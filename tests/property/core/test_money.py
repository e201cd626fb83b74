"""Money against `decimal`: conversion loses nothing, and every rounding goes where its name says (EXP-20 to EXP-26)."""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal, localcontext

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.money import (
    INT64_MAX,
    MAX_DIGITS,
    MAX_SCALE,
    AmountProblem,
    charge,
    cut,
    display_atoms,
    divide_scaled,
    fits_int64,
    format_atoms,
    multiply_scaled,
    parse_atoms,
    pay_out,
    rescale,
)

EXACT = Context(prec=200)
SCALES = st.integers(0, MAX_SCALE)
ATOMS = st.one_of(st.integers(-INT64_MAX, INT64_MAX), st.integers(-1000, 1000))
NOT_ZERO = ATOMS.filter(bool)
PLAIN = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", fullmatch=True)


def rounded(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding=rounding))


@given(ATOMS, SCALES)
def test_written_atoms_read_back_as_themselves(atoms: int, scale: int) -> None:
    assert parse_atoms(format_atoms(atoms, scale), scale) == atoms


@given(ATOMS, SCALES)
def test_writing_is_what_decimal_writes(atoms: int, scale: int) -> None:
    assert format_atoms(atoms, scale) == f"{Decimal(atoms).scaleb(-scale, EXACT):f}"


@given(ATOMS, SCALES, st.integers(0, 8))
def test_what_people_read_is_the_same_amount(atoms: int, scale: int, places: int) -> None:
    shown = display_atoms(atoms, scale, places=places)
    assert Decimal(shown.replace(",", "")) == Decimal(atoms).scaleb(-scale, EXACT)


@given(PLAIN, SCALES)
def test_reading_a_plain_decimal_agrees_with_decimal(text: str, scale: int) -> None:
    exact = Decimal(text).scaleb(scale, EXACT)
    read = parse_atoms(text, scale)
    if exact != exact.to_integral_value():
        assert read is AmountProblem.TOO_MANY_DECIMALS
    elif abs(exact) > INT64_MAX:
        assert read is AmountProblem.OUT_OF_RANGE
    else:
        assert read == int(exact)


@given(st.text(max_size=MAX_DIGITS + 5), SCALES)
def test_no_text_whatever_raises_or_slips_through(text: str, scale: int) -> None:
    read = parse_atoms(text, scale)
    if isinstance(read, AmountProblem):
        return
    assert text.isascii()
    assert len(text) <= MAX_DIGITS
    assert set(text) <= set("-.0123456789")
    assert read == Decimal(text).scaleb(scale, EXACT)


@given(ATOMS, NOT_ZERO)
def test_a_division_rounds_to_whom_its_name_says(numerator: int, denominator: int) -> None:
    with localcontext(EXACT):
        exact = Decimal(numerator) / Decimal(denominator)
    assert pay_out(numerator, denominator) == rounded(exact, ROUND_FLOOR)
    assert charge(numerator, denominator) == rounded(exact, ROUND_CEILING)
    assert cut(numerator, denominator) == rounded(exact, ROUND_DOWN)


@given(ATOMS, NOT_ZERO, SCALES)
def test_scaled_products_and_quotients_are_cut_once(left: int, right: int, scale: int) -> None:
    with localcontext(EXACT):
        product = Decimal(left) * Decimal(right) / 10**scale
        quotient = Decimal(left) * 10**scale / Decimal(right)
    assert multiply_scaled(left, right, scale) == rounded(product, ROUND_DOWN)
    assert divide_scaled(left, right, scale) == rounded(quotient, ROUND_DOWN)


@given(ATOMS, SCALES, SCALES)
def test_another_scale_is_the_same_amount_or_none(atoms: int, from_scale: int, to_scale: int) -> None:
    moved = rescale(atoms, from_scale=from_scale, to_scale=to_scale)
    if moved is AmountProblem.TOO_MANY_DECIMALS:
        assert atoms % 10 ** (from_scale - to_scale)
    else:
        assert Decimal(moved).scaleb(-to_scale, EXACT) == Decimal(atoms).scaleb(-from_scale, EXACT)


@given(ATOMS, SCALES)
def test_an_amount_survives_json_as_text_where_a_double_would_not_hold_it(atoms: int, scale: int) -> None:
    text = format_atoms(atoms, scale)
    assert parse_atoms(msgspec.json.decode(msgspec.json.encode(text), type=str), scale) == atoms


@given(st.integers())
def test_fitting_64_bits_is_having_at_most_63_binary_digits(value: int) -> None:
    assert fits_int64(value) == ((value if value >= 0 else ~value).bit_length() <= 63)
