"""Speculators and a dealer of a simulation: they bet on the prices that it makes up, in all ways that a desk knows.

What they want comes from a seed and from what they were answered, and goes wrong often enough: most reasons for which
the desk refuses something are met. The tests' streams of commands have the same people in them.
"""

from random import Random
from typing import Final

from fondaco.core.commands import (
    HOUSE,
    CancelEntry,
    ClosePosition,
    Command,
    FundInsurance,
    ModifyPosition,
    OpenPosition,
    PlaceEntry,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
    SetSwapFree,
)
from fondaco.core.desk.state import KEEP, NO_LEVEL, Level, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.house import DAY_NS
from fondaco.core.replies import EntryPlaced, PositionOpened, Reply
from fondaco.core.vocabulary import Direction, EntryKind, LevelKind, MarginMode, StopOutPolicy, World
from fondaco.engine.simulation.traders import Sent

_WANTS: Final = (40, 20, 14, 14, 6, 2)
"""Weights of opens, closes, other stops, entries, taking entries back, and being freed of nights or not."""
_MOST_LOTS: Final = 9
_KNOWN: Final = 30
"""Positions and entries that a speculator remembers."""
_YOUNG: Final = 5
"""The last positions, whose stops are changed; older ones have mostly been closed."""
MID: Final = 100
"""Where prices begin, and come back to."""
_FAR: Final = 60
_MOST_SPREAD: Final = 2
_GUARANTEED: Final = Level(LevelKind.AMOUNT, 90)
"""A guaranteed stop, mostly far enough away."""
_SHOCKS: Final = (*range(-3, 4), *range(-3, 4), -25, 25)
"""By how much the price changes at once: little mostly, and sometimes a gap."""


def desk_terms(symbol: str) -> DeskTerms:
    """How the desk of a simulation deals, where prices and quantities are small whole numbers."""
    return DeskTerms(
        World.TRADING,
        symbol,
        is_dealt=True,
        min_lots=1,
        max_lots=2 * _MOST_LOTS,
        max_net_lots=5 * _MOST_LOTS,
        long_financing_ppm=3_000,
        short_financing_ppm=-1_000,
        triple_weekday=2,
        guarantee_ppm=5_000,
        guarantee_distance_ppm=20_000,
    )


class Speculator:
    """Somebody who bets.

    Args:
        account_id: its account.
        symbols: what it bets on.
        random: where its whims come from.
        cross: whether its account may have cross positions.
    """

    def __init__(self, account_id: int, symbols: tuple[str, ...], random: Random, *, cross: bool) -> None:
        self._account_id = account_id
        self._symbols = symbols
        self._random = random
        self._modes = (MarginMode.CROSS, MarginMode.CROSS, MarginMode.ISOLATED) if cross else (MarginMode.ISOLATED,)
        self._positions: list[int] = []
        self._entries: list[int] = []

    def wish(self) -> Sent:
        """What it wants next."""
        wants = (self._open, self._close, self._modify, self._enter, self._cancel, self._swap_free)
        want = self._random.choices(wants, weights=_WANTS)[0]
        needs_one = want in (self._close, self._modify)
        if (needs_one and not self._positions) or (want == self._cancel and not self._entries):
            want = self._open
        return want()

    def hear(self, reply: Reply) -> None:
        """Remember what came of it."""
        if isinstance(reply, PositionOpened) and reply.position_id:
            self._positions = [*self._positions[-_KNOWN:], reply.position_id]
        elif isinstance(reply, EntryPlaced):
            self._entries = [*self._entries[-_KNOWN:], reply.entry_id]

    def _open(self) -> Sent:
        random = self._random
        expected = random.choice((0, 0, 0, self._price()))
        is_guaranteed = random.randrange(8) == 0
        wanted = OpenPosition(
            self._account_id,
            random.choice(self._symbols),
            random.choice(tuple(Direction)),
            random.randint(1, _MOST_LOTS),
            random.choice((1, 2, 5, 10, 20, 50)),
            random.choice(self._modes),
            _GUARANTEED if is_guaranteed else self._level(),
            self._level(),
            self._trail(),
            is_guaranteed,
            expected,
            random.choice((0, 10_000)) if expected else 0,
            random.choice(self._positions) if self._positions and random.randrange(8) == 0 else 0,
        )
        return Sent(self._account_id, wanted)

    def _close(self) -> Sent:
        random = self._random
        position_id = random.choice(self._positions)
        quantity = random.choice((0, 0, random.randint(1, _MOST_LOTS)))
        expected = random.choice((0, 0, 0, self._price()))
        wanted = ClosePosition(self._account_id, position_id, quantity, expected, 10_000 if expected else 0)
        return Sent(random.choice((self._account_id, self._account_id, HOUSE)), wanted)

    def _modify(self) -> Sent:
        random = self._random
        stop = random.choice((NO_LEVEL, self._level(), self._level()))
        position_id = random.choice(self._positions[-_YOUNG:])
        return Sent(self._account_id, ModifyPosition(self._account_id, position_id, stop, self._level(), self._trail()))

    def _enter(self) -> Sent:
        random = self._random
        wanted = PlaceEntry(
            self._account_id,
            random.choice(self._symbols),
            random.choice(tuple(Direction)),
            random.choice(tuple(EntryKind)),
            self._price(),
            random.randint(1, _MOST_LOTS),
            random.choice((1, 2, 5, 10, 20)),
            random.choice(self._modes),
            self._level(),
            self._level(),
            self._trail(),
            random.randrange(12) == 0,
        )
        return Sent(self._account_id, wanted)

    def _cancel(self) -> Sent:
        entry_id = self._entries.pop(self._random.randrange(len(self._entries)))
        return Sent(self._random.choice((self._account_id, HOUSE)), CancelEntry(self._account_id, entry_id))

    def _swap_free(self) -> Sent:
        return Sent(HOUSE, SetSwapFree(self._account_id, self._random.randrange(3) == 0))

    def _level(self) -> Level:
        """A stop or a target, more often none."""
        random = self._random
        drawn = (
            Level(LevelKind.PRICE, self._price()),
            Level(LevelKind.AMOUNT, random.randint(1, 60)),
            Level(LevelKind.PERCENT, random.randint(50_000, 1_500_000)),
            NO_LEVEL,
        )
        return random.choice((*drawn, *[KEEP] * len(drawn)))

    def _trail(self) -> Level:
        random = self._random
        drawn = (
            Level(LevelKind.PRICE, random.randint(1, 12)),
            Level(LevelKind.AMOUNT, random.randint(1, 60)),
            NO_LEVEL,
        )
        return random.choice((*drawn, *[KEEP] * 3 * len(drawn)))

    def _price(self) -> int:
        return MID + self._random.randint(-25, 25)


class Dealer:
    """Who makes up prices, lets days pass, and changes the rules."""

    def __init__(self, symbols: tuple[str, ...], random: Random) -> None:
        self._random = random
        self._mids = dict.fromkeys(symbols, MID)
        self._tick_id = 0

    def quote(self, now_ns: int) -> SetQuote:
        """A new price of one symbol, with what it passed on the way."""
        random = self._random
        symbol = random.choice(sorted(self._mids))
        count = random.choice((1, 1, 2, 3))
        quotes = tuple(self._next(symbol, now_ns) for _ in range(count))
        return SetQuote(World.TRADING, symbol, "simulated", 0, quotes)

    def govern(self, now_ns: int) -> Command:
        """Something that the house does with its desk."""
        random = self._random
        rules = DeskRules(
            World.TRADING,
            max_quote_age_ns=random.choice((5, 20, 60)) * 10**9,
            margin_call_ppm=random.choice((800_000, 900_000, 1_000_000)),
            stop_out_level_ppm=random.choice((200_000, 500_000, 700_000)),
            stop_out_policy=random.choice(tuple(StopOutPolicy)),
        )
        return random.choice(
            (
                SetDeskRules(rules),
                FundInsurance(World.TRADING, "CASH", random.randint(1, 200), "simulated"),
                SetDeskTerms(desk_terms(random.choice(sorted(self._mids)))),
                Rollover(World.TRADING, now_ns // DAY_NS - random.choice((1, 1, 1, 0, 2))),
            )
        )

    def _next(self, symbol: str, now_ns: int) -> Quote:
        random = self._random
        mid = self._mids[symbol] + random.choice(_SHOCKS)
        # What strays comes back, so that prices stay small and positive.
        mid = self._mids[symbol] = mid if abs(mid - MID) < _FAR else MID
        self._tick_id += 1
        return Quote(mid, mid + random.randint(0, _MOST_SPREAD), now_ns, mid, self._tick_id)
