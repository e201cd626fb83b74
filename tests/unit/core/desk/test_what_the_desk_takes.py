"""Caps, limits, breakers, frozen and closed accounts, and the end of an instrument: what that means for positions.

Caps on positions and leverage are risk control's (EXP-92).
"""

import msgspec
import pytest

from fondaco.core.commands import ListInstrument, OpenAccount, ResetDemo, SetDeskTerms, SetQuote, SetSwapFree
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import DeskTerms
from fondaco.core.replies import AccountOpened
from fondaco.core.vocabulary import AccountKind, PositionMode, World
from support.desk_lines import GOLD, peopled, play

EXPOSURE = """
house terms max_net_lots=10    | ok
house quote 50000 50000        | ok
alice long 0.8 x5              | #1 0.8 @50000 margin 8000
bob   long 0.3 x5              | max_exposure
bob   long 0.2 x5              | #2 0.2 @50000 margin 2000     -- up to it
bob   short 2.1 x10            | max_exposure                  -- eleven tenths the other way
bob   short 2 x10              | #3 2 @50000 margin 10000
alice close #1                 | 0.8 @50000 earned 0           -- closing is never refused: 18 tenths short now
bob   short 0.1 x5             | max_exposure
bob   long 0.5 x5              | #4 0.5 @50000 margin 5000     -- 13: above the cap, but lower than it was
house terms max_net_lots=0     | ok
bob   short 0.1 x5             | #5 0.1 @50000 margin 1000
"""
LIMITS = """
house quote 50000 50000        | ok
alice limit account max_order_value 50000 | ok
alice long 1.1 x10             | max_order_value
alice long 1 x10               | #1 1 @50000 margin 5000
alice limit account max_order_value none | ok
alice limit account max_position 15 | ok
alice short 0.6 x10            | max_position                  -- both directions count
alice short 0.5 x10            | #2 0.5 @50000 margin 2500
alice close #1                 | 1 @50000 earned 0
alice long 1 x10               | #3 1 @50000 margin 5000
alice limit account max_position none | ok
alice limit account max_daily_volume 150000 | ok
alice long 0.6 x10             | max_daily_volume              -- 125,000 were opened today
alice long 0.5 x10             | #4 0.5 @50000 margin 2500
alice close #4                 | 0.5 @50000 earned 0           -- and closing does not count
bob   limit user max_leverage 20 | ok
bob   long 0.1 x21             | max_leverage
bob   long 0.1 x21 limit@40000 | e1                            -- asked about when it is due
bob   long 0.1 x20             | #5 0.1 @50000 margin 250
house quote 40000 40000        | ok
    #5 closed 0.1 @40000 earned -1000 covered 750 margin_call
    bob isolated: -750 of 250, then 0 of 0 desk 750
    #3 closed 1 @40000 earned -10000 covered 5000 margin_call
    alice isolated: -5000 of 5000, then 0 of 0 desk 5000
    e1 rejected max_leverage
"""
BREAKERS = """
house quote 50000 50000        | ok
alice long 0.1 x10 stop=49000  | #1 0.1 @50000 margin 500
alice long 0.1 x10             | #2 0.1 @50000 margin 500
house halt GOLDCASH            | ok
alice long 0.1 x10             | breaker_active
alice long 0.1 x10 limit@40000 | breaker_active
alice move #2 stop=49500       | stop 49500
alice close #2                 | 0.1 @50000 earned 0
house quote 48900 48900        | ok
    #1 closed 0.1 @48900 earned -110 stop_loss
house lift GOLDCASH            | ok
alice long 0.1 x10             | #3 0.1 @48900 margin 489
"""
FROZEN = """
house quote 50000 50000        | ok
alice long 0.1 x2 stop=49000   | #1 0.1 @50000 margin 2500
alice long 0.1 x2              | #2 0.1 @50000 margin 2500
alice close                    | account_in_use
alice freeze                   | ok
alice long 0.1 x2              | account_frozen
alice move #1 stop=49500       | account_frozen
alice close #2                 | 0.1 @50000 earned 0           -- always
house quote 48990 48990        | ok
    #1 closed 0.1 @48990 earned -101 stop_loss
alice thaw                     | ok
bob   suspend                  | ok
bob   long 0.1 x2              | user_suspended
"""
THE_END_OF_AN_INSTRUMENT = """
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
bob   short 0.1 x5             | #2 0.1 @50000 margin 1000
bob   short 1 TIN x5           | #3 1 @1000 margin 200
bob   long 0.1 x5 limit@40000  | e1
house quote 50500 50500        | ok
house wait 60                  | ok                            -- the last price is old, but it is the last
house delist GOLDCASH          | cancelled 0                   | alice 20500+0  bob 19750+200
    e1 cancelled instrument_closed
    #1 closed 1 @50500 earned 500 instrument_closed
    #2 closed 0.1 @50500 earned -50 instrument_closed
alice long 1 x5                | instrument_closed
house quote 50600 50600        | instrument_closed
bob   close #3                 | stale_quote                   -- tin is dealt as before
house quote TIN 900 900        | ok
bob   close #3                 | 1 @900 earned 100
"""
NO_LONGER_DEALT = """
house quote 50000 50000        | ok
alice long 0.2 x2              | #1 0.2 @50000 margin 5000
alice long 0.1 x2 limit@49000  | e1
house terms is_dealt=false     | ok
alice long 0.1 x2              | not_dealt
alice move #1 stop=48000       | stop 48000
alice close #1 0.1             | 0.1 @50000 earned 0 left 0.1
house quote 48500 48500        | ok
    e1 rejected not_dealt
house quote 47990 47990        | ok
    #1 closed 0.1 @47990 earned -201 stop_loss
"""


@pytest.mark.parametrize("text", [EXPOSURE, LIMITS, BREAKERS, FROZEN, THE_END_OF_AN_INSTRUMENT, NO_LONGER_DEALT])
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)


def test_a_demo_account_is_reset_once_it_has_no_positions_and_stays_what_it_was() -> None:
    table, demo = peopled(), World.DEMO
    table.give(ListInstrument(msgspec.structs.replace(GOLD, world=demo)))
    table.give(SetDeskTerms(DeskTerms(demo, "GOLDCASH", is_dealt=True, min_lots=1, max_lots=100)))
    opened = table.give(
        OpenAccount("alice", demo, "CASH", AccountKind.MARGIN, grant=9_000, position_mode=PositionMode.NETTING)
    ).reply
    assert isinstance(opened, AccountOpened)
    table.accounts["play"] = opened.account_id
    table.give(SetSwapFree(opened.account_id, is_swap_free=True))
    table.give(SetQuote(demo, "GOLDCASH", "a feed", 0, (Quote(50_000, 50_000, table.now_ns, 50_000, 1),)))
    play(
        table,
        """
play  long 0.1 x5              | #1 0.1 @50000 margin 1000
play  reset 9000               | account_in_use
play  close #1                 | 0.1 @50000 earned 0
play  long 0.1 x5 limit@40000  | e1
play  reset 9000               | account_in_use
play  cancel e1                | ok
    e1 cancelled cancelled_by_owner
""",
    )
    renewed = table.give(ResetDemo(opened.account_id, 9_000)).reply
    assert isinstance(renewed, AccountOpened)
    account = table.machine.house.accounts[renewed.account_id]
    assert (account.kind, account.position_mode, account.is_swap_free) == (
        AccountKind.MARGIN,
        PositionMode.NETTING,
        True,
    )
    table.accounts["anew"] = renewed.account_id
    play(table, "anew long 0.1 x5 | #2 0.1 @50000 margin 1000 | anew 8000+1000  play 9000+0")
