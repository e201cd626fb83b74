"""The endpoints of users: letting them in, finding them, and listing the richest."""

import re
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.money import AmountProblem
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import World
from fondaco.domains.identity import users
from fondaco.domains.identity.api import Actor, UserRole, UserState
from fondaco.domains.identity.people import MAX_WHO
from fondaco.domains.identity.users import NewUser, User, UserRefusal
from fondaco.domains.reports import reports
from fondaco.domains.reports.reports import WealthLine
from fondaco.domains.trading import history
from fondaco.domains.trading.api import OperatorsOnlyError, RefusedError
from fondaco.domains.trading.desk import must_be_operator
from fondaco.domains.trading.history import OrderFilter, Whose
from fondaco.domains.trading.lines import AccountLine, OrderLine
from fondaco.domains.trading.shapes import Amount, Asked, AssetCode
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.governing import USER
from fondaco.gateways.rest.history import AFTER_ORDER, EXAMPLE_ACCOUNT, EXAMPLE_ORDER
from fondaco.gateways.rest.orders import BODY, SIGNED_IN, WHO
from fondaco.gateways.rest.parameters import QueryParameter, limit, operation, read_listed, shown
from fondaco.gateways.rest.problems import ProblemError, documented, refusals
from fondaco.gateways.rest.reading import (
    AFTER_SEQ,
    ANY_WORLD,
    DEFAULT_PAGE,
    EXAMPLE_TIME,
    LIMIT,
    LISTED,
    READ,
    Call,
    code,
)
from fondaco.infra.database import Database
from fondaco.infra.rows import iso

PLAIN: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,18})?")
"""A decimal within what the house can count."""


class NewUserBody(Asked, frozen=True):
    """Who shall be let in. The balance is real money, in the currency of the trading account that is opened."""

    email: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_WHO)]
    id: UUID | None = None
    role: UserRole = UserRole.USER
    currency: AssetCode = "USDT"
    balance: Amount = "0"


class UserLine(msgspec.Struct, frozen=True):
    """A user as the house knows one."""

    user_id: str
    email: str
    role: UserRole
    status: UserState
    created_at: str


class OneUser(msgspec.Struct, frozen=True):
    """A user and all accounts of theirs."""

    seq: int
    user: UserLine
    accounts: list[AccountLine]


class UserOrders(msgspec.Struct, frozen=True):
    """A user with all orders of a world, newest first; `next` is the cursor of the next page."""

    seq: int
    user: UserLine
    orders: list[OrderLine]
    next: str | None


class Users(msgspec.Struct, frozen=True):
    """Users, richest first."""

    seq: int
    users: list[WealthLine]


def _amount(text: str) -> str:
    """Read a decimal that balances are compared with; how it is counted is the asset's affair."""
    if PLAIN.fullmatch(text) is None:
        raise ProblemError("bad_amount", f"{shown(text)} is no plain decimal such as 0.015.")
    return text


_ID: Final = "01912f4c-2a00-7000-8000-000000000001"
EXAMPLE_USER: Final = UserLine(_ID, "ann@example.com", UserRole.USER, UserState.ACTIVE, iso(EXAMPLE_TIME))
NEW_USER: Final = Body(NewUserBody, NewUserBody(email="ann@example.com", balance="250"))
IN_ASSET: Final = code("asset", "The asset that counts; USDT when left out.", "USDT")
LEAST: Final = QueryParameter(
    "min_balance",
    "Only users who have at least so much, what is set aside included.",
    Schema(type=OpenAPIType.STRING, pattern=f"^{PLAIN.pattern}$"),
    "250",
    _amount,
)
RICHEST: Final = limit(default=DEFAULT_PAGE, most=reports.MAX_LINES)


@post(
    "/api/v1/users",
    operation_class=operation(body=NEW_USER.documented()),
    operation_id="createUser",
    summary="Let a user in",
    description=(
        "Makes a user with a trading account and, where a balance is given, money in it. The row is there at once; the "
        "engine opens the account a moment later, also when it is away just now. An id or address that is taken is "
        "refused, so the same request may be sent again. For operators; only a superadmin makes operators."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(UserLine, "The user.", EXAMPLE_USER, status=201)
    | documented(*WHO, *BODY, "bad_email", "bad_amount", "operators_only")
    | refusals(Refusal.USER_EXISTS, Refusal.UNKNOWN_ASSET),
)
async def create_user(request: Call, actor: NamedDependency[Actor], database: NamedDependency[Database]) -> UserLine:
    """`POST /api/v1/users` (EXD-10, EXD-15)."""
    body = NEW_USER.read(await request.body())
    if not users.may_appoint(actor, body.role):
        raise OperatorsOnlyError
    async with database.transaction() as connection:
        made = await users.create_user(connection, NewUser(body.email, body.currency, body.id, body.role, body.balance))
    match made:
        case User():
            return _line(made)
        case UserRefusal.BAD_EMAIL:
            raise ProblemError("bad_email", f"{shown(body.email)} is no e-mail address.")
        case UserRefusal():
            raise RefusedError(Refusal(made.value))
        case AmountProblem():
            detail = f"`balance`: {shown(body.balance)} is no amount of {body.currency} ({made.value})."
            raise ProblemError("bad_amount", detail)


@get(
    "/api/v1/users",
    operation_class=operation(IN_ASSET, LEAST, ANY_WORLD, RICHEST, AFTER_SEQ),
    operation_id="users",
    summary="Users by balance",
    description=(
        "Users who have at least so much of an asset in all accounts of a world, richest first. Without `min_balance` "
        "also those who have nothing. For operators."
    ),
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(
        Users,
        "Users, richest first.",
        Users(4711, [WealthLine(_ID, "ann@example.com", "user", "active", "250.00000000")]),
    )
    | documented(*READ, "bad_limit", "bad_world", "bad_word", "bad_amount", "operators_only"),
)
async def list_users(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Users:
    """`GET /api/v1/users` (EXD-13)."""
    must_be_operator(actor)
    query = read_listed(request)
    asset, least = IN_ASSET.read_or(query, None) or "USDT", LEAST.read_or(query, "0")
    world, count = ANY_WORLD.read_or(query, World.TRADING), RICHEST.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return Users(seq, await reports.wealthiest(connection, world, asset, least, count))


@get(
    "/api/v1/users/{user_id:str}",
    operation_class=operation(USER, AFTER_SEQ),
    operation_id="user",
    summary="A user",
    description="A user, by id or e-mail address, with all accounts. Operators find anybody, others themselves alone.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(OneUser, "The user.", OneUser(4711, EXAMPLE_USER, [EXAMPLE_ACCOUNT]))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_USER),
)
async def one_user(
    request: Call,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    tables: NamedDependency[Tables],
) -> OneUser:
    """`GET /api/v1/users/{user_id}` (EXD-11)."""
    user = await _user_for(database, actor, USER.read(request.path_params))
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        return OneUser(seq, user, await history.accounts(connection, user.user_id))


@get(
    "/api/v1/users/{user_id:str}/orders",
    operation_class=operation(USER, ANY_WORLD, LIMIT, AFTER_ORDER, AFTER_SEQ),
    operation_id="userOrders",
    summary="A user with all orders",
    description="A user and the orders of all accounts in a world, newest first. Operators find anybody.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(
        UserOrders,
        "The user and a page of orders.",
        UserOrders(4711, EXAMPLE_USER, [EXAMPLE_ORDER], str(AFTER_ORDER.example)),
    )
    | documented(*LISTED)
    | refusals(Refusal.UNKNOWN_USER),
)
async def user_orders(
    request: Call,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    tables: NamedDependency[Tables],
) -> UserOrders:
    """`GET /api/v1/users/{user_id}/orders` (EXD-12)."""
    query = read_listed(request)
    world, count = ANY_WORLD.read_or(query, World.TRADING), LIMIT.read_or(query, DEFAULT_PAGE)
    after = AFTER_ORDER.read_or(query, None)
    user = await _user_for(database, actor, USER.read(request.path_params))
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = Whose(user.user_id, world)
        page = await history.orders(connection, whose, OrderFilter(), after, count)
    return UserOrders(seq, user, page.lines, page.next)


async def _user_for(database: Database, actor: Actor, who: str) -> UserLine:
    """A user that the actor may know of. Raises `RefusedError`: another looks missing."""
    async with database.transaction() as connection:
        found = await users.find_user(connection, who)
    if found is None or not (actor.is_operator or actor.user_id == str(found.id)):
        raise RefusedError(Refusal.UNKNOWN_USER)
    return _line(found)


def _line(user: User) -> UserLine:
    return UserLine(str(user.id), user.email, user.role, user.status, iso(user.created_at))


HANDLERS: tuple[HTTPRouteHandler, ...] = (create_user, list_users, one_user, user_orders)
