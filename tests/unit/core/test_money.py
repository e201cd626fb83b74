"""Text to atoms and back, and who wins when a division is not whole (EXP-20, EXP-22, EXP-23, EXP-24, EXP-25)."""

import pytest

from fondaco.core.money import (
    INT64_MAX,
    MAX_DIGITS,
    AmountProblem,
    charge,
    cut,
    display_atoms,
    divide_scaled,
    fits_int64,
    format_atoms,
    multiply_scaled,
    parse_atoms,
    parse_positive_atoms,
    pay_out,
    rescale,
)


@pytest.mark.parametrize(
    ("text", "scale", "atoms"),
    [
        ("61837.63000000", 8, 6_183_763_000_000),
        ("0.1", 8, 10_000_000),
        ("0.00000908", 8, 908),
        ("3591711.00", 2, 359_171_100),
        ("1.500", 1, 15),
        ("007", 0, 7),
        ("-1.5", 2, -150),
        ("-0", 2, 0),
        ("92233720368.54775807", 8, INT64_MAX),
        ("0." + "0" * (MAX_DIGITS - 2), 8, 0),
    ],
)
def test_text_becomes_atoms_without_a_float(text: str, scale: int, atoms: int) -> None:
    assert parse_atoms(text, scale) == atoms


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, AmountProblem.NOT_A_NUMBER) for text in ("", "-", ".", "-.", ".5", "5.", "1..2", "1.2.3", "--1")),
        *((text, AmountProblem.NOT_A_NUMBER) for text in ("1e5", "1E-5", "+1", " 1", "1 ", "1_000", "1,000", "0x10")),
        *(
            (text, AmountProblem.NOT_A_NUMBER)
            for text in ("nan", "inf", "Infinity", "1\n", "1\x00", "\u0661", "\u00b2")
        ),
        ("0." + "0" * (MAX_DIGITS - 1), AmountProblem.TOO_LONG),
        ("0.000000001", AmountProblem.TOO_MANY_DECIMALS),
        ("92233720368.54775808", AmountProblem.OUT_OF_RANGE),
        ("-92233720368.54775808", AmountProblem.OUT_OF_RANGE),
    ],
)
def test_what_is_no_plain_decimal_of_the_scale_is_refused_by_name(text: str, problem: AmountProblem) -> None:
    assert parse_atoms(text, 8) is problem


@pytest.mark.parametrize("text", ["0", "0.00000000", "-0.00000001"])
def test_a_price_or_quantity_must_be_above_zero(text: str) -> None:
    assert parse_positive_atoms(text, 8) is AmountProblem.NOT_POSITIVE


def test_a_positive_amount_keeps_the_other_problems_names() -> None:
    assert parse_positive_atoms("x", 8) is AmountProblem.NOT_A_NUMBER
    assert parse_positive_atoms("0.00000001", 8) == 1


@pytest.mark.parametrize(
    ("atoms", "scale", "text"),
    [(6_183_763_000_000, 8, "61837.63000000"), (-1, 8, "-0.00000001"), (0, 2, "0.00"), (-7, 0, "-7")],
)
def test_atoms_are_written_with_all_their_places(atoms: int, scale: int, text: str) -> None:
    assert format_atoms(atoms, scale) == text


@pytest.mark.parametrize(
    ("atoms", "scale", "places", "text"),
    [
        (123_456_789_000_000, 8, 2, "1,234,567.89"),
        (100_000_000, 8, 2, "1.00"),
        (123, 8, 2, "0.00000123"),
        (-150_000_000, 8, 2, "-1.50"),
        (1_234, 0, 0, "1,234"),
    ],
)
def test_people_read_grouped_thousands_without_trailing_zeros(atoms: int, scale: int, places: int, text: str) -> None:
    assert display_atoms(atoms, scale, places=places) == text


@pytest.mark.parametrize(
    ("numerator", "paid", "charged", "cut_off"), [(7, 2, 3, 2), (-7, -3, -2, -2), (6, 2, 2, 2), (0, 0, 0, 0)]
)
def test_each_way_of_dividing_says_who_wins(numerator: int, paid: int, charged: int, cut_off: int) -> None:
    assert (pay_out(numerator, 3), charge(numerator, 3), cut(numerator, 3)) == (paid, charged, cut_off)


def test_cutting_by_a_negative_number_goes_toward_zero_too() -> None:
    assert (cut(7, -3), cut(-7, -3)) == (-2, 2)


def test_products_beyond_64_bits_are_exact() -> None:
    price, quantity = 6_742_050_000_000, 100_000_000
    assert price * quantity > INT64_MAX
    assert multiply_scaled(price, quantity, 8) == price
    assert divide_scaled(price, quantity, 8) == price


def test_the_scale_divides_a_product_once_and_multiplies_before_a_division() -> None:
    assert multiply_scaled(150_000_000, 250_000_000, 8) == 375_000_000
    assert divide_scaled(100_000_000, 300_000_000, 8) == 33_333_333
    assert divide_scaled(-100_000_000, 300_000_000, 8) == -33_333_333


def test_another_scale_is_exact_or_refused() -> None:
    assert rescale(15, from_scale=1, to_scale=8) == 150_000_000
    assert rescale(150_000_000, from_scale=8, to_scale=1) == 15
    assert rescale(-150_000_001, from_scale=8, to_scale=1) is AmountProblem.TOO_MANY_DECIMALS


def test_what_is_stored_must_fit_64_bits() -> None:
    assert fits_int64(INT64_MAX)
    assert fits_int64(-INT64_MAX - 1)
    assert not fits_int64(INT64_MAX + 1)
    assert not fits_int64(-INT64_MAX - 2)
