"""`/api/v1/order` as EXP-60 to EXP-79 describe it, on a whole engine: what it answers, with which status, and why."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from sqlalchemy import insert

from fondaco.core.commands import SetAccountStatus
from fondaco.core.vocabulary import AccountStatus
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from fondaco.infra.settings import ServeSettings, Settings
from support.desk_floor import dealing_floor, do, opened_position, quote, read, settled
from support.trading import Floor, Json

OPEN: Json = {"asset": "ETHUSDT", "type": "LONG", "leverage": 5, "quantity": "1", "stopLoss": 0, "takeProfit": 0}


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with dealing_floor(database) as opened:
        yield opened


async def opened(floor: Floor, name: str = "alice", **changes: object) -> Json:
    answer = await floor.ask(name, "POST", "/order/open", OPEN | changes)
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


async def said(floor: Floor, method: str, path: str, body: object = None, name: str = "alice") -> tuple[int, str]:
    answer = await floor.ask(name, method, path, body)
    return answer.status_code, answer.json()["code"]


async def test_opening_takes_the_margin_and_tells_order_and_balance(floor: Floor) -> None:
    """EXP-21, EXP-60, EXP-64, EXP-65, EXP-67, EXP-69: 1 at 50,000 with leverage 5 takes 10,000."""
    told = await opened(floor, stopLoss="500", takeProfit=2000)
    order = told["order"]
    assert told["success"] is True
    assert told["balance"] == "9990000.00000000"
    assert {name: order[name] for name in order if name not in {"orderId", "createdAt"}} == {
        "status": "OPEN",
        "type": "LONG",
        "asset": "ETHUSDT",
        "leverage": 5,
        "quantity": "1.00000000",
        "margin": "10000.00000000",
        "buyPrice": "50000.00000000",
        "stopLoss": "500.00000000",
        "takeProfit": "2000.00000000",
        "finalPnl": "0.00000000",
        "liquidationReason": None,
        "closedAt": None,
    }
    short = (await opened(floor, type="PUT"))["order"]
    assert (short["type"], short["buyPrice"]) == ("SHORT", "49990.00000000")


async def test_a_level_of_zero_is_none_and_any_other_an_amount(floor: Floor) -> None:
    """EXP-27, EXP-85: a loss of 500 closes a position of 1 at 49,500, a gain of 300 one of 0.5 at 50,600."""
    bare = (await opened(floor))["order"]
    none = await read(floor, "alice", f"/positions/{bare['orderId']}")
    assert (none["position"]["stop_loss"], none["position"]["take_profit"]) == (None, None)
    assert (bare["stopLoss"], bare["takeProfit"]) == ("0.00000000", "0.00000000")
    losing = (await opened(floor, stopLoss=500))["order"]
    winning = (await opened(floor, quantity=0.5, takeProfit="300.0"))["order"]
    await quote(floor.engine.client, 49_501, 49_511)
    assert (await read(floor, "alice", "/order", status="OPEN"))["count"] == 3
    await quote(floor.engine.client, 49_500, 49_510)
    first = (await read(floor, "alice", f"/order/{losing['orderId']}"))["order"]
    assert (first["status"], first["finalPnl"], first["liquidationReason"]) == ("CLOSED", "-500.00000000", "STOP_LOSS")
    await quote(floor.engine.client, 50_600, 50_610)
    second = (await read(floor, "alice", f"/order/{winning['orderId']}"))["order"]
    assert (second["finalPnl"], second["liquidationReason"]) == ("300.00000000", "TAKE_PROFIT")
    assert (first["stopLoss"], second["takeProfit"]) == ("500.00000000", "300.00000000")


@pytest.mark.parametrize("leverage", [1, 5, 100])
async def test_closing_gives_back_margin_and_result_whatever_the_leverage(floor: Floor, leverage: int) -> None:
    """EXP-74, EXP-75: 0.5 from 50,000 to 51,000 earns 500."""
    order = (await opened(floor, quantity="0.5", leverage=leverage))["order"]
    await quote(floor.engine.client, 51_000, 51_010)
    answer = await floor.ask("alice", "POST", f"/order/close/{order['orderId']}")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["success"], told["result"], told["formattedResult"]) == (True, "500.00000000", "500.00 USDT")
    assert told["balance"] == "10000500.00000000"
    closed = told["order"]
    assert (closed["status"], closed["finalPnl"], closed["margin"]) == ("CLOSED", "500.00000000", order["margin"])
    assert closed["closedAt"] is not None
    assert (await read(floor, "alice", f"/order/{order['orderId']}"))["order"] == closed


async def test_a_leverage_that_is_no_whole_number_from_1_to_100_is_400(floor: Floor) -> None:
    """EXP-61."""
    for leverage in (0, 101, -5, 1.5, "1.5", "ten", 10**30, None):
        assert await said(floor, "POST", "/order/open", OPEN | {"leverage": leverage}) == (400, "leverage_out_of_range")


WRONG: list[tuple[Json, str]] = [
    ({"quantity": 0}, "bad_amount"),
    ({"quantity": "-1"}, "bad_amount"),
    ({"quantity": "1e3"}, "bad_amount"),
    ({"quantity": "0.015"}, "bad_lot"),
    ({"quantity": "0.01"}, "quantity_too_small"),
    ({"quantity": "99999999999999999999"}, "bad_amount"),
    ({"quantity": "10000000"}, "quantity_too_large"),
    ({"stopLoss": "-5"}, "bad_amount"),
    ({"stopLoss": "60000"}, "bad_level"),
    ({"stopLoss": "9"}, "stop_wrong_side"),
    ({"takeProfit": "x"}, "bad_amount"),
    ({"asset": "DOGE"}, "unknown_symbol"),
    ({"type": "UP"}, "bad_body"),
    ({"type": "LONG", "direction": "LONG"}, "bad_body"),
    ({"price": "50000"}, "bad_body"),
]


async def test_what_fails_validation_is_400_and_changes_nothing(floor: Floor) -> None:
    """EXP-62."""
    for changes, code in WRONG:
        assert await said(floor, "POST", "/order/open", OPEN | changes) == (400, code), changes
    assert (await read(floor, "alice", "/order"))["count"] == 0


async def test_without_a_price_nothing_is_opened_or_closed(database: Database) -> None:
    """EXP-63."""
    async with dealing_floor(database, is_quoted=False) as floor:
        assert await said(floor, "POST", "/order/open", OPEN) == (400, "no_quote")
        await quote(floor.engine.client, 49_990, 50_000, age_s=3_000)
        order = (await opened(floor))["order"]
        await quote(floor.engine.client, 49_990, 50_000)
        assert (await said(floor, "POST", "/order/open", OPEN | {"asset": "BTCUSDT"}))[0] == 400
        assert (await floor.ask("alice", "POST", f"/order/close/{order['orderId']}")).status_code == 200


async def test_a_balance_that_does_not_cover_the_margin_is_400_with_both_figures(floor: Floor) -> None:
    """EXP-66: what counts is the margin, not the whole position."""
    answer = await floor.ask("alice", "POST", "/order/open", OPEN | {"quantity": "500", "leverage": 2})
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["code"], problem["required"], problem["available"]) == (
        "insufficient_margin",
        "12500000.00000000",
        "10000000.00000000",
    )
    assert "12,500,000.00 USDT are needed, 10,000,000.00 USDT are free." in problem["detail"]
    assert (await opened(floor, quantity="500", leverage=3))["success"] is True


async def test_what_many_ask_for_at_once_is_not_paid_for_twice(floor: Floor) -> None:
    """EXP-68: each of these takes 4 of 10 millions, so two of them can be opened."""
    body = OPEN | {"quantity": "400"}
    answers = await asyncio.gather(*(floor.ask("alice", "POST", "/order/open", body) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [201, 201, 400, 400, 400, 400]


async def test_whoever_has_no_account_is_401(floor: Floor, database: Database) -> None:
    """EXP-70."""
    async with database.transaction() as connection:
        row = {"id": new_id(), "email": "nobody@example.com", "role": UserRole.USER, "status": UserState.ACTIVE}
        await connection.execute(insert(UserRow).values(row))
    headers = {"authorization": "Bearer dev:nobody@example.com"}
    order = (await opened(floor))["order"]
    for method, path, body in (
        ("POST", "/order/open", OPEN),
        ("GET", "/order", None),
    ):
        answer = await floor.http.request(method, f"/api/v1{path}", headers=headers, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "no_account")
    close = await floor.http.post(f"/api/v1/order/close/{order['orderId']}", headers=headers)
    assert (close.status_code, close.json()["code"]) == (401, "no_account")


async def test_the_first_account_of_the_public_world_is_meant_unless_another_is_named(floor: Floor) -> None:
    demo = (await floor.ask("bob", "POST", "/accounts", {})).json()["account_id"]
    assert await said(floor, "POST", f"/order/open?account_id={demo}", OPEN, "bob") == (400, "unknown_symbol")
    order = (await opened(floor, "bob"))["order"]
    told = await read(floor, "bob", f"/positions/{order['orderId']}")
    assert told["position"]["account_id"] == floor["bob"].account_id
    assert (await read(floor, "bob", "/order", account_id=demo))["count"] == 0
    await do(floor.engine.client, SetAccountStatus(floor["maker"].account_id, AccountStatus.FROZEN))
    await settled(floor)
    assert await said(floor, "POST", "/order/open", OPEN, "maker") == (403, "account_frozen")


async def test_an_order_is_its_owner_s_alone(floor: Floor) -> None:
    """EXP-71, EXP-72, EXP-73."""
    order = (await opened(floor))["order"]
    path, close = f"/order/{order['orderId']}", f"/order/close/{order['orderId']}"
    await read(floor, "alice", path)
    assert await said(floor, "GET", path, name="bob") == (404, "unknown_position")
    assert await said(floor, "GET", "/order/999999") == (404, "unknown_position")
    assert (await floor.http.get(f"/api/v1{path}")).status_code == 401
    assert await said(floor, "POST", close, name="bob") == (400, "unknown_position")
    assert await said(floor, "POST", "/order/close/999999") == (400, "unknown_position")
    assert (await floor.ask("alice", "POST", close)).status_code == 200
    assert await said(floor, "POST", close) == (400, "unknown_position")


async def test_two_closes_at_once_pay_once(floor: Floor) -> None:
    """EXP-76."""
    order = (await opened(floor))["order"]
    await quote(floor.engine.client, 51_000, 51_010)
    path = f"/order/close/{order['orderId']}"
    answers = await asyncio.gather(*(floor.ask("alice", "POST", path) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [200] + [400] * 7
    (cash,) = [
        each
        for each in (await read(floor, "alice", f"/accounts/{floor['alice'].account_id}"))["balances"]
        if each["asset"] == "USDT"
    ]
    assert Decimal(cash["total"]) == 10_001_000


async def test_orders_are_listed_newest_first_of_one_status_or_both_with_a_count(floor: Floor) -> None:
    """EXP-77."""
    ids = [(await opened(floor, quantity="0.1"))["order"]["orderId"] for _ in range(3)]
    await floor.ask("alice", "POST", f"/order/close/{ids[1]}")
    listed = await read(floor, "alice", "/order")
    assert (listed["success"], listed["count"]) == (True, 3)
    assert [each["orderId"] for each in listed["orders"]] == list(reversed(ids))
    assert [each["orderId"] for each in (await read(floor, "alice", "/order", status="CLOSED"))["orders"]] == [ids[1]]
    still = await read(floor, "alice", "/order", status="open", limit=1)
    rest = await read(floor, "alice", "/order", status="open", cursor=still["next"])
    assert [each["orderId"] for each in (*still["orders"], *rest["orders"])] == [ids[2], ids[0]]
    assert await said(floor, "GET", "/order?status=HALF") == (400, "bad_word")
    assert (await floor.http.get("/api/v1/order")).status_code == 401
    assert (await read(floor, "bob", "/order"))["count"] == 0


async def test_a_bug_of_ours_is_500_and_says_nothing_of_itself(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """EXP-78."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("fondaco.gateways.rest.plain_orders.simple_line", broken)
    await opened_position(floor, "alice")
    seq = await settled(floor)
    answer = await floor.ask("alice", "GET", f"/order?after_seq={seq}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_a_new_user_s_demo_account_has_1000_units_and_trades_where_demo_is_public(database: Database) -> None:
    """EXP-79."""
    settings = Settings(serve=ServeSettings(development_tokens=True), public_world="demo")
    async with dealing_floor(database, settings) as floor:
        assert await said(floor, "POST", "/order/open", OPEN) == (401, "no_account")
        demo = (await floor.ask("alice", "POST", "/accounts", {})).json()["account_id"]
        (cash,) = (await read(floor, "alice", f"/accounts/{demo}"))["balances"]
        assert cash["available"] == "1000.00000000"
        assert await said(floor, "POST", "/order/open", OPEN) == (400, "unknown_symbol")
