"""The order endpoints. What places and cancels one order stands in `fondaco.gateways.rest.entry`."""

from typing import Any, Final

import msgspec
from litestar import Request, delete, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import OrderState
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import BatchAnswer, TradingService
from fondaco.domains.trading.shapes import (
    AmendedOrder,
    CancelledOrder,
    CancelledOrders,
    NewOrders,
    OrderChange,
    OrderVerdict,
    PlacedOrder,
)
from fondaco.engine.door import NO_SEQ
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import (
    ACCOUNT_ID,
    EXAMPLE_ORDER,
    KEY,
    NEW_ORDER,
    ORDER_ID,
    ORDER_PATH,
    ORDERS_PATH,
    OrderEntry,
    idempotency_key,
)
from fondaco.gateways.rest.parameters import operation, read_query, symbol
from fondaco.gateways.rest.problems import Problem, RefusalProblem, documented, problem, refusals, translate

Call = Request[Any, Any, Any]

SIGNED_IN: Final = [{"bearer": list[str]()}]
"""The security requirement of every endpoint that acts for somebody."""
WHO: Final = ("not_signed_in", "unknown_token", "user_not_active", "database_unavailable")
BODY: Final = ("bad_json", "bad_body", "body_too_large")
QUERY: Final = ("missing_parameter", "bad_id", "repeated_parameter", "too_many_parameters")
ENGINE: Final = ("bad_idempotency_key", "engine_away", "queue_full", "follower_behind", "outcome_unknown")
ORDER: Final = (*WHO, *BODY, *ENGINE, "bad_amount", "not_yours")

SYMBOL: Final = symbol("symbol", required=False)
BATCH: Final = Body(NewOrders, NewOrders(orders=[EXAMPLE_ORDER]))
CHANGE: Final = Body(OrderChange, OrderChange(account_id=1000, symbol="BTCUSDT", price="61800"))

PLACED: Final = PlacedOrder(
    seq=4711,
    duplicate=False,
    order_id=1005,
    account_id=1000,
    symbol="BTCUSDT",
    client_order_id=None,
    state=OrderState.PARTIALLY_FILLED,
    filled="0.01000000",
    filled_notional="618.37630000",
    fee="0.61837630",
)


class BatchResult(msgspec.Struct, frozen=True):
    """What became of one order of a batch: it was placed, or there is a problem."""

    order: PlacedOrder | None
    problem: Problem | None


class BatchResults(msgspec.Struct, frozen=True):
    """What became of each order, in the order of the request; `seq` is the highest number among them."""

    seq: int
    results: list[BatchResult]


@post(
    ORDERS_PATH,
    operation_class=operation(KEY, body=NEW_ORDER.documented()),
    operation_id="placeOrder",
    summary="Place an order",
    description=(
        "Answered once the order is on disk. `docs/orders.md` says which fields each type of order needs, "
        "`docs/refusals.md` why one may be refused."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(PlacedOrder, "The order as it stands after its command.", PLACED, status=201)
    | documented(*ORDER)
    | refusals(Refusal.INSUFFICIENT_FUNDS, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def place_order(request: Call, entry: NamedDependency[OrderEntry]) -> PlacedOrder:
    """`POST /api/v1/orders`."""
    return await entry.place(request.scope["headers"], await request.body())


@post(
    "/api/v1/orders/batch",
    operation_class=operation(KEY, body=BATCH.documented()),
    operation_id="placeOrders",
    summary="Place several orders",
    description=(
        "Places up to 100 orders one after the other. Each is answered by itself; that one is refused does not stop "
        "the next. The n-th goes under the id `KEY.n`, counted from 0, so the whole batch may be sent again."
    ),
    tags=["trading"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        BatchResults,
        "What became of each order.",
        BatchResults(4711, [BatchResult(PLACED, None), BatchResult(None, problem("not_yours", "It is not yours."))]),
    )
    | documented(*WHO, *BODY, *ENGINE),
)
async def place_orders(
    request: Call, actor: NamedDependency[Actor], trading: NamedDependency[TradingService]
) -> BatchResults:
    """`POST /api/v1/orders/batch`."""
    batch, key = BATCH.read(await request.body()), idempotency_key(request.scope["headers"])
    answers = await trading.place_all(actor, batch.orders, key)
    results = [_result(each) for each in answers]
    return BatchResults(max(_seq(each) for each in results), results)


@post(
    "/api/v1/orders/test",
    operation_class=operation(body=NEW_ORDER.documented()),
    operation_id="testOrder",
    summary="Test an order",
    description="Says whether an order would be accepted now, and why not. Nothing is placed, nobody is alerted.",
    tags=["trading"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        OrderVerdict, "Whether it would be accepted.", OrderVerdict(4711, accepted=True, code=None, detail=None)
    )
    | documented(*WHO, *BODY, "bad_amount", "not_yours", "engine_away", "queue_full", "follower_behind")
    | refusals(Refusal.UNKNOWN_SYMBOL, Refusal.UNKNOWN_ACCOUNT),
)
async def test_order(
    request: Call, actor: NamedDependency[Actor], trading: NamedDependency[TradingService]
) -> OrderVerdict:
    """`POST /api/v1/orders/test`."""
    return await trading.check(actor, NEW_ORDER.read(await request.body()))


@patch(
    ORDER_PATH,
    operation_class=operation(ORDER_ID, KEY, body=CHANGE.documented()),
    operation_id="amendOrder",
    summary="Change an order",
    description="Changes price or whole quantity of a resting order. Only lowering the quantity keeps its place.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(
        AmendedOrder,
        "The order as it stands after its command.",
        AmendedOrder(
            seq=4712, duplicate=False, order_id=1005, state=OrderState.OPEN, filled="0.00000000", kept_place=False
        ),
    )
    | documented(*ORDER, "bad_id")
    | refusals(Refusal.NOT_AMENDABLE, Refusal.UNKNOWN_ORDER, Refusal.COMMAND_ID_REUSED),
)
async def amend_order(
    request: Call, actor: NamedDependency[Actor], trading: NamedDependency[TradingService]
) -> AmendedOrder:
    """`PATCH /api/v1/orders/{order_id}`."""
    order_id, key = ORDER_ID.read(request.path_params), idempotency_key(request.scope["headers"])
    return await trading.amend(actor, order_id, CHANGE.read(await request.body()), key)


@delete(
    ORDER_PATH,
    operation_class=operation(ORDER_ID, ACCOUNT_ID, KEY),
    operation_id="cancelOrder",
    summary="Cancel an order",
    description="Takes an order back. What had been filled stays so. Another account's order looks missing.",
    tags=["trading"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        CancelledOrder, "The order was taken back.", CancelledOrder(seq=4713, duplicate=False, order_id=1005)
    )
    | documented(*WHO, *QUERY, *ENGINE)
    | refusals(Refusal.UNKNOWN_ORDER, Refusal.COMMAND_ID_REUSED),
)
async def cancel_order(request: Call, entry: NamedDependency[OrderEntry]) -> CancelledOrder:
    """`DELETE /api/v1/orders/{order_id}`."""
    scope = request.scope
    return await entry.cancel(scope["headers"], scope["query_string"], request.path_params["order_id"])


@delete(
    ORDERS_PATH,
    operation_class=operation(ACCOUNT_ID, SYMBOL, KEY),
    operation_id="cancelOrders",
    summary="Cancel all orders",
    description=(
        "Takes back every order of an account that stands now, or those of one symbol. Of more than a thousand the "
        "rest follows ahead of any other command; `goes_on` says so."
    ),
    tags=["trading"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        CancelledOrders,
        "How many were taken back.",
        CancelledOrders(seq=4714, duplicate=False, cancelled=3, goes_on=False),
    )
    | documented(*WHO, *QUERY, *ENGINE)
    | refusals(Refusal.UNKNOWN_SYMBOL, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def cancel_orders(
    request: Call, actor: NamedDependency[Actor], trading: NamedDependency[TradingService]
) -> CancelledOrders:
    """`DELETE /api/v1/orders`."""
    query, key = read_query(request), idempotency_key(request.scope["headers"])
    return await trading.cancel_all(actor, ACCOUNT_ID.read(query), SYMBOL.read_or(query, ""), key)


def _result(answer: BatchAnswer) -> BatchResult:
    if isinstance(answer, PlacedOrder):
        return BatchResult(answer, None)
    return BatchResult(None, translate(answer).problem)


def _seq(result: BatchResult) -> int:
    if result.order is not None:
        return result.order.seq
    return result.problem.seq if isinstance(result.problem, RefusalProblem) else NO_SEQ


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    place_order,
    place_orders,
    test_order,
    amend_order,
    cancel_order,
    cancel_orders,
)
