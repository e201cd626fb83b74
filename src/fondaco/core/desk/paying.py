"""Who pays for what at the desk: results, what clients need not bear, premiums, nights.

Every result is posted whole between client and desk. What the client cannot or need not pay is given to it first: by
the insurance fund as far as that has anything, by the desk the rest. So the ledger shows both, and no client ever owes.
"""

from typing import NamedTuple

from fondaco.core.desk.desk import CrossAccount
from fondaco.core.desk.state import DeskPosition
from fondaco.core.desk.valuing import closing_ticks, unrealised
from fondaco.core.house import House
from fondaco.core.ledger import Balance, PostingCode
from fondaco.core.state import DESK_ACCOUNT, INSURANCE_ACCOUNT


class Cover(NamedTuple):
    """What others paid of a client's loss."""

    insurance: int = 0
    desk: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.insurance + self.desk

    def __add__(self, other: object) -> "Cover":
        """Both covers as one."""
        assert isinstance(other, Cover)
        return Cover(self.insurance + other.insurance, self.desk + other.desk)


NO_COVER = Cover()


def balance_of(house: House, position: DeskPosition) -> Balance:
    """The client's balance in the asset that a position is quoted in."""
    return house.ledger.balance(position.account_id, _asset(house, position))


def pay_result(house: House, position: DeskPosition, result: int, most_loss: int | None) -> Cover:
    """Post what closing brought.

    Args:
        house: the house.
        position: the position; what it had set aside for this part is free already.
        result: gain, or loss below zero.
        most_loss: what the client bears at most, of an isolated position; None: all that its account has.

    Returns:
        What was covered.
    """
    own, desk = balance_of(house, position), house.ledger.balance(DESK_ACCOUNT[position.world], _asset(house, position))
    if result > 0:
        _post(house, position, desk, own, result, PostingCode.DESK_RESULT)
        return NO_COVER
    if result == 0:
        return NO_COVER
    loss = -result
    if most_loss is None:
        missing = loss - own.available
        if missing > 0:
            missing -= pay_ahead(house, house.desk.cross[position.account_id], missing, position.position_id)
        most_loss = loss - max(0, missing)
    cover = _covered(house, position, max(0, loss - most_loss))
    _post(house, position, own, desk, loss, PostingCode.DESK_RESULT)
    return cover


def pay_ahead(house: House, cross: CrossAccount, needed: int, except_id: int = 0) -> int:
    """Pay out gains of an account's open cross positions, by id, until so much is there; returns how much that was.

    The account is worth the same afterwards: what a position has paid out is no longer to come.
    """
    left = needed
    for position_id in sorted(cross.positions):
        position = cross.positions[position_id]
        book = house.desk.book_of(position)
        assert book.quote is not None, "an open position has had a quote"
        gain = min(left, unrealised(position, closing_ticks(position, book.quote), book.step))
        if gain <= 0 or position_id == except_id:
            continue
        position.settled += gain
        position.realised += gain
        desk = house.ledger.balance(DESK_ACCOUNT[position.world], cross.currency)
        _post(house, position, desk, balance_of(house, position), gain, PostingCode.DESK_RESULT)
        position.changed_ns = house.now_ns
        house.desk.touch(position)
        left -= gain
        if not left:
            break
    return needed - left


def pay_premium(house: House, position: DeskPosition, premium: int) -> None:
    """Take what a guaranteed stop costs; it goes to who pays for gaps."""
    if premium:
        insurance = house.ledger.balance(INSURANCE_ACCOUNT[position.world], _asset(house, position))
        _post(house, position, balance_of(house, position), insurance, premium, PostingCode.PREMIUM)
        position.premium += premium


def pay_night(house: House, position: DeskPosition, charge: int) -> int:
    """Take what a position costs for a night, or give it when it is below zero; returns what was paid.

    It is taken from what is free, then from the margin of an isolated position or the gains of an account's cross ones.
    What is missing then is waived.
    """
    own, desk = balance_of(house, position), house.ledger.balance(DESK_ACCOUNT[position.world], _asset(house, position))
    if charge < 0:
        _post(house, position, desk, own, -charge, PostingCode.FINANCING)
        return charge
    if position.account_id in house.desk.cross and charge > own.available and position.mode == "cross":
        pay_ahead(house, house.desk.cross[position.account_id], charge - own.available)
    free = min(charge, own.available)
    if free:
        _post(house, position, own, desk, free, PostingCode.FINANCING)
    hold = house.ledger.holds.get(position.position_id)
    if hold is None or free == charge:
        return free
    held = min(charge - free, hold.amount)
    symbol, code = position.symbol, PostingCode.FINANCING
    house.ledger.pay_from_hold(hold, desk, held, code, position.position_id, symbol)
    position.margin -= held
    return free + held


def _covered(house: House, position: DeskPosition, amount: int) -> Cover:
    """Give a client what it need not bear."""
    if not amount:
        return NO_COVER
    own, asset = balance_of(house, position), _asset(house, position)
    fund = house.ledger.balance(INSURANCE_ACCOUNT[position.world], asset)
    by_insurance = min(amount, fund.available)
    if by_insurance:
        _post(house, position, fund, own, by_insurance, PostingCode.LOSS_COVER)
    by_desk = amount - by_insurance
    if by_desk:
        desk = house.ledger.balance(DESK_ACCOUNT[position.world], asset)
        _post(house, position, desk, own, by_desk, PostingCode.LOSS_COVER)
    return Cover(by_insurance, by_desk)


def _asset(house: House, position: DeskPosition) -> str:
    return house.desk.book_of(position).listed.instrument.quote.code


def _post(
    house: House, position: DeskPosition, debit: Balance, credit: Balance, amount: int, code: PostingCode
) -> None:
    house.ledger.post(debit, credit, amount, code, position.position_id, position.symbol)
