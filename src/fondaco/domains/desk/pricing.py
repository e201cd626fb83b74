"""Out of an outside price, the desk's bid and ask. Pure, whole numbers only.

The distance to the outside price is a *spread*: a part that is fixed in price and a part in ppm of the price, below for
the bid and above for the ask. Where it comes from, a *markup*, is said for each instrument. Both ends are rounded
outward to the tick, so rounding never makes the desk's price better for the client than what was set.

Invariants:
    ``0 < bid <= price <= ask``, both on the tick, and the ask is no more than the instrument's highest price.
    Of two prices under one spread the lower has no higher bid and no higher ask.
"""

from typing import Final, NamedTuple

from fondaco.core.money import charge, pay_out

PPM: Final = 1_000_000


class Spread(NamedTuple):
    """How far the desk's prices are from the outside one. The bid is ``below`` it, the ask ``above``."""

    fixed: int
    """Quote atoms per base unit, on both sides."""
    below_ppm: int
    above_ppm: int


class Markup(NamedTuple):
    """What an instrument's spread is made of."""

    fixed: int = 0
    """Quote atoms per base unit."""
    ppm: int = 0
    volatility_ppm: int = 0
    """So many millionths of the realised volatility are added;"""
    max_ppm: int = 0
    """and the sum is no more than this, where volatility counts."""


class Grid(NamedTuple):
    """What prices an instrument can have: multiples of a tick up to a highest one. Quote atoms per base unit."""

    tick: int
    highest: int


class Prices(NamedTuple):
    """What the desk would buy and sell at. Quote atoms per base unit."""

    bid: int
    ask: int


class Widening(NamedTuple):
    """How the spread grows with what the house has taken on."""

    ppm: int
    """Added on one side."""
    at_ppm: int
    """From this share of the cap on."""


def spread_of(markup: Markup, realised_ppm: int) -> Spread:
    """The spread that a markup comes to while prices have moved so much lately."""
    if not markup.volatility_ppm:
        return Spread(markup.fixed, markup.ppm, markup.ppm)
    ppm = min(markup.max_ppm, markup.ppm + charge(realised_ppm * markup.volatility_ppm, PPM))
    return Spread(markup.fixed, ppm, ppm)


def widened(spread: Spread, widening: Widening, net_lots: int, max_net_lots: int) -> Spread:
    """The spread when clients together hold ``net_lots``, long above zero, and may hold ``max_net_lots``.

    Only the side on which they would go on in the same direction is widened. What brings the net down costs no more
    than before, and no stop of those who are many is set off by it.

    Args:
        spread: as the markup has it.
        widening: by how much, and from when.
        net_lots: lots of all longs less those of all shorts.
        max_net_lots: the cap; 0 for none, and nothing is widened.
    """
    if not max_net_lots or abs(net_lots) * PPM <= max_net_lots * widening.at_ppm:
        return spread
    if net_lots > 0:
        return spread._replace(above_ppm=spread.above_ppm + widening.ppm)
    return spread._replace(below_ppm=spread.below_ppm + widening.ppm)


def prices_of(price: int, spread: Spread, grid: Grid) -> Prices | None:
    """Bid and ask round an outside price; None when they would not be prices of the instrument.

    Args:
        price: quote atoms per base unit, above zero.
        spread: how far they are from it.
        grid: which prices there are.
    """
    bid = pay_out(price * (PPM - spread.below_ppm) - spread.fixed * PPM, PPM * grid.tick) * grid.tick
    ask = charge(price * (PPM + spread.above_ppm) + spread.fixed * PPM, PPM * grid.tick) * grid.tick
    return Prices(bid, ask) if bid > 0 and ask <= grid.highest else None


def markup_ppm(price: int, spread: Spread) -> int:
    """The wider side of a spread in ppm of a price, rounded up: what a fill's provenance says of it."""
    return max(spread.below_ppm, spread.above_ppm) + charge(spread.fixed * PPM, price)
