"""Money in and out, holds that are no order's, and transfers.

Only the house says that money came in. What shall go out is held first, and then either goes (settled) or comes back
(released); in between it is neither the user's to spend nor gone.
"""

from fondaco.core.commands import Deposit, PlaceHold, ReleaseHold, RequestWithdrawal, SettleWithdrawal, Transfer
from fondaco.core.desk.standing import taking_refusal
from fondaco.core.house import House
from fondaco.core.ledger import Hold, HoldReason, PostingCode, hold_refusal, posting_refusal
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, HoldPlaced, Refused, Reply
from fondaco.core.state import OUTSIDE_ACCOUNT
from fondaco.core.texts import MAX_NOTE, is_text
from fondaco.core.vocabulary import AccountStatus


def deposit(house: House, command: Deposit) -> Reply:
    """Credit what came in. A frozen account takes it; a closed one does not."""
    if command.note and not is_text(command.note, MAX_NOTE):
        return Refused(Refusal.BAD_TEXT)
    account = house.accounts.get(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    if command.asset not in house.assets:
        return Refused(Refusal.UNKNOWN_ASSET)
    outside = house.ledger.balance(OUTSIDE_ACCOUNT[account.world], command.asset)
    own = house.ledger.balance(account.account_id, command.asset)
    refusal = posting_refusal(outside, own, command.amount)
    if refusal is not None:
        return Refused(refusal)
    if not house.has_room(account.world, command.asset, command.amount):
        return Refused(Refusal.BALANCE_LIMIT)
    house.ledger.post(outside, own, command.amount, PostingCode.DEPOSIT, house.seq)
    return DONE


def request_withdrawal(house: House, command: RequestWithdrawal) -> Reply:
    """Hold what shall go out."""
    account = house.acting_account(command.account_id)
    if isinstance(account, Refusal):
        return Refused(account)
    return _held(house, command.account_id, command.asset, command.amount, HoldReason.WITHDRAWAL, "")


def place_hold(house: House, command: PlaceHold) -> Reply:
    """Hold something for a reason of the house's. Neither freezing nor suspension stands in the way."""
    if not is_text(command.note, MAX_NOTE):
        return Refused(Refusal.BAD_TEXT)
    if command.account_id not in house.accounts:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    return _held(house, command.account_id, command.asset, command.amount, HoldReason.SYSTEM, command.note)


def settle_withdrawal(house: House, command: SettleWithdrawal) -> Reply:
    """The money has gone out."""
    hold = _hold(house, command.hold_id)
    if isinstance(hold, Refused):
        return hold
    if hold.reason is not HoldReason.WITHDRAWAL:
        return Refused(Refusal.NOT_A_WITHDRAWAL)
    world = house.accounts[hold.balance.account_id].world
    outside = house.ledger.balance(OUTSIDE_ACCOUNT[world], hold.balance.asset)
    house.ledger.pay_from_hold(hold, outside, hold.amount, PostingCode.WITHDRAWAL, hold.hold_id)
    return DONE


def release_hold(house: House, command: ReleaseHold) -> Reply:
    """Give back what was held."""
    hold = _hold(house, command.hold_id)
    if isinstance(hold, Refused):
        return hold
    house.ledger.release(hold)
    return DONE


def transfer(house: House, command: Transfer) -> Reply:
    """Move money between two accounts of one user."""
    source = house.accounts.get(command.account_id)
    target = house.accounts.get(command.to_account_id)
    if source is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    # An account of somebody else looks missing.
    if target is None or target.user_id != source.user_id:
        return Refused(Refusal.FOREIGN_ACCOUNT)
    if target.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    acting = house.acting_account(source.account_id)
    if isinstance(acting, Refusal):
        return Refused(acting)
    if target.world is not source.world:
        return Refused(Refusal.WRONG_WORLD)
    if command.asset not in house.assets:
        return Refused(Refusal.UNKNOWN_ASSET)
    debit = house.ledger.balance(source.account_id, command.asset)
    credit = house.ledger.balance(target.account_id, command.asset)
    refusal = taking_refusal(house, debit, command.amount, posting_refusal(debit, credit, command.amount))
    if refusal is not None:
        return Refused(refusal)
    house.ledger.post(debit, credit, command.amount, PostingCode.TRANSFER, house.seq)
    return DONE


def _held(house: House, account_id: int, asset: str, amount: int, reason: HoldReason, note: str) -> Reply:
    if asset not in house.assets:
        return Refused(Refusal.UNKNOWN_ASSET)
    balance = house.ledger.balance(account_id, asset)
    refusal = taking_refusal(house, balance, amount, hold_refusal(balance, amount))
    if refusal is not None:
        return Refused(refusal)
    hold = house.ledger.place_hold(house.new_id(), balance, amount, reason, note)
    return HoldPlaced(hold.hold_id)


def _hold(house: House, hold_id: int) -> Hold | Refused:
    """A hold that is not an order's or a position's."""
    hold = house.ledger.holds.get(hold_id)
    if hold is None:
        return Refused(Refusal.UNKNOWN_HOLD)
    return Refused(Refusal.HOLD_OF_ORDER) if hold.reason in (HoldReason.ORDER, HoldReason.MARGIN) else hold
