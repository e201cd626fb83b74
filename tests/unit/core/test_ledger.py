"""The ledger as an accountant would check it: a movement a line, and what everybody has afterwards.

Balances read ``available+held``. An outcome of ``ok`` changed what it says; a refusal's name changed nothing.
"""

import pytest

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
from fondaco.core.refusals import Refusal

OUTSIDE, ALICE, BOB, DESK = range(4)
NAMES = {"outside": OUTSIDE, "alice": ALICE, "bob": BOB}
MOST = str(MAX_TOTAL)

DEPOSITS_AND_TRANSFERS = f"""
post outside alice 100      | ok                  | -100+0    100+0    0+0
post alice   bob   30       | ok                  | -100+0    70+0     30+0
post alice   bob   71       | insufficient_funds  | -100+0    70+0     30+0
post alice   bob   70       | ok                  | -100+0    0+0      100+0
post alice   alice 1        | same_balance        | -100+0    0+0      100+0
post bob     alice 0        | amount_not_positive | -100+0    0+0      100+0
post bob     alice -5       | amount_not_positive | -100+0    0+0      100+0
post bob     bob   0        | amount_not_positive | -100+0    0+0      100+0
post alice   alice 999      | same_balance        | -100+0    0+0      100+0
post outside bob   {MOST}   | balance_limit       | -100+0    0+0      100+0
post bob     outside 100    | ok                  | 0+0       0+0      0+0
post outside bob   {MOST}   | ok                  | -{MOST}+0 0+0      {MOST}+0
post outside alice 1        | balance_limit       | -{MOST}+0 0+0      {MOST}+0
post bob     alice 1        | ok                  | -{MOST}+0 1+0      {MAX_TOTAL - 1}+0
"""
HOLDS = """
post outside alice 100      | ok                  | -100+0    100+0    0+0
hold 1       alice 60       | ok                  | -100+0    40+60    0+0
hold 2       alice 41       | insufficient_funds  | -100+0    40+60    0+0
hold 2       alice 0        | amount_not_positive | -100+0    40+60    0+0
hold 2       alice 40       | ok                  | -100+0    0+100    0+0
post alice   bob   1        | insufficient_funds  | -100+0    0+100    0+0
lower 1      -     10       | ok                  | -100+0    10+90    0+0
pay  1       bob   50       | ok                  | -100+0    10+40    50+0
hold 1       alice 10       | ok                  | -100+0    0+50     50+0
pay  2       bob   15       | ok                  | -100+0    0+35     65+0
free 2       -     25       | ok                  | -100+0    25+10    65+0
free 1       -     10       | ok                  | -100+0    35+0     65+0
hold 3       outside 1      | insufficient_funds  | -100+0    35+0     65+0
"""


@pytest.mark.parametrize("table", [DEPOSITS_AND_TRANSFERS, HOLDS])
def test_every_line_does_what_it_says(table: str) -> None:
    ledger = Ledger(EventLog())
    ledger.allow_negative(OUTSIDE)
    for line in table.strip().splitlines():
        command, outcome, balances = (part.split() for part in line.split("|"))
        assert perform(ledger, *command) == outcome[0], line
        assert [written(ledger.balance(account, "USDT")) for account in NAMES.values()] == balances, line


def perform(ledger: Ledger, verb: str, first: str, second: str, amount_text: str) -> str:
    """Make one movement, or say why not."""
    amount = int(amount_text)
    if verb == "post":
        debit, credit = ledger.balance(NAMES[first], "USDT"), ledger.balance(NAMES[second], "USDT")
        refusal = posting_refusal(debit, credit, amount)
        if refusal is None:
            ledger.post(debit, credit, amount, PostingCode.TRANSFER, 7)
        return refusal or "ok"
    if verb == "hold":
        balance = ledger.balance(NAMES[second], "USDT")
        refusal = hold_refusal(balance, amount)
        if refusal is None:
            ledger.place_hold(int(first), balance, amount, HoldReason.ORDER)
        return refusal or "ok"
    hold = ledger.holds[int(first)]
    if verb == "lower":
        ledger.lower_hold(hold, amount)
    elif verb == "pay":
        ledger.pay_from_hold(hold, ledger.balance(NAMES[second], "USDT"), amount, PostingCode.TRADE, 9)
    else:
        assert ledger.release(hold) == amount
    return "ok"


def written(balance: Balance) -> str:
    return f"{balance.available}+{balance.held}"


def test_neither_side_of_a_movement_may_leave_the_limits() -> None:
    ledger = Ledger(EventLog())
    for house in (OUTSIDE, DESK):
        ledger.allow_negative(house)
    outside, desk, bob = (ledger.balance(each, "USDT") for each in (OUTSIDE, DESK, BOB))
    ledger.post(outside, bob, MAX_TOTAL, PostingCode.DEPOSIT, 0)
    assert posting_refusal(desk, bob, 1) is Refusal.BALANCE_LIMIT  # bob's
    assert posting_refusal(outside, desk, 1) is Refusal.BALANCE_LIMIT  # the outside world's
    assert posting_refusal(bob, desk, MAX_TOTAL) is None


def test_what_has_not_been_asked_is_a_bug_of_ours() -> None:
    ledger = Ledger(EventLog())
    alice, bob = ledger.balance(ALICE, "USDT"), ledger.balance(BOB, "USDT")
    with pytest.raises(AssertionError):
        ledger.post(alice, bob, 1, PostingCode.TRANSFER, 0)
    with pytest.raises(AssertionError):
        ledger.place_hold(1, alice, 1, HoldReason.SYSTEM)
    with pytest.raises(AssertionError):
        ledger.post(alice, ledger.balance(BOB, "BTC"), 1, PostingCode.TRANSFER, 0)
    with pytest.raises(AssertionError):
        ledger.allow_negative(ALICE)
    assert [each.total for each in ledger.balances()] == [0, 0, 0]
