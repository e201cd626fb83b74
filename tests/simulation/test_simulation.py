"""The house survives bad luck: nothing that was answered is lost, done twice or made up, whatever breaks and when."""

import pytest

from fondaco.engine.simulation.simulation import simulate

STEPS = 150
SEEDS_A_TEST = 20


@pytest.mark.parametrize("first", range(0, 200, SEEDS_A_TEST))
def test_nothing_is_lost_whatever_breaks(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        assert simulate(seed, STEPS).faults == [], f"fondaco simulate --seed {seed} --steps {STEPS}"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(1_000, 6_000, 250))
def test_nothing_is_lost_in_five_thousand_lives(first: int) -> None:
    for seed in range(first, first + 250):
        assert simulate(seed, STEPS).faults == [], f"fondaco simulate --seed {seed} --steps {STEPS}"


def test_the_same_seed_gives_the_same_run() -> None:
    first, again = simulate(8, STEPS), simulate(8, STEPS)
    assert first == again
    assert first.leaders > 1
