"""The endpoints of totals: of whoever asks, of each symbol, and the leader board."""

from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.vocabulary import World
from fondaco.domains.identity.api import Actor
from fondaco.domains.reports import reports
from fondaco.domains.reports.reports import BEST, LeaderLine, ResultLine, SymbolLine
from fondaco.domains.trading.desk import must_be_operator
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.orders import SIGNED_IN
from fondaco.gateways.rest.parameters import limit, operation, read_listed
from fondaco.gateways.rest.problems import documented
from fondaco.gateways.rest.reading import AFTER_SEQ, ANY_WORLD, READ, Call, code

CURRENCY: Final = code("currency", "The quote asset whose symbols count; USDT when left out.", "USDT")
LEADERS: Final = limit(default=BEST, most=reports.MAX_LINES)


class Results(msgspec.Struct, frozen=True):
    """What was earned and paid, by currency."""

    seq: int
    results: list[ResultLine]


class Statistics(msgspec.Struct, frozen=True):
    """What all orders of each symbol come to."""

    seq: int
    symbols: list[SymbolLine]


class LeaderBoard(msgspec.Struct, frozen=True):
    """Users, best first; those without orders last."""

    seq: int
    leaders: list[LeaderLine]


@get(
    "/api/v1/results",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="results",
    summary="Your results",
    description=(
        "What all your orders and positions of a world have earned, would earn at the last prices, and paid in fees, "
        "for each currency. Fees are not taken off the results."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(
        Results,
        "Results by currency.",
        Results(4711, [ResultLine("USDT", 4, "15.00000000", "5.00000000", "0.42000000")]),
    )
    | documented(*READ, "bad_world"),
)
async def list_results(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Results:
    """`GET /api/v1/results` (EXD-24)."""
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return Results(seq, await reports.results(connection, ANY_WORLD.read_or(query, World.TRADING), actor.user_id))


@get(
    "/api/v1/reports/symbols",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="symbolStatistics",
    summary="Statistics by symbol",
    description="Of all users in a world: orders, filled quantity, result and average result by order. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(
        Statistics,
        "Statistics by symbol.",
        Statistics(4711, [SymbolLine("BTCUSDT", "USDT", 4, "0.01400000", "15.00000000", "3.75000000")]),
    )
    | documented(*READ, "bad_world", "operators_only"),
)
async def list_symbols(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Statistics:
    """`GET /api/v1/reports/symbols` (EXD-27)."""
    must_be_operator(actor)
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return Statistics(seq, await reports.symbols(connection, ANY_WORLD.read_or(query, World.TRADING)))


@get(
    "/api/v1/reports/leaders",
    operation_class=operation(ANY_WORLD, CURRENCY, LEADERS, AFTER_SEQ),
    operation_id="leaders",
    summary="Leader board",
    description="Every user with number of orders and result, best first, those without orders last. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(
        LeaderBoard,
        "Users, best first.",
        LeaderBoard(
            4711,
            [
                LeaderLine("01912f4c-2a00-7000-8000-000000000001", "ann@example.com", 4, "15.00000000"),
                LeaderLine("01912f4c-2a00-7000-8000-000000000002", "ben@example.com", 0, None),
            ],
        ),
    )
    | documented(*READ, "bad_world", "bad_word", "bad_limit", "operators_only"),
)
async def list_leaders(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> LeaderBoard:
    """`GET /api/v1/reports/leaders` (EXD-31, EXD-32)."""
    must_be_operator(actor)
    query = read_listed(request)
    world, currency = ANY_WORLD.read_or(query, World.TRADING), CURRENCY.read_or(query, None) or "USDT"
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return LeaderBoard(seq, await reports.leaders(connection, world, currency, LEADERS.read_or(query, BEST)))


HANDLERS: tuple[HTTPRouteHandler, ...] = (list_results, list_symbols, list_leaders)
