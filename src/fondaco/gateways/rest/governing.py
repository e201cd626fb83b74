"""The endpoints of what operators decide: limits, breakers, and who may act."""

from typing import Any, Final

from litestar import Request, delete, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import LimitName, LimitScope, World
from fondaco.domains.identity.api import Actor, UserState
from fondaco.domains.trading.api import GoverningService
from fondaco.domains.trading.shapes import Answered, NewBreaker, NewLimit, UserStatusChange
from fondaco.gateways.actors import Actors
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import KEY, idempotency_key
from fondaco.gateways.rest.orders import BODY, ENGINE, SIGNED_IN, WHO
from fondaco.gateways.rest.parameters import WORLDS, PathParameter, QueryParameter, operation, read_query, symbol, world
from fondaco.gateways.rest.problems import documented, refusals
from fondaco.infra.database import Database

Call = Request[Any, Any, Any]

WORLD: Final = QueryParameter(
    "world",
    "Whose breaker: every world has its own.",
    Schema(type=OpenAPIType.STRING, enum=list(WORLDS)),
    "trading",
    world,
    required=True,
)
SYMBOL: Final = symbol("symbol", required=False)
USER: Final = PathParameter(
    "user_id",
    "The user's id or address.",
    Schema(type=OpenAPIType.STRING, min_length=1, max_length=254),
    "01912f4c-2a00-7000-8000-000000000001",
    str,
    required=True,
)
LIMIT: Final = Body(
    NewLimit,
    NewLimit(
        world=World.TRADING, scope=LimitScope.PLATFORM, name=LimitName.MAX_ORDER_VALUE, about="USDT", value="50000"
    ),
)
BREAKER: Final = Body(NewBreaker, NewBreaker(world=World.TRADING, symbol="BTCUSDT", reason="The feed is in doubt."))
STATUS: Final = Body(UserStatusChange, UserStatusChange(status=UserState.SUSPENDED))
DONE: Final = Answered(seq=4711, duplicate=False)
OPERATOR: Final = (*WHO, *ENGINE, "operators_only")


@put(
    "/api/v1/risk/limits",
    operation_class=operation(KEY, body=LIMIT.documented()),
    operation_id="setLimit",
    summary="Set or lift a limit",
    description="Caps orders, values, positions or volumes of an account, a user, a symbol or each; null lifts it.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "It holds from this command on.", DONE)
    | documented(*OPERATOR, *BODY, "bad_amount")
    | refusals(Refusal.BAD_LIMIT, Refusal.UNKNOWN_LIMIT, Refusal.COMMAND_ID_REUSED),
)
async def set_limit(
    request: Call, actor: NamedDependency[Actor], governing: NamedDependency[GoverningService]
) -> Answered:
    """`PUT /api/v1/risk/limits`."""
    body, key = LIMIT.read(await request.body()), idempotency_key(request.scope["headers"])
    return await governing.set_limit(actor, body, key)


@post(
    "/api/v1/breakers",
    operation_class=operation(KEY, body=BREAKER.documented()),
    operation_id="tripBreaker",
    summary="Halt new orders",
    description="Of a symbol or of a whole world, until lifted or until a moment. Cancelling stays possible.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "New orders are refused from this command on.", DONE, status=201)
    | documented(*OPERATOR, *BODY)
    | refusals(Refusal.UNKNOWN_SYMBOL, Refusal.COMMAND_ID_REUSED),
)
async def trip_breaker(
    request: Call, actor: NamedDependency[Actor], governing: NamedDependency[GoverningService]
) -> Answered:
    """`POST /api/v1/breakers`."""
    body, key = BREAKER.read(await request.body()), idempotency_key(request.scope["headers"])
    return await governing.trip(actor, body, key)


@delete(
    "/api/v1/breakers",
    operation_class=operation(WORLD, SYMBOL, KEY),
    operation_id="liftBreaker",
    summary="Let new orders in again",
    description="Lifts the breaker of a symbol; without one, that of the whole world.",
    tags=["operators"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(Answered, "New orders are let in from this command on.", DONE)
    | documented(*OPERATOR, "missing_parameter", "bad_world", "repeated_parameter", "too_many_parameters")
    | refusals(Refusal.UNKNOWN_BREAKER, Refusal.UNKNOWN_SYMBOL, Refusal.COMMAND_ID_REUSED),
)
async def lift_breaker(
    request: Call, actor: NamedDependency[Actor], governing: NamedDependency[GoverningService]
) -> Answered:
    """`DELETE /api/v1/breakers`."""
    query, key = read_query(request), idempotency_key(request.scope["headers"])
    return await governing.lift(actor, WORLD.read(query), SYMBOL.read_or(query, ""), key)


@put(
    "/api/v1/users/{user_id:str}/status",
    operation_class=operation(USER, KEY, body=STATUS.documented()),
    operation_id="setUserStatus",
    summary="Keep a user out, or let it in again",
    description=(
        "From this command on the engine takes no new orders of the user; what stands goes on. Requests are refused "
        "after three seconds at the latest. Nobody decides this of themselves, and of operators only a superadmin."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "It is so now.", DONE)
    | documented(*OPERATOR, *BODY)
    | refusals(Refusal.UNKNOWN_USER, Refusal.COMMAND_ID_REUSED),
)
async def set_user_status(
    request: Call,
    actor: NamedDependency[Actor],
    governing: NamedDependency[GoverningService],
    database: NamedDependency[Database],
    actors: NamedDependency[Actors],
) -> Answered:
    """`PUT /api/v1/users/{user_id}/status`."""
    user, key = USER.read(request.path_params), idempotency_key(request.scope["headers"])
    body = STATUS.read(await request.body())
    async with database.transaction() as connection:
        answer = await governing.set_user_state(actor, connection, user, body.status, key)
    actors.forget_all()
    return answer


HANDLERS: tuple[HTTPRouteHandler, ...] = (set_limit, trip_breaker, lift_breaker, set_user_status)
