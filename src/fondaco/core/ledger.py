"""The ledger: who has how much of what, held or free, and the one way in which it changes.

Every movement is a *posting*: it debits one balance and credits another of the same asset, so per asset all balances,
the house's and the outside world's included, always sum to zero. A *hold* sets part of a balance aside for an order, a
withdrawal or the system; it moves nothing, it only says that this part is spoken for.

Whether a movement may happen is asked first (`posting_refusal`, `hold_refusal`), and the answer is a name. After that
it must succeed: `Ledger.post` and the rest only assert. A command that makes several movements asks about all before it
makes one. Postings are told to the event log one by one, balances and holds once a command, by `Ledger.tell`.

Invariants:
    Per asset, the totals of all balances sum to zero.
    A balance's ``held`` is the sum of its open holds, and ``available`` + ``held`` is its total.
    Nobody's available part is below zero but the outside world's and the desk's.
    No total leaves ±`MAX_TOTAL`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from fondaco.core.eventlog import EventLog
from fondaco.core.messages import Message
from fondaco.core.refusals import Refusal

MAX_TOTAL: Final = 2**62
"""No balance goes beyond this on either side of zero, so that sums of two still fit 64 bits."""


class PostingCode(StrEnum):
    """Why something moved. The values are stable: they stand in the ledger for ever."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRADE = "trade"
    FEE = "fee"
    TRANSFER = "transfer"
    ADJUSTMENT = "adjustment"
    DEMO_GRANT = "demo_grant"
    DESK_RESULT = "desk_result"
    LOSS_COVER = "loss_cover"
    FINANCING = "financing"
    PREMIUM = "premium"
    INSURANCE = "insurance"


class HoldReason(StrEnum):
    """What part of a balance is set aside for (BHC-41)."""

    ORDER = "order"
    WITHDRAWAL = "withdrawal"
    SYSTEM = "system"
    MARGIN = "margin"


class Balance(msgspec.Struct, eq=False, gc=False):
    """How much of one asset one account has. Changed by this module alone."""

    account_id: int
    asset: str
    may_go_negative: bool = False
    available: int = 0
    held: int = 0
    is_touched: bool = False
    """Whether it was changed since it was told last."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.available + self.held


class Hold(msgspec.Struct, eq=False, gc=False):
    """A part of a balance that is set aside. Ends when nothing of it is left."""

    hold_id: int
    balance: Balance
    amount: int
    reason: HoldReason
    note: str = ""
    is_touched: bool = False


class Posting(Message, frozen=True, tag="posting"):
    """One movement, with the totals that result (BHC-43). Amounts are atoms of the asset.

    ``reference`` is what it belongs to, as the code says: the trade of ``symbol`` for trades and fees, the hold for a
    withdrawal, the account for a grant, the position for what the desk pays and takes, the number of the command for
    everything else.
    """

    posting_id: int
    debit_account_id: int
    credit_account_id: int
    asset: str
    amount: int
    code: PostingCode
    reference: int
    debit_after: int
    credit_after: int
    symbol: str = ""


class BalanceChanged(Message, frozen=True, tag="balance"):
    """What an account has of an asset after a command (BHC-40)."""

    account_id: int
    asset: str
    available: int
    held: int


class HoldChanged(Message, frozen=True, tag="hold"):
    """What a hold is after a command; 0 when it has ended. An order's hold has the order's id (BHC-41)."""

    hold_id: int
    account_id: int
    asset: str
    amount: int
    reason: HoldReason
    note: str


class Ledger:
    """Every balance and every open hold.

    Args:
        log: where postings are told, and changed balances and holds at the end of a command.
        posting_id: of the last posting made.
    """

    def __init__(self, log: EventLog, posting_id: int = 0) -> None:
        self.posting_id = posting_id
        self.holds: dict[int, Hold] = {}
        self._log = log
        self._balances: dict[tuple[int, str], Balance] = {}
        self._may_go_negative: set[int] = set()
        self._touched: list[Balance] = []
        self._touched_holds: list[Hold] = []

    def allow_negative(self, account_id: int) -> None:
        """Say that an account stands for the outside world or the desk; before it has its first balance."""
        assert not any(account == account_id for account, _ in self._balances)
        self._may_go_negative.add(account_id)

    def balance(self, account_id: int, asset: str) -> Balance:
        """The balance of an account in an asset, opened empty when it is new."""
        found = self._balances.get((account_id, asset))
        if found is None:
            found = Balance(account_id, asset, may_go_negative=account_id in self._may_go_negative)
            self._balances[account_id, asset] = found
        return found

    def find(self, account_id: int, asset: str) -> Balance | None:
        """The balance of an account in an asset, if it ever had any."""
        return self._balances.get((account_id, asset))

    def balances(self) -> list[Balance]:
        """Every balance, by account and asset."""
        return [self._balances[key] for key in sorted(self._balances)]

    def post(
        self, debit: Balance, credit: Balance, amount: int, code: PostingCode, reference: int, symbol: str = ""
    ) -> None:
        """Move what is free of one balance to another; `posting_refusal` must have said that it may."""
        assert amount > 0
        assert debit is not credit
        assert debit.asset == credit.asset
        assert debit.available >= amount or debit.may_go_negative
        debit.available -= amount
        credit.available += amount
        self._posted(debit, credit, amount, code, reference, symbol)

    def place_hold(self, hold_id: int, balance: Balance, amount: int, reason: HoldReason, note: str = "") -> Hold:
        """Set a part aside; `hold_refusal` must have said that it may."""
        assert hold_id not in self.holds
        assert hold_refusal(balance, amount) is None
        hold = Hold(hold_id, balance, amount, reason, note)
        balance.available -= amount
        balance.held += amount
        self.holds[hold_id] = hold
        self._touch(balance)
        self._touch_hold(hold)
        return hold

    def raise_hold(self, hold: Hold, amount: int) -> None:
        """Set more aside under the same hold; `hold_refusal` must have said that it may."""
        assert hold_refusal(hold.balance, amount) is None
        hold.balance.available -= amount
        hold.balance.held += amount
        hold.amount += amount
        self._touch(hold.balance)
        self._touch_hold(hold)

    def lower_hold(self, hold: Hold, amount: int) -> None:
        """Give a part of a hold back to its owner; nothing left ends it."""
        assert 0 < amount <= hold.amount
        hold.balance.available += amount
        self._shrink(hold, amount)

    def release(self, hold: Hold) -> int:
        """Give a hold back to its owner; returns how much that was."""
        amount = hold.amount
        self.lower_hold(hold, amount)
        return amount

    def pay_from_hold(
        self, hold: Hold, credit: Balance, amount: int, code: PostingCode, reference: int, symbol: str = ""
    ) -> None:
        """Move a part of what is held to another balance."""
        assert 0 < amount <= hold.amount
        assert credit is not hold.balance
        credit.available += amount
        self._shrink(hold, amount)
        self._posted(hold.balance, credit, amount, code, reference, symbol)

    @property
    def touched_accounts(self) -> list[int]:
        """Accounts whose balances were changed since they were told last; one that had several changed comes again."""
        return [balance.account_id for balance in self._touched]

    def tell(self) -> None:
        """Say what has become of every balance and hold that was changed since the last time."""
        for balance in self._touched:
            balance.is_touched = False
            self._log.emit(BalanceChanged(balance.account_id, balance.asset, balance.available, balance.held))
        self._touched.clear()
        for hold in self._touched_holds:
            hold.is_touched = False
            balance = hold.balance
            self._log.emit(
                HoldChanged(hold.hold_id, balance.account_id, balance.asset, hold.amount, hold.reason, hold.note)
            )
        self._touched_holds.clear()

    def forget_touched(self) -> None:
        """What was changed so far need not be said: it is no news."""
        for balance in self._touched:
            balance.is_touched = False
        for hold in self._touched_holds:
            hold.is_touched = False
        self._touched.clear()
        self._touched_holds.clear()

    def _shrink(self, hold: Hold, amount: int) -> None:
        hold.amount -= amount
        hold.balance.held -= amount
        if hold.amount == 0:
            del self.holds[hold.hold_id]
        self._touch(hold.balance)
        self._touch_hold(hold)

    def _posted(
        self, debit: Balance, credit: Balance, amount: int, code: PostingCode, reference: int, symbol: str
    ) -> None:
        self.posting_id += 1
        self._touch(debit)
        self._touch(credit)
        self._log.emit(
            Posting(
                self.posting_id,
                debit.account_id,
                credit.account_id,
                debit.asset,
                amount,
                code,
                reference,
                debit.available + debit.held,
                credit.available + credit.held,
                symbol,
            )
        )

    def _touch(self, balance: Balance) -> None:
        if not balance.is_touched:
            balance.is_touched = True
            self._touched.append(balance)

    def _touch_hold(self, hold: Hold) -> None:
        if not hold.is_touched:
            hold.is_touched = True
            self._touched_holds.append(hold)


def hold_refusal(balance: Balance, amount: int) -> Refusal | None:
    """Why so much may not be set aside, if so. Even who may owe can only hold what is there."""
    if amount <= 0:
        return Refusal.AMOUNT_NOT_POSITIVE
    return Refusal.INSUFFICIENT_FUNDS if balance.available < amount else None


def posting_refusal(debit: Balance, credit: Balance, amount: int) -> Refusal | None:
    """Why so much may not be moved from what is free of one balance to another, if so."""
    assert debit.asset == credit.asset
    if amount <= 0:
        return Refusal.AMOUNT_NOT_POSITIVE
    if debit is credit:
        return Refusal.SAME_BALANCE
    if debit.total - amount < -MAX_TOTAL or credit.total + amount > MAX_TOTAL:
        return Refusal.BALANCE_LIMIT
    return None if debit.may_go_negative or debit.available >= amount else Refusal.INSUFFICIENT_FUNDS
