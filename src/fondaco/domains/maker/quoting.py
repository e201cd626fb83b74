"""What orders a market maker wants to have standing, and what it takes to get from those that stand to these. Pure.

Quotes lie round a *centre*: the feed's price, shifted by what the maker has. Who has more base than quote asks less for
it and bids less, so that trades bring the two together again; the shift has a bound, and so has what can be lost.

Invariants:
    Every bid is below every ask, inside the band, and all of them together are covered by what the maker has.
    Doing what `changes` says leaves exactly what is wanted, apart from orders that are filled in part.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from fondaco.core.book.vocabulary import Side
from fondaco.core.money import charge, pay_out
from fondaco.core.terms import Terms

PPM: Final = 1_000_000
LEAST_LEFT: Final = 2
"""An order stands while at least one part in so many of it is open; then it is replaced."""


class Rules(NamedTuple):
    """How somebody makes a market. Rates are ppm of the price."""

    levels: int
    value: int
    """Quote atoms that each order is worth."""
    spread_ppm: int
    step_ppm: int
    move_ppm: int
    skew_ppm: int


class Funds(NamedTuple):
    """What there is to trade with in one market: atoms, held and free."""

    base: int
    quote: int


class Level(NamedTuple):
    """An order that is wanted."""

    side: Side
    price_ticks: int
    lots: int


class Standing(NamedTuple):
    """An order that stands, and what is still open of it."""

    order_id: int
    side: Side
    price_ticks: int
    open_lots: int


class Changes(NamedTuple):
    """What to take back and what to place, in this order."""

    cancel: list[int]
    place: list[Level]


def centre_of(terms: Terms, rules: Rules, price: int, funds: Funds) -> int:
    """Where the quotes lie: the price, shifted against what there is too much of."""
    worth = funds.base * price // int(10**terms.instrument.base.scale)
    total = worth + funds.quote
    shift_ppm = rules.skew_ppm * (funds.quote - worth) // total if total else 0
    return max(1, price * (PPM + shift_ppm) // PPM)


def followed(rules: Rules, quoted: int, centre: int) -> int:
    """The centre to quote round: the one that is quoted already (0 if none), until the other is far enough away."""
    return centre if not quoted or abs(centre - quoted) * PPM > quoted * rules.move_ppm else quoted


def wanted(terms: Terms, rules: Rules, centre: int, last_ticks: int, funds: Funds) -> list[Level]:
    """The orders that should stand, the best of each side first.

    Args:
        terms: of the market.
        rules: of the maker.
        centre: where the quotes lie, in quote atoms.
        last_ticks: the last trade's price, which the band is measured from; 0 when there is none.
        funds: what the maker has.
    """
    return [*_bids(terms, rules, centre, last_ticks, funds.quote), *_asks(terms, rules, centre, last_ticks, funds.base)]


def changes(wanted: Iterable[Level], standing: Sequence[Standing]) -> Changes:
    """What it takes to have standing what is wanted. An order that serves stays, and keeps its place in the queue."""
    open_levels = {(level.side, level.price_ticks): level for level in wanted}
    cancel: list[int] = []
    for order in standing:
        level = open_levels.get((order.side, order.price_ticks))
        if level is not None and order.open_lots <= level.lots <= order.open_lots * LEAST_LEFT:
            del open_levels[order.side, order.price_ticks]
        else:
            cancel.append(order.order_id)
    return Changes(cancel, list(open_levels.values()))


def _bids(terms: Terms, rules: Rules, centre: int, last_ticks: int, money: int) -> list[Level]:
    highest = last_ticks * (PPM + terms.band_ppm) // PPM if last_ticks else terms.max_price_ticks
    fee_ppm = max(terms.maker_ppm, terms.taker_ppm)
    levels: dict[int, Level] = {}
    for distance_ppm in _distances(rules):
        ticks = min(pay_out(centre * (PPM - distance_ppm), PPM * terms.tick), highest, terms.max_price_ticks)
        lots = _lots(terms, rules, ticks)
        cost = terms.notional(ticks, lots)
        cost += charge(cost * fee_ppm, PPM)
        if lots and ticks not in levels and cost <= money:
            levels[ticks] = Level(Side.BUY, ticks, lots)
            money -= cost
    return list(levels.values())


def _asks(terms: Terms, rules: Rules, centre: int, last_ticks: int, base: int) -> list[Level]:
    lowest = charge(last_ticks * (PPM - terms.band_ppm), PPM)
    levels: dict[int, Level] = {}
    for distance_ppm in _distances(rules):
        ticks = max(charge(centre * (PPM + distance_ppm), PPM * terms.tick), lowest)
        lots = _lots(terms, rules, ticks)
        if lots and ticks not in levels and ticks <= terms.max_price_ticks and lots * terms.lot <= base:
            levels[ticks] = Level(Side.SELL, ticks, lots)
            base -= lots * terms.lot
    return list(levels.values())


def _distances(rules: Rules) -> list[int]:
    """How far from the centre each level lies; none so far that nothing would be left of the price."""
    distances = (rules.spread_ppm // 2 + number * rules.step_ppm for number in range(rules.levels))
    return [each for each in distances if each < PPM]


def _lots(terms: Terms, rules: Rules, ticks: int) -> int:
    """How many lots an order of this price has; 0 where none is to be placed."""
    return min(rules.value // terms.notional(ticks, 1), terms.max_order_lots) if ticks > 0 else 0
