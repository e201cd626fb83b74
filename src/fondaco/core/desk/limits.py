"""What limits say to leveraged positions (EXP-92): order value, position, daily volume, leverage.

The same limits as of orders (`fondaco.core.risk`): a position counts all lots of its symbol in both directions, a
volume what is opened.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.desk import most_gain
from fondaco.core.exchange.market import Market
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.risk import Measured, capped, traded_today
from fondaco.core.state import Account
from fondaco.core.vocabulary import Direction, LimitName

LONG = Direction.LONG
Caps: TypeAlias = Callable[[House, Market, Account, tuple[tuple[LimitName, Refusal], ...], Measured], Refusal | None]
"""Says which of some limits forbids what is measured: `fondaco.core.risk.capped`, or the one that only asks."""
_VALUES = (
    (LimitName.MAX_ORDER_VALUE, Refusal.MAX_ORDER_VALUE),
    (LimitName.MAX_POSITION, Refusal.MAX_POSITION),
    (LimitName.MAX_DAILY_VOLUME, Refusal.MAX_DAILY_VOLUME),
)
_LEVERAGE = ((LimitName.MAX_LEVERAGE, Refusal.MAX_LEVERAGE),)


class Increase(NamedTuple):
    """What an open would add to what stands."""

    lots: int
    closed_lots: int
    """Lots of the other direction that it closes first."""
    notional: int
    leverage: int


def limit_refusal(
    house: House, market: Market, account: Account, increase: Increase, caps: Caps = capped
) -> Refusal | None:
    """Why limits forbid an open, if they do; staff is alerted (BHC-61), unless ``caps`` only asks."""
    quote, symbol = market.terms.instrument.quote.code, market.terms.instrument.symbol

    def measured(accounts: tuple[int, ...], name: LimitName) -> int:
        if name is LimitName.MAX_ORDER_VALUE:
            return increase.notional
        if name is LimitName.MAX_DAILY_VOLUME:
            return increase.notional + sum(traded_today(house, each, quote) for each in accounts)
        held = sum(
            position.lots
            for each in accounts
            for position in house.desk.positions_of.get(each, {}).values()
            if position.symbol == symbol
        )
        return (held - increase.closed_lots + increase.lots) * market.terms.lot

    return caps(house, market, account, _VALUES, measured)


def leverage_refusal(
    house: House, market: Market, account: Account, increase: Increase, caps: Caps = capped
) -> Refusal | None:
    """Why the instrument or a limit forbids so much leverage, if so; staff is alerted likewise."""
    if increase.leverage > market.terms.max_leverage:
        return Refusal.MAX_LEVERAGE
    return caps(house, market, account, _LEVERAGE, lambda _accounts, _name: increase.leverage)


def exposure_refusal(
    house: House, book: DealingBook, direction: Direction, lots: int, closed_lots: int
) -> Refusal | None:
    """Why the desk takes no more of a direction, if so: its cap, or gains that could leave 64 bits.

    Closing lots of the other direction first takes the desk as far to this side as opening them does.

    No client can ever have more than has come in and what the desk could still lose. Both together stay below
    the ledger's bounds, so whatever a position wins can be credited.
    """
    assert book.terms is not None
    cap = book.terms.max_net_lots
    net = book.long_lots - book.short_lots
    moved = lots + closed_lots
    after = net + moved if direction is LONG else net - moved
    if cap and abs(after) > cap and abs(after) > abs(net):
        return Refusal.MAX_EXPOSURE
    world, asset = book.listed.world, book.listed.instrument.quote.code
    return None if house.has_room(world, asset, most_gain(book, lots)) else Refusal.MAX_EXPOSURE
