"""Treasury, people, limits and breakers, line by line (BHC-21, BHC-22, BHC-41 to BHC-43, BHC-60 to BHC-63).

How to read the tables stands in `support.ledger_lines`.
"""

import msgspec
import pytest

from fondaco.core.commands import SetLimit
from fondaco.core.events import RiskAlert
from fondaco.core.ledger import MAX_TOTAL, HoldChanged, Posting
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Refused
from fondaco.core.state import Breaker
from fondaco.core.vocabulary import LimitName, LimitScope, World
from support.ledger_lines import GOLD_CASH, SECOND_NS, Table

TREASURY = f"""
alice deposit CASH 50         | ok                    | alice 1050+0 0+0
alice deposit CASH 0          | amount_not_positive
alice deposit CASH -5         | amount_not_positive
alice deposit TIN 5           | unknown_asset
alice deposit CASH {MAX_TOTAL} | balance_limit
ghost deposit CASH 5          | unknown_account
alice withdraw CASH 300       | held                  | alice 750+300 0+0
alice withdraw CASH 751       | insufficient_funds
alice withdraw CASH 0         | amount_not_positive
alice withdraw TIN 1          | unknown_asset
alice buy 8 @100              | insufficient_funds    -- what goes out cannot buy
house settle 1                | ok                    | alice 750+0 0+0
house settle 1                | unknown_hold
alice withdraw CASH 100       | held                  | alice 650+100 0+0
house release 2               | ok                    | alice 750+0 0+0
alice hold CASH 70            | held                  | alice 680+70 0+0
house settle 3                | not_a_withdrawal
house release 3               | ok                    | alice 750+0 0+0
alice buy 1 @100              | open
house release_order #1        | hold_of_order
house settle 0                | unknown_hold
alice transfer alice2 CASH 48 | ok                    | alice 600+102 0+0  alice2 48+0 0+0
alice transfer alice2 CASH 601 | insufficient_funds
alice transfer alice2 CASH 0  | amount_not_positive
alice transfer alice CASH 1   | same_balance
alice transfer bob CASH 1     | foreign_account
alice transfer ghost CASH 1   | foreign_account
alice transfer play CASH 1    | wrong_world
alice transfer alice2 TIN 1   | unknown_asset
alice2 withdraw CASH 48       | held
house settle 4                | ok
alice2 close                  | ok
alice transfer alice2 CASH 1  | account_closed
alice2 deposit CASH 1         | account_closed
alice2 cancel_all             | account_closed
"""
PEOPLE = """
bob   sell 5 @100             | open
alice freeze                  | ok
alice buy 1 @100              | account_frozen
alice amend #1 1              | account_frozen
alice withdraw CASH 1         | account_frozen
alice transfer alice2 CASH 1  | account_frozen
alice deposit CASH 1          | ok                    | alice 1001+0 0+0
alice thaw                    | ok
alice buy 1 @90               | open
alice suspend                 | ok
alice buy 1 @90               | user_suspended
alice2 withdraw CASH 1        | user_suspended
alice freeze                  | ok
alice buy 1 @90               | user_suspended
alice cancel #2               | cancelled 1           -- always
alice readmit                 | ok
alice thaw                    | ok
alice close                   | account_in_use        -- it has money
ghost thaw                    | unknown_account
ghost suspend                 | unknown_user
ghost buy 1 @100              | unknown_account
ghost cancel #1               | unknown_account
ghost cancel_all              | unknown_account
ghost amend #1 2              | unknown_account
alice cancel #1               | unknown_order         -- bob's
alice admit                   | user_exists
ghost open trading CASH       | unknown_user
alice open trading CASH house | wrong_world
alice grant trading 5         | wrong_world
alice grant demo -5           | out_of_range
alice open trading TIN        | unknown_asset
alice grant demo 1000         | ok
play  buy 1 @100              | unknown_symbol        -- no such market in that world
play  reset -1                | out_of_range
play  reset 1000              | ok
play  reset 1000              | account_closed
play  thaw                    | account_closed
alice reset 1000              | wrong_world
"""
LIMITS = """
alice limit account max_open_orders 1 | ok
alice buy 1 @10               | open
alice buy 1 @10               | max_open_orders
alice limit account max_open_orders none | ok
alice limit account max_open_orders none | unknown_limit
alice limit user max_order_value 100 | ok
alice2 buy 10 @10             | open                  -- up to it
alice2 buy 101 @1             | max_order_value
alice limit user max_order_value none | ok
alice limit symbol max_position 15 | ok
alice2 buy 6 @10              | max_position          -- ten are ordered
alice2 buy 5 @10              | open
alice2 cancel_all             | cancelled 2
bob   sell 40 @10             | partially_filled 1 fee 1 | alice 989+0 1+0
alice limit symbol max_position none | ok
alice limit platform max_daily_volume 100 | ok
alice buy 9 @10               | filled 9 fee 2        -- 10 and 90
alice buy 1 @10               | max_daily_volume
house wait 86400              | ok
alice buy 10 @10              | filled 10 fee 2
alice limit platform max_daily_volume none | ok
alice limit account max_open_orders -1 | bad_limit
alice limit account max_order_value 5 TIN | bad_limit
ghost limit account max_open_orders 5 | bad_limit
ghost limit user max_open_orders 5 | bad_limit
alice limit platform max_position 5 TIN | bad_limit
"""
BREAKERS = """
bob   sell 5 @100             | open
house halt GOLDCASH           | ok
alice buy 1 @100              | breaker_active
bob   cancel #1               | cancelled 5
house lift GOLDCASH           | ok
house lift GOLDCASH           | unknown_breaker
house lift                    | unknown_breaker
house halt                    | ok                    -- the whole world
alice buy 1 @100              | breaker_active
house lift                    | ok
alice buy 1 @100              | open
house halt TINCASH            | unknown_symbol
house halt GOLDCASH 5         | expiry_passed
house delist TINCASH          | unknown_symbol
house delist GOLDCASH         | cancelled 1           | #2 cancelled:instrument_closed
house delist GOLDCASH         | instrument_closed
alice buy 1 @100              | instrument_closed
"""


@pytest.mark.parametrize("table", [TREASURY, PEOPLE, LIMITS, BREAKERS])
def test_every_line_does_what_it_says(table: str) -> None:
    table_of(table)


def table_of(text: str) -> Table:
    played = Table()
    played.open("alice", cash=1_000)
    played.open("alice2", cash=1_000 if text is LIMITS else 0, user="alice")
    played.open("bob", gold=100)
    played.open("play", user="alice", world=World.DEMO)
    played.check(text)
    return played


def test_a_limit_alerts_staff() -> None:
    played = Table()
    account_id = played.open("alice", cash=1_000)
    limit = SetLimit(World.TRADING, LimitScope.ACCOUNT, str(account_id), LimitName.MAX_ORDER_VALUE, "CASH", 10)
    played.give(limit)
    played.check("alice buy 11 @1 | max_order_value")
    alerts = [each for each in played.events if isinstance(each, RiskAlert)]
    assert [(each.severity, each.kind, each.entity) for each in alerts] == [
        ("medium", "max_order_value", f"account:{account_id}")
    ]
    assert str(account_id) in alerts[0].message


def test_a_withdrawal_is_held_and_then_gone_for_the_outside_world() -> None:
    played = Table()
    account_id = played.open("alice", cash=100)
    played.check("alice withdraw CASH 30 | held | alice 70+30 0+0")
    (held,) = (each for each in played.events if isinstance(each, HoldChanged))
    assert (held.account_id, held.asset, held.amount, held.reason) == (account_id, "CASH", 30, "withdrawal")
    played.check("house settle 1 | ok | alice 70+0 0+0")
    (posting,) = (each for each in played.events if isinstance(each, Posting))
    assert (posting.debit_account_id, posting.credit_account_id, posting.amount) == (account_id, 1, 30)
    assert (posting.code, posting.debit_after, posting.credit_after) == ("withdrawal", 70, -70)
    assert posting.reference == held.hold_id


def test_a_market_that_moves_too_far_halts_itself_and_goes_on_after_its_pause() -> None:
    terms = msgspec.structs.replace(
        GOLD_CASH, breaker_move_ppm=50_000, breaker_window_ns=10 * SECOND_NS, breaker_pause_ns=5 * SECOND_NS
    )
    played = Table(terms)
    played.open("alice", cash=10_000)
    played.open("bob", gold=100)
    played.check("""
        bob   sell 1 @100 | open
        alice buy 1 @100  | filled 1 fee 2
        bob   sell 1 @105 | open
        alice buy 1 @105  | filled 1 fee 3     -- five per cent are not more than five per cent
        bob   sell 1 @106 | open
        alice buy 1 @106  | filled 1 fee 3
        alice buy 1 @100  | breaker_active
        house wait 4      | ok
        alice buy 1 @100  | breaker_active
        house wait 1      | ok
        bob   sell 2 @111 | open               -- measured from 106 now
        alice buy 1 @111  | filled 1 fee 3
        house wait 10     | ok
        alice buy 1 @130  | filled 1 fee 3     -- at 111, which begins a new window
        bob   sell 1 @116 | open
        alice buy 1 @116  | filled 1 fee 3
        bob   sell 1 @117 | open
        alice buy 1 @117  | filled 1 fee 3     -- more than five per cent above 111
        alice buy 1 @100  | breaker_active
    """)
    assert [each for each in played.events if isinstance(each, Breaker)] == []


def test_every_listing_that_is_wrong_is_refused() -> None:
    played = Table()
    for word, refusal in (
        ("GOLD 0", Refusal.ASSET_EXISTS),
        ("TIN 19", Refusal.BAD_SCALE),
        ("tin 0", Refusal.BAD_TEXT),
        (f"{'T' * 21} 0", Refusal.BAD_TEXT),
    ):
        code, scale = word.split()
        assert played.list_asset(code, int(scale)) == Refused(refusal)
    for changed, refusal in (
        ({}, Refusal.INSTRUMENT_EXISTS),
        ({"world": World.DEMO, "tick": 0}, Refusal.BAD_TICK_SIZE),
        ({"world": World.DEMO, "instrument": played.pair("TIN", "CASH")}, Refusal.ASSET_MISMATCH),
        ({"world": World.DEMO, "instrument": played.pair("GOLD", "CASH", scale=1)}, Refusal.ASSET_MISMATCH),
        ({"world": World.DEMO, "instrument": played.pair("GOLD", "CASH", scale=19)}, Refusal.BAD_SCALE),
        ({"world": World.DEMO, "instrument": played.pair("go/ld", "CASH")}, Refusal.BAD_TEXT),
    ):
        assert played.list_instrument(changed) == Refused(refusal)
