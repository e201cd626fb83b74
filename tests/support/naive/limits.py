"""What the naive house lets an account do at most, and what it has done so far: every trade added up once more."""

from typing import NamedTuple

from fondaco.core.book.vocabulary import Side
from fondaco.core.refusals import Refusal
from fondaco.core.state import Account, Limit
from fondaco.core.vocabulary import LimitName, LimitScope
from support.naive.state import DAY_NS, Listing, Naive, first_of, rounded_up

ABOUT_QUOTE = (LimitName.MAX_ORDER_VALUE, LimitName.MAX_DAILY_VOLUME)


class More(NamedTuple):
    """What an order would add."""

    side: Side
    lots: int
    cost: int
    orders: int


def limit_reasons(house: Naive, account: Account, market: Listing, more: More) -> set[Refusal]:
    """Which limit is in the way: the account's before the user's, the symbol's, the platform's. At most one is told."""
    own = [account.account_id]
    whose = (account.user_id, account.world)
    users = [each.account_id for each in house.accounts if (each.user_id, each.world) == whose]
    subjects = [
        (LimitScope.ACCOUNT, str(account.account_id), own),
        (LimitScope.USER, account.user_id, users),
        (LimitScope.SYMBOL, market.symbol, own),
        (LimitScope.PLATFORM, "", own),
    ]
    for scope, subject, accounts in subjects:
        limits = [
            each for each in house.limits if (each.world, each.scope, each.subject) == (market.world, scope, subject)
        ]
        reasons = {Refusal(each.name.value) for each in limits if is_broken(house, market, accounts, each, more)}
        first = first_of(reasons)
        if first is not None:
            return {first}
    return set()


def is_broken(house: Naive, market: Listing, accounts: list[int], limit: Limit, more: More) -> bool:
    """Whether an order would take these accounts beyond a limit."""
    assert limit.value is not None
    orders = [each for each in house.standing() if each.account_id in accounts]
    if limit.name is LimitName.MAX_OPEN_ORDERS:
        return len(orders) + more.orders > limit.value
    if limit.name in ABOUT_QUOTE and limit.about != market.quote:
        return False
    if limit.name is LimitName.MAX_ORDER_VALUE:
        return more.cost > limit.value
    if limit.name is LimitName.MAX_DAILY_VOLUME:
        return more.cost + sum(traded_today(house, each, market.quote) for each in accounts) > limit.value
    if limit.name is LimitName.MAX_LEVERAGE or limit.about != market.symbol or more.side is Side.SELL:
        return False
    has = sum(position(house, each, market)[0] for each in accounts)
    buys = sum(each.open_lots for each in orders if house.market_of(each) is market and each.side is Side.BUY)
    return (has + buys + more.lots) * market.terms.lot > limit.value


def position(house: Naive, account_id: int, market: Listing) -> tuple[int, int, int]:
    """Lots, their cost, and what was earned since there were last none: all trades of the account once more."""
    lots = cost = earned = 0
    for _, trade in house.trades:
        if (trade.world, trade.symbol) != (market.world, market.symbol):
            continue
        if trade.buy_account_id == account_id:
            lots, cost = lots + trade.lots, cost + trade.notional
        elif trade.sell_account_id == account_id and lots:
            sold = min(lots, trade.lots)
            share = rounded_up(cost * sold, lots)
            earned += market.cost(trade.price_ticks, sold) - share
            lots, cost = lots - sold, cost - share
            if not lots:
                earned = 0
    return lots, cost, earned


def traded_today(house: Naive, account_id: int, quote: str) -> int:
    """What an account has traded on this day."""
    return sum(
        trade.notional
        for at_ns, trade in house.trades
        if at_ns // DAY_NS == house.now_ns // DAY_NS
        and account_id in (trade.buy_account_id, trade.sell_account_id)
        and any((each.symbol, each.quote) == (trade.symbol, quote) for each in house.listings)
    )
