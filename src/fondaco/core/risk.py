"""What an account may do at most: limits on orders, values, positions and volumes (BHC-60).

A limit holds for one account, for a user (over all of its accounts in that world), or for every account by itself: of a
symbol, or of the whole platform. Were those two over the sum of all accounts, one user could lock out all others.

A value, a position or a volume may come to its limit and not beyond.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from fondaco.core.book.vocabulary import BUY, SELL, Side
from fondaco.core.events import RiskAlert
from fondaco.core.exchange.market import Market
from fondaco.core.house import DAY_NS, House
from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.refusals import Refusal
from fondaco.core.state import Account, Limit
from fondaco.core.vocabulary import LimitName, LimitScope, Severity

_REFUSALS = (
    (LimitName.MAX_OPEN_ORDERS, Refusal.MAX_OPEN_ORDERS),
    (LimitName.MAX_ORDER_VALUE, Refusal.MAX_ORDER_VALUE),
    (LimitName.MAX_POSITION, Refusal.MAX_POSITION),
    (LimitName.MAX_DAILY_VOLUME, Refusal.MAX_DAILY_VOLUME),
)


Measured: TypeAlias = Callable[[tuple[int, ...], LimitName], int]
"""Says what a limit's quantity would come to, over these accounts."""


class Increase(NamedTuple):
    """What an order would add to what stands."""

    side: Side
    lots: int
    notional: int
    """Quote atoms that the order is worth at most."""
    orders: int = 1


def limit_refusal(house: House, market: Market, account: Account, increase: Increase) -> Refusal | None:
    """Why limits forbid so much more, if they do; staff is alerted (BHC-61)."""
    if not house.limits:
        return None
    return capped(house, market, account, _REFUSALS, partial(_measured, house, market, increase))


def capped(
    house: House, market: Market, account: Account, names: tuple[tuple[LimitName, Refusal], ...], measured: Measured
) -> Refusal | None:
    """Why one of these limits forbids what is measured, if it does; staff is alerted."""
    reached = _reached(house, market, account, names, measured) if house.limits else None
    if reached is None:
        return None
    limit, refusal = reached
    _alert(house, account, limit)
    return refusal


def would_be_capped(
    house: House, market: Market, account: Account, names: tuple[tuple[LimitName, Refusal], ...], measured: Measured
) -> Refusal | None:
    """The same for what is only asked about: nobody is alerted, nothing changes."""
    reached = _reached(house, market, account, names, measured) if house.limits else None
    return None if reached is None else reached[1]


def reached_limit(house: House, market: Market, account: Account, increase: Increase) -> Refusal | None:
    """The same for an order that is only asked about: nobody is alerted."""
    return would_be_capped(house, market, account, _REFUSALS, partial(_measured, house, market, increase))


def _reached(
    house: House, market: Market, account: Account, names: tuple[tuple[LimitName, Refusal], ...], measured: Measured
) -> tuple[Limit, Refusal] | None:
    """The first limit, the narrowest scope before the others, that so much more would break."""
    for scope, subject, accounts in _subjects(house, market, account):
        for name, refusal in names:
            limit = house.limits.get((account.world, scope, subject, name, _about(market, name)))
            if limit is None or limit.value is None:
                continue
            if measured(accounts, name) > limit.value:
                return limit, refusal
    return None


def _subjects(house: House, market: Market, account: Account) -> tuple[tuple[LimitScope, str, tuple[int, ...]], ...]:
    """Whom each scope means here, and over which accounts it measures."""
    own = (account.account_id,)
    users = tuple(each for each in house.accounts_of[account.user_id] if house.accounts[each].world is account.world)
    return (
        (LimitScope.ACCOUNT, str(account.account_id), own),
        (LimitScope.USER, account.user_id, users),
        (LimitScope.SYMBOL, market.terms.instrument.symbol, own),
        (LimitScope.PLATFORM, "", own),
    )


def _about(market: Market, name: LimitName) -> str:
    if name is LimitName.MAX_OPEN_ORDERS:
        return ""
    if name in (LimitName.MAX_POSITION, LimitName.MAX_LEVERAGE):
        return market.terms.instrument.symbol
    return market.terms.instrument.quote.code


def _measured(house: House, market: Market, increase: Increase, accounts: tuple[int, ...], name: LimitName) -> int:
    """What the limit's quantity would come to."""
    if name is LimitName.MAX_OPEN_ORDERS:
        return sum(len(house.orders_of.get(each, ())) for each in accounts) + increase.orders
    if name is LimitName.MAX_ORDER_VALUE:
        return increase.notional
    if name is LimitName.MAX_POSITION:
        if increase.side is SELL:
            return 0
        return (increase.lots + _bought_or_ordered(house, market, accounts)) * market.terms.lot
    return increase.notional + sum(traded_today(house, each, market.terms.instrument.quote.code) for each in accounts)


def _bought_or_ordered(house: House, market: Market, accounts: tuple[int, ...]) -> int:
    """Lots that these accounts have, and those that their open orders would still buy."""
    held = sum(market.positions[each].lots for each in accounts if each in market.positions)
    symbol = market.terms.instrument.symbol
    ordered = sum(
        order.open_lots
        for each in accounts
        for order in house.orders_of.get(each, {}).values()
        if order.symbol == symbol and order.side is BUY
    )
    return held + ordered


def traded_today(house: House, account_id: int, quote: str) -> int:
    """Quote atoms that an account has traded on this day, UTC."""
    account = house.accounts[account_id]
    return account.day_volumes.get(quote, 0) if account.volume_day == house.now_ns // DAY_NS else 0


def count_volume(account: Account, today: int, quote: str, notional: int) -> None:
    """Add to what an account has traded on this day, UTC."""
    if account.volume_day != today:
        account.volume_day = today
        account.day_volumes = {}
    # Beyond what a limit can say, it is no matter how far.
    account.day_volumes[quote] = min(account.day_volumes.get(quote, 0) + notional, 2 * MAX_TOTAL - 1)


def _alert(house: House, account: Account, limit: Limit) -> None:
    whose = f"{limit.scope} {limit.subject}".strip()
    about = f" of {limit.about}" if limit.about else ""
    message = f"Account {account.account_id} came to the limit {limit.name}{about} of the {whose}."
    house.log.emit(
        RiskAlert(house.new_id(), Severity.MEDIUM, limit.name.value, message, f"account:{account.account_id}")
    )
