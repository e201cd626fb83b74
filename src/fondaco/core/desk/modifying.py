"""Setting, moving and removing the stops of a position that stands."""

from fondaco.core.commands import ModifyPosition
from fondaco.core.desk.closing import fresh_quote
from fondaco.core.desk.levels import Stake, Stops, Wanted, is_too_near, side_refusal, stops_of
from fondaco.core.desk.opening import set_stops
from fondaco.core.desk.valuing import market_ticks
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.replies import PositionModified, Refused, Reply
from fondaco.core.vocabulary import LevelKind


def modify_position(house: House, command: ModifyPosition) -> Reply:
    """Give a position other stops. Another account's looks missing."""
    account = house.acting_account(command.account_id)
    if isinstance(account, Refusal):
        return Refused(account)
    position = house.desk.positions_of.get(account.account_id, {}).get(command.position_id)
    if position is None:
        return Refused(Refusal.UNKNOWN_POSITION)
    wanted = Wanted(command.stop, command.take, command.trail)
    if wanted.is_nothing:
        return Refused(Refusal.NOTHING_TO_CHANGE)
    if position.is_guaranteed and wanted.stop.kind is LevelKind.NONE:
        return Refused(Refusal.GUARANTEE_STANDS)
    book = house.desk.book_of(position)
    quote = fresh_quote(house, book)
    if isinstance(quote, Refusal):
        return Refused(quote)
    current = Stops(position.stop_ticks, position.take_ticks, position.trail_ticks)
    stake = Stake(position.direction, position.lots, position.entry_notional, position.margin)
    stops = stops_of(book, stake, wanted, current)
    if isinstance(stops, Refusal):
        return Refused(stops)
    price = market_ticks(position.direction, quote)
    refusal = side_refusal(position.direction, stops, current, price)
    if refusal is not None:
        return Refused(refusal)
    if position.is_guaranteed and stops.stop_ticks != current.stop_ticks and is_too_near(book, stops.stop_ticks, price):
        return Refused(Refusal.GUARANTEE_TOO_NEAR)
    position.changed_ns = house.now_ns
    set_stops(book, position, stops)
    house.desk.touched_positions[position.position_id] = position
    tick = book.listed.tick
    return PositionModified(
        position.position_id, stops.stop_ticks * tick, stops.take_ticks * tick, stops.trail_ticks * tick
    )
