"""The ledger: who has how much of what, held or free, and the one way in which it changes.

Every movement is a *posting*: it debits one balance and credits another of the same asset, so per asset all balances,
the house's and the outside world's included, always sum to zero. A *hold* sets part of a balance aside for an order, a
withdrawal or the system; it moves nothing, it only says that this part is spoken for.

Whether a movement may happen is asked first (`posting_refusal`, `hold_refusal`), and the answer is a name. After that
it must succeed: `post` and the rest only assert. A command that makes several movements asks about all before it makes
one.

Invariants:
    Per asset, the totals of all balances sum to zero.
    A balance's ``held`` is the sum of its open holds, and ``available`` + ``held`` is its total.
    Nobody's available part is below zero but the outside world's and the desk's.
    No total leaves ±`MAX_TOTAL`.
"""

from enum import StrEnum
from typing import Final

import msgspec

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


class HoldReason(StrEnum):
    """What part of a balance is set aside for (BHC-41)."""

    ORDER = "order"
    WITHDRAWAL = "withdrawal"
    SYSTEM = "system"


class LedgerRefusal(StrEnum):
    """Why a movement may not happen, in the order in which it is asked."""

    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    SAME_BALANCE = "same_balance"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    BALANCE_LIMIT = "balance_limit"


class Balance:
    """How much of one asset one account has. Changed by this module alone."""

    __slots__ = ("account_id", "asset", "available", "held", "may_go_negative")

    def __init__(self, account_id: int, asset: str, *, may_go_negative: bool = False) -> None:
        self.account_id = account_id
        self.asset = asset
        self.available = 0
        self.held = 0
        self.may_go_negative = may_go_negative

    @property
    def total(self) -> int:
        """All of it."""
        return self.available + self.held

    def __repr__(self) -> str:
        return f"Balance({self.account_id}, {self.asset}, available={self.available}, held={self.held})"


class Hold:
    """A part of a balance that is set aside. Ends when nothing of it is left."""

    __slots__ = ("amount", "balance", "hold_id", "reason", "reference")

    def __init__(self, hold_id: int, balance: Balance, amount: int, reason: HoldReason, reference: int) -> None:
        self.hold_id = hold_id
        self.balance = balance
        self.amount = amount
        self.reason = reason
        self.reference = reference


class Posting(msgspec.Struct, frozen=True, array_like=True, tag="posting", gc=False):
    """One movement, with the totals that result (BHC-43). Amounts are atoms of the asset."""

    debit_account: int
    credit_account: int
    asset: str
    amount: int
    code: PostingCode
    reference: int
    debit_after: int
    credit_after: int


class Ledger:
    """Every balance and every open hold."""

    def __init__(self) -> None:
        self._balances: dict[tuple[int, str], Balance] = {}
        self._may_go_negative: set[int] = set()
        self.holds: dict[int, Hold] = {}

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

    def balances(self) -> list[Balance]:
        """Every balance, by account and asset."""
        return [self._balances[key] for key in sorted(self._balances)]

    def place_hold(self, hold_id: int, balance: Balance, amount: int, reason: HoldReason, reference: int) -> Hold:
        """Set a part aside; `hold_refusal` must have said that it may."""
        assert hold_id not in self.holds
        assert hold_refusal(balance, amount) is None
        hold = Hold(hold_id, balance, amount, reason, reference)
        balance.available -= amount
        balance.held += amount
        self.holds[hold_id] = hold
        return hold

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

    def pay_from_hold(self, hold: Hold, credit: Balance, amount: int, code: PostingCode, reference: int) -> Posting:
        """Move a part of what is held to another balance."""
        assert 0 < amount <= hold.amount
        assert credit is not hold.balance
        self._shrink(hold, amount)
        credit.available += amount
        return _posted(hold.balance, credit, amount, code, reference)

    def _shrink(self, hold: Hold, amount: int) -> None:
        hold.amount -= amount
        hold.balance.held -= amount
        if hold.amount == 0:
            del self.holds[hold.hold_id]


def hold_refusal(balance: Balance, amount: int) -> LedgerRefusal | None:
    """Why so much may not be set aside, if so. Even who may owe can only hold what is there."""
    if amount <= 0:
        return LedgerRefusal.AMOUNT_NOT_POSITIVE
    return LedgerRefusal.INSUFFICIENT_FUNDS if balance.available < amount else None


def posting_refusal(debit: Balance, credit: Balance, amount: int) -> LedgerRefusal | None:
    """Why so much may not be moved from what is free of one balance to another, if so."""
    assert debit.asset == credit.asset
    if amount <= 0:
        return LedgerRefusal.AMOUNT_NOT_POSITIVE
    if debit is credit:
        return LedgerRefusal.SAME_BALANCE
    if not debit.may_go_negative and debit.available < amount:
        return LedgerRefusal.INSUFFICIENT_FUNDS
    if debit.total - amount < -MAX_TOTAL or credit.total + amount > MAX_TOTAL:
        return LedgerRefusal.BALANCE_LIMIT
    return None


def post(debit: Balance, credit: Balance, amount: int, code: PostingCode, reference: int) -> Posting:
    """Move what is free of one balance to another; `posting_refusal` must have said that it may."""
    assert posting_refusal(debit, credit, amount) is None
    debit.available -= amount
    credit.available += amount
    return _posted(debit, credit, amount, code, reference)


def _posted(debit: Balance, credit: Balance, amount: int, code: PostingCode, reference: int) -> Posting:
    return Posting(debit.account_id, credit.account_id, debit.asset, amount, code, reference, debit.total, credit.total)
