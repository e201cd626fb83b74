"""What limits say to leveraged positions (EXP-92): order value, position, daily volume, leverage.

The same limits as of orders (`fondaco.core.risk`): a position counts all lots of its symbol in both directions, a
volume what is opened.
"""

from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.desk import most_gain
from fondaco.core.exchange.market import Market
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.risk import capped, traded_today
from fondaco.core.state import Account
from fondaco.core.vocabulary import Direction, LimitName

LONG = Direction.LONG
_VALUES = (
    (LimitName.MAX_ORDER_VALUE, Refusal.MAX_ORDER_VALUE),
    (LimitName.MAX_POSITION, Refusal.MAX_POSITION),
    (LimitName.MAX_DAILY_VOLUME, Refusal.MAX_DAILY_VOLUME),
)
_LEVERAGE = ((LimitName.MAX_LEVERAGE, Refusal.MAX_LEVERAGE),)


def value_refusal(
    house: House, market: Market, account: Account, lots: int, closed_lots: int, notional: int
) -> Refusal | None:
    """Why limits forbid opening so many lots after closing others, if they do; staff is alerted (BHC-61)."""
    quote, symbol = market.terms.instrument.quote.code, market.terms.instrument.symbol

    def measured(accounts: tuple[int, ...], name: LimitName) -> int:
        if name is LimitName.MAX_ORDER_VALUE:
            return notional
        if name is LimitName.MAX_DAILY_VOLUME:
            return notional + sum(traded_today(house, each, quote) for each in accounts)
        held = sum(
            position.lots
            for each in accounts
            for position in house.desk.positions_of.get(each, {}).values()
            if position.symbol == symbol
        )
        return (held - closed_lots + lots) * market.terms.lot

    return capped(house, market, account, _VALUES, measured)


def leverage_refusal(house: House, market: Market, account: Account, leverage: int) -> Refusal | None:
    """Why the instrument or a limit forbids so much leverage, if so."""
    if leverage > market.terms.max_leverage:
        return Refusal.MAX_LEVERAGE
    return capped(house, market, account, _LEVERAGE, lambda _accounts, _name: leverage)


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
