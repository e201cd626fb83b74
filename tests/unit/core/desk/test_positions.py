"""Opening, adding to, netting and closing positions, line by line: see `support.desk_lines` and docs/desk.md.

A position is worth what it could be closed at: the bid for a long, the ask for a short (EXP-82).
"""

import pytest

from fondaco.core.replies import PositionClosed
from support.desk_lines import peopled, play
from support.ledger_lines import lines

OPENING = """
house quote 49980 50000        | ok
alice long 1 x5                | #1 1 @50000 margin 10000       | alice 10000+10000
alice short 1 x7               | #2 1 @49980 margin 7140        | alice 2860+17140
alice long 0.3 x5              | insufficient_margin: 3000 of 2860
alice long 0.1 x3              | #3 0.1 @50000 margin 1667      | alice 1193+18807   -- rounded up
alice long 0.1 x101            | leverage_out_of_range
alice long 0.1 x0              | leverage_out_of_range
alice long 0 x5                | quantity_not_positive
alice long -1 x5               | quantity_not_positive
alice long 1001 x5             | quantity_too_large
house terms min_lots=2         | ok
alice long 0.1 x100            | quantity_too_small
ghost long 1 x5                | unknown_account
alice long 1 ORE x5            | unknown_symbol
alice long 1 TIN x5            | no_quote
house terms TIN is_dealt=false | ok
alice long 1 TIN x5            | not_dealt
"""
ADDING = """
house quote 49980 50000        | ok
alice long 0.5 x10 stop=49000  | #1 0.5 @50000 margin 2500      | alice 17500+2500
house quote 50980 51000        | ok
alice long 0.5 x10 to=#1       | #1 0.5 @51000 margin 2550      | alice 14950+5050
alice long 0.5 x5 to=#1        | leverage_differs
alice short 0.5 x10 to=#1      | leverage_differs
alice long 0.5 x10 cross to=#1 | leverage_differs
alice long 0.5 x10 to=#9       | unknown_position
bob   long 0.5 x10 to=#1       | unknown_position               -- another's looks missing
alice long 0.5 x10             | #2 0.5 @51000 margin 2550      -- a hedging account has as many as it likes
alice short 0.5 x10            | #3 0.5 @50980 margin 2549
house quote 48900 48920        | ok                             -- the stop is that of all lots, 50,500 on average
    #1 closed 1 @48900 earned -1600 stop_loss
"""
SLIPPAGE = """
house quote 49980 50000              | ok
alice long 0.1 x5 expect=49990       | slippage
alice long 0.1 x5 expect=50000       | #1 0.1 @50000 margin 1000
alice long 0.1 x5 expect=50010       | #2 0.1 @50000 margin 1000   -- better than expected
alice long 0.1 x5 expect=49950 slip=1000 | slippage                -- 49,999.95 is the most
alice long 0.1 x5 expect=49960 slip=1000 | #3 0.1 @50000 margin 1000 -- 50,009.96 is the most
alice short 0.1 x5 expect=49990      | slippage
alice short 0.1 x5 expect=50030 slip=1000 | #4 0.1 @49980 margin 1000 -- 49,979.97 is the least
alice short 0.1 x5 expect=50031 slip=1000 | slippage               -- 49,980.969
alice close #1 expect=50000          | slippage
alice close #1 expect=50000 slip=400 | 0.1 @49980 earned -2        -- exactly at it
alice close #4 expect=49990          | slippage                    -- bought back at 50,000
alice close #4 expect=50010          | 0.1 @50000 earned -2
alice close #2 slip=5                | slippage_out_of_range
alice long 0.1 x5 slip=5             | slippage_out_of_range
alice long 0.1 x5 expect=50000 slip=1000001 | slippage_out_of_range
alice long 0.1 x5 expect=-1          | price_not_positive
"""
NETTING = """
house quote 49980 50000        | ok
nora  long 1 x10               | #1 1 @50000 margin 5000        | nora 15000+5000
nora  long 1 x5                | leverage_differs               -- it would add to the one there is
nora  long 1 x10               | #1 1 @50000 margin 5000        | nora 10000+10000
nora  short 0.5 x10            | closed 0.5 earned -10          | nora 12490+7500
nora  short 0.5 x10 stop=51000 | levels_not_allowed             -- it would only close
house quote 50480 50500        | ok
nora  short 2.5 x4 stop=51000  | closed 1.5 earned 720, #2 1 @50480 margin 12620 | nora 8090+12620
nora  long 1 x10               | closed 1 earned -20            | nora 20690+0
nora  long 1 x5                | #3 1 @50500 margin 10100
nora  long 0.1 x5 cross        | #4 0.1 @50500 margin 1010      -- the modes apart
nora  short 0.1 x2 cross       | closed 0.1 earned -2
"""
WHAT_A_FLIP_MAY_COST = """
house quote 50000 50000        | ok
nora  long 2 x5                | #1 2 @50000 margin 20000       | nora 0+20000
nora  short 4.1 x5             | insufficient_margin: 21000 of 20000
nora  short 4 x5               | closed 2 earned 0, #2 2 @50000 margin 20000 | nora 0+20000
house quote 51000 51000        | ok
nora  long 3.8 x5              | insufficient_margin: 18360 of 18000 -- what closing brings counts: -2000
nora  long 3.7 x5              | closed 2 earned -2000, #3 1.7 @51000 margin 17340 | nora 660+17340
"""
CLOSING = """
house terms min_lots=2         | ok
house quote 49980 50000        | ok
alice long 1 x5                | #1 1 @50000 margin 10000
alice close #1 0.9             | quantity_too_small             -- 0.1 would be left
alice close #1 1.1             | quantity_too_large
alice close #1 -1              | quantity_not_positive
alice close #1 0.8             | 0.8 @49980 earned -16 left 0.2
bob   close #1                 | unknown_position
house close #1                 | 0.2 @49980 earned -4
alice close #1                 | unknown_position
"""


@pytest.mark.parametrize("text", [OPENING, ADDING, SLIPPAGE, NETTING, WHAT_A_FLIP_MAY_COST, CLOSING])
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)


@pytest.mark.parametrize("direction", ["long", "short"])
@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1, 1, 1], [3, 4], [2, 2, 2, 1], [6, 1], [7]])
def test_parts_of_a_close_sum_to_the_whole_however_it_is_cut(direction: str, cuts: list[int]) -> None:
    table = peopled()
    table.check("house quote 50000 50010 | ok")
    table.do(next(lines(f"alice {direction} 0.7 x9")))
    position = table.position("#1")
    entry = position.entry_notional
    table.check("house quote 50330 50340 | ok")
    freed = 0
    for cut in cuts:
        table.do(next(lines(f"alice close #1 0.{cut}")))
        assert isinstance(table.reply, PositionClosed)
        freed += table.reply.margin
    whole = 7 * 5_033 - entry if direction == "long" else entry - 7 * 5_034
    assert (position.realised, freed) == (whole, -(-entry // 9))
    assert (position.lots, position.entry_notional, position.margin) == (0, 0, 0)
    table.check(f"alice deposit CASH 1 | ok | alice {20_001 + whole}+0")
