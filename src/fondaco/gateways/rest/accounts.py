"""The endpoints of accounts and of the money on them."""

from typing import Any, Final

from litestar import Request, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.money import INT64_MAX
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import AccountStatus
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import AccountService
from fondaco.domains.trading.shapes import (
    AccountStatusChange,
    Answered,
    NewAccount,
    NewDeposit,
    NewTransfer,
    OpenedAccount,
)
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import KEY, idempotency_key
from fondaco.gateways.rest.orders import BODY, ENGINE, SIGNED_IN, WHO
from fondaco.gateways.rest.parameters import PathParameter, number_id, operation
from fondaco.gateways.rest.problems import documented, refusals

Call = Request[Any, Any, Any]

ID_SCHEMA: Final = Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=INT64_MAX)
ACCOUNT: Final = PathParameter("account_id", "The account.", ID_SCHEMA, 1000, number_id, required=True)
ACCOUNT_BODY: Final = Body(NewAccount, NewAccount())
DEPOSIT: Final = Body(NewDeposit, NewDeposit(asset="USDT", amount="250", note="bank transfer 4711"))
TRANSFER: Final = Body(NewTransfer, NewTransfer(to_account_id=1001, asset="USDT", amount="100"))
STATUS: Final = Body(AccountStatusChange, AccountStatusChange(status=AccountStatus.FROZEN))
OPENED: Final = OpenedAccount(seq=4711, duplicate=False, account_id=1000)
DONE: Final = Answered(seq=4711, duplicate=False)


@post(
    "/api/v1/accounts",
    operation_class=operation(KEY, body=ACCOUNT_BODY.documented()),
    operation_id="openAccount",
    summary="Open an account",
    description=(
        "Users open demo accounts for themselves, which begin with play money; operators open any account for any "
        "user, named by id or address."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(OpenedAccount, "The account was opened.", OPENED, status=201)
    | documented(*WHO, *BODY, *ENGINE, "operators_only")
    | refusals(Refusal.UNKNOWN_ASSET, Refusal.UNKNOWN_USER, Refusal.COMMAND_ID_REUSED),
)
async def open_account(
    request: Call, actor: NamedDependency[Actor], account_service: NamedDependency[AccountService]
) -> OpenedAccount:
    """`POST /api/v1/accounts`."""
    body, key = ACCOUNT_BODY.read(await request.body()), idempotency_key(request.scope["headers"])
    return await account_service.open(actor, body, key)


@post(
    "/api/v1/accounts/{account_id:str}/reset",
    operation_class=operation(ACCOUNT, KEY),
    operation_id="resetAccount",
    summary="Begin again with a demo account",
    description="Closes a demo account with all that it has and opens a fresh one in its place.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(OpenedAccount, "The fresh account.", OPENED, status=201)
    | documented(*WHO, *ENGINE, "bad_id")
    | refusals(Refusal.WRONG_WORLD, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def reset_account(
    request: Call, actor: NamedDependency[Actor], account_service: NamedDependency[AccountService]
) -> OpenedAccount:
    """`POST /api/v1/accounts/{account_id}/reset`."""
    account_id = ACCOUNT.read(request.path_params)
    return await account_service.reset(actor, account_id, idempotency_key(request.scope["headers"]))


@post(
    "/api/v1/accounts/{account_id:str}/deposits",
    operation_class=operation(ACCOUNT, KEY, body=DEPOSIT.documented()),
    operation_id="deposit",
    summary="Credit a deposit",
    description="Credits money that came in from outside. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "It was credited.", DONE, status=201)
    | documented(*WHO, *BODY, *ENGINE, "bad_id", "bad_amount", "operators_only")
    | refusals(Refusal.UNKNOWN_ASSET, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def deposit(
    request: Call, actor: NamedDependency[Actor], account_service: NamedDependency[AccountService]
) -> Answered:
    """`POST /api/v1/accounts/{account_id}/deposits`."""
    account_id, key = ACCOUNT.read(request.path_params), idempotency_key(request.scope["headers"])
    return await account_service.deposit(actor, account_id, DEPOSIT.read(await request.body()), key)


@post(
    "/api/v1/accounts/{account_id:str}/transfers",
    operation_class=operation(ACCOUNT, KEY, body=TRANSFER.documented()),
    operation_id="transfer",
    summary="Transfer between accounts",
    description="Moves money to another account of the same user, in the same world.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Answered, "It was moved.", DONE, status=201)
    | documented(*WHO, *BODY, *ENGINE, "bad_id", "bad_amount")
    | refusals(Refusal.INSUFFICIENT_FUNDS, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def transfer(
    request: Call, actor: NamedDependency[Actor], account_service: NamedDependency[AccountService]
) -> Answered:
    """`POST /api/v1/accounts/{account_id}/transfers`."""
    account_id, key = ACCOUNT.read(request.path_params), idempotency_key(request.scope["headers"])
    return await account_service.transfer(actor, account_id, TRANSFER.read(await request.body()), key)


@put(
    "/api/v1/accounts/{account_id:str}/status",
    operation_class=operation(ACCOUNT, KEY, body=STATUS.documented()),
    operation_id="setAccountStatus",
    summary="Freeze, free or close an account",
    description="A closed account never opens again, and must be empty. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Answered, "It is so now.", DONE)
    | documented(*WHO, *BODY, *ENGINE, "bad_id", "operators_only")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.ACCOUNT_IN_USE, Refusal.COMMAND_ID_REUSED),
)
async def set_account_status(
    request: Call, actor: NamedDependency[Actor], account_service: NamedDependency[AccountService]
) -> Answered:
    """`PUT /api/v1/accounts/{account_id}/status`."""
    account_id, key = ACCOUNT.read(request.path_params), idempotency_key(request.scope["headers"])
    return await account_service.set_status(actor, account_id, STATUS.read(await request.body()), key)


HANDLERS: tuple[HTTPRouteHandler, ...] = (open_account, reset_account, deposit, transfer, set_account_status)
