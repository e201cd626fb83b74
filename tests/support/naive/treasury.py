"""Money in and out of the naive house, and holds that are no order's."""

from fondaco.core.commands import Deposit, PlaceHold, ReleaseHold, RequestWithdrawal, SettleWithdrawal, Transfer
from fondaco.core.ledger import HoldReason
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, HoldPlaced, Refused, Reply
from fondaco.core.vocabulary import AccountStatus
from support.naive.asking import acting_reasons, text_reasons
from support.naive.money import free, hold_exactly, hold_of, move, moving_reasons
from support.naive.state import OUTSIDE, Hold, Naive, first_of


def deposit(house: Naive, command: Deposit) -> Reply:
    """Money comes in."""
    reasons = text_reasons(command.note, 200, may_be_empty=True)
    account = house.account(command.account_id)
    if account is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_ACCOUNT}) or Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        reasons.add(Refusal.ACCOUNT_CLOSED)
    if command.asset not in house.assets:
        reasons.add(Refusal.UNKNOWN_ASSET)
    outside = OUTSIDE[account.world]
    reasons |= moving_reasons(house, outside, account.account_id, command.asset, command.amount)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    move(house, outside, account.account_id, command.asset, command.amount)
    return DONE


def request_withdrawal(house: Naive, command: RequestWithdrawal, hold_id: int) -> Reply:
    """Money is set aside that shall go out."""
    reasons = acting_reasons(house, house.account(command.account_id))
    hold = Hold(hold_id, command.account_id, command.asset, command.amount, HoldReason.WITHDRAWAL)
    return held(house, hold, reasons)


def place_hold(house: Naive, command: PlaceHold, hold_id: int) -> Reply:
    """Money is set aside for the house's reason, frozen account or not."""
    reasons = text_reasons(command.note, 200)
    if house.account(command.account_id) is None:
        reasons.add(Refusal.UNKNOWN_ACCOUNT)
    hold = Hold(hold_id, command.account_id, command.asset, command.amount, HoldReason.SYSTEM, command.note)
    return held(house, hold, reasons)


def held(house: Naive, hold: Hold, reasons: set[Refusal]) -> Reply:
    """Set aside, if nothing is in the way."""
    if hold.asset not in house.assets:
        reasons.add(Refusal.UNKNOWN_ASSET)
    if hold.amount <= 0:
        reasons.add(Refusal.AMOUNT_NOT_POSITIVE)
    if free(house, hold.account_id, hold.asset) < hold.amount:
        reasons.add(Refusal.INSUFFICIENT_FUNDS)
    reasons |= house.kept_reasons(hold.account_id, hold.asset, hold.amount)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    hold_exactly(house, hold)
    return HoldPlaced(hold.hold_id)


def settle_withdrawal(house: Naive, command: SettleWithdrawal) -> Reply:
    """What was set aside goes out."""
    hold = hold_of(house, command.hold_id)
    if hold is None:
        return Refused(Refusal.UNKNOWN_HOLD)
    if hold.reason != HoldReason.WITHDRAWAL:
        return Refused(Refusal.HOLD_OF_ORDER if hold.reason == HoldReason.ORDER else Refusal.NOT_A_WITHDRAWAL)
    account = house.account(hold.account_id)
    assert account is not None
    house.holds.remove(hold)
    move(house, hold.account_id, OUTSIDE[account.world], hold.asset, hold.amount)
    return DONE


def release_hold(house: Naive, command: ReleaseHold) -> Reply:
    """What was set aside comes back."""
    hold = hold_of(house, command.hold_id)
    if hold is None:
        return Refused(Refusal.UNKNOWN_HOLD)
    if hold.reason == HoldReason.ORDER:
        return Refused(Refusal.HOLD_OF_ORDER)
    house.holds.remove(hold)
    return DONE


def transfer(house: Naive, command: Transfer) -> Reply:
    """Money goes from one account of a user to another in the same world."""
    source, target = house.account(command.account_id), house.account(command.to_account_id)
    reasons = acting_reasons(house, source)
    if source is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if target is None or target.user_id != source.user_id:
        # An account of somebody else looks missing, whatever state it is in.
        return Refused(first_of(reasons | {Refusal.FOREIGN_ACCOUNT}) or Refusal.FOREIGN_ACCOUNT)
    if target.status is AccountStatus.CLOSED:
        reasons.add(Refusal.ACCOUNT_CLOSED)
    if target.world is not source.world:
        reasons.add(Refusal.WRONG_WORLD)
    if command.asset not in house.assets:
        reasons.add(Refusal.UNKNOWN_ASSET)
    reasons |= moving_reasons(house, source.account_id, target.account_id, command.asset, command.amount)
    reasons |= house.kept_reasons(source.account_id, command.asset, command.amount)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    move(house, source.account_id, target.account_id, command.asset, command.amount)
    return DONE
