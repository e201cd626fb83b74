"""How cross accounts stand, and what they may still take out or put at stake."""

from fondaco.core.desk.closing import is_fresh
from fondaco.core.desk.desk import CrossAccount
from fondaco.core.desk.state import DeskPosition
from fondaco.core.desk.valuing import Standing, closing_ticks, standing
from fondaco.core.house import House
from fondaco.core.ledger import Balance
from fondaco.core.refusals import Refusal


def standing_of(house: House, cross: CrossAccount) -> Standing:
    """An account's equity and used margin, each position at the last quote of its symbol."""
    cash = house.ledger.balance(cross.account_id, cross.currency).available
    return standing(cash, [_valued(house, cross, position_id) for position_id in sorted(cross.positions)])


def free_of(house: House, account_id: int, asset: str) -> int | Refusal:
    """What an account may take out, or set aside, of an asset.

    Returns:
        What is available, and of the asset in which it answers for cross positions no more than these leave free: less
        than nothing when they leave none. That needs fresh quotes; `Refusal.STALE_QUOTE` says that there are none.
    """
    cash = house.ledger.balance(account_id, asset).available
    cross = house.desk.cross.get(account_id)
    if cross is None or not cross.positions or cross.currency != asset:
        return cash
    if not all(is_fresh(house, house.desk.book_of(each)) for each in cross.positions.values()):
        return Refusal.STALE_QUOTE
    return standing_of(house, cross).free


def taking_refusal(house: House, balance: Balance, amount: int, refusal: Refusal | None) -> Refusal | None:
    """Why so much may not leave what is free of a balance, if so, cross positions considered.

    Args:
        house: the house.
        balance: what it would leave.
        amount: atoms.
        refusal: what the ledger has said to it.
    """
    if refusal not in (None, Refusal.INSUFFICIENT_FUNDS):
        return refusal
    free = free_of(house, balance.account_id, balance.asset)
    if isinstance(free, Refusal):
        return free
    if refusal is None and amount > free:
        return Refusal.INSUFFICIENT_MARGIN
    return refusal


def _valued(house: House, cross: CrossAccount, position_id: int) -> tuple[DeskPosition, int, int]:
    position = cross.positions[position_id]
    book = house.desk.book_of(position)
    assert book.quote is not None, "an open position has had a quote"
    return position, closing_ticks(position, book.quote), book.step
