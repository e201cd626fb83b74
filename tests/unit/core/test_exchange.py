"""The exchange, line by line: what an order is told, holds and pays (BHC-30 to BHC-36, BHC-41, BHC-42, BHC-45, BBX-40).

How to read the tables stands in `support.ledger_lines`.
"""

import pytest

from support.ledger_lines import Table

RESTING_AND_MEETING = """
bob   sell 10 @100            | open                  | bob 0+0 90+10
alice buy 4 @101              | filled 4 fee 8        | alice 9592+0 4+0 bob 396+0 90+6
alice buy 6 @90               | open                  | alice 9041+551 4+0     -- 540, and 2 % of it
bob   sell 8 @90              | partially_filled 6 fee 11 | bob 925+0 82+8  alice 9046+0 10+0 #3 filled
bob   cancel #1               | cancelled 6           | bob 925+0 88+2 #1 cancelled:cancelled_by_owner
bob   cancel #4               | cancelled 2           | bob 925+0 90+0
bob   cancel #4               | unknown_order         | bob 925+0 90+0
alice cancel_all              | cancelled 0           | alice 9046+0 10+0
"""
PRICE_BEFORE_TIME = """
bob   sell 5 @101             | open
bob   sell 5 @100             | open
carol sell 5 @100             | open                  | carol 10000+0 95+5
alice buy 7 @101              | filled 7 fee 14       | #2 filled  carol 10198+0 95+3  bob 495+0 90+5
alice buy 5 @101              | filled 5 fee 11       | #3 filled  #1 partially_filled:3
"""
TIMES_IN_FORCE = """
bob   sell 5 @100             | open
alice buy 8 @100 fok          | not_fillable          | alice 10000+0 0+0
alice buy 8 @100 ioc          | expired 5 fee 10      | alice 9490+0 5+0  #2 expired:immediate_rest
alice buy 1 @100 ioc          | expired               | alice 9490+0 5+0
bob   sell 5 @100             | open
alice buy 5 @100 fok          | filled 5 fee 10       | alice 8980+0 10+0
alice buy 1 @50 gtd until=5   | open                  | alice 8929+51 10+0
house wait 4                  | ok                    | alice 8929+51 10+0
house wait 1                  | ok                    | alice 8980+0 10+0  #6 expired:time_passed
bob   sell 1 @120 post        | open
alice buy 1 @120 post         | would_take            | alice 8980+0 10+0
alice buy 1 @119 post         | open                  | alice 8858+122 10+0
"""
MARKET_ORDERS = """
alice buy 1                   | no_reference_price
bob   sell 5 @100             | open
alice buy 1 @100              | filled 1 fee 2        | alice 9898+0 1+0
alice buy 4                   | filled 4 fee 8        | alice 9490+0 5+0
alice buy 4                   | no_liquidity
bob   sell 5 @121             | open                  -- beyond the band of 20 %
alice buy 4                   | no_liquidity
bob   sell 5 @119             | open
bob   sell 5 @120             | open
alice buy 20                  | expired 10 fee 24     | alice 8271+0 15+0  #7 expired:immediate_rest
alice sell 3                  | no_liquidity
bob   buy 3 @110              | open
alice sell 2                  | filled 2 fee 5        | alice 8486+0 13+0
alice sell 100                | expired 1 fee 3       -- only what is offered is asked for
alice buy 20 fok              | not_fillable
"""
BY_QUOTE_QUANTITY = """
bob   sell 100 @100           | open
alice buy 1 @100              | filled 1 fee 2        | alice 9898+0 1+0
alice buy for=500             | filled 4 fee 8        | alice 9490+0 5+0      -- five would cost 510
alice buy for=510             | filled 5 fee 10       | alice 8980+0 10+0
alice buy for=101             | quantity_not_positive
alice buy for=-1              | quantity_not_positive
alice buy 1 for=100           | quantity_or_quote
alice buy @100 for=100        | quantity_or_quote
bob   cancel_all              | cancelled 1
alice buy for=1000            | no_liquidity
carol buy 50 @90              | open
alice sell for=200            | filled 2 fee 4        | alice 9156+0 8+0      -- 180, less 2 %
"""
FUNDS = """
alice buy 99 @100             | insufficient_funds    | alice 10000+0 0+0     -- 9,900 and a fee of 198
alice buy 98 @100             | open                  | alice 4+9996 0+0
alice buy 1 @1                | open                  | alice 2+9998 0+0
alice buy 2 @1                | insufficient_funds
alice sell 1 @100             | insufficient_funds
bob   sell 100 @110           | open                  | bob 0+0 0+100
bob   sell 1 @110             | insufficient_funds
bob   cancel_all              | cancelled 1
bob   sell 50 @100            | filled 50 fee 100     | bob 4900+0 50+0 alice 52+4898 50+0
"""
WHO_PAYS_WHAT_IS_LEFT_OVER = """
bob   sell 1 @10              | open
bob   sell 1 @10              | open
bob   sell 1 @10              | open
alice buy 3 @10               | filled 3 fee 1        | alice 9969+0 3+0  bob 27+0 97+0  -- 0.6 once; thrice 0.1
"""
STOPS = """
alice buy 1 stop              | trigger_needed
alice buy 1 @100 !100         | trigger_not_allowed
bob   sell 5 @100             | open
alice buy 1 @100              | filled 1 fee 2        | alice 9898+0 1+0
alice buy 2 stop !100         | would_trigger_now
alice buy 2 stop !105         | pending               | alice 9640+258 1+0    -- up to 126, and 2 %
bob   sell 5 @104             | open
carol buy 9 @105              | filled 9 fee 19       | #3 pending  alice 9640+258 1+0 -- 400 and 520: not yet 105
bob   sell 5 @105             | open
bob   sell 5 @106             | open
carol buy 1 @105              | filled 1 fee 3        | #3 filled alice 9683+0 3+0 -- 2 at 105
alice sell 1 stop_limit @78 !98 | price_outside_band  | alice 9683+0 3+0      -- 20 % below 98 is 78.4
alice buy 1 stop_limit @133 !110 | price_outside_band -- 20 % above 110 is 132
alice sell 1 stop_limit @95 !98 | pending             | alice 9683+0 2+1
carol buy 1 @98               | open
bob   sell 1 @98              | filled 1 fee 2        | #9 open:1             -- at 95 it waits for a buyer
carol buy 2 @96               | partially_filled 1 fee 2 | #9 filled alice 9777+0 2+0
"""
REDUCE_ONLY = """
bob   sell 9 @100             | open
alice buy 5 @100              | filled 5 fee 10       | alice 9490+0 5+0
alice buy 1 take_profit !110  | sell_only
alice sell 9 take_profit !110 | pending               | alice 9490+0 5+0
alice sell 9 stop_loss !95    | pending               | alice 9490+0 5+0
carol buy 4 @95               | open
carol buy 9 @90               | open
bob   sell 1 @95              | filled 1 fee 2        | alice 9945+0 0+0 #4 filled #3 pending -- five, all there was
bob   sell 1 @115             | open
carol buy 4 @100              | filled 4 fee 8
carol buy 1 @115              | filled 1 fee 3        | #3 rejected:nothing_to_sell
"""
SELF_TRADES = """
alice buy 5 @100              | open
bob   sell 5 @110             | open
bob   buy 5 @110              | expired               | #2 open:5 #3 expired:self_trade   -- the taker by default
bob   buy 1 @110 stp=both     | expired               | #2 expired:self_trade #4 expired:self_trade
bob   sell 2 @110             | open
carol sell 2 @110             | open
bob   buy 3 @110 stp=maker    | partially_filled 2 fee 5 | #5 expired:self_trade #6 filled #7 partially_filled:1
bob   cancel_all              | cancelled 1           | bob 775+0 102+0
bob   sell 4 @110             | open                  | bob 775+0 98+4
bob   buy 3 @110 stp=decrement | expired              | #8 open:1 #9 expired:self_trade  bob 775+0 101+1
bob   buy 2 @110 stp=decrement | open                 | #8 expired:self_trade #10 open:1  bob 662+113 102+0
bob   buy 1 @110 stp=allow    | self_trade_not_prevented
"""
ALL_ACCOUNTS_OF_A_USER = """
alice2 sell 5 @110            | open
alice  buy 5 @110             | expired               | #1 open:5 #2 expired:self_trade
"""
AMENDING = """
bob   sell 5 @100             | open
carol sell 5 @100             | open
bob   amend #1 4              | open 0 kept           | bob 0+0 96+4
alice buy 1 @100              | filled 1 fee 2        | #1 partially_filled:3
bob   amend #1 4              | nothing_to_amend
bob   amend #1 1              | below_filled
bob   amend #1 6              | partially_filled 1 moved | bob 99+0 94+5
alice buy 2 @100              | filled 2 fee 4        | #2 partially_filled:3 #1 partially_filled:5
alice buy 2 @90               | open                  | alice 9510+184 3+0
alice amend #5 2 @95          | open 0 moved          | alice 9500+194 3+0
alice amend #5 @100           | filled 2 moved        | alice 9490+0 5+0
alice buy 2 @90 post          | open
alice amend #6 @100           | would_take            | #6 open:2
alice amend #6 200            | insufficient_funds
alice amend #6 0 @121         | price_outside_band
alice amend #6 0 @-1          | price_not_positive
alice amend #1 3              | unknown_order         -- bob's
alice buy 1 stop !110         | pending
alice amend #7 2              | not_amendable
house halt GOLDCASH           | ok
alice amend #6 3              | breaker_active
alice amend #6 1              | open 0 kept
"""


@pytest.mark.parametrize(
    "table",
    [
        RESTING_AND_MEETING,
        PRICE_BEFORE_TIME,
        TIMES_IN_FORCE,
        MARKET_ORDERS,
        BY_QUOTE_QUANTITY,
        FUNDS,
        WHO_PAYS_WHAT_IS_LEFT_OVER,
        STOPS,
        REDUCE_ONLY,
        SELF_TRADES,
        ALL_ACCOUNTS_OF_A_USER,
        AMENDING,
    ],
)
def test_every_line_does_what_it_says(table: str) -> None:
    played = Table()
    played.open("alice", cash=10_000)
    played.open("alice2", gold=100, user="alice")
    played.open("bob", cash=1_000, gold=100) if table is SELF_TRADES else played.open("bob", gold=100)
    played.open("carol", cash=10_000, gold=100)
    played.check(table)
