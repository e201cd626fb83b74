"""Users and accounts: who is let in, who may act, and what an account begins and ends with (BHC-21, 22)."""

from fondaco.core.commands import AdmitUser, OpenAccount, ResetDemo, SetAccountStatus, SetUserStatus
from fondaco.core.exchange.ending import take_back
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.house import MAX_ACCOUNTS_PER_USER, House
from fondaco.core.ledger import MAX_TOTAL, PostingCode
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, AccountOpened, Refused, Reply
from fondaco.core.state import OUTSIDE_ACCOUNT, Account, User
from fondaco.core.texts import MAX_ID, is_text
from fondaco.core.vocabulary import AccountKind, AccountStatus, CloseReason, OrderState, UserStatus, World


def admit_user(house: House, command: AdmitUser) -> Reply:
    """Let a user in."""
    if not is_text(command.user_id, MAX_ID):
        return Refused(Refusal.BAD_TEXT)
    if command.user_id in house.users:
        return Refused(Refusal.USER_EXISTS)
    user = User(command.user_id, len(house.users) + 1, UserStatus.ACTIVE)
    house.users[user.user_id] = user
    house.accounts_of[user.user_id] = []
    house.log.emit_row(user)
    return DONE


def set_user_status(house: House, command: SetUserStatus) -> Reply:
    """Suspend a user, or let it act again. What stands stays: orders go on resting, and can be cancelled."""
    user = house.users.get(command.user_id)
    if user is None:
        return Refused(Refusal.UNKNOWN_USER)
    user.status = command.status
    house.log.emit_row(user)
    return DONE


def open_account(house: House, command: OpenAccount) -> Reply:
    """Open an account of a user."""
    if command.grant < 0:
        return Refused(Refusal.OUT_OF_RANGE)
    if command.user_id not in house.users:
        return Refused(Refusal.UNKNOWN_USER)
    if command.kind is AccountKind.HOUSE or (command.grant and command.world is not World.DEMO):
        return Refused(Refusal.WRONG_WORLD)
    if len(house.accounts_of[command.user_id]) >= MAX_ACCOUNTS_PER_USER:
        return Refused(Refusal.TOO_MANY_ACCOUNTS)
    if command.currency not in house.assets:
        return Refused(Refusal.UNKNOWN_ASSET)
    refusal = _grant_refusal(house, command.world, command.currency, command.grant)
    if refusal is not None:
        return Refused(refusal)
    blank = Account(
        0,
        command.user_id,
        0,
        command.world,
        command.kind,
        command.currency,
        AccountStatus.ACTIVE,
        position_mode=command.position_mode,
    )
    return _opened(house, blank, command.grant)


def set_account_status(house: House, command: SetAccountStatus) -> Reply:
    """Freeze an account, let it act again, or close it, once it is empty."""
    account = house.accounts.get(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    if command.status is AccountStatus.CLOSED and _is_in_use(house, account):
        return Refused(Refusal.ACCOUNT_IN_USE)
    account.status = command.status
    house.log.emit_row(account)
    return DONE


def reset_demo(house: House, command: ResetDemo) -> Reply:
    """Close a demo account as it is, its orders cancelled, and open a fresh one of the same kind.

    Positions stand in the way: at which price they end is for their owner to choose.
    """
    if command.grant < 0:
        return Refused(Refusal.OUT_OF_RANGE)
    account = house.acting_account(command.account_id)
    if isinstance(account, Refusal):
        return Refused(account)
    orders = house.orders_of.get(account.account_id, {})
    if len(orders) > MAX_TOUCHED or _is_at_desk(house, account):
        return Refused(Refusal.ACCOUNT_IN_USE)
    if account.world is not World.DEMO:
        return Refused(Refusal.WRONG_WORLD)
    if len(house.accounts_of[account.user_id]) >= MAX_ACCOUNTS_PER_USER:
        return Refused(Refusal.TOO_MANY_ACCOUNTS)
    refusal = _grant_refusal(house, account.world, account.currency, command.grant)
    if refusal is not None:
        return Refused(refusal)
    for order_id in sorted(orders):
        take_back(house, orders[order_id], OrderState.CANCELLED, CloseReason.CANCELLED_BY_OWNER)
    account.status = AccountStatus.CLOSED
    house.log.emit_row(account)
    return _opened(house, account, command.grant)


def _opened(house: House, like: Account, grant: int) -> AccountOpened:
    """A fresh account of the same user, world, kind, currency and ways of trading as another."""
    account = Account(
        house.new_id(),
        like.user_id,
        house.users[like.user_id].number,
        like.world,
        like.kind,
        like.currency,
        AccountStatus.ACTIVE,
        position_mode=like.position_mode,
        is_swap_free=like.is_swap_free,
    )
    house.accounts[account.account_id] = account
    house.accounts_of[account.user_id].append(account.account_id)
    house.log.emit_row(account)
    if grant:
        outside = house.ledger.balance(OUTSIDE_ACCOUNT[account.world], account.currency)
        own = house.ledger.balance(account.account_id, account.currency)
        house.ledger.post(outside, own, grant, PostingCode.DEMO_GRANT, account.account_id)
    return AccountOpened(account.account_id)


def _grant_refusal(house: House, world: World, currency: str, grant: int) -> Refusal | None:
    if not grant:
        return None
    outside = house.ledger.balance(OUTSIDE_ACCOUNT[world], currency)
    is_too_much = outside.total - grant < -MAX_TOTAL or not house.has_room(world, currency, grant)
    return Refusal.BALANCE_LIMIT if is_too_much else None


def _is_in_use(house: House, account: Account) -> bool:
    """Whether anything stands in an account's name: orders, positions, entries, holds or money."""
    if house.orders_of.get(account.account_id) or _is_at_desk(house, account):
        return True
    found = (house.ledger.find(account.account_id, asset) for asset in house.assets)
    return any(balance is not None and balance.total for balance in found)


def _is_at_desk(house: House, account: Account) -> bool:
    """Whether an account has leveraged positions, or entries that wait to become some."""
    return bool(house.desk.positions_of.get(account.account_id) or house.desk.entries_of.get(account.account_id))
