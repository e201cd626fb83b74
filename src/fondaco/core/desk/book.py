"""The desk in one instrument of one world: its terms and quote, and who waits for which price.

An uneventful quote is told from the others by four comparisons: nothing is due while the bid stays above ``bid_low``
and below ``bid_high``, and the ask likewise. Whoever arms something tightens these bounds; `DealingBook.settle_bounds`
finds them anew once something was done.

Invariant: whatever a position, an entry or an account waits for has an entry in the watch of its kind.
"""

from collections.abc import Callable
from typing import Final

from fondaco.core.desk.state import DeskEntry, DeskPosition, DeskQuote
from fondaco.core.desk.terms import DeskTerms
from fondaco.core.desk.trailing import Trails
from fondaco.core.desk.valuing import margin_call_ticks, market_ticks, warning_ticks
from fondaco.core.desk.watching import Watch
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Direction, EntryKind, MarginMode

LONG: Final = Direction.LONG
SHORT: Final = Direction.SHORT
_ISOLATED: Final = MarginMode.ISOLATED
FAR_TICKS: Final = 1 << 40
"""Beyond every price."""
BID_FALLS, BID_RISES, ASK_FALLS, ASK_RISES = range(4)
"""Where the prices of longs and of shorts go when an account is to be looked at."""
_SLOTS: Final = 4
_RISING: Final = frozenset({BID_RISES, ASK_RISES})


class DealingBook:
    """One instrument on the desk.

    Args:
        listed: the instrument's own terms.
        positions: the desk's open positions, by id.
        entries: the desk's pending entries, by id.
        is_woken: whether an account still waits in a watch for a level.
    """

    __slots__ = (
        "ask_high",
        "ask_low",
        "bid_high",
        "bid_low",
        "due_accounts",
        "entry_watches",
        "is_closed",
        "listed",
        "long_lots",
        "losses",
        "newest_ns",
        "quote",
        "short_lots",
        "step",
        "takes",
        "terms",
        "trails",
        "wakes",
    )

    def __init__(
        self,
        listed: Terms,
        positions: dict[int, DeskPosition],
        entries: dict[int, DeskEntry],
        is_woken: Callable[[int, "DealingBook", int, int], bool],
    ) -> None:
        self.listed = listed
        self.step = listed.step_notional
        self.terms: DeskTerms | None = None
        self.quote: DeskQuote | None = None
        self.is_closed = False
        """Whether the instrument is no longer traded: what stands is closed at the last quote, and no other comes."""
        self.newest_ns = 0
        """Receipt of the newest quote that came in, applied or not."""
        self.long_lots = 0
        self.short_lots = 0
        self.bid_low, self.bid_high = 0, FAR_TICKS
        self.ask_low, self.ask_high = 0, FAR_TICKS
        self.due_accounts: dict[int, None] = {}
        """Cross accounts to be looked at with the next quote, whatever it is."""

        def loses_at(id_: int, ticks: int) -> bool:
            position = positions.get(id_)
            return position is not None and self.loss_level(position) == ticks

        def takes_at(id_: int, ticks: int) -> bool:
            position = positions.get(id_)
            return position is not None and position.take_ticks == ticks

        def enters_at(id_: int, ticks: int) -> bool:
            del ticks  # an entry's price never changes
            return id_ in entries

        def wakes_at(slot: int) -> Callable[[int, int], bool]:
            return lambda id_, ticks: is_woken(id_, self, slot, ticks)

        self.losses = {
            LONG: Watch(is_rising=False, is_true=loses_at),
            SHORT: Watch(is_rising=True, is_true=loses_at),
        }
        self.takes = {
            LONG: Watch(is_rising=True, is_true=takes_at),
            SHORT: Watch(is_rising=False, is_true=takes_at),
        }
        self.trails = {LONG: Trails(is_long=True), SHORT: Trails(is_long=False)}
        self.entry_watches = {
            (LONG, EntryKind.LIMIT): Watch(is_rising=False, is_true=enters_at),
            (LONG, EntryKind.STOP): Watch(is_rising=True, is_true=enters_at),
            (SHORT, EntryKind.LIMIT): Watch(is_rising=True, is_true=enters_at),
            (SHORT, EntryKind.STOP): Watch(is_rising=False, is_true=enters_at),
        }
        self.wakes = tuple(Watch(is_rising=slot in _RISING, is_true=wakes_at(slot)) for slot in range(_SLOTS))

    def loss_level(self, position: DeskPosition) -> int:
        """The first price on its losing side that a position waits for, its trailing stop apart; 0: none."""
        levels = [position.stop_ticks] if position.stop_ticks else []
        if position.mode is _ISOLATED:
            levels.append(margin_call_ticks(position, self.step))
            if not position.is_warned:
                levels.append(warning_ticks(position, self.step))
        if not levels:
            return 0
        if position.direction is LONG:
            return max(0, *levels)
        level = min(levels)
        assert level > 0
        return level if level <= self.listed.max_price_ticks else 0

    def trail_level(self, position: DeskPosition) -> int:
        """Where a position's trailing stop stands; 0: none, or out of reach."""
        trails = self.trails[position.direction]
        if position.position_id not in trails:
            return 0
        return max(0, trails.stop_ticks(position.position_id))

    def mark_ticks(self, position: DeskPosition) -> int:
        """The best price that a position's trailing stop has seen."""
        return self.trails[position.direction].mark_ticks(position.position_id)

    def arm(self, position: DeskPosition, mark_ticks: int) -> None:
        """Wait for all that a position waits for, when it is loaded; ``mark_ticks`` is its trailing stop's."""
        self.arm_losses(position)
        self.arm_take(position)
        if position.trail_ticks:
            self.trails[position.direction].add(position.position_id, position.trail_ticks, mark_ticks)

    def arm_losses(self, position: DeskPosition) -> None:
        """Wait for what a position loses at; to be called when that has changed."""
        level = self.loss_level(position)
        if not level:
            return
        self.losses[position.direction].add(level, position.position_id)
        if position.direction is LONG:
            self.bid_low = max(self.bid_low, level)
        else:
            self.ask_high = min(self.ask_high, level)

    def arm_take(self, position: DeskPosition) -> None:
        """Wait for what a position wins at; to be called when that has changed."""
        level = position.take_ticks
        if not level:
            return
        self.takes[position.direction].add(level, position.position_id)
        if position.direction is LONG:
            self.bid_high = min(self.bid_high, level)
        else:
            self.ask_low = max(self.ask_low, level)

    def arm_trail(self, position: DeskPosition) -> None:
        """Let a position's trailing stop follow from the current quote; to be called when its distance has changed."""
        trails, id_ = self.trails[position.direction], position.position_id
        if id_ in trails:
            if position.trail_ticks:
                trails.change(id_, position.trail_ticks)
            else:
                trails.remove(id_)
        elif position.trail_ticks:
            assert self.quote is not None
            price = market_ticks(position.direction, self.quote)
            trails.see(price)
            trails.add(id_, position.trail_ticks, price)
        self.settle_bounds()

    def arm_trail_again(self, position: DeskPosition, stop_ticks: int) -> None:
        """Let a position's trailing stop, which was taken out where it stood, stand there again."""
        is_long = position.direction is LONG
        mark = stop_ticks + position.trail_ticks if is_long else stop_ticks - position.trail_ticks
        self.trails[position.direction].add(position.position_id, position.trail_ticks, mark)

    def arm_entry(self, entry: DeskEntry) -> None:
        """Let an entry wait for its price."""
        self.entry_watches[entry.direction, entry.kind].add(entry.trigger_ticks, entry.entry_id)
        self.settle_bounds()

    def wake(self, account_id: int, slot: int, ticks: int) -> None:
        """Look at a cross account when a price comes to a level, in one of the slots `BID_FALLS` and so on."""
        self.wakes[slot].add(ticks, account_id)
        if slot == BID_FALLS:
            self.bid_low = max(self.bid_low, ticks)
        elif slot == BID_RISES:
            self.bid_high = min(self.bid_high, ticks)
        elif slot == ASK_FALLS:
            self.ask_low = max(self.ask_low, ticks)
        else:
            self.ask_high = min(self.ask_high, ticks)

    def look_at(self, account_id: int) -> None:
        """Look at a cross account with the next quote."""
        self.due_accounts[account_id] = None
        self.bid_low = FAR_TICKS

    def forget(self, position: DeskPosition) -> None:
        """Wait for a position no longer. Its entries in the watches are passed over from now on."""
        trails = self.trails[position.direction]
        if position.position_id in trails:
            trails.remove(position.position_id)

    def settle_bounds(self) -> None:
        """Find the prices between which nothing is due."""
        losses, takes, trails, entries, wakes = self.losses, self.takes, self.trails, self.entry_watches, self.wakes
        self.bid_low = max(
            FAR_TICKS if self.due_accounts else 0,
            losses[LONG].next_ticks,
            trails[LONG].next_ticks,
            entries[SHORT, EntryKind.STOP].next_ticks,
            wakes[BID_FALLS].next_ticks,
        )
        self.bid_high = min(
            takes[LONG].next_ticks or FAR_TICKS,
            _above(trails[LONG].lowest_mark_ticks),
            entries[SHORT, EntryKind.LIMIT].next_ticks or FAR_TICKS,
            wakes[BID_RISES].next_ticks or FAR_TICKS,
        )
        self.ask_low = max(
            takes[SHORT].next_ticks,
            trails[SHORT].lowest_mark_ticks - 1,
            entries[LONG, EntryKind.LIMIT].next_ticks,
            wakes[ASK_FALLS].next_ticks,
        )
        self.ask_high = min(
            losses[SHORT].next_ticks or FAR_TICKS,
            trails[SHORT].next_ticks or FAR_TICKS,
            entries[LONG, EntryKind.STOP].next_ticks or FAR_TICKS,
            wakes[ASK_RISES].next_ticks or FAR_TICKS,
        )


def _above(mark_ticks: int) -> int:
    return mark_ticks + 1 if mark_ticks else FAR_TICKS
