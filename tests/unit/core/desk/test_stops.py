"""Stop losses, targets, trailing and guaranteed stops, line by line: see `support.desk_lines` and docs/desk.md.

Margin call, then stop loss, then take profit (EXP-83); what is not set never fires (EXP-85).
"""

import pytest

from support.desk_lines import peopled, play

AS_THEY_ARE_SAID = """
house quote 50000 50000        | ok
alice long 0.7 x10 stop=500CASH take=500CASH trail=200CASH | #1 0.7 @50000 margin 3500
alice move #1 stop=20%         | stop 49000 take 50720 trail 290 -- 49,285.7 down was the stop, 50,714.3 up the target
alice move #1 stop=500CASH take=none | stop 49280 trail 290
alice move #1 trail=none       | stop 49280
alice move #1 stop=49000       | stop 49000
alice move #1 stop=none        | no stops
alice move #1                  | nothing_to_change
alice short 0.7 x10 stop=500CASH take=500CASH trail=2% | #2 0.7 @50000 margin 3500
alice move #2 stop=500CASH     | stop 50720 take 49280 trail 100
alice move #2 trail=70CASH     | stop 50720 take 49280 trail 100
alice move #2 trail=71CASH     | stop 50720 take 49280 trail 110
"""
WHAT_IS_NO_LEVEL = """
house quote 49980 50000        | ok
alice long 1 x10 stop=0        | bad_level
alice long 1 x10 stop=-10      | bad_level
alice long 1 x10 stop=49005    | bad_level                     -- off the tick
alice long 1 x10 trail=15      | bad_level
alice long 1 x10 take=1000010  | bad_level                     -- above the highest price
alice long 1 x10 stop=60000CASH | bad_level                    -- below zero
alice long 1 x10 stop=49980    | stop_wrong_side
alice long 1 x10 take=49980    | take_wrong_side
alice short 1 x10 stop=50000   | stop_wrong_side
alice short 1 x10 take=50000   | take_wrong_side
alice long 1 x10 stop=49970 take=49990 | #1 1 @50000 margin 5000
alice move #1 stop=49990       | stop_wrong_side
alice move #9 stop=49000       | unknown_position
bob   move #1 stop=49000       | unknown_position
house quote 49980 50000        | ok                             -- what stays is not asked about
alice move #1 trail=100        | stop 49970 take 49990 trail 100
"""
TARGETS = """
house quote 49980 50000        | ok
alice long 0.1 x10 take=50500  | #1 0.1 @50000 margin 500
bob   short 0.1 x10 take=49500 | #2 0.1 @49980 margin 500
house quote 50490 50500        | ok                             -- it is the bid that counts
house quote 50700 50710        | ok                             | alice 20070+0
    #1 closed 0.1 @50700 earned 70 take_profit
house quote 49490 49510        | ok
house quote 49400 49500        | ok                             | bob 20048+0
    #2 closed 0.1 @49500 earned 48 take_profit
"""
TRAILING = """
house quote 50000 50010        | ok
alice long 0.1 x2 trail=500    | #1 0.1 @50010 margin 2501      -- at 49,500
bob   short 0.1 x2 trail=500   | #2 0.1 @50000 margin 2500      -- at 50,510
house quote 50300 50310        | ok                             -- alice's is at 49,800 now
house quote 49810 49820        | ok                             -- bob's at 50,320
house quote 49900 49910        | ok                             -- and neither goes back
house quote 49810 49820        | ok
house quote 49800 49810        | ok
    #1 closed 0.1 @49800 earned -21 trailing_stop
house quote 50290 50300        | ok
house quote 50300 50310        | ok                             -- bob's stands at 50,310 since the ask was 49,810
    #2 closed 0.1 @50310 earned -31 trailing_stop
"""
ANOTHER_DISTANCE = """
house quote 50000 50000        | ok
alice long 0.1 x2 trail=500    | #1 0.1 @50000 margin 2500
house quote 50400 50400        | ok                             -- its mark
house quote 50200 50200        | ok
alice move #1 trail=300        | trail 300                      -- at 50,100: from the mark, not from here
house quote 50110 50110        | ok
house quote 50100 50100        | ok
    #1 closed 0.1 @50100 earned 10 trailing_stop
alice long 0.1 x2 trail=300    | #2 0.1 @50100 margin 2505
house quote 50400 50400        | ok
alice move #2 trail=none       | no stops
house quote 50000 50000        | ok
alice move #2 trail=300        | trail 300                      -- set anew, from here: 49,700
house quote 49710 49710        | ok
house quote 49700 49700        | ok
    #2 closed 0.1 @49700 earned -40 trailing_stop
"""
SET_TOO_CLOSE = """
-- A mark has run ahead: a stop moved so close that it is met already closes at the next quote, even an equal one.
house quote 50000 50000        | ok
alice long 0.1 x2 trail=500    | #1 0.1 @50000 margin 2500
house quote 50400 50400        | ok
house quote 50200 50200        | ok
alice move #1 trail=100        | trail 100
house quote 50200 50200        | ok
    #1 closed 0.1 @50200 earned 20 trailing_stop
"""
GUARANTEED = """
house quote 49980 50000        | ok
alice long 1 x5 stop=49000 guaranteed | guarantee_not_offered
house terms guarantee_ppm=2000 guarantee_distance_ppm=10000 | ok
alice long 1 x5 guaranteed     | guarantee_not_offered         -- it needs a stop loss
alice long 1 x5 stop=49490 guaranteed | guarantee_too_near     -- 1 % of 49,980 are 499.8: 49,480 is the nearest
alice long 1 x5 stop=49480 guaranteed | #1 1 @50000 margin 10000 | alice 9900+10000  insurance 100+0
alice move #1 stop=none        | guarantee_stands
alice move #1 stop=49490       | guarantee_too_near
alice move #1 take=51000       | stop 49480 take 51000         -- what stays is not asked about
alice long 0.5 x5 to=#1 stop=none | guarantee_stands
alice long 0.5 x5 to=#1        | #1 0.5 @50000 margin 5000     | alice 4850+15000  insurance 150+0
bob   short 1 x5 stop=50500 guaranteed | #2 1 @49980 margin 9996 | bob 9904+9996
house quote 51000 51020        | ok                            | bob 19380+0  alice 21350+0
    #2 closed 1 @50500 earned -520 stop_loss
    #1 closed 1.5 @51000 earned 1500 take_profit
"""


@pytest.mark.parametrize(
    "text",
    [AS_THEY_ARE_SAID, WHAT_IS_NO_LEVEL, TARGETS, TRAILING, ANOTHER_DISTANCE, SET_TOO_CLOSE, GUARANTEED],
)
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)
