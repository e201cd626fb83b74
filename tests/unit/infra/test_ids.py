"""UUID version 7: laid out as RFC 9562 says, in the order of time."""

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.infra.ids import MAX_TIME_US, RANDOM_BITS, IdSource, new_id, uuid7

times = st.integers(0, MAX_TIME_US - 1)
randomness = st.integers(0, (1 << RANDOM_BITS) - 1)


def test_the_example_of_the_rfc_has_this_layout() -> None:
    """Appendix A.6: 2022-02-22 19:22:22.00 UTC and these bits; the RFC fills the fraction with random ones too."""
    rfc = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
    ours = uuid7(1_645_557_742_000_000, rfc.int & ((1 << RANDOM_BITS) - 1))
    assert (ours.int >> 80, ours.int & ((1 << 64) - 1)) == (rfc.int >> 80, rfc.int & ((1 << 64) - 1))
    assert str(ours).startswith("017f22e2-79b0-7000-98c4")


@given(time_us=times, bits=randomness)
def test_version_variant_and_milliseconds_can_be_read_back(time_us: int, bits: int) -> None:
    made = uuid7(time_us, bits)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == time_us // 1000


@given(earlier=times, later=times, bits=st.tuples(randomness, randomness))
def test_ids_sort_by_the_microsecond_whatever_the_random_bits(earlier: int, later: int, bits: tuple[int, int]) -> None:
    if earlier < later:
        assert uuid7(earlier, bits[0]) < uuid7(later, bits[1])


@given(clock=st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_ids_of_one_source_rise_even_when_the_clock_stands_or_goes_back(clock: list[int]) -> None:
    source = IdSource()
    made = [source.next_id(each) for each in clock]
    assert made == sorted(set(made))


def test_ids_of_now_rise() -> None:
    assert new_id() < new_id()


@pytest.mark.parametrize(("time_us", "bits"), [(-1, 0), (MAX_TIME_US, 0), (0, -1), (0, 1 << RANDOM_BITS)])
def test_what_does_not_fit_is_a_mistake_of_the_caller(time_us: int, bits: int) -> None:
    with pytest.raises(AssertionError):
        uuid7(time_us, bits)
