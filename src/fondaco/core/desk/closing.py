"""Closing positions: on request, by the desk itself, or because an open goes the other way.

`close` is the one way in which lots leave a position, whoever asks for it.
"""

from typing import NamedTuple

from fondaco.core.commands import ClosePosition
from fondaco.core.desk.book import DealingBook
from fondaco.core.desk.paying import Cover, balance_of, pay_result
from fondaco.core.desk.state import DeskFill, DeskPosition, DeskQuote
from fondaco.core.desk.valuing import closing_ticks, parts_of, result_of
from fondaco.core.fees import PPM
from fondaco.core.house import House
from fondaco.core.refusals import Refusal
from fondaco.core.replies import PositionClosed, Refused, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Closing, Direction, MarginMode, PositionState

LONG = Direction.LONG
ISOLATED = MarginMode.ISOLATED


class Closed(NamedTuple):
    """What a close came to."""

    ticks: int
    result: int
    margin: int
    cover: Cover


def close_position(house: House, command: ClosePosition, closing: Closing) -> Reply:
    """Close a position or a part of it. Another's looks missing; an account that may not act may still close."""
    if command.account_id not in house.accounts:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    position = house.desk.positions_of.get(command.account_id, {}).get(command.position_id)
    refusal = _writing_refusal(house, command, position)
    if refusal is not None:
        return Refused(refusal)
    if position is None:
        return Refused(Refusal.UNKNOWN_POSITION)
    book = house.desk.book_of(position)
    quote, listed = fresh_quote(house, book), book.listed
    if isinstance(quote, Refusal):
        return Refused(quote)
    ticks = closing_ticks(position, quote)
    if is_slipped(listed, ticks, command.expected_price, command.slippage_ppm, is_buy=position.direction is not LONG):
        return Refused(Refusal.SLIPPAGE)
    lots = command.quantity // listed.lot or position.lots
    closed = close(house, book, position, lots, closing)
    return PositionClosed(
        position.position_id,
        closed.ticks * listed.tick,
        lots * listed.lot,
        position.lots * listed.lot,
        closed.result,
        closed.margin,
        balance_of(house, position).available,
    )


def _writing_refusal(house: House, command: ClosePosition, position: DeskPosition | None) -> Refusal | None:
    """Why a close is no close, whatever the quote is, if so."""
    if command.expected_price < 0:
        return Refusal.PRICE_NOT_POSITIVE
    if command.quantity < 0:
        return Refusal.QUANTITY_NOT_POSITIVE
    if position is not None and command.quantity:
        book = house.desk.book_of(position)
        lots, rest = divmod(command.quantity, book.listed.lot)
        if rest:
            return Refusal.BAD_LOT
        if lots > position.lots:
            return Refusal.QUANTITY_TOO_LARGE
        if leaves_too_little(book, position, lots):
            return Refusal.QUANTITY_TOO_SMALL
    return Refusal.SLIPPAGE_OUT_OF_RANGE if is_bad_slippage(command.expected_price, command.slippage_ppm) else None


def close(
    house: House, book: DealingBook, position: DeskPosition, lots: int, closing: Closing, stop_out_id: int = 0
) -> Closed:
    """Close so many lots at the book's quote. It must succeed: what may stand against it was asked before."""
    assert 0 < lots <= position.lots
    quote, step = book.quote, book.step
    assert quote is not None, "an open position has had a quote"
    ticks, parts = closing_ticks(position, quote), parts_of(position, lots)
    value = ticks * lots * step
    result = result_of(position.direction, value, parts)
    hold = house.ledger.holds.get(position.position_id)
    if hold is not None and parts.margin:
        house.ledger.lower_hold(hold, parts.margin)
    cover = pay_result(house, position, result, parts.margin if position.mode is ISOLATED else None)
    house.desk.count_lots(position, -lots)
    position.lots -= lots
    position.entry_notional -= parts.entry
    position.margin -= parts.margin
    position.settled -= parts.settled
    position.realised += result
    position.covered += cover.total
    position.closed_notional += value
    position.changed_ns = house.now_ns
    house.desk.touch(position)
    if position.lots == 0:
        position.state, position.closing, position.closed_ns = PositionState.CLOSED, closing, house.now_ns
        house.desk.remove_position(position)
    elif position.mode is ISOLATED:
        book.arm_losses(position)
    closed = Closed(ticks, result, parts.margin, cover)
    house.log.emit(
        DeskFill(
            house.new_id(),
            position.position_id,
            position.account_id,
            position.world,
            position.symbol,
            position.direction,
            is_open=False,
            lots=lots,
            price_ticks=ticks,
            notional=value,
            margin=parts.margin,
            result=result,
            covered=cover.total,
            closing=closing,
            stop_out_id=stop_out_id,
            at=quote.filled_at(house.now_ns),
        )
    )
    return closed


def fresh_quote(house: House, book: DealingBook) -> DeskQuote | Refusal:
    """The quote at which the desk deals now, or why it does not."""
    if book.quote is None:
        return Refusal.NO_QUOTE
    return book.quote if is_fresh(house, book) else Refusal.STALE_QUOTE


def is_fresh(house: House, book: DealingBook) -> bool:
    """Whether the last quote is young enough to deal at."""
    assert book.quote is not None
    max_age_ns = house.desk.rules_of(book.listed.world).max_quote_age_ns
    return house.now_ns - book.quote.received_ns <= max_age_ns


def leaves_too_little(book: DealingBook, position: DeskPosition, lots: int) -> bool:
    """Whether closing so many lots would leave some, but fewer than the desk deals in."""
    assert book.terms is not None
    return 0 < position.lots - lots < book.terms.min_lots


def is_bad_slippage(expected_price: int, slippage_ppm: int) -> bool:
    """Whether a slippage says nothing that can be held against a price."""
    return not 0 <= slippage_ppm <= PPM or (slippage_ppm > 0 and not expected_price)


def is_slipped(listed: Terms, ticks: int, expected_price: int, slippage_ppm: int, *, is_buy: bool) -> bool:
    """Whether a price is further on the wrong side of the expected one than the slippage allows."""
    if not expected_price:
        return False
    price = ticks * listed.tick
    if is_buy:
        return price * PPM > expected_price * (PPM + slippage_ppm)
    return price * PPM < expected_price * (PPM - slippage_ppm)
