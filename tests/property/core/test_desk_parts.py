"""Parts sum to the whole: in whatever parts a position is closed, it brings what closing it at once brings."""

from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.desk.state import DeskFill, DeskPosition
from fondaco.core.replies import PositionClosed
from fondaco.core.vocabulary import AccountKind, Direction, MarginMode, PositionState
from support.dealing import Dealing

opens = st.lists(st.tuples(st.integers(1, 40), st.integers(900, 1_100)), min_size=1, max_size=4)
"""Lots and the price of each open."""
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=60)
directions = st.sampled_from(Direction)
modes = st.sampled_from(MarginMode)
leverages = st.integers(1, 50)
PLENTY = 10**9


class Twice:
    """Two accounts with the same position, one of which was closed at once and the other in parts."""

    def __init__(
        self,
        bets: list[tuple[int, int]],
        direction: Direction,
        mode: MarginMode,
        leverage: int,
        *,
        cash: int = PLENTY,
    ) -> None:
        self.dealing, self._lots = Dealing(), sum(lots for lots, _ in bets)
        self.accounts = [self.dealing.account(name, cash, kind=AccountKind.MARGIN) for name in ("ada", "bob")]
        self.positions = [0, 0]
        for lots, price in bets:
            self.dealing.quote(price)
            for at, account_id in enumerate(self.accounts):
                opened = self.dealing.open(
                    account_id, direction, lots, leverage=leverage, mode=mode, position_id=self.positions[at]
                )
                self.positions[at] = opened.position_id

    def close(self, price: int, parts: list[int]) -> tuple[PositionClosed, list[PositionClosed]]:
        """Close both at a price; parts that are more than there is are cut off, and the last is what is left."""
        self.dealing.quote(price)
        whole = self.dealing.close(self.accounts[0], self.positions[0])
        closed, left = [], self._lots
        for lots in [*parts, left]:
            if left:
                taken = min(lots, left)
                closed.append(self.dealing.close(self.accounts[1], self.positions[1], taken))
                left -= taken
        return whole, closed

    def rows(self) -> list[DeskPosition]:
        """Both positions as they were told last."""
        told = {each.position_id: each for each in self.dealing.events if isinstance(each, DeskPosition)}
        return [told[each] for each in self.positions]


@given(opens, directions, modes, leverages, st.integers(995, 1_005), cuts)
def test_any_split_brings_what_closing_at_once_brings(
    bets: list[tuple[int, int]], direction: Direction, mode: MarginMode, leverage: int, price: int, parts: list[int]
) -> None:
    bets = [(lots, 1_000 + (at % 3)) for lots, at in bets]  # near each other, so that no margin is called
    both = Twice(bets, direction, mode, leverage)
    whole, closed = both.close(price, parts)
    assert sum(each.result for each in closed) == whole.result
    assert sum(each.margin for each in closed) == whole.margin
    assert sum(each.quantity for each in closed) == whole.quantity
    assert closed[-1].left == 0
    at_once, in_parts = both.rows()
    for name in ("realised", "closed_notional", "lots", "entry_notional", "margin", "settled", "covered", "state"):
        assert getattr(in_parts, name) == getattr(at_once, name), name
    assert at_once.state is PositionState.CLOSED
    assert both.dealing.cash(both.accounts[0]) == both.dealing.cash(both.accounts[1]) == PLENTY + whole.result


@given(opens, directions, st.integers(2, 50), st.integers(900, 1_100), cuts, st.integers(0, 10**6))
def test_any_split_of_a_cross_position_that_cash_does_not_cover_costs_its_owner_the_same(
    bets: list[tuple[int, int]], direction: Direction, leverage: int, price: int, parts: list[int], deposit: int
) -> None:
    bets = [(lots, 1_000) for lots, _ in bets]
    needed = sum(-(-lots * 1_000 * 21 // leverage) for lots, _ in bets)
    both = Twice(bets, direction, MarginMode.CROSS, leverage, cash=needed + deposit % (needed + 1))
    both.dealing.quote(1_000)
    before = both.dealing.cash(both.accounts[0])
    both.dealing.quote(price)
    if any(each.state is PositionState.CLOSED for each in both.rows()):
        return  # the price has stopped both of them out
    whole, closed = both.close(price, parts)
    assert sum(each.result for each in closed) == whole.result
    assert both.dealing.cash(both.accounts[0]) == both.dealing.cash(both.accounts[1])
    assert both.dealing.cash(both.accounts[0]) == max(0, before + whole.result)


@given(st.integers(1, 200), directions, st.integers(5, 50), st.data())
def test_any_split_of_gains_that_were_paid_ahead_sums_to_all_of_them(
    lots: int, direction: Direction, leverage: int, data: st.DataObject
) -> None:
    # Ada wins with one position, takes out nearly all her cash, and closes a loss with another.
    dealing = Dealing()
    ada = dealing.account("ada", PLENTY)
    dealing.quote(1_000)
    dealing.quote(1_000, symbol="TINCASH")
    winner = dealing.open(ada, direction, lots, leverage=leverage, mode=MarginMode.CROSS)
    loser = dealing.open(ada, direction, 1, leverage=50, mode=MarginMode.CROSS, symbol="TINCASH")
    sign = 1 if direction is Direction.LONG else -1
    dealing.quote(1_000 + 900 * sign)
    dealing.spend(ada, PLENTY - data.draw(st.integers(0, 4_000)))
    dealing.quote(1_000 - 300 * sign, symbol="TINCASH")
    before = dealing.cash(ada)
    lost = dealing.close(ada, loser.position_id)
    left, results = lots, []
    while left:
        part = data.draw(st.integers(1, left))
        results.append(dealing.close(ada, winner.position_id, part).result)
        left -= part
    told = [each for each in dealing.events if isinstance(each, DeskPosition)]
    row = next(each for each in reversed(told) if each.position_id == winner.position_id)
    covered = sum(each.covered for each in dealing.events if isinstance(each, DeskFill))
    assert row.realised == 900 * lots * 21
    assert lost.result == -300 * 21
    assert (row.settled, row.margin, row.entry_notional) == (0, 0, 0)
    paid_ahead = -lost.result - before
    assert paid_ahead > 0
    assert sum(results) == row.realised - paid_ahead
    assert (dealing.cash(ada), covered) == (before + row.realised + lost.result, 0)
