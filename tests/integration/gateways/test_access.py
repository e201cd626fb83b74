"""Every endpoint as nobody, as another user, and as each role: only who may is answered, and another's looks missing.

Users are ordinary users, market makers or administrators, and active or not (BHC-20).

The endpoints are the application's own. One that `CALLS` does not know fails here, until it is said who may call it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest

from fondaco.domains.identity.tables import UserRole, UserState
from fondaco.infra.database import Database
from support.floor import SYMBOL
from support.house import House
from support.trading import Floor, Json, join, open_floor

OK = "ok"
NO_TOKEN, NOBODYS_TOKEN, SUSPENDED = "no token", "a token for nobody", "suspended"
NOT_IN = {NO_TOKEN: "not_signed_in", NOBODYS_TOKEN: "unknown_token", SUSPENDED: "user_not_active"}
"""Who is not let in anywhere."""


class Call(NamedTuple):
    """One way to call an endpoint about something of alice's."""

    path: str
    body: Json | None = None


Make = Callable[[Floor], Awaitable[Call]]


class Rule(NamedTuple):
    """What becomes of a call by the owner, by another user and by an operator."""

    owner: str
    other: str
    operator: str


ANYBODY = None
OWN = Rule(OK, "unknown_account", OK)
TRADING = Rule(OK, "unknown_account", "not_yours")
OPERATING = Rule("operators_only", "operators_only", OK)
FOR_ONESELF = Rule(OK, OK, OK)
ONESELF = Rule(OK, "unknown_user", OK)


async def placing(floor: Floor) -> Call:
    return Call("/orders", floor.order("alice"))


async def placing_several(floor: Floor) -> Call:
    return Call("/orders/batch", {"orders": [floor.order("alice")]})


async def asking_first(floor: Floor) -> Call:
    return Call("/orders/test", floor.order("alice"))


async def amending(floor: Floor) -> Call:
    order = await floor.placed("alice")
    body = {"account_id": floor["alice"].account_id, "symbol": SYMBOL, "price": "49000"}
    return Call(f"/orders/{order['order_id']}", body)


async def cancelling(floor: Floor) -> Call:
    order = await floor.placed("alice")
    return Call(f"/orders/{order['order_id']}?account_id={order['account_id']}")


async def cancelling_all(floor: Floor) -> Call:
    return Call(f"/orders?account_id={floor['alice'].account_id}")


async def opening(_: Floor) -> Call:
    return Call("/accounts", {})


async def resetting(floor: Floor) -> Call:
    return Call(f"/accounts/{await demo_account(floor)}/reset")


async def depositing(floor: Floor) -> Call:
    return Call(f"/accounts/{floor['alice'].account_id}/deposits", {"asset": "USDT", "amount": "1"})


async def transferring(floor: Floor) -> Call:
    first, second = await demo_account(floor), await demo_account(floor)
    return Call(f"/accounts/{first}/transfers", {"to_account_id": second, "asset": "USDT", "amount": "1"})


async def setting_account_status(floor: Floor) -> Call:
    return Call(f"/accounts/{floor['alice'].account_id}/status", {"status": "active"})


async def setting_user_status(floor: Floor) -> Call:
    return Call(f"/users/{floor['alice'].user_id}/status", {"status": "active"})


async def setting_limit(_: Floor) -> Call:
    body = {"world": "demo", "scope": "platform", "name": "max_open_orders", "value": "50"}
    return Call("/risk/limits", body)


async def tripping(_: Floor) -> Call:
    return Call("/breakers", {"world": "demo", "reason": "tested"})


async def lifting(floor: Floor) -> Call:
    await floor.ask("admin", "POST", "/breakers", {"world": "external", "reason": "tested"})
    return Call("/breakers?world=external")


async def setting_desk_terms(_: Floor) -> Call:
    return Call("/desk/terms", {"world": "trading", "symbol": SYMBOL, "min_quantity": "0.01", "max_quantity": "10"})


async def setting_desk_rules(_: Floor) -> Call:
    return Call("/desk/rules", {"world": "trading"})


async def setting_swap_free(floor: Floor) -> Call:
    return Call(f"/accounts/{floor['alice'].account_id}/swap-free", {"swap_free": True})


async def funding_insurance(_: Floor) -> Call:
    return Call("/desk/insurance", {"world": "demo", "asset": "USDT", "amount": "1"})


async def creating_a_user(_: Floor) -> Call:
    return Call("/users", {"email": f"{uuid4()}@example.com"})


async def reading_an_order(floor: Floor) -> Call:
    order = await floor.placed("alice")
    return Call(f"/orders/{order['order_id']}?after_seq={order['seq']}")


async def acknowledging(floor: Floor) -> Call:
    async with floor.house.database.driver_transaction() as connection:
        await connection.execute("DELETE FROM risk_alerts")
        await connection.execute(
            "INSERT INTO risk_alerts (id, severity, kind, message, entity_type, entity_id, created_at)"
            " VALUES (1, 'low', 'tested', 'tested', 'account', '1000', now())"
        )
    return Call("/alerts/1/acknowledgement")


def reading(path: str) -> Make:
    """Read something of alice's; ``path`` names her account or herself."""

    async def make(floor: Floor) -> Call:
        seq = await floor.engine.client.read(lambda machine: machine.seq)
        separator = "&" if "?" in path else "?"
        alice = floor["alice"]
        return Call(f"{path.format(account=alice.account_id, user=alice.user_id)}{separator}after_seq={seq}")

    return make


async def demo_account(floor: Floor) -> int:
    """A fresh demo account of alice's."""
    answer = await floor.ask("alice", "POST", "/accounts", {})
    account_id: int = answer.json()["account_id"]
    return account_id


CALLS: dict[str, tuple[Make, Rule] | None] = {
    "POST /api/v1/orders": (placing, TRADING),
    "POST /api/v1/orders/batch": (placing_several, TRADING),
    "POST /api/v1/orders/test": (asking_first, TRADING),
    "PATCH /api/v1/orders/{order_id:str}": (amending, TRADING),
    "DELETE /api/v1/orders/{order_id:str}": (cancelling, OWN),
    "DELETE /api/v1/orders": (cancelling_all, OWN),
    "POST /api/v1/accounts": (opening, FOR_ONESELF),
    "POST /api/v1/accounts/{account_id:str}/reset": (resetting, OWN),
    "POST /api/v1/accounts/{account_id:str}/deposits": (depositing, OPERATING),
    "POST /api/v1/accounts/{account_id:str}/transfers": (transferring, OWN),
    "PUT /api/v1/accounts/{account_id:str}/status": (setting_account_status, OPERATING),
    "PUT /api/v1/users/{user_id:str}/status": (setting_user_status, OPERATING),
    "PUT /api/v1/risk/limits": (setting_limit, OPERATING),
    "POST /api/v1/breakers": (tripping, OPERATING),
    "DELETE /api/v1/breakers": (lifting, OPERATING),
    "PUT /api/v1/desk/terms": (setting_desk_terms, OPERATING),
    "PUT /api/v1/desk/rules": (setting_desk_rules, OPERATING),
    "PUT /api/v1/accounts/{account_id:str}/swap-free": (setting_swap_free, OPERATING),
    "POST /api/v1/desk/insurance": (funding_insurance, OPERATING),
    "GET /api/v1/desk/terms": (reading("/desk/terms"), FOR_ONESELF),
    "GET /api/v1/desk/quotes": (reading("/desk/quotes"), FOR_ONESELF),
    "GET /api/v1/desk/exposure": (reading("/desk/exposure"), OPERATING),
    "GET /api/v1/desk/insurance": (reading("/desk/insurance"), OPERATING),
    "GET /api/v1/desk/profit": (reading("/desk/profit"), OPERATING),
    "GET /api/v1/desk/stop-outs": (reading("/desk/stop-outs"), OPERATING),
    "POST /api/v1/users": (creating_a_user, OPERATING),
    "GET /api/v1/users": (reading("/users"), OPERATING),
    "GET /api/v1/users/{user_id:str}": (reading("/users/{user}"), ONESELF),
    "GET /api/v1/users/{user_id:str}/orders": (reading("/users/{user}/orders"), ONESELF),
    "GET /api/v1/accounts": (reading("/accounts"), FOR_ONESELF),
    "GET /api/v1/accounts/{account_id:str}": (reading("/accounts/{account}"), OWN),
    "GET /api/v1/accounts/{account_id:str}/balances": (reading("/accounts/{account}/balances"), OWN),
    "GET /api/v1/accounts/{account_id:str}/ledger": (reading("/accounts/{account}/ledger"), OWN),
    "GET /api/v1/orders": (reading("/orders?account_id={account}"), OWN),
    "GET /api/v1/orders/{order_id:str}": (reading_an_order, Rule(OK, "unknown_order", OK)),
    "GET /api/v1/trades": (reading("/trades?account_id={account}"), OWN),
    "GET /api/v1/positions": (reading("/positions?account_id={account}"), OWN),
    "GET /api/v1/results": (reading("/results"), FOR_ONESELF),
    "GET /api/v1/reports/symbols": (reading("/reports/symbols"), OPERATING),
    "GET /api/v1/reports/leaders": (reading("/reports/leaders"), OPERATING),
    "GET /api/v1/risk/limits": (reading("/risk/limits"), FOR_ONESELF),
    "GET /api/v1/breakers": (reading("/breakers"), FOR_ONESELF),
    "GET /api/v1/alerts": (reading("/alerts"), OPERATING),
    "POST /api/v1/alerts/{alert_id:str}/acknowledgement": (acknowledging, OPERATING),
    **dict.fromkeys(
        (
            *("GET /candles", "GET /api/v1/candles", "GET /api/v1/ticks", "GET /api/v1/prices", "GET /api/v1/symbols"),
            *(
                "GET /api/v1/gaps",
                "GET /api/v1/feed",
                "GET /api/v1/depth",
                "GET /api/v1/instruments",
                "GET /health",
                "GET /ready",
                "GET /metrics",
            ),
            *("GET /schema", "GET /schema/openapi.json", "GET /schema/{path:str}"),
        ),
        ANYBODY,
    ),
}
"""Who may call what; None for what is everybody's to read."""


def endpoints(floor: Floor) -> Iterator[str]:
    """Every endpoint that the application serves."""
    for route in floor.house.app.api.routes:
        for method in sorted(set(getattr(route, "methods", ())) - {"OPTIONS", "HEAD"}):
            yield f"{method} {route.path}"


def said(answer: httpx.Response) -> str:
    """`OK`, or the code of what went wrong; of a batch that of its one order."""
    body = answer.json()
    if not answer.is_success:
        code: str = body["code"]
        return code
    problems = [each["problem"]["code"] for each in body.get("results", []) if each.get("problem")]
    return problems[0] if problems else OK


async def test_no_endpoint_is_forgotten_here(database: Database) -> None:
    async with open_floor(database) as floor:
        assert sorted(endpoints(floor)) == sorted(CALLS)


async def test_each_endpoint_answers_only_who_may_call_it(database: Database) -> None:
    async with open_floor(database) as floor:
        wrong = []
        async for endpoint, asker, heard, expected in _heard(floor, await headers_by_asker(floor, database)):
            if heard != expected:
                wrong.append(f"{endpoint} by {asker}: {heard} instead of {expected}")
        assert wrong == []


async def headers_by_asker(floor: Floor, database: Database) -> dict[str, dict[str, str]]:
    """How each of those who ask shows who it is."""
    suspended = await join(database, floor.engine.client, "mallory", UserRole.ADMIN, UserState.SUSPENDED)
    return {
        NO_TOKEN: {},
        NOBODYS_TOKEN: {"authorization": "Bearer dev:nobody@example.com"},
        SUSPENDED: suspended.headers,
        **{name: floor[name].headers for name in floor.people},
    }


async def _heard(floor: Floor, askers: dict[str, dict[str, str]]) -> AsyncIterator[tuple[str, str, str, str]]:
    """Endpoint, asker, what was heard, and what should be."""
    for endpoint, known in CALLS.items():
        method = endpoint.partition(" ")[0]
        if known is ANYBODY:
            continue
        make, rule = known
        for asker, headers in askers.items():
            call = await make(floor)
            answer = await floor.http.request(method, f"/api/v1{call.path}", headers=headers, json=call.body)
            yield endpoint, asker, said(answer), NOT_IN.get(asker) or _expected(rule, asker)


def _expected(rule: Rule, asker: str) -> str:
    if asker == "alice":
        return rule.owner
    return rule.operator if asker in {"admin", "superadmin"} else rule.other


@pytest.mark.parametrize("endpoint", [name for name, known in CALLS.items() if known is ANYBODY])
async def test_what_is_everybodys_asks_for_no_token(lonely_house: House, endpoint: str) -> None:
    async with lonely_house.http() as client:
        answer = await client.get(endpoint.partition(" ")[2])
    assert answer.status_code not in {401, 403}
