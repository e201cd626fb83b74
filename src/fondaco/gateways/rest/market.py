"""The market endpoints: read the parameters, ask the database once, write the answer."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import INT64_MAX
from fondaco.gateways.rest import answers, examples
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.parameters import (
    MICRO,
    QueryParameter,
    flag,
    limit,
    moment_parameter,
    number_id,
    operation,
    read_query,
    shown,
    source_parameter,
    symbol,
    timeframe_parameter,
)
from fondaco.gateways.rest.problems import ProblemError, documented
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.market import reads
from fondaco.market.messages import FEED_KEY, FeedState
from fondaco.market.partitions import moment

Call = Request[Any, Any, Any]

ASSET = symbol("asset", required=True)
DURATION = timeframe_parameter("duration")
CHART_LIMIT = limit(default=1000, most=5000)
SYMBOL = symbol("symbol", required=True)
ANY_SYMBOL = symbol("symbol", required=False)
TIMEFRAME = timeframe_parameter("timeframe")
FROM = moment_parameter("from", "Begin of the range, inclusive.", 1723161240)
TO = moment_parameter("to", "End of the range, exclusive.", "2024-08-09T00:05:00Z")
CANDLE_LIMIT = limit(default=500, most=5000)
ROW_LIMIT = limit(default=100, most=1000)
SOURCE = source_parameter()
BEFORE_ID = QueryParameter(
    "before_id",
    "Only trades with a smaller id: the last id of the page before.",
    Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=INT64_MAX),
    3_691_000_000,
    number_id,
)
OPEN: QueryParameter[bool | None] = QueryParameter(
    "open",
    "Only gaps that are still open, or only those that have been filled; both when left out.",
    Schema(type=OpenAPIType.STRING, enum=["true", "false"]),
    "true",
    flag,
)

ANY_QUERY = ("repeated_parameter", "too_many_parameters")
AWAY = ("database_unavailable",)


class Market:
    """What the market endpoints work with."""

    def __init__(self, database: Database, bus: Bus, catalogue: Catalogue) -> None:
        self.database = database
        self.bus = bus
        self.catalogue = catalogue

    def instrument(self, spelling: str) -> Instrument:
        """Find a symbol in any spelling, or refuse it by name."""
        found = self.catalogue.get(spelling)
        if found is None:
            known = ", ".join(self.catalogue.symbols)
            raise ProblemError("unknown_symbol", f"{shown(spelling)} is none of {known}.")
        return found

    def symbols(self, query: Mapping[str, str]) -> list[str]:
        """The symbol that a query names, or all of them."""
        spelling = ANY_SYMBOL.read_or(query, "")
        return [self.instrument(spelling).symbol] if "symbol" in query else list(self.catalogue.symbols)


def _range(query: Mapping[str, str], rows: QueryParameter[int], default: int) -> reads.Range:
    from_us, to_us = FROM.read_or(query, reads.FIRST_US), TO.read_or(query, reads.END_US)
    assert from_us is not None  # their defaults are numbers
    assert to_us is not None
    if from_us >= to_us:
        raise ProblemError("bad_range", "`from` must be before `to`.")
    return reads.Range(from_us, to_us, rows.read_or(query, default))


@get(
    "/candles",
    operation_class=operation(ASSET, DURATION, CHART_LIMIT),
    operation_id="chartCandles",
    summary="Candles for a chart",
    description="The newest `limit` candles of an asset, oldest first; times are whole Unix seconds.",
    tags=["market"],
    responses=success(answers.ChartCandles, "Candles, oldest first.", examples.CHART_CANDLES)
    | documented("missing_parameter", "unknown_symbol", "unknown_timeframe", "bad_limit", *ANY_QUERY, *AWAY),
)
async def chart_candles(request: Call, market: NamedDependency[Market]) -> answers.ChartCandles:
    """`GET /candles` (EXP-40 to EXP-47)."""
    query = read_query(request)
    instrument = market.instrument(ASSET.read(query))
    duration = DURATION.read(query)
    count = CHART_LIMIT.read_or(query, 1000)
    async with market.database.driver_transaction() as connection:
        bars = await reads.recent_bars(connection, instrument.symbol, duration, count)
    return answers.chart_candles(instrument, duration.value, bars)


@get(
    "/api/v1/candles",
    operation_class=operation(SYMBOL, TIMEFRAME, FROM, TO, CANDLE_LIMIT, SOURCE),
    operation_id="candles",
    summary="Candles of a range",
    description=(
        "The newest `limit` candles that open in the range, oldest first: `closed` when their time is over, `gap` when "
        "trades are known to be missing in them."
    ),
    tags=["market"],
    responses=success(answers.Candles, "Candles, oldest first.", examples.CANDLES)
    | documented(
        "missing_parameter",
        "unknown_symbol",
        "unknown_timeframe",
        "bad_limit",
        "bad_time",
        "bad_range",
        "unknown_source",
        *ANY_QUERY,
        *AWAY,
    ),
)
async def candles(request: Call, market: NamedDependency[Market]) -> answers.Candles:
    """`GET /api/v1/candles`."""
    query = read_query(request)
    instrument = market.instrument(SYMBOL.read(query))
    timeframe = TIMEFRAME.read(query)
    wanted, named = _range(query, CANDLE_LIMIT, 500), SOURCE.read_or(query, None)
    async with market.database.transaction() as connection:
        source = named or await reads.current_source(connection, instrument.symbol)
        bars = await reads.bars(connection, source, instrument.symbol, timeframe, wanted) if source else []
    found = answers.full_candles(instrument, bars, now_s=now_us() // MICRO)
    return answers.Candles(instrument.symbol, timeframe.value, source, found)


@get(
    "/api/v1/ticks",
    operation_class=operation(SYMBOL, FROM, TO, BEFORE_ID, ROW_LIMIT, SOURCE),
    operation_id="ticks",
    summary="Trade prints",
    description="The newest `limit` trade prints of a symbol, newest first. Page backwards with `before_id`.",
    tags=["market"],
    responses=success(answers.Ticks, "Trade prints, newest first.", examples.TICKS)
    | documented(
        "missing_parameter",
        "unknown_symbol",
        "bad_limit",
        "bad_time",
        "bad_range",
        "bad_id",
        "unknown_source",
        *ANY_QUERY,
        *AWAY,
    ),
)
async def ticks(request: Call, market: NamedDependency[Market]) -> answers.Ticks:
    """`GET /api/v1/ticks`."""
    query = read_query(request)
    instrument = market.instrument(SYMBOL.read(query))
    wanted = _range(query, ROW_LIMIT, 100)
    before_id, named = BEFORE_ID.read_or(query, INT64_MAX), SOURCE.read_or(query, None)
    async with market.database.transaction() as connection:
        source = named or await reads.current_source(connection, instrument.symbol)
        rows = await reads.prints(connection, source, instrument.symbol, wanted, before_id=before_id) if source else []
    return answers.Ticks(instrument.symbol, source, [answers.tick(instrument, row) for row in rows])


@get(
    "/api/v1/prices",
    operation_class=operation(ANY_SYMBOL),
    operation_id="prices",
    summary="Latest prices",
    description="The newest stored price row of one symbol or of all, with the figures of the last 24 hours.",
    tags=["market"],
    responses=success(answers.Prices, "Prices by symbol.", examples.PRICES)
    | documented("unknown_symbol", *ANY_QUERY, *AWAY),
)
async def prices(request: Call, market: NamedDependency[Market]) -> answers.Prices:
    """`GET /api/v1/prices`."""
    wanted = market.symbols(read_query(request))
    async with market.database.transaction() as connection:
        rows = await reads.latest_prices(connection, wanted)
    return answers.Prices([answers.price(market.instrument(row.symbol), row) for row in rows])


@get(
    "/api/v1/symbols",
    operation_id="symbols",
    summary="Symbols",
    description="The symbols of the house, and the source that readers of each see now.",
    tags=["market"],
    responses=success(answers.Symbols, "Symbols in the order of listing.", examples.SYMBOLS) | documented(*AWAY),
)
async def symbols(market: NamedDependency[Market]) -> answers.Symbols:
    """`GET /api/v1/symbols`."""
    async with market.database.transaction() as connection:
        feeds = {feed.symbol: feed for feed in await reads.current_feeds(connection)}
    listed = market.catalogue.by_symbol.values()
    return answers.Symbols([answers.symbol(each, feeds.get(each.symbol)) for each in listed])


@get(
    "/api/v1/gaps",
    operation_class=operation(ANY_SYMBOL, OPEN, ROW_LIMIT),
    operation_id="gaps",
    summary="Missing trades",
    description="Where trade ids are missing between two that the house has, newest first.",
    tags=["market"],
    responses=success(answers.Gaps, "Gaps, newest first.", examples.GAPS)
    | documented("unknown_symbol", "bad_limit", "bad_flag", *ANY_QUERY, *AWAY),
)
async def gaps(request: Call, market: NamedDependency[Market]) -> answers.Gaps:
    """`GET /api/v1/gaps`."""
    query = read_query(request)
    wanted, is_open, count = market.symbols(query), OPEN.read_or(query, None), ROW_LIMIT.read_or(query, 100)
    async with market.database.transaction() as connection:
        rows = await reads.missing_trades(connection, wanted, is_open=is_open, limit=count)
    return answers.Gaps([answers.gap(row) for row in rows])


@get(
    "/api/v1/feed",
    operation_id="feed",
    summary="The feed",
    description="Which feed brings the market data now.",
    tags=["market"],
    responses=success(answers.Feed, "The running feed.", examples.FEED)
    | documented("feed_unavailable", "bus_unavailable"),
)
async def feed(market: NamedDependency[Market]) -> answers.Feed:
    """`GET /api/v1/feed`."""
    body = await market.bus.get(FEED_KEY)
    if body is None:
        raise ProblemError("feed_unavailable", "No feed has been chosen yet.")
    state = msgspec.msgpack.decode(body, type=FeedState)
    since = answers.iso(moment(state.since_us))
    return answers.Feed(state.source.value, state.label, list(state.symbols), state.connected, since)


HANDLERS: tuple[HTTPRouteHandler, ...] = (chart_candles, candles, ticks, prices, symbols, gaps, feed)
