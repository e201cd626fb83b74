"""On which terms the desk deals: per instrument, and per world for all of its positions.

Both may change at any time, unlike an instrument's own steps: `fondaco.core.terms` fixes tick, lot and the highest
leverage. Quantities are lots, rates millionths.
"""

from typing import Final

from fondaco.core.fees import PPM
from fondaco.core.messages import Message
from fondaco.core.refusals import Refusal
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import StopOutPolicy, World

WEEK_DAYS: Final = 7
NO_TRIPLE_DAY: Final = 7
MAX_FINANCING_PPM: Final = 10_000
"""A hundredth of the notional a day, on either side of zero: more is a slip of the unit."""
MAX_PREMIUM_PPM: Final = 100_000
MAX_LEVEL_PPM: Final = 100 * PPM
"""The highest margin level that a rule may speak of: a hundred times the margin."""
MAX_AGE_NS: Final = 3_600_000_000_000


class DeskTerms(Message, frozen=True, tag="desk_terms"):
    """How the desk deals in an instrument."""

    world: World
    symbol: str
    is_dealt: bool
    """Whether positions may be opened. Those that stand can always be closed."""
    min_lots: int
    """Of one open and of what a partial close leaves; also the step of the policy ``smallest_step``."""
    max_lots: int
    """Of one open."""
    max_net_lots: int = 0
    """What all clients together may hold more on one side than on the other; 0: no cap."""
    long_financing_ppm: int = 0
    """Of the entry notional, for each day; a negative rate pays the client."""
    short_financing_ppm: int = 0
    triple_weekday: int = NO_TRIPLE_DAY
    """The day that counts three times, Monday being 0; `NO_TRIPLE_DAY`: none."""
    guarantee_ppm: int = 0
    """Premium of a guaranteed stop, of the notional; 0: none is offered."""
    guarantee_distance_ppm: int = 0
    """How far from the price a guaranteed stop must be, of the price."""


class DeskRules(Message, frozen=True, tag="desk_rules"):
    """When the desk warns and closes, for all positions of a world."""

    world: World
    max_quote_age_ns: int = 10_000_000_000
    """An older quote opens and closes nothing."""
    margin_call_ppm: int = 900_000
    """The loss of an isolated position at which it is closed, of its margin. A position keeps the one it began with."""
    loss_warning_ppm: int = 700_000
    """The loss at which its owner is warned; kept likewise."""
    warning_level_ppm: int = 800_000
    """The margin level of a cross account at which its owner is warned,"""
    stop_out_level_ppm: int = 500_000
    """and that at which its positions are closed."""
    stop_out_policy: StopOutPolicy = StopOutPolicy.LARGEST_LOSS


def desk_terms_refusal(terms: DeskTerms, listed: Terms) -> Refusal | None:
    """Why the desk cannot deal on these terms, if so."""
    is_right = (
        0 < terms.min_lots <= terms.max_lots <= listed.max_order_lots
        and 0 <= terms.max_net_lots <= listed.max_open_orders * listed.max_order_lots
        and all(abs(each) <= MAX_FINANCING_PPM for each in (terms.long_financing_ppm, terms.short_financing_ppm))
        and 0 <= terms.triple_weekday <= NO_TRIPLE_DAY
        and 0 <= terms.guarantee_ppm <= MAX_PREMIUM_PPM
        and 0 <= terms.guarantee_distance_ppm < PPM
    )
    return None if is_right else Refusal.BAD_DESK_TERMS


def desk_rules_refusal(rules: DeskRules) -> Refusal | None:
    """Why these rules contradict themselves, if so. A warning comes before what it warns of."""
    is_right = (
        0 < rules.max_quote_age_ns <= MAX_AGE_NS
        and 0 < rules.loss_warning_ppm <= rules.margin_call_ppm <= PPM
        and 0 < rules.stop_out_level_ppm <= rules.warning_level_ppm <= MAX_LEVEL_PPM
    )
    return None if is_right else Refusal.BAD_DESK_RULES
