"""The naive house's money: a total for each account and asset, and a list of holds."""

from fondaco.core.refusals import Refusal
from support.naive.state import LARGEST, OUTSIDE, Hold, Naive


def total(house: Naive, account_id: int, asset: str) -> int:
    """All that an account has."""
    return house.totals.get((account_id, asset), 0)


def held(house: Naive, account_id: int, asset: str) -> int:
    """What of it is spoken for."""
    holds = sum(each.amount for each in house.holds if (each.account_id, each.asset) == (account_id, asset))
    return holds + house.margins(account_id, asset)


def free(house: Naive, account_id: int, asset: str) -> int:
    """What of it is not."""
    return total(house, account_id, asset) - held(house, account_id, asset)


def move(house: Naive, debit: int, credit: int, asset: str, amount: int) -> None:
    """Take from one and give to the other; a negative amount goes the other way."""
    house.totals[debit, asset] = total(house, debit, asset) - amount
    house.totals[credit, asset] = total(house, credit, asset) + amount


def moving_reasons(house: Naive, debit: int, credit: int, asset: str, amount: int) -> set[Refusal]:
    """Why so much cannot be moved."""
    reasons = set()
    if amount <= 0:
        reasons.add(Refusal.AMOUNT_NOT_POSITIVE)
    if debit == credit:
        reasons.add(Refusal.SAME_BALANCE)
    if debit not in OUTSIDE.values() and free(house, debit, asset) < amount:
        reasons.add(Refusal.INSUFFICIENT_FUNDS)
    if total(house, debit, asset) - amount < -LARGEST or total(house, credit, asset) + amount > LARGEST:
        reasons.add(Refusal.BALANCE_LIMIT)
    return reasons


def hold_of(house: Naive, hold_id: int) -> Hold | None:
    """A hold, if it stands."""
    return next((each for each in house.holds if each.hold_id == hold_id), None)


def hold_exactly(house: Naive, hold: Hold) -> None:
    """Have a hold be just so from now on; one of nothing is no hold."""
    house.holds = [each for each in house.holds if each.hold_id != hold.hold_id]
    if hold.amount:
        house.holds.append(hold)
    assert free(house, hold.account_id, hold.asset) >= 0
