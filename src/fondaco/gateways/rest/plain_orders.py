"""The endpoints of `/api/v1/order`: leveraged positions as market orders, for clients that know no accounts (EXP-60).

The statuses are that interface's own: whatever is wrong with an order that is opened or closed is 400, also that it is
missing or another's (EXP-73); reading a missing one is 404; whoever has no account is as unknown as nobody (EXP-70).
The codes are the house's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema
from msgspec import Raw

from fondaco.core.refusals import Refusal
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions import reads
from fondaco.domains.positions.api import NoAccountError, SimpleOrders, Valuer
from fondaco.domains.positions.reads import PositionPlace, Which
from fondaco.domains.positions.simple import (
    ORDER_SCHEMA,
    SimpleClosed,
    SimpleLine,
    SimpleOpened,
    SimpleOrder,
    simple_line,
)
from fondaco.domains.trading.api import RefusedError, Whose
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import KEY, idempotency_key
from fondaco.gateways.rest.orders import BODY, ENGINE, QUERY, SIGNED_IN, WHO
from fondaco.gateways.rest.parameters import PathParameter, QueryParameter, number_id, operation, read_listed, shown
from fondaco.gateways.rest.problems import (
    KINDS,
    ProblemError,
    RefusalProblemError,
    documented,
    documented_as,
    refusals,
)
from fondaco.gateways.rest.reading import AFTER_SEQ, DEFAULT_PAGE, EXAMPLE_TIME, LIMIT, NUMBER, READ, cursor
from fondaco.gateways.rest.refusals import NOT_DONE, status_of
from fondaco.infra.rows import iso

Call = Request[Any, Any, Any]

ORDER_PATH: Final = "/api/v1/order"
BAD: Final = 400
MISSING: Final = 404
_STATUSES: Final = {"OPEN": True, "CLOSED": False}


def _is_open(text: str) -> bool:
    """Read a status as whether it is that of what is open."""
    found = _STATUSES.get(text.upper())
    if found is None:
        raise ProblemError("bad_word", f"{shown(text)} is none of {', '.join(_STATUSES)}.")
    return found


ORDER_ID: Final = PathParameter("order_id", "The order.", NUMBER, 1005, number_id, required=True)
OWN_ACCOUNT: Final = QueryParameter(
    "account_id",
    "An account of yours; your first in the house's public world when left out.",
    NUMBER,
    1000,
    number_id,
)
STATUS: Final = QueryParameter(
    "status",
    "Only orders of this status.",
    Schema(type=OpenAPIType.STRING, enum=list(_STATUSES)),
    "OPEN",
    _is_open,
)
AFTER: Final = cursor(PositionPlace(EXAMPLE_TIME, 1005))
NEW_ORDER: Final = Body(
    SimpleOrder,
    SimpleOrder(
        asset="BTCUSDT",
        leverage=Raw(b"5"),
        quantity=Raw(b'"0.5"'),
        type="LONG",
        stop_loss=Raw(b'"500"'),
        take_profit=Raw(b"0"),
    ),
    ORDER_SCHEMA,
)
_TIME: Final = iso(EXAMPLE_TIME)
LINE: Final = SimpleLine(
    order_id=1005,
    status="OPEN",
    type="LONG",
    asset="BTCUSDT",
    leverage=5,
    quantity="0.50000000",
    margin="5000.00000000",
    buy_price="50000.00000000",
    stop_loss="500.00000000",
    take_profit="0.00000000",
    final_pnl="0.00000000",
    liquidation_reason=None,
    created_at=_TIME,
    closed_at=None,
)
_CLOSED_LINE: Final = msgspec.structs.replace(LINE, status="CLOSED", final_pnl="500.00000000", closed_at=_TIME)
_CODES: Final = (*WHO, *BODY, *ENGINE, *QUERY, "no_account", "not_yours")
_WRITTEN: Final = tuple(dict.fromkeys(code for code in (*_CODES, "bad_amount") if KINDS[code].status == BAD))
_OTHERWISE: Final = tuple(code for code in _CODES if KINDS[code].status != BAD)
_SHORT: Final = (Refusal.INSUFFICIENT_MARGIN, Refusal.NO_QUOTE, Refusal.LEVERAGE_OUT_OF_RANGE)


class SimpleOne(msgspec.Struct, frozen=True):
    """An order as it stands."""

    seq: int
    success: bool
    order: SimpleLine


class SimpleList(msgspec.Struct, frozen=True):
    """A page of orders, newest first, and how many there are on it; `next` is the cursor of the next page."""

    seq: int
    success: bool
    count: int
    orders: list[SimpleLine]
    next: str | None


@contextmanager
def _plainly() -> Iterator[None]:
    """Tell what is wrong with the statuses of this interface."""
    try:
        yield
    except NoAccountError as error:
        raise ProblemError("no_account", str(error)) from error
    except RefusedError as error:
        if status_of(error.refusal) in (NOT_DONE, MISSING):
            raise RefusalProblemError(error, BAD) from error
        raise


@post(
    ORDER_PATH + "/open",
    operation_class=operation(OWN_ACCOUNT, KEY, body=NEW_ORDER.documented()),
    operation_id="openOrder",
    summary="Open an order",
    description=(
        "Opens a leveraged position at the desk's quote. `type` (or `direction`) is LONG, SHORT or PUT; `stopLoss` and "
        "`takeProfit` are the amounts that it may lose and shall earn, 0 for none."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(
        SimpleOpened,
        "The order, and the balance that is left.",
        SimpleOpened(seq=4711, duplicate=False, success=True, order=LINE, balance="5000.00000000"),
        status=201,
    )
    | documented(*_OTHERWISE)
    | documented_as(BAD, _WRITTEN, (*_SHORT, Refusal.UNKNOWN_SYMBOL))
    | refusals(Refusal.COMMAND_ID_REUSED),
)
async def open_order(
    request: Call, actor: NamedDependency[Actor], simple_orders: NamedDependency[SimpleOrders]
) -> SimpleOpened:
    """`POST /api/v1/order/open` (EXP-60 to 69)."""
    query, key = read_listed(request), idempotency_key(request.scope["headers"])
    account_id = OWN_ACCOUNT.read(query) if OWN_ACCOUNT.name in query else None
    order = NEW_ORDER.read(await request.body())
    with _plainly():
        return await simple_orders.open(actor, account_id, order, key)


@post(
    ORDER_PATH + "/close/{order_id:str}",
    operation_class=operation(ORDER_ID, KEY),
    operation_id="closeOrder",
    summary="Close an order",
    description="Closes a position with all that is left of it. One that is missing, another's or closed is 400.",
    tags=["desk"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        SimpleClosed,
        "The order, what it came to, and the balance then.",
        SimpleClosed(
            seq=4712,
            duplicate=False,
            success=True,
            order=_CLOSED_LINE,
            result="500.00000000",
            formatted_result="500.00 USDT",
            balance="10500.00000000",
        ),
    )
    | documented(*_OTHERWISE)
    | documented_as(BAD, ("bad_id", "bad_idempotency_key"), (Refusal.UNKNOWN_POSITION, Refusal.STALE_QUOTE))
    | refusals(Refusal.COMMAND_ID_REUSED),
)
async def close_order(
    request: Call, actor: NamedDependency[Actor], simple_orders: NamedDependency[SimpleOrders]
) -> SimpleClosed:
    """`POST /api/v1/order/close/{order_id}` (EXP-73 to 76)."""
    order_id, key = ORDER_ID.read(request.path_params), idempotency_key(request.scope["headers"])
    with _plainly():
        return await simple_orders.close(actor, order_id, key)


@get(
    ORDER_PATH,
    operation_class=operation(STATUS, OWN_ACCOUNT, LIMIT, AFTER, AFTER_SEQ),
    operation_id="plainOrders",
    summary="List orders",
    description="The orders of your account, newest first, of one status or of both, and how many they are.",
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(
        SimpleList, "Orders, newest first.", SimpleList(4711, success=True, count=1, orders=[LINE], next=None)
    )
    | documented(*READ, "no_account", "bad_limit", "bad_cursor", "bad_word", "engine_away")
    | refusals(Refusal.UNKNOWN_ACCOUNT),
)
async def list_plain_orders(
    request: Call,
    actor: NamedDependency[Actor],
    simple_orders: NamedDependency[SimpleOrders],
    tables: NamedDependency[Tables],
    valuer: NamedDependency[Valuer],
) -> SimpleList:
    """`GET /api/v1/order` (EXP-77)."""
    query = read_listed(request)
    which = Which(is_open=STATUS.read(query) if STATUS.name in query else None)
    account_id = OWN_ACCOUNT.read(query) if OWN_ACCOUNT.name in query else None
    after, limit = AFTER.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    try:
        owner = simple_orders.account_for(actor, account_id)
    except NoAccountError as error:
        raise ProblemError("no_account", str(error)) from error
    whose = Whose(owner.user_id, owner.world, owner.account_id)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        found = await reads.found_positions(connection, whose, which, after, limit)
    orders = [simple_line(each, valuer.terms(each.world, each.symbol)) for each in found.lines]
    return SimpleList(seq, success=True, count=len(orders), orders=orders, next=found.next)


@get(
    ORDER_PATH + "/{order_id:str}",
    operation_class=operation(ORDER_ID, AFTER_SEQ),
    operation_id="plainOrder",
    summary="Read an order",
    description="An order as it stands, also one that was closed. Another user's looks missing; operators see any.",
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(SimpleOne, "The order.", SimpleOne(4711, success=True, order=LINE))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_POSITION),
)
async def one_plain_order(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables], valuer: NamedDependency[Valuer]
) -> SimpleOne:
    """`GET /api/v1/order/{order_id}` (EXP-72)."""
    order_id = ORDER_ID.read(request.path_params)
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        position = await reads.position_for(connection, actor, order_id)
    return SimpleOne(seq, success=True, order=simple_line(position, valuer.terms(position.world, position.symbol)))


HANDLERS: tuple[HTTPRouteHandler, ...] = (open_order, close_order, list_plain_orders, one_plain_order)
