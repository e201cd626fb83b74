"""Which quotes are taken, how old they may be, and in which order they set things off: see docs/desk.md."""

import pytest

from support.desk_lines import peopled, play

TAKEN_OR_NOT = """
house quote 0 10               | bad_quote
house quote 20 10              | bad_quote
house quote 15 20              | bad_quote                      -- off the tick
house quote 10 1000010         | bad_quote
house quote                    | bad_quote
house quote 10 10 10 10 10 10 10 10 | bad_quote                 -- four
house quote ORE 10 10          | unknown_symbol
house quote 49980 50000        | ok
house quote 49970 49990 age=1  | quote_out_of_order
house quote 49970 49990 age=-2 | quote_out_of_order             -- from the future
house quote 49970 49990 age=-0.9 | ok
house quote 49970 49990        | quote_out_of_order             -- older than that one
house wait 2                   | ok
house quote 49980 50000 age=0.5 | ok
house quote 49980 50000 age=9 | quote_out_of_order
house wait 20                  | ok
house quote 49980 50000 age=11 | stale_quote
house quote 49980 50000 age=10 | ok
"""
STALE = """
alice long 1 x5                | no_quote
alice long 1 x5 limit@40000    | no_quote
house quote 49980 50000        | ok
alice long 0.1 x5              | #1 0.1 @50000 margin 1000
house wait 9                   | ok
alice long 0.1 x5              | #2 0.1 @50000 margin 1000
house wait 1                   | ok
alice long 0.1 x5              | stale_quote
alice close #1                 | stale_quote
house close #1                 | stale_quote
alice move #1 stop=49000       | stale_quote
alice long 0.1 x5 limit@40000  | stale_quote
house rules max_quote_age_ns=60000000000 | ok
alice close #1                 | 0.1 @49980 earned -2
"""
THE_LAST_MOMENT = """
-- A command comes a microsecond after the last one.
house rules max_quote_age_ns=2000 | ok
house quote 49980 50000        | ok
alice long 0.1 x5              | #1 0.1 @50000 margin 1000
alice long 0.1 x5              | #2 0.1 @50000 margin 1000
alice long 0.1 x5              | stale_quote
house quote 49980 50000 age=0.000003 | stale_quote
house quote 49980 50000 age=0.000002 | ok
alice long 0.1 x5              | stale_quote
"""
BOTH_EXTREMES = """
-- A low and a high were passed since the last command, and the price is back where it was.
house quote 50000 50000        | ok
alice long 0.1 x2 stop=49000 take=51000 | #1 0.1 @50000 margin 2500
house quote 48990 49000 51010 51020 50000 50000 | ok
    #1 closed 0.1 @48990 earned -101 stop_loss
alice long 0.1 x2 stop=49000 take=51000 | #2 0.1 @50000 margin 2500
house quote 51010 51020 48990 49000 50000 50000 | ok
    #2 closed 0.1 @51010 earned 101 take_profit
alice long 0.1 x2 trail=1500   | #3 0.1 @50000 margin 2500
house quote 48600 48600 50400 50400 49000 49000 | ok            -- 48,500 at first; the high makes it 48,900
house quote 50500 50500 49000 49000 49500 49500 | ok            -- the high makes it 49,000
    #3 closed 0.1 @49000 earned -100 trailing_stop
"""
BY_CROSSING_AND_ID = """
house quote 50000 50000        | ok
alice long 0.1 x2 stop=49000   | #1 0.1 @50000 margin 2500
bob   long 0.1 x2 stop=49500   | #2 0.1 @50000 margin 2500
alice long 0.1 x2 stop=49500   | #3 0.1 @50000 margin 2500
bob   short 0.1 x2 take=49600  | #4 0.1 @50000 margin 2500
alice short 0.1 x2 take=49800  | #5 0.1 @50000 margin 2500
bob   long 0.1 x2 limit@49700  | e1
alice long 0.1 x2 limit@49900  | e2
bob   short 0.1 x2 stop@49900  | e3
house quote 48000 48000        | ok
    #2 closed 0.1 @48000 earned -200 stop_loss
    #3 closed 0.1 @48000 earned -200 stop_loss
    #1 closed 0.1 @48000 earned -200 stop_loss
    #5 closed 0.1 @48000 earned 200 take_profit
    #4 closed 0.1 @48000 earned 200 take_profit
    #6 opened 0.1 @48000 margin 2400
    e2 filled #6
    #7 opened 0.1 @48000 margin 2400
    e1 filled #7
    #8 opened 0.1 @48000 margin 2400
    e3 filled #8
"""
RISING = """
house quote 50000 50000        | ok
alice short 0.1 x2 stop=50700  | #1 0.1 @50000 margin 2500
bob   short 0.1 x2 stop=50500  | #2 0.1 @50000 margin 2500
alice long 0.1 x2 take=50800   | #3 0.1 @50000 margin 2500
bob   long 0.1 x2 take=50600   | #4 0.1 @50000 margin 2500
alice long 0.1 x2 stop@50900   | e1
alice short 0.1 x2 limit@50300 | e2
house quote 51000 51000        | ok
    #2 closed 0.1 @51000 earned -100 stop_loss
    #1 closed 0.1 @51000 earned -100 stop_loss
    #4 closed 0.1 @51000 earned 100 take_profit
    #3 closed 0.1 @51000 earned 100 take_profit
    #5 opened 0.1 @51000 margin 2550
    e1 filled #5
    #6 opened 0.1 @51000 margin 2550
    e2 filled #6
"""
ACCOUNTS_FIRST = """
-- A stop-out looks at the account before any single stop is looked at, and takes the entries along.
house quote 50000 50000        | ok
alice long 2 x5 cross stop=49000 | #1 2 @50000 margin 20000
alice long 0.1 x5 limit@49500  | e1
bob   long 0.1 x2 stop=49900   | #2 0.1 @50000 margin 2500
house quote 45000 45000        | ok
    e1 cancelled stop_out
    #1 closed 2 @45000 earned -10000 stop_out
    alice largest_loss: 10000 of 20000, then 10000 of 0
    #2 closed 0.1 @45000 earned -500 stop_loss
"""


@pytest.mark.parametrize(
    "text", [TAKEN_OR_NOT, STALE, THE_LAST_MOMENT, BOTH_EXTREMES, BY_CROSSING_AND_ID, RISING, ACCOUNTS_FIRST]
)
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)
