"""The endpoints of those who answer for the desk: its terms and rules, quotes, exposure, profit, insurance, receipts.

Terms, rules and quotes are everybody's to read: who trades with the desk may know on what terms, and at what price.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import World
from fondaco.domains.desk import house_side
from fondaco.domains.desk.governing import DeskGoverning
from fondaco.domains.desk.house_side import StopOutPlace
from fondaco.domains.desk.shapes import (
    ExposureLine,
    InsuranceLine,
    NewDeskRules,
    NewDeskTerms,
    NewInsurance,
    ProfitLine,
    QuoteLine,
    RulesLine,
    StopOutLine,
    SwapFreeChange,
    TermsLine,
)
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import must_be_operator
from fondaco.domains.trading.shapes import Answered
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.accounts import ACCOUNT
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import KEY, idempotency_key
from fondaco.gateways.rest.governing import DONE, OPERATOR
from fondaco.gateways.rest.orders import BODY, SIGNED_IN
from fondaco.gateways.rest.parameters import QueryParameter, moment_parameter, number_id, operation, read_listed
from fondaco.gateways.rest.problems import ProblemError, documented, refusals
from fondaco.gateways.rest.reading import (
    AFTER_SEQ,
    ANY_WORLD,
    DEFAULT_PAGE,
    EXAMPLE_TIME,
    LIMIT,
    LISTED,
    NUMBER,
    READ,
    Call,
    cursor,
)
from fondaco.infra.clock import now_us
from fondaco.infra.rows import iso
from fondaco.market.partitions import moment

DEFAULT_DAYS: Final = timedelta(days=30)
MOST_DAYS: Final = timedelta(days=366)
TERMS: Final = Body(
    NewDeskTerms,
    NewDeskTerms(
        world=World.DEMO,
        symbol="BTCUSDT",
        min_quantity="0.0001",
        max_quantity="50",
        max_net_quantity="200",
        long_financing_ppm=150,
        short_financing_ppm=-20,
        triple_weekday=2,
        guarantee_ppm=1_000,
        guarantee_distance_ppm=5_000,
    ),
)
RULES: Final = Body(NewDeskRules, NewDeskRules(world=World.DEMO))
SWAP_FREE: Final = Body(SwapFreeChange, SwapFreeChange(swap_free=True))
INSURANCE: Final = Body(NewInsurance, NewInsurance(world=World.DEMO, asset="USDT", amount="100000"))
AFTER_STOP_OUT: Final = cursor(StopOutPlace(1009))
OF_ACCOUNT: Final[QueryParameter[int | None]] = QueryParameter(
    "account_id", "Only receipts of this account.", NUMBER, 1000, number_id
)
SINCE: Final = moment_parameter("from", "Begin of the range, inclusive; else thirty days before its end.", 0)
UNTIL: Final = moment_parameter("to", "End of the range, exclusive; else now.", "2024-08-10T00:00:00Z")


class DeskTermsList(msgspec.Struct, frozen=True):
    """On which terms the desk deals in a world, and when it warns and closes; `rules` is null without a desk."""

    seq: int
    rules: RulesLine | None
    terms: list[TermsLine]


class DeskQuotes(msgspec.Struct, frozen=True):
    """The desk's latest quotes."""

    seq: int
    quotes: list[QuoteLine]


class Exposures(msgspec.Struct, frozen=True):
    """What clients hold of each instrument."""

    seq: int
    exposures: list[ExposureLine]


class InsuranceFund(msgspec.Struct, frozen=True):
    """What an insurance fund has."""

    seq: int
    assets: list[InsuranceLine]


class DeskProfit(msgspec.Struct, frozen=True):
    """What the desk earned on each day, newest first."""

    seq: int
    days: list[ProfitLine]


class StopOuts(msgspec.Struct, frozen=True):
    """Receipts, newest first; `next` is the cursor of the next page."""

    seq: int
    stop_outs: list[StopOutLine]
    next: str | None


_TIME: Final = iso(EXAMPLE_TIME)
EXAMPLE_TERMS: Final = TermsLine(
    world="demo",
    symbol="BTCUSDT",
    is_dealt=True,
    min_quantity="0.00010000",
    max_quantity="50.00000000",
    max_net_quantity="200.00000000",
    max_leverage=100,
    long_financing_ppm=150,
    short_financing_ppm=-20,
    triple_weekday=2,
    guarantee_ppm=1_000,
    guarantee_distance_ppm=5_000,
    updated_at=_TIME,
)
EXAMPLE_RULES: Final = RulesLine("demo", 10_000, 900_000, 700_000, 800_000, 500_000, "largest_loss", _TIME)
EXAMPLE_QUOTE: Final = QuoteLine(
    world="demo",
    symbol="BTCUSDT",
    bid="61831.40000000",
    ask="61843.90000000",
    received_at=_TIME,
    age_ms=84,
    source="binance",
    source_price="61837.63000000",
    tick_id=3_690_999_999,
    markup_ppm=100,
)
EXAMPLE_EXPOSURE: Final = ExposureLine(
    symbol="BTCUSDT",
    currency="USDT",
    positions=3,
    long="1.50000000",
    short="0.50000000",
    net="1.00000000",
    max_net="200.00000000",
    bid="61831.40000000",
    ask="61843.90000000",
    received_at=_TIME,
    net_value="61831.40000000",
    unrealised="-120.50000000",
)
EXAMPLE_PROFIT: Final = ProfitLine(
    day="2024-08-09",
    asset="USDT",
    results="512.40000000",
    covers="-3.10000000",
    financing="18.25000000",
    profit="527.55000000",
)
EXAMPLE_STOP_OUT: Final = StopOutLine(
    id=1009,
    account_id=1000,
    world="demo",
    policy="largest_loss",
    symbol="BTCUSDT",
    currency="USDT",
    bid="59900.00000000",
    ask="59912.00000000",
    equity_before="480.00000000",
    margin_before="1000.00000000",
    equity_after="480.00000000",
    margin_after="400.00000000",
    positions=[1004],
    entries=[1007],
    insurance_paid="0.00000000",
    desk_paid="0.00000000",
    created_at=_TIME,
)


@put(
    "/api/v1/desk/terms",
    operation_class=operation(KEY, body=TERMS.documented()),
    operation_id="setDeskTerms",
    summary="Set the desk's terms of an instrument",
    description=(
        "How the desk deals in an instrument of a world: sizes, cap of the net exposure, financing and guarantees. All "
        "of them are said each time; they hold from this command on, for what stands too."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "They hold from this command on.", DONE)
    | documented(*OPERATOR, *BODY, "bad_amount")
    | refusals(
        Refusal.UNKNOWN_SYMBOL,
        Refusal.INSTRUMENT_CLOSED,
        Refusal.BAD_LOT,
        Refusal.BAD_DESK_TERMS,
        Refusal.COMMAND_ID_REUSED,
    ),
)
async def set_terms(
    request: Call, actor: NamedDependency[Actor], desk_house: NamedDependency[DeskGoverning]
) -> Answered:
    """`PUT /api/v1/desk/terms`."""
    body, key = TERMS.read(await request.body()), idempotency_key(request.scope["headers"])
    return await desk_house.set_terms(actor, body, key)


@put(
    "/api/v1/desk/rules",
    operation_class=operation(KEY, body=RULES.documented()),
    operation_id="setDeskRules",
    summary="Set the desk's rules of a world",
    description=(
        "How old a quote may be, and when positions and accounts are warned and closed. Isolated positions keep the "
        "rates that they were opened under."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "They hold from this command on.", DONE)
    | documented(*OPERATOR, *BODY)
    | refusals(Refusal.BAD_DESK_RULES, Refusal.COMMAND_ID_REUSED),
)
async def set_rules(
    request: Call, actor: NamedDependency[Actor], desk_house: NamedDependency[DeskGoverning]
) -> Answered:
    """`PUT /api/v1/desk/rules`."""
    body, key = RULES.read(await request.body()), idempotency_key(request.scope["headers"])
    return await desk_house.set_rules(actor, body, key)


@put(
    "/api/v1/accounts/{account_id:str}/swap-free",
    operation_class=operation(ACCOUNT, KEY, body=SWAP_FREE.documented()),
    operation_id="setSwapFree",
    summary="Free an account from financing",
    description="Positions of a swap-free account neither pay nor earn for nights.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "It is so from this command on.", DONE)
    | documented(*OPERATOR, *BODY, "bad_id")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def set_swap_free(
    request: Call, actor: NamedDependency[Actor], desk_house: NamedDependency[DeskGoverning]
) -> Answered:
    """`PUT /api/v1/accounts/{account_id}/swap-free`."""
    account_id, key = ACCOUNT.read(request.path_params), idempotency_key(request.scope["headers"])
    body = SWAP_FREE.read(await request.body())
    return await desk_house.set_swap_free(actor, account_id, body, key)


@post(
    "/api/v1/desk/insurance",
    operation_class=operation(KEY, body=INSURANCE.documented()),
    operation_id="fundInsurance",
    summary="Fund the insurance",
    description="Puts money of the house's own into a world's insurance fund, which pays losses that clients cannot.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "The fund has it.", DONE, status=201)
    | documented(*OPERATOR, *BODY, "bad_amount")
    | refusals(Refusal.UNKNOWN_ASSET, Refusal.BAD_TEXT, Refusal.BALANCE_LIMIT, Refusal.COMMAND_ID_REUSED),
)
async def fund_insurance(
    request: Call, actor: NamedDependency[Actor], desk_house: NamedDependency[DeskGoverning]
) -> Answered:
    """`POST /api/v1/desk/insurance`."""
    body, key = INSURANCE.read(await request.body()), idempotency_key(request.scope["headers"])
    return await desk_house.fund_insurance(actor, body, key)


@get(
    "/api/v1/desk/terms",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="deskTerms",
    summary="The desk's terms",
    description="On which terms the desk deals in each instrument of a world, and when it warns and closes.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(DeskTermsList, "Terms and rules.", DeskTermsList(4711, EXAMPLE_RULES, [EXAMPLE_TERMS]))
    | documented(*READ, "bad_world"),
)
async def list_terms(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> DeskTermsList:
    """`GET /api/v1/desk/terms`."""
    del actor  # whoever is let in may know
    query = read_listed(request)
    world = ANY_WORLD.read_or(query, World.TRADING)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        rules = {each.world: each for each in await house_side.rules(connection)}
        return DeskTermsList(seq, rules.get(world), await house_side.terms(connection, world))


@get(
    "/api/v1/desk/quotes",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="deskQuotes",
    summary="The desk's quotes",
    description=(
        "The latest bid and ask of each instrument of a world, with where they come from: source, trade and price "
        "outside, the markup in millionths on the wider side, and how long ago that trade came in."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(DeskQuotes, "Quotes.", DeskQuotes(4711, [EXAMPLE_QUOTE])) | documented(*READ, "bad_world"),
)
async def list_quotes(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> DeskQuotes:
    """`GET /api/v1/desk/quotes`."""
    del actor  # whoever is let in may know
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return DeskQuotes(seq, await house_side.quotes(connection, ANY_WORLD.read_or(query, World.TRADING)))


@get(
    "/api/v1/desk/exposure",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="deskExposure",
    summary="The desk's exposure",
    description=(
        "What clients hold of each instrument of a world, long, short and net, and what that means for the desk at the "
        "current quotes. For operators."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Exposures, "Exposure by instrument.", Exposures(4711, [EXAMPLE_EXPOSURE]))
    | documented(*READ, "bad_world", "operators_only"),
)
async def list_exposure(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Exposures:
    """`GET /api/v1/desk/exposure`."""
    must_be_operator(actor)
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return Exposures(seq, await house_side.exposure(connection, ANY_WORLD.read_or(query, World.TRADING)))


@get(
    "/api/v1/desk/insurance",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="insuranceFund",
    summary="The insurance fund",
    description="What a world's insurance fund has of each asset. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(InsuranceFund, "The fund.", InsuranceFund(4711, [InsuranceLine("USDT", "100000.00000000")]))
    | documented(*READ, "bad_world", "operators_only"),
)
async def list_insurance(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]
) -> InsuranceFund:
    """`GET /api/v1/desk/insurance`."""
    must_be_operator(actor)
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return InsuranceFund(seq, await house_side.insurance(connection, ANY_WORLD.read_or(query, World.TRADING)))


@get(
    "/api/v1/desk/profit",
    operation_class=operation(ANY_WORLD, SINCE, UNTIL, AFTER_SEQ),
    operation_id="deskProfit",
    summary="The desk's profit by day",
    description=(
        "What the desk of a world earned on each day (UTC) in each currency, newest first: results, losses that it "
        "covered, financing. At most 366 days. For operators."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(DeskProfit, "Profit by day.", DeskProfit(4711, [EXAMPLE_PROFIT]))
    | documented(*READ, "bad_world", "bad_time", "bad_range", "operators_only"),
)
async def list_profit(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> DeskProfit:
    """`GET /api/v1/desk/profit`."""
    must_be_operator(actor)
    query = read_listed(request)
    since, until = _range(SINCE.read_or(query, None), UNTIL.read_or(query, None))
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        world = ANY_WORLD.read_or(query, World.TRADING)
        return DeskProfit(seq, await house_side.profit(connection, world, since, until))


@get(
    "/api/v1/desk/stop-outs",
    operation_class=operation(ANY_WORLD, OF_ACCOUNT, LIMIT, AFTER_STOP_OUT, AFTER_SEQ),
    operation_id="deskStopOuts",
    summary="Receipts of stop-outs",
    description=(
        "Closings for want of margin in a world, newest first: how the account, or the isolated position, stood before "
        "and after, what was closed and cancelled, and who paid what was missing. For operators."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(
        StopOuts, "Receipts, newest first.", StopOuts(4711, [EXAMPLE_STOP_OUT], str(AFTER_STOP_OUT.example))
    )
    | documented(*LISTED, "operators_only"),
)
async def list_stop_outs(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> StopOuts:
    """`GET /api/v1/desk/stop-outs`."""
    must_be_operator(actor)
    query = read_listed(request)
    world, account_id = ANY_WORLD.read_or(query, World.TRADING), OF_ACCOUNT.read_or(query, None)
    after, limit = AFTER_STOP_OUT.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        page = await house_side.stop_outs(connection, world, account_id=account_id, after=after, limit=limit)
    return StopOuts(seq, page.lines, page.next)


def _range(since_us: int | None, until_us: int | None) -> tuple[datetime, datetime]:
    """The days that are asked for. Raises `ProblemError`."""
    until = moment(now_us() if until_us is None else until_us)
    since = until - DEFAULT_DAYS if since_us is None else moment(since_us)
    if not since < until:
        raise ProblemError("bad_range", "`from` must be before `to`.")
    if until - since > MOST_DAYS:
        raise ProblemError("bad_range", f"At most {MOST_DAYS.days} days are told at once.")
    return since, until


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    set_terms,
    set_rules,
    set_swap_free,
    fund_insurance,
    list_terms,
    list_quotes,
    list_exposure,
    list_insurance,
    list_profit,
    list_stop_outs,
)
