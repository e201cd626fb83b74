"""The depth of the house's books, as this process keeps them: no table and no engine is asked."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.money import INT64_MAX
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import World
from fondaco.domains.trading.api import Desk
from fondaco.engine.books import Books
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.parameters import QueryParameter, limit, number_id, operation, read_query, symbol, world
from fondaco.gateways.rest.problems import ProblemError, documented, refusals
from fondaco.gateways.ws.house_frames import levels, trade_items

Call = Request[Any, Any, Any]

WAIT_S: Final = 2.0
"""How long an answer is held back until the command of `after_seq` is known here."""
DEFAULT_LEVELS: Final = 100
MAX_LEVELS: Final = 5_000

SYMBOL = symbol("symbol", required=True)
WORLD = QueryParameter(
    "world",
    "The world of the market; the setting `public_world` when left out.",
    Schema(type=OpenAPIType.STRING, enum=[World.TRADING.value, World.DEMO.value]),
    "trading",
    world,
)
LIMIT = limit(default=DEFAULT_LEVELS, most=MAX_LEVELS)
AFTER_SEQ = QueryParameter(
    "after_seq",
    "Wait until what this command did is in the answer: the `seq` of its answer.",
    Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=INT64_MAX),
    0,
    number_id,
)


class Depth(msgspec.Struct, frozen=True):
    """The best levels of both sides after command `seq`, best first, each price and quantity; and the last trade."""

    world: str
    symbol: str
    seq: int
    bids: list[list[str]]
    asks: list[list[str]]
    last_price: str | None
    last_quantity: str | None
    last_time_ms: int | None


DEPTH = Depth(
    "trading",
    "BTCUSDT",
    4711,
    [["61837.63000000", "0.02000000"]],
    [["61837.64000000", "0.51000000"]],
    "61837.63000000",
    "0.01000000",
    1_723_161_254_014,
)


class Depths:
    """What the depth endpoint works with."""

    def __init__(self, desk: Desk, books: Books, public_world: World) -> None:
        self.desk = desk
        self.books = books
        self.public_world = public_world

    async def come_to(self, seq: int) -> None:
        """Wait until a command is known here. Raises `ProblemError` when that takes too long."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self.desk.live.come_to(seq)
        except TimeoutError as error:
            detail = f"The books have come to command {self.books.seq}; {seq} is still to come."
            raise ProblemError("not_there_yet", detail) from error


@get(
    "/api/v1/depth",
    operation_class=operation(SYMBOL, WORLD, LIMIT, AFTER_SEQ),
    operation_id="depth",
    summary="Depth of a book",
    description=(
        "What rests in a book of the house: the best `limit` levels of each side, and the last trade. To keep a book "
        "up, listen to `book:SYMBOL` on the stream instead of asking often."
    ),
    tags=["market"],
    responses=success(Depth, "Levels, best first.", DEPTH)
    | refusals(Refusal.UNKNOWN_SYMBOL)
    | documented(
        "missing_parameter",
        "bad_limit",
        "bad_world",
        "bad_id",
        "repeated_parameter",
        "too_many_parameters",
        "engine_away",
        "not_there_yet",
    ),
)
async def depth(request: Call, depths: NamedDependency[Depths]) -> Depth:
    """`GET /api/v1/depth`."""
    query = read_query(request)
    spelling, count = SYMBOL.read(query), LIMIT.read_or(query, DEFAULT_LEVELS)
    wanted = WORLD.read_or(query, depths.public_world)
    await depths.come_to(AFTER_SEQ.read_or(query, 0))
    terms = depths.desk.terms(wanted, spelling)
    book = depths.books.book(wanted, terms.instrument.symbol)
    last = next(iter(trade_items([*book.trades, *book.new_trades][-1:], terms)), None)
    return Depth(
        wanted.value,
        terms.instrument.symbol,
        depths.books.seq,
        [[*each] for each in levels(book.bids.best(count), terms)],
        [[*each] for each in levels(book.asks.best(count), terms)],
        last.price if last else None,
        last.quantity if last else None,
        last.time_ms if last else None,
    )


HANDLERS: tuple[HTTPRouteHandler, ...] = (depth,)
