"""How the margin of accounts stands, for those who listen to them: worked out on the way out, at a bounded rate.

Every quote moves every position of its symbol, so nobody is told of each. An account that somebody listens to is looked
at when a quote of its positions, its positions or its cash have changed, and then rests: it is told at most so often.
While nothing changes, nothing runs.

Invariant: an account that has changed since it was told last is told as soon as its rest is over.
"""

import time
from collections.abc import Callable
from typing import Final

from fondaco.core.desk.state import DeskPosition
from fondaco.core.money import format_atoms
from fondaco.domains.positions.api import Shifts, Valuer, percent
from fondaco.gateways.ws.desk_frames import MarginData, MarginFrame, PositionMarginItem, price
from fondaco.gateways.ws.messages import Channel, Kind

MAX_AT_ONCE: Final = 100
"""Accounts that are worked out in one go, 5 ms with five cross positions each; the others follow at once."""


class Margins:
    """Frames of the accounts that somebody listens to.

    Args:
        valuer: works out what positions are worth.
        frames_per_s: how often an account is told at most.
        clock_s: a clock that never goes back.
    """

    def __init__(self, valuer: Valuer, frames_per_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._valuer = valuer
        self._desk = valuer.desk
        self._rest_s = 1 / frames_per_s
        self._clock_s = clock_s
        self._told_versions: dict[int, int] = {}
        """By account that somebody listens to, the version of what was told last."""
        self._resting: dict[int, float] = {}
        """Until when, the shortest rest first: all rest equally long."""
        self._looked_version = 0
        self._is_more = False

    def listen(self, account_id: int) -> None:
        """Somebody listens to an account, whom `frame` tells how it stands now."""
        self._told_versions.setdefault(account_id, self._desk.version_of(account_id))

    def leave(self, account_id: int) -> None:
        """Nobody listens any more."""
        self._told_versions.pop(account_id, None)
        self._resting.pop(account_id, None)

    def frame(self, account_id: int) -> MarginFrame | None:
        """How an account stands now; None for one that has nothing at stake and could not have."""
        positions = self._desk.positions_of.get(account_id, {}).values()
        if not positions and account_id not in self._desk.cash:
            return None
        return self._frame(account_id)

    def take_due(self) -> list[tuple[int, MarginFrame]]:
        """The accounts that have changed and do not rest, and how they stand."""
        now_s, is_rested = self._clock_s(), False
        while self._resting and next(iter(self._resting.values())) <= now_s:
            del self._resting[next(iter(self._resting))]
            is_rested = True
        if not (is_rested or self._is_more) and self._looked_version == self._desk.version:
            return []
        self._looked_version, self._is_more = self._desk.version, False
        due: list[tuple[int, MarginFrame]] = []
        for account_id, told in self._told_versions.items():
            if account_id not in self._resting and self._desk.version_of(account_id) > told:
                if len(due) == MAX_AT_ONCE:
                    self._is_more = True
                    break
                due.append((account_id, self._frame(account_id)))
        for account_id, _ in due:
            self._told_versions[account_id] = self._desk.version
            self._resting[account_id] = now_s + self._rest_s
        return due

    def wait_s(self) -> float | None:
        """How long until an account must be looked at though nothing changes; None when none must."""
        if self._is_more:
            return 0.0
        if not self._resting:
            return None
        return max(0.0, next(iter(self._resting.values())) - self._clock_s())

    def _frame(self, account_id: int) -> MarginFrame:
        positions = self._desk.positions_of.get(account_id, {}).values()
        shifts: Shifts = {}
        items = [item for item in (self._item(each, shifts) for each in positions) if item is not None]
        channel = Channel(Kind.ACCOUNT, account_id=account_id)
        return MarginFrame(channel.name, self._desk.seq, MarginData(items, self._valuer.margin_of(account_id)))

    def _item(self, position: DeskPosition, shifts: Shifts) -> PositionMarginItem | None:
        worth = self._valuer.worth(position, shifts=shifts)
        if worth is None:
            return None
        terms = self._valuer.terms(position.world, position.symbol)
        liquidation_ticks = worth.liquidation_ticks
        return PositionMarginItem(
            position.position_id,
            position.symbol,
            price(terms, worth.ticks),
            format_atoms(worth.unrealised, terms.instrument.price_scale),
            percent(worth.unrealised, position.margin),
            price(terms, liquidation_ticks) if liquidation_ticks else None,
        )
