"""Opens that wait for a price: what they fill at, what becomes of them, and what they are not allowed to be.

One that cannot open stops nobody else (EXP-88).
"""

import pytest

from support.desk_lines import peopled, play

AT_THE_QUOTE = """
house quote 50000 50020        | ok
alice long 0.1 x5 limit@49500  | e1
alice long 0.1 x5 stop@50500   | e2
bob   short 0.1 x5 limit@50600 | e3
bob   short 0.1 x5 stop@49300  | e4
alice deposit CASH 1           | ok                            | alice 20001+0 -- nothing is held
house quote 49490 49510        | ok                            -- an open long buys at the ask
house quote 49470 49480        | ok                            -- a limit gets the better price
    #1 opened 0.1 @49480 margin 990
    e1 filled #1
house quote 49310 49330        | ok
house quote 49100 49120        | ok                            -- and a stop the worse one
    #2 opened 0.1 @49100 margin 982
    e4 filled #2
house quote 50480 50490        | ok
house quote 50590 50700        | ok
    #3 opened 0.1 @50700 margin 1014
    e2 filled #3
house quote 50610 50630        | ok
    #4 opened 0.1 @50610 margin 1013
    e3 filled #4
"""
LEVELS_FROM_THE_REAL_ENTRY = """
house quote 50000 50000        | ok
alice long 1 x10 limit@49000 stop=500CASH take=1000CASH trail=100% | e1
house quote 48000 48000        | ok
    #1 opened 1 @48000 margin 4800
    e1 filled #1
alice move #1 trail=none       | stop 47500 take 49000
bob   long 1 x10 stop@48500 stop=48400 | e2                    -- right of 48,500
house quote 48300 48500        | ok                            -- and wrong where it came to be opened
    e2 rejected stop_wrong_side
"""
REJECTED = """
house quote 50000 50000        | ok
alice long 3 x5 limit@49500    | e1                            -- 29,700 it will need
bob   long 0.1 x5 limit@49500  | e2
bob   long 0.1 x5 limit@49400  | e3
nora  long 0.1 x5 limit@49500  | e4
nora  long 0.1 x10 limit@49500 | e5                            -- not the leverage of what stands by then
house terms max_net_lots=2     | ok
house quote 49500 49500        | ok
    e1 rejected max_exposure
    #1 opened 0.1 @49500 margin 990
    e2 filled #1
    #2 opened 0.1 @49500 margin 990
    e4 filled #2
    e5 rejected leverage_differs
house terms max_net_lots=0     | ok
house halt GOLDCASH            | ok
house quote 49400 49400        | ok
    e3 rejected breaker_active
house lift GOLDCASH            | ok
alice long 3 x5 limit@49300    | e6
alice long 0.1 x5 limit@49200  | e7
house quote 49300 49300        | ok
    e6 rejected insufficient_margin
alice freeze                   | ok
house quote 49200 49200        | ok
    e7 rejected account_frozen
"""
ENDING = """
house quote 50000 50000        | ok
alice long 0.1 x5 limit@49500 until=5 | e1
alice long 0.1 x5 limit@49500  | e2
bob   cancel e1                | unknown_entry                 -- another's looks missing
alice cancel e2                | ok
    e2 cancelled cancelled_by_owner
alice cancel e2                | unknown_entry
house wait 4                   | ok
house quote 49600 49600        | ok
house wait 1                   | ok
    e1 expired time_passed
house quote 49500 49500        | ok
alice long 0.1 x5 limit@49000  | e3
alice freeze                   | ok
alice long 0.1 x5 limit@49000  | account_frozen
alice cancel e3                | ok                            -- always
    e3 cancelled cancelled_by_owner
"""
AS_THEY_ARE_WRITTEN = """
house quote 49980 50000        | ok
alice long 0.1 x5 limit@50000  | would_trigger_now
alice long 0.1 x5 stop@50000   | would_trigger_now
alice short 0.1 x5 limit@49980 | would_trigger_now
alice short 0.1 x5 stop@49980  | would_trigger_now
alice long 0.1 x5 limit@0      | price_not_positive
alice long 0.1 x5 limit@49995  | bad_tick
alice long 0.1 x5 stop@1000010 | price_too_high
alice long 0.1 x5 limit@49000 until=0 | expiry_passed
alice long 0.1 x5 limit@49000 stop=49000 | stop_wrong_side     -- against its own price
alice long 0.1 x5 limit@49000 take=49000 | take_wrong_side
alice long 0.1 x5 limit@49000 stop=48990 take=49010 | e1
alice long 0 x5 limit@49000    | quantity_not_positive
alice long 0.1 x200 limit@49000 | leverage_out_of_range
"""
NETTED = """
house quote 50000 50000        | ok
nora  long 1 x5                | #1 1 @50000 margin 10000
nora  short 1.5 x4 limit@50500 | e1
house quote 50600 50600        | ok                            | nora 14275+6325
    #1 closed 1 @50600 earned 600 netted
    #2 opened 0.5 @50600 margin 6325
    e1 filled #2
nora  long 0.5 x4 limit@50000  | e2
house quote 50000 50000        | ok                            | nora 20900+0
    #2 closed 0.5 @50000 earned 300 netted
    e2 filled
"""


@pytest.mark.parametrize(
    "text", [AT_THE_QUOTE, LEVELS_FROM_THE_REAL_ENTRY, REJECTED, ENDING, AS_THEY_ARE_WRITTEN, NETTED]
)
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)


def test_an_entry_that_has_its_price_while_another_is_filled_waits_for_its_own_turn() -> None:
    table = peopled()
    play(
        table,
        """
house quote 50000 50000        | ok
alice long 0.5 x5 limit@49500  | e1
alice long 3.5 x5 limit@49500  | e2
alice long 0.1 x5 limit@49600  | e3
house quote 49500 49500        | ok                            -- by falling price, then in the order of their ids
    #1 opened 0.1 @49500 margin 990
    e3 filled #1
    #2 opened 0.5 @49500 margin 4950
    e1 filled #2
    e2 rejected insufficient_margin
""",
    )
