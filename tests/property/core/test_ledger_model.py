"""The ledger against a model that an apprentice could keep: a number for each account, and a list of holds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fondaco.core.eventlog import EventLog
from fondaco.core.ledger import (
    MAX_TOTAL,
    Balance,
    HoldReason,
    Ledger,
    PostingCode,
    hold_refusal,
    posting_refusal,
)

OUTSIDE = 0
accounts = st.integers(OUTSIDE, 3)
assets = st.sampled_from(["BTC", "USDT"])
amounts = st.one_of(st.integers(-2, 50), st.integers(MAX_TOTAL - 60, MAX_TOTAL + 1))


class Books(RuleBasedStateMachine):
    """Everything is done to the ledger and written down by hand."""

    @initialize()
    def open(self) -> None:
        """Open both."""
        self.ledger = Ledger(EventLog())
        self.ledger.allow_negative(OUTSIDE)
        self.totals: dict[tuple[int, str], int] = {}
        self.holds: dict[int, tuple[int, str, int]] = {}
        self.next_hold = 1

    @rule(debit=accounts, credit=accounts, asset=assets, amount=amounts)
    def post(self, debit: int, credit: int, asset: str, amount: int) -> None:
        """Move something that is free."""
        out, into = self.ledger.balance(debit, asset), self.ledger.balance(credit, asset)
        may = (
            amount > 0
            and debit != credit
            and (debit == OUTSIDE or self._free(debit, asset) >= amount)
            and self._total(debit, asset) - amount >= -MAX_TOTAL
            and self._total(credit, asset) + amount <= MAX_TOTAL
        )
        assert (posting_refusal(out, into, amount) is None) == may
        if may:
            self.ledger.post(out, into, amount, PostingCode.TRANSFER, 0)
            self._move(debit, credit, asset, amount)

    @rule(account=accounts, asset=assets, amount=amounts)
    def hold(self, account: int, asset: str, amount: int) -> None:
        """Set something aside."""
        balance = self.ledger.balance(account, asset)
        may = amount > 0 and self._free(account, asset) >= amount
        assert (hold_refusal(balance, amount) is None) == may
        if may:
            self.ledger.place_hold(self.next_hold, balance, amount, HoldReason.ORDER)
            self.holds[self.next_hold] = (account, asset, amount)
            self.next_hold += 1

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), to=accounts)
    def use_hold(self, data: st.DataObject, to: int) -> None:
        """Pay out of a hold, lower it or release it."""
        hold_id = data.draw(st.sampled_from(sorted(self.holds)))
        account, asset, held = self.holds[hold_id]
        amount = data.draw(st.integers(1, held))
        hold = self.ledger.holds[hold_id]
        if account == to:
            self.ledger.lower_hold(hold, amount)
        else:
            self.ledger.pay_from_hold(hold, self.ledger.balance(to, asset), amount, PostingCode.TRADE, 0)
            self._move(account, to, asset, amount)
        self.holds[hold_id] = (account, asset, held - amount)
        if amount == held:
            del self.holds[hold_id]

    @invariant()
    def the_books_agree(self) -> None:
        """Totals, holds and the sum over everybody are what was written down."""
        if not hasattr(self, "ledger"):
            return
        for balance in self.ledger.balances():
            assert (balance.total, balance.held) == self._expected(balance)
            assert balance.available >= 0 or balance.account_id == OUTSIDE
        for asset in ("BTC", "USDT"):
            assert sum(each.total for each in self.ledger.balances() if each.asset == asset) == 0
        assert {key: hold.amount for key, hold in self.ledger.holds.items()} == {
            key: amount for key, (_, _, amount) in self.holds.items()
        }

    def _expected(self, balance: Balance) -> tuple[int, int]:
        account, asset = balance.account_id, balance.asset
        return self._total(account, asset), self._total(account, asset) - self._free(account, asset)

    def _total(self, account: int, asset: str) -> int:
        return self.totals.get((account, asset), 0)

    def _free(self, account: int, asset: str) -> int:
        held = sum(amount for whose, what, amount in self.holds.values() if (whose, what) == (account, asset))
        return self._total(account, asset) - held

    def _move(self, debit: int, credit: int, asset: str, amount: int) -> None:
        self.totals[debit, asset] = self._total(debit, asset) - amount
        self.totals[credit, asset] = self._total(credit, asset) + amount


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
