"""Accounts: opening them, money in and between them, and what operators do about them.

Users open demo accounts for themselves and begin again with those; whatever else makes an account or money is an
operator's to do.
"""

from collections.abc import Awaitable, Callable

from fondaco.core.commands import Deposit, OpenAccount, ResetDemo, SetAccountStatus, Transfer
from fondaco.core.money import fits_int64
from fondaco.core.refusals import Refusal
from fondaco.core.replies import AccountOpened, Answer, Done
from fondaco.core.vocabulary import World
from fondaco.domains.identity.api import Actor, Person
from fondaco.domains.trading.amounts import positive_atoms
from fondaco.domains.trading.desk import Desk, done, must_be_operator
from fondaco.domains.trading.errors import OperatorsOnlyError, RefusedError
from fondaco.domains.trading.shapes import (
    AccountStatusChange,
    Answered,
    NewAccount,
    NewDeposit,
    NewTransfer,
    OpenedAccount,
)


class AccountService:
    """Accounts of whoever may have them.

    Args:
        desk: the way to the engine.
        find: looks a user up.
        demo_grant: whole units that a demo account begins with.
    """

    def __init__(self, desk: Desk, find: Callable[[str], Awaitable[Person | None]], demo_grant: int) -> None:
        self._desk = desk
        self._find = find
        self._demo_grant = demo_grant

    async def open(self, actor: Actor, account: NewAccount, key: str = "") -> OpenedAccount:
        """Open an account, and let its user into the engine first where this is the first one."""
        is_own = account.user_id is None or account.user_id == actor.user_id
        if not actor.is_operator and not (is_own and account.world is World.DEMO):
            raise OperatorsOnlyError
        user_id = await self._user_id(actor, account)
        grant = self._grant(account.currency) if account.world is World.DEMO else 0
        await self._desk.admit(user_id)
        command = OpenAccount(user_id, account.world, account.currency, account.kind, grant, account.position_mode)
        return await self._opened(*await self._desk.grant(actor.user_id, command, AccountOpened, key))

    async def reset(self, actor: Actor, account_id: int, key: str = "") -> OpenedAccount:
        """Close a demo account and open a fresh one in its place."""
        owner = self._desk.get_for(actor, account_id)
        command = ResetDemo(account_id, self._grant(owner.currency))
        return await self._opened(*await self._desk.act(actor, owner, command, AccountOpened, key))

    async def deposit(self, actor: Actor, account_id: int, deposit: NewDeposit, key: str = "") -> Answered:
        """Credit what came in from outside. For operators."""
        must_be_operator(actor)
        self._desk.get_for(actor, account_id)
        amount = positive_atoms("amount", deposit.amount, self._desk.scale(deposit.asset))
        command = Deposit(account_id, deposit.asset, amount, deposit.note or "")
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def transfer(self, actor: Actor, account_id: int, transfer: NewTransfer, key: str = "") -> Answered:
        """Move money to another account of the same user."""
        owner = self._desk.get_for(actor, account_id)
        self._desk.get_for(actor, transfer.to_account_id)
        amount = positive_atoms("amount", transfer.amount, self._desk.scale(transfer.asset))
        command = Transfer(account_id, transfer.to_account_id, transfer.asset, amount)
        return done(*await self._desk.act(actor, owner, command, Done, key))

    async def set_status(self, actor: Actor, account_id: int, change: AccountStatusChange, key: str = "") -> Answered:
        """Freeze an account, let it act again, or close it. For operators."""
        must_be_operator(actor)
        self._desk.get_for(actor, account_id)
        command = SetAccountStatus(account_id, change.status)
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def _user_id(self, actor: Actor, account: NewAccount) -> str:
        """Whose account it shall be."""
        if account.user_id is None:
            return actor.user_id
        person = await self._find(account.user_id)
        if person is None:
            raise RefusedError(Refusal.UNKNOWN_USER)
        return person.user_id

    async def _opened(self, answer: Answer, opened: AccountOpened) -> OpenedAccount:
        await self._desk.come_to(answer.seq)
        return OpenedAccount(seq=answer.seq, duplicate=answer.is_duplicate, account_id=opened.account_id)

    def _grant(self, currency: str) -> int:
        atoms = self._demo_grant * 10 ** self._desk.scale(currency)
        if not fits_int64(atoms):
            raise RefusedError(Refusal.BALANCE_LIMIT)
        return int(atoms)
