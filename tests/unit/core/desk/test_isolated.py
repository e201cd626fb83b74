"""Positions that answer with their own margin: the first tick of a margin call, who pays for gaps, what comes first.

A margin call comes at 90 % of the margin (EXP-84), and no payout takes a balance below zero (EXP-90).
"""

import pytest

from support.desk_lines import peopled, play

FIRST_TICKS = """
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
bob   short 1 x10              | #2 1 @50000 margin 5000
house quote 46510 46510        | ok                             -- a loss of 3,490: not yet 70 %
house quote 46500 46500        | ok
    #1 warned: 1500 of 5000
house quote 46600 46600        | ok
house quote 46400 46400        | ok                             -- once in its life
house quote 45510 45510        | ok                             -- a loss of 4,490
house quote 45500 45500        | ok                             | alice 15500+0
    #1 closed 1 @45500 earned -4500 margin_call
    alice isolated: 500 of 5000, then 0 of 0
house quote 53490 53490        | ok
house quote 53500 53500        | ok
    #2 warned: 1500 of 5000
house quote 54490 54490        | ok
house quote 54500 54500        | ok                             | bob 15500+0
    #2 closed 1 @54500 earned -4500 margin_call
    bob isolated: 500 of 5000, then 0 of 0
"""
BETWEEN_TICKS = """
-- A margin of 7,143: 90 % of it are 6,428.7, and a loss of 6,420 is not enough.
house quote 50000 50000        | ok
alice long 1 x7                | #1 1 @50000 margin 7143
house quote 43580 43580        | ok
    #1 warned: 723 of 7143
house quote 43570 43570        | ok
    #1 closed 1 @43570 earned -6430 margin_call
    alice isolated: 713 of 7143, then 0 of 0
"""
THE_RATES_OF_ITS_OPENING = """
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
house rules margin_call_ppm=500000 loss_warning_ppm=400000 | ok
bob   long 1 x10               | #2 1 @50000 margin 5000
house quote 48000 48000        | ok
    #2 warned: 3000 of 5000
house quote 47500 47500        | ok
    #2 closed 1 @47500 earned -2500 margin_call
    bob isolated: 2500 of 5000, then 0 of 0
house quote 45500 45500        | ok                             -- both at once: it is closed, and not warned before
    #1 closed 1 @45500 earned -4500 margin_call
    alice isolated: 500 of 5000, then 0 of 0
"""
A_GAP = """
house fund 1500                | ok                             | insurance 1500+0
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
bob   long 1 x10               | #2 1 @50000 margin 5000
house quote 44000 44000        | ok         | alice 15000+0  bob 15000+0  insurance 0+0  desk 11500+0
    #1 closed 1 @44000 earned -6000 covered 1000 margin_call
    alice isolated: -1000 of 5000, then 0 of 0 insurance 1000
    #2 closed 1 @44000 earned -6000 covered 1000 margin_call
    bob isolated: -1000 of 5000, then 0 of 0 insurance 500 desk 500
"""
A_CLOSE_BEYOND_THE_MARGIN = """
-- With rules that call at the whole margin, an owner can close a part that has lost nearly all of its own.
house rules margin_call_ppm=1000000 | ok
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
house quote 45010 45010        | ok
    #1 warned: 10 of 5000
alice close #1 0.5             | 0.5 @45010 earned -2495 left 0.5 | alice 15005+2500
"""
WHAT_COMES_FIRST = """
house terms guarantee_ppm=1000 guarantee_distance_ppm=1000 | ok
house quote 50000 50000        | ok
alice long 1 x10 stop=46000    | #1 1 @50000 margin 5000       -- its call is at 45,500
alice long 1 x10 stop=45510 guaranteed | #2 1 @50000 margin 5000 | alice 9950+10000
alice long 0.1 x10 stop=46000 trail=1000 | #3 0.1 @50000 margin 500
alice long 0.1 x2 trail=1000   | #4 0.1 @50000 margin 2500
house quote 45400 45400        | ok
    #3 closed 0.1 @45400 earned -460 margin_call
    alice isolated: 40 of 500, then 0 of 0
    #4 closed 0.1 @45400 earned -460 trailing_stop
    #1 closed 1 @45400 earned -4600 margin_call
    alice isolated: 400 of 5000, then 0 of 0
    #2 closed 1 @45510 earned -4490 stop_loss
"""
A_STOP_BEFORE_A_TRAIL = """
house quote 50000 50000        | ok
alice long 0.1 x2 stop=49000 trail=500 | #1 0.1 @50000 margin 2500
alice long 0.1 x2 stop=49600 trail=500 | #2 0.1 @50000 margin 2500
house quote 49500 49500        | ok                             -- by their first levels, 49,600 and 49,500
    #2 closed 0.1 @49500 earned -50 stop_loss
    #1 closed 0.1 @49500 earned -50 trailing_stop
"""
A_PART_CLOSED = """
-- What is left is called where it has lost its own margin: at 45,500, as the whole would have been.
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
house quote 48000 48000        | ok
alice close #1 0.5             | 0.5 @48000 earned -1000 left 0.5 | alice 16500+2500
house quote 45510 45510        | ok
    #1 warned: 255 of 2500
house quote 45500 45500        | ok
    #1 closed 0.5 @45500 earned -2250 margin_call
    alice isolated: 250 of 2500, then 0 of 0
"""
ADDED_TO = """
-- Adding lower moves the levels lower: two for 96,510, of whose margin of 9,651 70 % are 6,755.7 and 90 % 8,685.9.
house quote 50000 50000        | ok
alice long 1 x10               | #1 1 @50000 margin 5000
house quote 46510 46510        | ok
alice long 1 x10 to=#1         | #1 1 @46510 margin 4651
house quote 45500 45500        | ok
house quote 44880 44880        | ok
house quote 44870 44870        | ok
    #1 warned: 2881 of 9651
house quote 43910 43910        | ok
    #1 closed 2 @43910 earned -8690 margin_call
    alice isolated: 961 of 9651, then 0 of 0
"""


@pytest.mark.parametrize(
    "text",
    [
        FIRST_TICKS,
        BETWEEN_TICKS,
        THE_RATES_OF_ITS_OPENING,
        A_GAP,
        A_CLOSE_BEYOND_THE_MARGIN,
        WHAT_COMES_FIRST,
        A_STOP_BEFORE_A_TRAIL,
        A_PART_CLOSED,
        ADDED_TO,
    ],
)
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)
