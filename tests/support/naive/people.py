"""Users and accounts in the naive house."""

from fondaco.core.commands import AdmitUser, OpenAccount, ResetDemo, SetAccountStatus, SetUserStatus
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, AccountOpened, Refused, Reply
from fondaco.core.state import Account, User
from fondaco.core.vocabulary import AccountKind, AccountStatus, CloseReason, OrderState, UserStatus, World
from support.naive.asking import acting_reasons, text_reasons
from support.naive.money import move, total
from support.naive.state import LARGEST, OUTSIDE, Naive, first_of
from support.naive.trading import end

MOST_ACCOUNTS = 1_000


def admit_user(house: Naive, command: AdmitUser) -> Reply:
    """Let a user in."""
    reasons = text_reasons(command.user_id, 64)
    if house.user(command.user_id) is not None:
        reasons.add(Refusal.USER_EXISTS)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    house.users.append(User(command.user_id, len(house.users) + 1, UserStatus.ACTIVE))
    return DONE


def set_user_status(house: Naive, command: SetUserStatus) -> Reply:
    """Suspend or not."""
    user = house.user(command.user_id)
    if user is None:
        return Refused(Refusal.UNKNOWN_USER)
    user.status = command.status
    return DONE


def open_account(house: Naive, command: OpenAccount, account_id: int) -> Reply:
    """Open an account."""
    reasons = set()
    user = house.user(command.user_id)
    if user is None:
        reasons.add(Refusal.UNKNOWN_USER)
    if command.kind is AccountKind.HOUSE or (command.grant > 0 and command.world is not World.DEMO):
        reasons.add(Refusal.WRONG_WORLD)
    reasons |= opening_reasons(house, command.user_id, command.world, command.currency, command.grant)
    refusal = first_of(reasons)
    if user is None or refusal is not None:
        return Refused(refusal or Refusal.UNKNOWN_USER)
    account = Account(
        account_id,
        user.user_id,
        user.number,
        command.world,
        command.kind,
        command.currency,
        AccountStatus.ACTIVE,
        position_mode=command.position_mode,
    )
    return opened(house, account, command.grant)


def opening_reasons(house: Naive, user_id: str, world: World, currency: str, grant: int) -> set[Refusal]:
    """What is asked before any account is opened."""
    reasons = set()
    if grant < 0:
        reasons.add(Refusal.OUT_OF_RANGE)
    if sum(each.user_id == user_id for each in house.accounts) >= MOST_ACCOUNTS:
        reasons.add(Refusal.TOO_MANY_ACCOUNTS)
    if currency not in house.assets:
        reasons.add(Refusal.UNKNOWN_ASSET)
    if total(house, OUTSIDE[world], currency) - grant < -LARGEST:
        reasons.add(Refusal.BALANCE_LIMIT)
    return reasons


def opened(house: Naive, account: Account, grant: int) -> Reply:
    """It is open, with its play money."""
    house.accounts.append(account)
    if grant:
        move(house, OUTSIDE[account.world], account.account_id, account.currency, grant)
    return AccountOpened(account.account_id)


def set_account_status(house: Naive, command: SetAccountStatus) -> Reply:
    """Freeze, thaw or close."""
    account = house.account(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    if account.status is AccountStatus.CLOSED:
        return Refused(Refusal.ACCOUNT_CLOSED)
    has_money = any(total(house, account.account_id, each) for each in house.assets)
    if command.status is AccountStatus.CLOSED and (
        has_money or house.standing(account.account_id) or house.stands_in(account.account_id)
    ):
        return Refused(Refusal.ACCOUNT_IN_USE)
    account.status = command.status
    return DONE


def reset_demo(house: Naive, command: ResetDemo, account_id: int) -> Reply:
    """Close a demo account as it is and open a fresh one."""
    account = house.account(command.account_id)
    reasons = acting_reasons(house, account)
    if command.grant < 0:
        reasons.add(Refusal.OUT_OF_RANGE)
    if account is None:
        return Refused(first_of(reasons) or Refusal.UNKNOWN_ACCOUNT)
    standing = house.standing(account.account_id)
    if len(standing) > house.most_touched:
        reasons.add(Refusal.ACCOUNT_IN_USE)
    if account.world is not World.DEMO:
        reasons.add(Refusal.WRONG_WORLD)
    reasons |= opening_reasons(house, account.user_id, account.world, account.currency, command.grant)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    for order in standing:
        end(house, order, OrderState.CANCELLED, CloseReason.CANCELLED_BY_OWNER)
    account.status = AccountStatus.CLOSED
    fresh = Account(
        account_id,
        account.user_id,
        account.user_number,
        World.DEMO,
        account.kind,
        account.currency,
        AccountStatus.ACTIVE,
        position_mode=account.position_mode,
    )
    return opened(house, fresh, command.grant)
