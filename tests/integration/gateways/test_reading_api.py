"""Reads over HTTP, on a whole engine: who was answered sees what was done, everybody their own, page by page."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fondaco.domains.reports.reports import MAX_LINES
from fondaco.domains.trading.history import MAX_PAGE
from fondaco.engine.commanding import command_handlers
from fondaco.engine.reading import Tables
from fondaco.infra.database import Database
from fondaco.infra.outbox import Courier
from fondaco.infra.settings import ServeSettings, Settings
from support.floor import SYMBOL
from support.live import PATIENCE_S
from support.trading import Floor, open_floor

IMPATIENT = Settings(serve=ServeSettings(development_tokens=True, read_wait_s=0.05))


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with open_floor(database) as opened:
        seq = await opened.engine.client.read(lambda machine: machine.seq)
        async with Tables(database, wait_s=PATIENCE_S).read(seq):
            pass
        yield opened


async def get(floor: Floor, name: str, path: str, **query: object) -> dict[str, Any]:
    """What somebody reads, successfully."""
    answer = await ask(floor, name, path, **query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def ask(floor: Floor, name: str, path: str, **query: object) -> httpx.Response:
    """What somebody is answered."""
    return await floor.ask(name, "GET", f"{path}?{httpx.QueryParams({k: str(v) for k, v in query.items()})}")


async def trade(floor: Floor, price: str = "50000") -> int:
    """Let Bob buy from Alice; returns the last command's number."""
    await floor.placed("alice", side="sell", quantity="0.2", price=price)
    seq: int = (await floor.placed("bob", quantity="0.2", price=price))["seq"]
    return seq


async def test_who_was_answered_sees_what_was_done(floor: Floor) -> None:
    for _ in range(5):
        placed = await floor.placed("alice")
        read = await get(floor, "alice", f"/orders/{placed['order_id']}", after_seq=placed["seq"])
        assert read["seq"] >= placed["seq"]
        told = read["order"]
        assert {name: told[name] for name in ("order_id", "account_id", "symbol", "state", "filled")} == {
            name: placed[name] for name in ("order_id", "account_id", "symbol", "state", "filled")
        }


async def test_what_has_not_come_yet_is_said_with_when_to_ask_again(database: Database) -> None:
    async with open_floor(database, IMPATIENT) as floor:
        answer = await ask(floor, "alice", "/orders", after_seq=10**15)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_there_yet")
    assert answer.headers["retry-after"] == "1"


async def test_both_sides_of_a_trade_read_it_as_theirs(floor: Floor) -> None:
    seq = await trade(floor)
    sold = (await get(floor, "alice", "/trades", after_seq=seq))["trades"]
    bought = (await get(floor, "bob", "/trades", after_seq=seq, symbol="btc/usdt"))["trades"]
    assert [(each["side"], each["is_taker"], each["total"], each["fee"]) for each in (*sold, *bought)] == [
        ("sell", False, "10000.00000000", "5.00000000"),
        ("buy", True, "10000.00000000", "10.00000000"),
    ]
    of_order = await get(floor, "bob", "/trades", order_id=bought[0]["order_id"])
    assert of_order["trades"] == bought
    (holding,) = (await get(floor, "bob", "/holdings", open="true"))["holdings"]
    assert (holding["quantity"], holding["average_entry_price"]) == ("0.20000000", "50000.00000000")
    assert (await get(floor, "bob", "/holdings", open="false"))["holdings"] == []


async def test_an_account_tells_what_it_has_and_how_that_came(floor: Floor) -> None:
    seq = await trade(floor)
    account = floor["bob"].account_id
    one = await get(floor, "bob", f"/accounts/{account}", after_seq=seq)
    balances = await get(floor, "bob", f"/accounts/{account}/balances")
    ledger = await get(floor, "bob", f"/accounts/{account}/ledger", asset="usdt")
    assert one["balances"] == balances["balances"]
    (cash,) = (each for each in one["balances"] if each["asset"] == "USDT")
    assert ledger["entries"][0]["balance_after"] == cash["total"] == "9989990.00000000"
    assert [each["reason"] for each in ledger["entries"]] == ["fee", "trade", "deposit"]
    fees = await get(floor, "bob", f"/accounts/{account}/ledger", reason="fee")
    assert [each["amount"] for each in fees["entries"]] == ["10.00000000"]
    assert [each["id"] for each in (await get(floor, "bob", "/accounts"))["accounts"]] == [account]


async def test_a_list_is_read_page_by_page(floor: Floor) -> None:
    """BBX-46."""
    placed = [await floor.placed("alice", price=str(40_000 + number)) for number in range(5)]
    told: list[int] = []
    query: dict[str, object] = {"limit": 2, "after_seq": placed[-1]["seq"], "state": "open"}
    while True:
        page = await get(floor, "alice", "/orders", **query)
        told += [each["order_id"] for each in page["orders"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert told == [each["order_id"] for each in reversed(placed)]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/orders", {"cursor": "nonsense"}, 400, "bad_cursor"),
        ("/trades", {"cursor": "k6ZvcmRlcnPX_wAAAAAAAAAAAGa1XgAB"}, 400, "bad_cursor"),
        ("/orders", {"staet": "open"}, 400, "too_many_parameters"),
        ("/orders", {"limit": 0}, 400, "bad_limit"),
        ("/orders", {"limit": MAX_PAGE + 1}, 400, "bad_limit"),
        ("/orders", {"state": "mine"}, 400, "bad_word"),
        ("/orders", {"open": "maybe"}, 400, "bad_flag"),
        ("/orders", {"world": "moon"}, 400, "bad_world"),
        ("/orders", {"symbol": "XYZ"}, 422, "unknown_symbol"),
        ("/orders", {"symbol": "\0"}, 422, "unknown_symbol"),
        ("/orders", {"after_seq": -1}, 400, "bad_id"),
        ("/orders", {"account_id": "mine"}, 400, "bad_id"),
        ("/orders", {"account_id": 1}, 404, "unknown_account"),
        ("/orders/1", {}, 404, "unknown_order"),
        ("/accounts/1", {}, 404, "unknown_account"),
        ("/accounts/1/ledger", {}, 404, "unknown_account"),
        ("/users/nobody", {}, 404, "unknown_user"),
        ("/users/bob@example.com", {}, 404, "unknown_user"),
        ("/users/bob@example.com/orders", {}, 404, "unknown_user"),
        ("/users", {}, 403, "operators_only"),
        ("/alerts", {}, 403, "operators_only"),
        ("/reports/symbols", {}, 403, "operators_only"),
        ("/reports/leaders", {}, 403, "operators_only"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    floor: Floor, path: str, query: dict[str, object], status: int, code: str
) -> None:
    answer = await ask(floor, "alice", path, **query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_what_is_anothers_looks_missing_and_operators_see_it(floor: Floor) -> None:
    placed = await floor.placed("alice")
    account = floor["alice"].account_id
    paths = (
        f"/orders/{placed['order_id']}",
        f"/orders?account_id={account}",
        f"/trades?account_id={account}",
        f"/holdings?account_id={account}",
        f"/accounts/{account}",
        f"/accounts/{account}/balances",
        f"/accounts/{account}/ledger",
        f"/users/{floor['alice'].user_id}",
        f"/users/{floor['alice'].email}/orders",
    )
    await get(floor, "alice", "/orders", after_seq=placed["seq"])
    for path in paths:
        statuses = [(await floor.ask(name, "GET", path)).status_code for name in ("alice", "admin", "bob", "maker")]
        assert statuses == [200, 200, 404, 404], path
        assert (await floor.http.get(f"/api/v1{path}")).status_code == 401


async def test_an_operator_lets_a_user_in_who_then_trades(floor: Floor, database: Database) -> None:
    """EXD-10, EXD-11, EXD-12, EXD-15."""
    wanted = {"email": "Dora@Example.com", "balance": "100000.5", "id": str(uuid4())}
    made = await floor.ask("admin", "POST", "/users", wanted)
    assert made.status_code == 201, made.text
    assert made.json()["email"] == "dora@example.com"
    again = await floor.ask("admin", "POST", "/users", wanted)
    assert (again.status_code, again.json()["code"]) == (409, "user_exists")
    await Courier(database, command_handlers(floor.engine.client)).deliver_batch()
    await floor.engine.caught_up()
    dora = {"authorization": f"Bearer dev:{wanted['id']}"}
    seq = await floor.engine.client.read(lambda machine: machine.seq)
    found = (await floor.http.get(f"/api/v1/users/dora@example.com?after_seq={seq}", headers=dora)).json()
    (account,) = found["accounts"]
    assert (account["world"], account["status"]) == ("trading", "active")
    order = floor.order("bob", account_id=account["id"])
    placed = await floor.http.post("/api/v1/orders", headers=dora, json=order)
    assert placed.status_code == 201, placed.text
    path = f"/users/{wanted['id']}/orders"
    told = await get(floor, "admin", path, after_seq=placed.json()["seq"])
    assert told["user"]["email"] == "dora@example.com"
    assert [each["order_id"] for each in told["orders"]] == [placed.json()["order_id"]]


@pytest.mark.parametrize(
    ("name", "changes", "status", "code"),
    [
        ("alice", {}, 403, "operators_only"),
        ("maker", {}, 403, "operators_only"),
        ("admin", {"role": "admin"}, 403, "operators_only"),
        ("admin", {"role": "superadmin"}, 403, "operators_only"),
        ("superadmin", {"role": "admin"}, 201, None),
        ("admin", {"role": "market_maker"}, 201, None),
        ("admin", {"email": "nobody"}, 400, "bad_email"),
        ("admin", {"balance": "1e3"}, 400, "bad_amount"),
        ("admin", {"balance": 1}, 400, "bad_body"),
        ("admin", {"currency": "XYZ"}, 422, "unknown_asset"),
        ("admin", {"email": "bob@example.com"}, 409, "user_exists"),
        ("admin", {"mail": "x@y"}, 400, "bad_body"),
    ],
)
async def test_who_may_let_whom_in(
    floor: Floor, name: str, changes: dict[str, object], status: int, code: str | None
) -> None:
    """BHC-20, EXD-10, EXD-15."""
    answer = await floor.ask(name, "POST", "/users", {"email": "dora@example.com", **changes})
    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_the_reports_of_a_world(floor: Floor) -> None:
    """EXD-13, EXD-24, EXD-27, EXD-31, EXD-32."""
    seq = await trade(floor)
    (mine,) = (await get(floor, "bob", "/results", after_seq=seq))["results"]
    assert (mine["orders"], mine["realized_pnl"], mine["fees"]) == (1, "0.00000000", "10.00000000")
    (symbol,) = (await get(floor, "admin", "/reports/symbols"))["symbols"]
    assert (symbol["symbol"], symbol["orders"], symbol["filled_quantity"]) == (SYMBOL, 2, "0.40000000")
    board = (await get(floor, "admin", "/reports/leaders", limit=MAX_LINES))["leaders"]
    assert [each["orders"] for each in board] == [1, 1, 0, 0, 0]
    assert [each["realized_pnl"] for each in board] == ["0.00000000"] * 2 + [None] * 3
    users = (await get(floor, "admin", "/users", min_balance="9999999", limit=2))["users"]
    assert [each["email"] for each in users] == ["alice@example.com", "maker@example.com"]
    for path in ("/results", "/reports/symbols"):
        assert [*(await get(floor, "admin", path, world="demo")).values()][1] == []


async def test_a_refused_order_raises_an_alert_that_one_operator_acknowledges(floor: Floor) -> None:
    """BHC-60, BHC-62, BHC-64."""
    limit = {"world": "trading", "scope": "platform", "name": "max_order_value", "about": "USDT", "value": "10"}
    assert (await floor.ask("admin", "PUT", "/risk/limits", limit)).status_code == 200
    refused = await floor.ask("alice", "POST", "/orders", floor.order("alice"))
    assert refused.json()["code"] == "max_order_value"
    seq = refused.json()["seq"]
    assert [each["value"] for each in (await get(floor, "alice", "/risk/limits", after_seq=seq))["limits"]] == [
        "10.00000000"
    ]
    (alert,) = (await get(floor, "admin", "/alerts", open="true"))["alerts"]
    path = f"/alerts/{alert['id']}/acknowledgement"
    seen, again = [await floor.ask("admin", "POST", path) for _ in range(2)]
    assert seen.status_code == 200
    assert seen.json() == again.json()
    assert seen.json()["acknowledged_by"] == floor["admin"].user_id
    late = await floor.ask("superadmin", "POST", path)
    assert (late.status_code, late.json()["code"]) == (409, "alert_acknowledged")
    assert (await floor.ask("alice", "POST", path)).status_code == 403
    assert (await floor.ask("admin", "POST", "/alerts/1/acknowledgement")).status_code == 404
    assert (await get(floor, "admin", "/alerts", open="true"))["alerts"] == []
    halted = await floor.ask("admin", "POST", "/breakers", {"world": "trading", "reason": "doubt"})
    (breaker,) = (await get(floor, "alice", "/breakers", after_seq=halted.json()["seq"], active="true"))["breakers"]
    assert (breaker["reason"], breaker["symbol"]) == ("doubt", None)


async def test_instruments_tell_steps_limits_and_fees(floor: Floor) -> None:
    answer = await floor.http.get("/api/v1/instruments")
    (instrument,) = answer.json()["instruments"]
    assert instrument == {
        "world": "trading",
        "symbol": SYMBOL,
        "base": "BTC",
        "quote": "USDT",
        "active": True,
        "price_step": "1.00000000",
        "quantity_step": "0.01000000",
        "max_price": "1000000.00000000",
        "max_quantity": "10000.00000000",
        "max_open_orders": 100_000,
        "maker_fee": "0.000500",
        "taker_fee": "0.001000",
        "price_band": "0.100000",
    }
    assert (await floor.http.get("/api/v1/instruments?world=demo")).json()["instruments"] == []
