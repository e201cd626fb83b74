"""The supervisor's two tables: how a process may move, and how long it waits."""

from hypothesis import given
from hypothesis import strategies as st

from fondaco.infra.supervisor import TRANSITIONS, Backoff, State, how_it_ended

BACKOFF = Backoff(first_s=0.5, longest_s=4.0, healthy_s=10.0)


def test_every_state_has_its_row_and_can_reach_the_end() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[State.STOPPED] == frozenset()
    for state in set(State) - {State.STOPPED}:
        assert State.STOPPED in _reachable(state)


def test_a_pause_doubles_up_to_its_limit() -> None:
    pauses = [0.0]
    for _ in range(6):
        pauses.append(BACKOFF.pause_s(pauses[-1], ran_s=0.0))
    assert pauses[1:] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_process_that_stayed_up_is_forgiven() -> None:
    assert BACKOFF.pause_s(4.0, ran_s=9.99) == 4.0
    assert BACKOFF.pause_s(4.0, ran_s=10.0) == 0.5


@given(last_s=st.floats(0, 1e6), ran_s=st.floats(0, 1e6))
def test_no_pause_is_shorter_than_the_first_or_longer_than_the_longest(last_s: float, ran_s: float) -> None:
    reached = min(last_s, BACKOFF.longest_s) and max(last_s, BACKOFF.first_s)
    assert BACKOFF.first_s <= BACKOFF.pause_s(reached, ran_s=ran_s) <= BACKOFF.longest_s


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(3) == "exit code 3"
    assert how_it_ended(-9) == "signal SIGKILL"


def _reachable(state: State) -> set[State]:
    seen: set[State] = set()
    ahead = {state}
    while ahead:
        seen |= ahead
        ahead = {then for each in ahead for then in TRANSITIONS[each]} - seen
    return seen
