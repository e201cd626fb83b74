"""What leveraged positions are worth now, and how accounts stand that answer for them: worked out when somebody asks.

Everything follows the desk's last quote, by the engine's own formulas (`fondaco.core.desk.valuing`), and nothing of it
is ever stored. Without a quote, and while this process does not keep up with the engine, nothing is known, and None
says so.

A liquidation price is the first price at which the desk closes the position for want of margin: of an isolated one the
margin call, of a cross one the price at which its account is stopped out, if no other symbol's price moves and bid
and ask stay as far apart as they are.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from fondaco.core.desk.state import DeskPosition, DeskQuote
from fondaco.core.desk.valuing import (
    Standing,
    closing_ticks,
    margin_call_ticks,
    market_ticks,
    standing,
    unrealised,
)
from fondaco.core.fees import PPM
from fondaco.core.money import charge, cut, format_atoms, pay_out
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Direction, MarginMode, World
from fondaco.domains.positions.amounts import PERCENT_SCALE
from fondaco.engine.live import LiveHouse
from fondaco.engine.live_desk import LiveDesk

Shifts: TypeAlias = dict[tuple[int, str], int | None]
"""By how many ticks the quote of a symbol must move until an account is stopped out, by account and symbol."""


class Worth(NamedTuple):
    """What a position is worth at a quote: prices are ticks, the result quote atoms."""

    quote: DeskQuote
    ticks: int
    """At which it would be closed."""
    unrealised: int
    liquidation_ticks: int | None
    """None when no price could bring that about."""


class MarginLine(msgspec.Struct, frozen=True, gc=False):
    """How a margin account stands at the desk's last quotes; `margin_level` is a percentage, null while `used` is 0."""

    equity: str
    used: str
    free: str
    margin_level: str | None


class Valuer:
    """Values positions and accounts at the desk's last quotes.

    Args:
        live: the house's listings.
        desk: the quotes, positions and cash, which hang on ``live``.
    """

    def __init__(self, live: LiveHouse, desk: LiveDesk) -> None:
        self._live = live
        self.desk = desk

    def terms(self, world: World, symbol: str) -> Terms:
        """The terms of an instrument that positions are in; it may have been closed since."""
        return self._live.listings[world, symbol].terms

    def worth(self, position: DeskPosition, *, spent: int = 0, shifts: Shifts | None = None) -> Worth | None:
        """What an open position is worth; None without a quote, and once it is closed.

        Args:
            position: as it is, or as it shall be.
            spent: what its account will have paid for it by then.
            shifts: what was found out about its account for the position before it, when many are asked about at once:
                without it each looks at all positions of its account.
        """
        quote = self.desk.quotes.get((position.world, position.symbol))
        if quote is None or not position.lots or not self._live.ready.is_set():
            return None
        terms = self.terms(position.world, position.symbol)
        ticks = closing_ticks(position, quote)
        result = unrealised(position, ticks, terms.step_notional)
        return Worth(quote, ticks, result, self._liquidation(position, quote, terms, spent, shifts))

    def standing(self, account_id: int) -> Standing | None:
        """How a margin account stands; None for any other, and while a quote of its positions is missing."""
        return self._standing(account_id, self._cross_positions(account_id).values())

    def margin_of(self, account_id: int) -> MarginLine | None:
        """The same in units of the account's currency."""
        stands = self.standing(account_id)
        if stands is None:
            return None
        scale = self._live.assets[self._live.accounts[account_id].currency]
        equity, used, free = (format_atoms(each, scale) for each in (stands.equity, stands.used, stands.free))
        return MarginLine(equity, used, free, percent(stands.equity, stands.used) if stands.used else None)

    def _standing(self, account_id: int, positions: Iterable[DeskPosition]) -> Standing | None:
        cash = self.desk.cash.get(account_id)
        if cash is None or not self._live.ready.is_set():
            return None
        valued = []
        for each in positions:
            quote = self.desk.quotes.get((each.world, each.symbol))
            if quote is None:
                return None
            step = self.terms(each.world, each.symbol).step_notional
            valued.append((each, closing_ticks(each, quote), step))
        return standing(cash, valued)

    def _cross_positions(self, account_id: int) -> dict[int, DeskPosition]:
        held = self.desk.positions_of.get(account_id, {})
        return {id_: each for id_, each in held.items() if each.mode is MarginMode.CROSS}

    def _liquidation(
        self, position: DeskPosition, quote: DeskQuote, terms: Terms, spent: int, shifts: Shifts | None
    ) -> int | None:
        if position.mode is MarginMode.ISOLATED:
            ticks = margin_call_ticks(position, terms.step_notional)
        else:
            key, shifts = (position.account_id, position.symbol), {} if shifts is None else shifts
            if key not in shifts:
                shifts[key] = self._stop_out_shift(position, terms.step_notional, spent)
            shift = shifts[key]
            if shift is None:
                return None
            ticks = market_ticks(position.direction, quote) + shift
        return ticks if 0 < ticks <= terms.max_price_ticks else None

    def _stop_out_shift(self, position: DeskPosition, step: int, spent: int) -> int | None:
        """By how many ticks the quote of a cross position must move until its account is stopped out.

        All the account's positions of the symbol move together, so what counts is what it holds of it on balance.
        """
        # As it is told here, which may be a position that shall be.
        held = self._cross_positions(position.account_id) | {position.position_id: position}
        stands = self._standing(position.account_id, held.values())
        if stands is None:
            return None
        room = stands.equity - spent - pay_out(stands.used * self.desk.rules(position.world).stop_out_level_ppm, PPM)
        if room <= 0:
            return 0
        moving = [each for each in held.values() if each.symbol == position.symbol]
        net_lots = sum(each.lots if each.direction is Direction.LONG else -each.lots for each in moving)
        if net_lots == 0:
            return None
        ticks = charge(room, abs(net_lots) * step)
        return -ticks if net_lots > 0 else ticks


def percent(part: int, whole: int) -> str:
    """A part of a whole in percent, cut to four decimal places."""
    return (
        format_atoms(cut(part * 100 * 10**PERCENT_SCALE, whole), PERCENT_SCALE)
        if whole
        else format_atoms(0, PERCENT_SCALE)
    )
