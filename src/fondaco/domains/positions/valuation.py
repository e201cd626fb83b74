"""What leveraged positions are worth now, and how accounts stand that answer for them: worked out when somebody asks.

Everything follows the desk's last quote, by the engine's own formulas (`fondaco.core.desk.valuing`), and nothing of it
is ever stored. Without a quote nothing is known, and None says so.

A liquidation price is the first price at which the desk closes the position for want of margin: of an isolated one the
margin call, of a cross one the price at which its account is stopped out, if no other symbol's price moves and bid
and ask stay as far apart as they are.
"""

from typing import NamedTuple

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
from fondaco.core.money import charge, pay_out
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Direction, MarginMode, World
from fondaco.engine.books import MarketKey
from fondaco.engine.live import LiveHouse
from fondaco.engine.live_desk import LiveDesk


class Worth(NamedTuple):
    """What a position is worth at a quote: prices are ticks, the result quote atoms."""

    quote: DeskQuote
    ticks: int
    """At which it would be closed."""
    unrealised: int
    liquidation_ticks: int | None
    """None when no price could bring that about."""


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

    def worth(self, position: DeskPosition) -> Worth | None:
        """What an open position is worth; None without a quote, and once it is closed."""
        quote = self.desk.quotes.get((position.world, position.symbol))
        if quote is None or not position.lots:
            return None
        terms = self.terms(position.world, position.symbol)
        ticks = closing_ticks(position, quote)
        result = unrealised(position, ticks, terms.step_notional)
        return Worth(quote, ticks, result, self._liquidation(position, quote, terms))

    def standing(self, account_id: int) -> Standing | None:
        """How a margin account stands; None for any other, and while a quote of its positions is missing."""
        cash = self.desk.cash.get(account_id)
        if cash is None:
            return None
        valued = []
        for each in self._cross_positions(account_id):
            quote = self.desk.quotes.get((each.world, each.symbol))
            if quote is None:
                return None
            step = self.terms(each.world, each.symbol).step_notional
            valued.append((each, closing_ticks(each, quote), step))
        return standing(cash, valued)

    def _cross_positions(self, account_id: int) -> list[DeskPosition]:
        held = self.desk.positions_of.get(account_id, {}).values()
        return [each for each in held if each.mode is MarginMode.CROSS]

    def _liquidation(self, position: DeskPosition, quote: DeskQuote, terms: Terms) -> int | None:
        if position.mode is MarginMode.ISOLATED:
            ticks = margin_call_ticks(position, terms.step_notional)
        else:
            shift = self._stop_out_shift(position.account_id, (position.world, position.symbol), terms.step_notional)
            if shift is None:
                return None
            ticks = market_ticks(position.direction, quote) + shift
        return ticks if 0 < ticks <= terms.max_price_ticks else None

    def _stop_out_shift(self, account_id: int, key: MarketKey, step: int) -> int | None:
        """By how many ticks the quote of a symbol must move until a cross account is stopped out.

        All its positions of the symbol move together, so what counts is what it holds of it on balance.
        """
        stands = self.standing(account_id)
        if stands is None:
            return None
        stop_out_level_ppm = self.desk.rules(key[0]).stop_out_level_ppm
        room = stands.equity - pay_out(stands.used * stop_out_level_ppm, PPM)
        if room <= 0:
            return 0
        net_lots = sum(
            each.lots if each.direction is Direction.LONG else -each.lots
            for each in self._cross_positions(account_id)
            if (each.world, each.symbol) == key
        )
        if net_lots == 0:
            return None
        ticks = charge(room, abs(net_lots) * step)
        return -ticks if net_lots > 0 else ticks
