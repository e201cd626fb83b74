"""Who waits for a price is found as a plain look at everybody would find them, in the same order.

`Watch` and `Trails` are held against dictionaries that are looked through whole.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from fondaco.core.desk.trailing import Trails
from fondaco.core.desk.watching import LEAST_CLEARED, Watch

TICKS = st.integers(1, 40)
IDS = st.integers(1, 12)


@given(st.booleans(), st.lists(st.tuples(st.sampled_from(("wait", "leave", "price")), IDS, TICKS), max_size=60))
def test_a_watch_finds_who_waits_by_level_and_id(
    is_rising: bool,  # noqa: FBT001 - drawn
    acts: list[tuple[str, int, int]],
) -> None:
    waiting: dict[int, int] = {}
    watch = Watch(is_rising=is_rising, is_true=lambda id_, ticks: waiting.get(id_) == ticks)
    for act, id_, ticks in acts:
        if act == "wait":
            waiting[id_] = ticks
            watch.add(ticks, id_)
        elif act == "leave":
            waiting.pop(id_, None)
        else:
            due = [
                (level, each) for each, level in waiting.items() if (level <= ticks if is_rising else level >= ticks)
            ]
            due.sort(key=lambda entry: (entry[0] if is_rising else -entry[0], entry[1]))
            found: list[tuple[int, int]] = []
            while watch.is_reached(ticks):
                level = watch.next_ticks
                for each in watch.take(level):
                    found.append((level, each))
                    del waiting[each]
            assert found == due


def test_a_watch_clears_out_what_is_out_of_date() -> None:
    waiting: dict[int, int] = {}
    watch = Watch(is_rising=False, is_true=lambda id_, ticks: waiting.get(id_) == ticks)
    for ticks in range(1, 20 * LEAST_CLEARED):
        waiting[1] = ticks
        watch.add(ticks, 1)
    assert len(watch) <= LEAST_CLEARED + 2
    assert watch.is_reached(1)


class NaiveTrails:
    """Marks and distances by id, looked through whole."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.marks: dict[int, int] = {}
        self.distances: dict[int, int] = {}

    def stop(self, id_: int) -> int:
        """Where a stop stands."""
        return self.marks[id_] - self.sign * self.distances[id_]

    def see(self, price: int) -> None:
        """A price better than a mark becomes the mark."""
        better = max if self.sign > 0 else min
        self.marks = {id_: better(mark, price) for id_, mark in self.marks.items()}

    def first(self) -> int:
        """The stop that is met first, those below every price apart; 0: none."""
        stops = [self.stop(id_) for id_ in self.marks]
        return (max if self.sign > 0 else min)(stops) if stops else 0


@settings(max_examples=400)
@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from(("add", "change", "remove", "price", "take")), IDS, TICKS), min_size=30, max_size=80
    ),
)
def test_trailing_stops_stand_where_each_by_itself_would(
    is_long: bool,  # noqa: FBT001 - drawn
    acts: list[tuple[str, int, int]],
) -> None:
    trails, naive = Trails(is_long=is_long), NaiveTrails(1 if is_long else -1)
    price = 20
    for act, id_, ticks in acts:
        if act == "price":
            price = ticks
            trails.see(price)
            naive.see(price)
        elif act == "add" and id_ not in trails:
            trails.add(id_, ticks, price)
            naive.marks[id_], naive.distances[id_] = price, ticks
        elif act == "change" and id_ in trails:
            trails.change(id_, ticks)
            naive.distances[id_] = ticks
        elif act == "remove" and id_ in trails:
            trails.remove(id_)
            del naive.marks[id_]
        elif act == "take" and naive.first() > 0:  # a stop below every price is never met
            first = naive.first()
            expected = sorted(each for each in naive.marks if naive.stop(each) == first)
            assert trails.take(first) == expected
            if id_ % 2:  # half of them are put back as they were, as a quote that has done enough does
                for each in expected:
                    trails.add(each, naive.distances[each], naive.marks[each])
            else:
                naive.marks = {each: mark for each, mark in naive.marks.items() if each not in expected}
        assert trails.next_ticks == naive.first()
        assert len(trails) == len(naive.marks)
        for each, mark in naive.marks.items():
            assert (trails.mark_ticks(each), trails.stop_ticks(each)) == (mark, naive.stop(each))
