"""Accounts that answer with all that they have: what is free, warnings, stop-outs, and losses paid from gains.

The three policies stand side by side in docs/recipes/stop-out.md, which is played as well.
"""

import pytest

from support.desk_lines import peopled, play

WHAT_IS_FREE = """
house quote 50000 50000        | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000       | alice 20000+0   -- nothing is held
alice long 1.1 x5 cross        | insufficient_margin: 11000 of 10000
house quote 50500 50500        | ok                             -- what is gained counts
alice long 1 x5 cross          | #2 1 @50500 margin 10100
alice long 0.1 x5 cross        | insufficient_margin: 1010 of 400
alice long 0.1 x5              | insufficient_margin: 1010 of 400 -- the same for what would be held
alice withdraw CASH 401        | insufficient_margin
alice withdraw CASH 20001      | insufficient_funds
alice withdraw CASH 400        | held                           | alice 19600+400
alice hold CASH 1              | insufficient_margin
house release 1                | ok
house wait 11                  | ok
alice withdraw CASH 1          | stale_quote
house quote 50500 50500        | ok
house quote 49900 49900        | ok                             -- equity 19,300 of 20,100
alice close #1                 | 1 @49900 earned -100           | alice 19900+0
alice withdraw CASH 9201       | insufficient_margin            -- 19,900 - 600 - 10,100
alice withdraw CASH 9200       | held
"""
GAINS_ARE_NO_CASH = """
-- What is gained counts as margin, but cannot be taken out before it is brought; nor can it pay a premium.
house terms guarantee_ppm=100000 | ok
house quote 50000 50000        | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
house quote 60000 60000        | ok                             -- free are 20,000
alice withdraw CASH 20000      | held                           | alice 0+20000
alice long 0.1 x6 cross stop=50000 guaranteed | insufficient_margin: 1600 of 0
house release 1                | ok
alice long 0.1 x6 cross stop=50000 guaranteed | #2 0.1 @60000 margin 1000 | alice 19400+0  insurance 600+0
"""
WHO_MAY = """
house quote 50000 50000        | ok
alice's deposit CASH 20000     | ok
alice's long 0.1 x5 cross      | margin_account_needed
alice's long 0.1 x5            | #1 0.1 @50000 margin 1000
"""
TRANSFERS = """
house quote 50000 50000        | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
house quote 45000 45000        | ok                             -- equity 15,000
alice transfer alice's CASH 5001 | insufficient_margin
alice transfer alice's CASH 5000 | ok                           | alice 15000+0  alice's 5000+0
house quote 43000 43000        | ok
    alice warned: 8000 of 10000
alice transfer alice's CASH 1  | insufficient_margin
alice deposit CASH 1000        | ok                             -- calm at 90 % it is not yet
alice deposit CASH 1           | ok
house quote 42990 42990        | ok
house quote 41990 41990        | ok
    alice warned: 7991 of 10000
"""
AT_ITS_OWN_QUOTES = """
-- A change of rules or of money warns, but closes nothing: that waits for a quote of one of the account's symbols.
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
house rules stop_out_level_ppm=2500000 warning_level_ppm=3000000 | ok
    alice warned: 20000 of 10000
house quote TIN 1000 1000      | ok
house quote 50000 50000        | ok                             -- 200 % is not above 250 %
    #1 closed 1 @50000 earned 0 stop_out
    alice largest_loss: 20000 of 10000, then 20000 of 0
"""
THE_LARGEST_LOSS = """
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
alice long 50 TIN x10 cross    | #2 50 @1000 margin 5000
house quote TIN 710 710        | ok                             -- gold is no better off; tin has lost most
    #2 closed 50 @710 earned -14500 stop_out
    alice largest_loss: 5500 of 15000, then 5500 of 10000
    alice warned: 5500 of 10000
"""
WHAT_IS_STALE_STAYS = """
house rules warning_level_ppm=500000 | ok
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
alice long 50 TIN x10 cross    | #2 50 @1000 margin 5000
house quote TIN 760 760        | ok                             -- equity 8,000 of 15,000
house wait 11                  | ok
house quote 49000 49000        | ok                             -- 7,000; tin, which lost most, has no price now
    #1 closed 1 @49000 earned -1000 stop_out
    alice largest_loss: 7000 of 15000, then 7000 of 5000
house quote TIN 700 700        | ok
house quote TIN 690 690        | ok                             -- 19,000 - 15,500
house quote TIN 670 670        | ok
    #2 closed 50 @670 earned -16500 stop_out
    alice largest_loss: 2500 of 5000, then 2500 of 0
"""
ONE_POSITION_IN_STEPS = """
-- Exactly at the level is too low: two tenths set too little free, three are enough.
house rules stop_out_policy=smallest_step | ok
house quote 50000 50000        | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
house quote 34500 34500        | ok                             -- equity 4,500 of 10,000; 4,500 x 2 is 9,000
    #1 closed 0.2 @34500 earned -3100 stop_out
    alice smallest_step: 4500 of 10000, then 4500 of 8000
    alice warned: 4500 of 8000
"""
STEPS_OF_THE_SMALLEST = """
-- In steps of 0.3; when less than that would be left, all of it.
house terms min_lots=3         | ok
house rules stop_out_policy=smallest_step | ok
house quote 50000 50000        | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
bob   long 0.5 x2 cross        | #2 0.5 @50000 margin 12500
bob   withdraw CASH 7500       | held
house quote 36000 36000        | ok                             -- alice 6,000, bob 5,500 of 12,500
    alice warned: 6000 of 10000
    #2 closed 0.5 @36000 earned -7000 stop_out
    bob smallest_step: 5500 of 12500, then 5500 of 0
house quote 34900 34900        | ok
    #1 closed 0.3 @34900 earned -4530 stop_out
    alice smallest_step: 4900 of 10000, then 4900 of 7000
"""
PAID_FROM_GAINS = """
-- Closing at a loss with no cash left: #2's gain pays what is missing and is worth so much less from then on.
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice long 1 x5 cross          | #1 1 @50000 margin 10000
alice short 20 TIN x10 cross   | #2 20 @1000 margin 2000
alice withdraw CASH 8000       | held                           | alice 12000+8000
house quote TIN 500 500        | ok                             -- 10,000 gained
house quote 37000 37000        | ok                             -- 13,000 lost, 1,000 more than there are
    alice warned: 9000 of 12000
alice close #1                 | 1 @37000 earned -13000         | alice 0+8000  desk 12000+0
alice close #2 10              | 10 @500 earned 4500 left 10    | alice 4500+8000
alice close #2                 | 10 @500 earned 4500            | alice 9000+8000  desk 3000+0
"""
IN_ORDER_OF_ID = """
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice short 5 TIN x10 cross    | #1 5 @1000 margin 500
alice short 5 TIN x10 cross    | #2 5 @1000 margin 500
alice long 1 x5 cross          | #3 1 @50000 margin 10000
house quote TIN 800 800        | ok                             -- 1,000 each
house rules stop_out_level_ppm=1 | ok
house quote 28400 28400        | ok                             -- 21,600 lost, 20,000 there, 400 left of equity
    alice warned: 400 of 11000
alice close #3                 | 1 @28400 earned -21600         | alice 0+0
alice close #1                 | 5 @800 earned 0                | alice 0+0
alice close #2                 | 5 @800 earned 400              | alice 400+0
"""
A_GUARANTEE_COUNTS = """
-- A guaranteed stop that was passed is what its position is worth: it has lost 1,900, not 15,200, and nothing is due.
house terms guarantee_ppm=1000 | ok
house quote 50000 50000        | ok
alice long 2 x5 cross stop=49000 guaranteed | insufficient_margin: 20100 of 20000
alice long 1.9 x5 cross stop=49000 guaranteed | #1 1.9 @50000 margin 19000 | alice 19905+0
house quote 42000 42000        | ok                             | alice 18005+0
    #1 closed 1.9 @49000 earned -1900 stop_loss
"""


@pytest.mark.parametrize(
    "text",
    [
        WHAT_IS_FREE,
        GAINS_ARE_NO_CASH,
        WHO_MAY,
        TRANSFERS,
        AT_ITS_OWN_QUOTES,
        THE_LARGEST_LOSS,
        WHAT_IS_STALE_STAYS,
        ONE_POSITION_IN_STEPS,
        STEPS_OF_THE_SMALLEST,
        PAID_FROM_GAINS,
        IN_ORDER_OF_ID,
        A_GUARANTEE_COUNTS,
    ],
)
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)
