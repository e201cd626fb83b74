"""What administrators say of the desk, and what they are told, as JSON. Amounts are decimal text, rates millionths."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from fondaco.core.desk.terms import MAX_AGE_NS, MAX_FINANCING_PPM, MAX_LEVEL_PPM, MAX_PREMIUM_PPM
from fondaco.core.fees import PPM
from fondaco.core.vocabulary import StopOutPolicy, World
from fondaco.domains.trading.api import Amount, Asked, AssetCode, Quantity, Symbol

NS_PER_MS = 1_000_000
LAST_WEEKDAY = 6

FinancingPpm: TypeAlias = Annotated[
    int,
    Meta(
        ge=-MAX_FINANCING_PPM, le=MAX_FINANCING_PPM, description="Of the entry value, a day; negative pays the client."
    ),
]
ShareOfPrice: TypeAlias = Annotated[int, Meta(ge=0, lt=PPM, description="Millionths of the price.")]
ShareOfMargin: TypeAlias = Annotated[int, Meta(gt=0, le=PPM, description="Millionths of the margin.")]
MarginLevel: TypeAlias = Annotated[int, Meta(gt=0, le=MAX_LEVEL_PPM, description="Equity in millionths of the margin.")]


class NewDeskTerms(Asked, frozen=True):
    """How the desk deals in an instrument. What is left out is what its default says, not what it was before."""

    world: World
    symbol: Symbol
    min_quantity: Quantity
    max_quantity: Quantity
    is_dealt: Annotated[bool, Meta(description="Whether positions may be opened. Those that stand can be closed.")] = (
        True
    )
    max_net_quantity: Annotated[
        Quantity | None, Meta(description="What clients together may hold more one way than the other; null: no cap.")
    ] = None
    long_financing_ppm: FinancingPpm = 0
    short_financing_ppm: FinancingPpm = 0
    triple_weekday: Annotated[
        Annotated[int, Meta(ge=0, le=LAST_WEEKDAY)] | None, Meta(description="It counts three times; Monday is 0.")
    ] = None
    guarantee_ppm: Annotated[
        int,
        Meta(ge=0, le=MAX_PREMIUM_PPM, description="Premium of a guaranteed stop, of the value; 0: none is offered."),
    ] = 0
    guarantee_distance_ppm: ShareOfPrice = 0


class NewDeskRules(Asked, frozen=True):
    """When the desk warns and closes, in a whole world. What is left out is what its default says."""

    world: World
    max_quote_age_ms: Annotated[int, Meta(ge=1, le=MAX_AGE_NS // NS_PER_MS)] = 10_000
    margin_call_ppm: ShareOfMargin = 900_000
    loss_warning_ppm: ShareOfMargin = 700_000
    warning_level_ppm: MarginLevel = 800_000
    stop_out_level_ppm: MarginLevel = 500_000
    stop_out_policy: StopOutPolicy = StopOutPolicy.LARGEST_LOSS


class SwapFreeChange(Asked, frozen=True):
    """Whether an account keeps positions overnight at no cost."""

    swap_free: bool


class NewInsurance(Asked, frozen=True):
    """Money of the house's own for a world's insurance fund."""

    world: World
    asset: AssetCode
    amount: Amount
    note: Annotated[str, Meta(max_length=200)] | None = None


class TermsLine(msgspec.Struct, frozen=True, gc=False):
    """How the desk deals in an instrument."""

    world: str
    symbol: str
    is_dealt: bool
    min_quantity: str
    max_quantity: str
    max_net_quantity: str | None
    max_leverage: int
    long_financing_ppm: int
    short_financing_ppm: int
    triple_weekday: int | None
    guarantee_ppm: int
    guarantee_distance_ppm: int
    updated_at: str


class RulesLine(msgspec.Struct, frozen=True, gc=False):
    """When the desk warns and closes in a world."""

    world: str
    max_quote_age_ms: int
    margin_call_ppm: int
    loss_warning_ppm: int
    warning_level_ppm: int
    stop_out_level_ppm: int
    stop_out_policy: str
    updated_at: str


class QuoteLine(msgspec.Struct, frozen=True, gc=False):
    """The desk's price of an instrument, and where it comes from: a trade of ``source`` that came in then."""

    world: str
    symbol: str
    bid: str
    ask: str
    received_at: str
    age_ms: int
    source: str
    source_price: str
    tick_id: int
    markup_ppm: int


class ExposureLine(msgspec.Struct, frozen=True, gc=False):
    """What clients hold of an instrument, and what that means for the desk, which holds the other side.

    ``net`` is above zero when clients are long. ``net_value`` is what the desk would pay or get to close all of it at
    the current quote, and ``unrealised`` what it would have earned; both are null without a quote.
    """

    symbol: str
    currency: str
    positions: int
    long: str
    short: str
    net: str
    max_net: str | None
    bid: str | None
    ask: str | None
    received_at: str | None
    net_value: str | None
    unrealised: str | None


class InsuranceLine(msgspec.Struct, frozen=True, gc=False):
    """What an insurance fund has of an asset."""

    asset: str
    amount: str


class ProfitLine(msgspec.Struct, frozen=True, gc=False):
    """What the desk earned on a day (UTC), in a currency.

    ``results`` is what clients lost less what they won, ``covers`` what the desk paid of losses beyond what clients
    had, below zero, and ``financing`` what nights brought. ``profit`` is the sum.
    """

    day: str
    asset: str
    results: str
    covers: str
    financing: str
    profit: str


class StopOutLine(msgspec.Struct, frozen=True, gc=False):
    """The receipt of a closing for want of margin."""

    id: int
    account_id: int
    world: str
    policy: str
    symbol: str
    currency: str
    bid: str
    ask: str
    equity_before: str
    margin_before: str
    equity_after: str
    margin_after: str
    positions: list[int]
    entries: list[int]
    insurance_paid: str
    desk_paid: str
    created_at: str
