"""What administrators decide of the desk: its terms and rules, who is swap-free, what its insurance fund has."""

from fondaco.core.commands import FundInsurance, SetDeskRules, SetDeskTerms, SetSwapFree
from fondaco.core.desk.terms import NO_TRIPLE_DAY, DeskRules, DeskTerms
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Done
from fondaco.core.terms import Terms
from fondaco.domains.desk.shapes import NS_PER_MS, NewDeskRules, NewDeskTerms, NewInsurance, SwapFreeChange
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import Answered, Desk, RefusedError, done, must_be_operator, positive_atoms


class DeskGoverning:
    """Acts of the house that an operator asks for.

    Args:
        desk: the way to the engine.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def set_terms(self, actor: Actor, said: NewDeskTerms, key: str = "") -> Answered:
        """Say how the desk deals in an instrument. Raises `TradingError`."""
        must_be_operator(actor)
        listed = self._desk.terms(said.world, said.symbol)
        terms = DeskTerms(
            said.world,
            listed.instrument.symbol,
            said.is_dealt,
            min_lots=_lots("min_quantity", said.min_quantity, listed),
            max_lots=_lots("max_quantity", said.max_quantity, listed),
            max_net_lots=0
            if said.max_net_quantity is None
            else _lots("max_net_quantity", said.max_net_quantity, listed),
            long_financing_ppm=said.long_financing_ppm,
            short_financing_ppm=said.short_financing_ppm,
            triple_weekday=NO_TRIPLE_DAY if said.triple_weekday is None else said.triple_weekday,
            guarantee_ppm=said.guarantee_ppm,
            guarantee_distance_ppm=said.guarantee_distance_ppm,
        )
        return done(*await self._desk.act_as_house(actor, SetDeskTerms(terms), Done, key))

    async def set_rules(self, actor: Actor, said: NewDeskRules, key: str = "") -> Answered:
        """Say when the desk warns and closes. Raises `TradingError`."""
        must_be_operator(actor)
        rules = DeskRules(
            said.world,
            said.max_quote_age_ms * NS_PER_MS,
            said.margin_call_ppm,
            said.loss_warning_ppm,
            said.warning_level_ppm,
            said.stop_out_level_ppm,
            said.stop_out_policy,
        )
        return done(*await self._desk.act_as_house(actor, SetDeskRules(rules), Done, key))

    async def set_swap_free(self, actor: Actor, account_id: int, said: SwapFreeChange, key: str = "") -> Answered:
        """Let an account keep positions overnight at no cost, or no longer. Raises `TradingError`."""
        must_be_operator(actor)
        command = SetSwapFree(account_id, said.swap_free)
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def fund_insurance(self, actor: Actor, said: NewInsurance, key: str = "") -> Answered:
        """Put money of the house's own into an insurance fund. Raises `TradingError`."""
        must_be_operator(actor)
        amount = positive_atoms("amount", said.amount, self._desk.scale(said.asset))
        command = FundInsurance(said.world, said.asset, amount, said.note or "")
        return done(*await self._desk.act_as_house(actor, command, Done, key))


def _lots(field: str, text: str, listed: Terms) -> int:
    """A quantity in lots. Raises `TradingError`."""
    lots = listed.lots(positive_atoms(field, text, listed.instrument.quantity_scale))
    if lots is None:
        raise RefusedError(Refusal.BAD_LOT)
    return lots
