"""Spot positions: what was bought and not sold again, at what average cost, and what selling it earned.

A buy adds to lots and cost. A sell takes its share of the cost, rounded against the client, and the last one the
remainder, so the shares sum exactly to what was paid (BHC-38). Fees stand apart: they are in the order and the ledger.
What an account sells beyond what it bought here, such as coins that it deposited, has no cost that the house knows, and
no result.

These are figures for people; money is in the ledger alone. Cost and result stop at `MAX_TOTAL`, where sums of what was
turned over again and again could leave 64 bits.
"""

from fondaco.core.exchange.market import Market
from fondaco.core.house import House
from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.money import charge
from fondaco.core.state import Position


def bought(house: House, market: Market, account_id: int, lots: int, notional: int) -> None:
    """Add what an account has bought."""
    position = market.positions.get(account_id)
    if position is None:
        terms = market.terms
        position = Position(
            house.new_id(), account_id, terms.world, terms.instrument.symbol, house.now_ns, house.now_ns
        )
        market.positions[account_id] = position
    position.lots += lots
    position.cost = min(position.cost + notional, MAX_TOTAL)
    position.changed_ns = house.now_ns
    house.touched_positions[position.position_id] = position


def sold(house: House, market: Market, account_id: int, lots: int, price_ticks: int) -> int:
    """Take off what an account has sold, as far as it was bought here; returns what that earned."""
    position = market.positions.get(account_id)
    if position is None:
        return 0
    counted = min(lots, position.lots)
    cost = position.cost if counted == position.lots else charge(position.cost * counted, position.lots)
    position.lots -= counted
    position.cost -= cost
    realised = price_ticks * counted * market.step - cost
    position.realised = max(-MAX_TOTAL, min(position.realised + realised, MAX_TOTAL))
    position.changed_ns = house.now_ns
    house.touched_positions[position.position_id] = position
    if position.lots == 0:
        position.closed_ns = house.now_ns
        del market.positions[account_id]
    return realised
