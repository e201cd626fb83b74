"""Trading over HTTP, on a whole engine: what is asked for is done, once, and said as people write it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert, select

from fondaco.core.book.vocabulary import SelfTrade
from fondaco.core.commands import HOUSE, Command, ListAsset, ListInstrument
from fondaco.core.listings import Asset, Instrument
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import Answer
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import CloseReason, OrderState, TimeInForce, UserStatus, World
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.client import EngineClient
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import OutcomeUnknownError
from fondaco.engine.projection.tables import OrderRow
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from support.engines import submit
from support.floor import SYMBOL, WHOLE
from support.house import House
from support.live import kept_up, whole_engine
from support.trading import TOKENS, Floor, open_floor, opened
from support.waiting import eventually

FAR_AWAY, FAR_AWAY_NS = "2100-01-01T02:00:00.000007+02:00", 4_102_444_800_000_007_000


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with open_floor(database) as opened:
        yield opened


async def test_two_people_trade_with_each_other(floor: Floor) -> None:
    resting = await floor.placed("alice", side="sell", client_order_id="mine")
    assert resting == {
        "seq": resting["seq"],
        "duplicate": False,
        "order_id": resting["order_id"],
        "account_id": floor["alice"].account_id,
        "symbol": SYMBOL,
        "client_order_id": "mine",
        "state": "open",
        "filled": "0.00000000",
        "filled_notional": "0.00000000",
        "fee": "0.00000000",
    }
    taking = await floor.placed("bob", quantity="0.2")
    assert taking["seq"] > resting["seq"]
    assert (taking["state"], taking["filled"], taking["filled_notional"], taking["fee"]) == (
        "filled",
        "0.20000000",
        "10000.00000000",
        "10.00000000",
    )


async def test_the_same_key_again_gets_the_same_answer_and_does_nothing(floor: Floor) -> None:
    asked = floor.order("alice")
    first = await floor.ask("alice", "POST", "/orders", asked, key="k-1")
    again = await floor.ask("alice", "POST", "/orders", asked, key="k-1")
    assert first.json()["duplicate"] is False
    assert again.json() == {**first.json(), "duplicate": True}
    assert again.status_code == first.status_code == 201
    other = await floor.ask("alice", "POST", "/orders", floor.order("alice", price="49999"), key="k-1")
    assert (other.status_code, other.json()["code"]) == (409, "command_id_reused")
    everybodys = await floor.ask("bob", "POST", "/orders", floor.order("bob"), key="k-1")
    assert everybodys.json()["duplicate"] is False, "a key is its account's alone"
    gone = await floor.ask("alice", "DELETE", f"/orders?account_id={floor['alice'].account_id}")
    assert gone.json()["cancelled"] == 1


async def test_a_refusal_is_a_problem_with_the_engines_code_its_number_and_its_sentence(floor: Floor) -> None:
    asked = floor.order("alice", quantity="10000")
    answer = await floor.ask("alice", "POST", "/orders", asked, key="dear")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem == {
        "type": "urn:fondaco:refusal:insufficient_funds",
        "title": "Insufficient funds",
        "status": 422,
        "detail": SENTENCES[Refusal.INSUFFICIENT_FUNDS],
        "code": "insufficient_funds",
        "seq": problem["seq"],
        "duplicate": False,
    }
    assert problem["seq"] > 0
    again = await floor.ask("alice", "POST", "/orders", asked, key="dear")
    assert again.json() == {**problem, "duplicate": True}


async def test_an_order_may_be_asked_about_changed_and_taken_back(floor: Floor) -> None:
    alice = floor["alice"].account_id
    verdict = await floor.ask("alice", "POST", "/orders/test", floor.order("alice"))
    assert verdict.json() == {"seq": verdict.json()["seq"], "accepted": True, "code": None, "detail": None}
    refused = (await floor.ask("alice", "POST", "/orders/test", floor.order("alice", quantity="10000"))).json()
    assert (refused["accepted"], refused["code"]) == (False, "insufficient_funds")
    order = await floor.placed("alice")
    change = {"account_id": alice, "symbol": "btc", "quantity": "0.4"}
    amended = await floor.ask("alice", "PATCH", f"/orders/{order['order_id']}", change, key="less")
    assert (amended.status_code, amended.json()["kept_place"], amended.json()["state"]) == (200, True, "open")
    taken = await floor.ask("alice", "DELETE", f"/orders/{order['order_id']}?account_id={alice}", key="back")
    assert (taken.status_code, taken.json()["order_id"]) == (200, order["order_id"])
    once_more = await floor.ask("alice", "DELETE", f"/orders/{order['order_id']}?account_id={alice}", key="back")
    assert once_more.json() == {**taken.json(), "duplicate": True}
    late = await floor.ask("alice", "PATCH", f"/orders/{order['order_id']}", change, key="less")
    assert late.json() == {**amended.json(), "duplicate": True}, "also once the order has ended"
    gone = await floor.ask("alice", "PATCH", f"/orders/{order['order_id']}", change)
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_order")


async def test_a_change_that_names_another_symbol_than_the_orders_finds_no_order(floor: Floor) -> None:
    """Prices of the two are counted differently, so the same text would be another price."""
    coarse = Instrument("ETHUSD", Asset("ETH", 4), Asset("USD", 2))
    terms = Terms(world=World.TRADING, instrument=coarse, tick=1, lot=10_000, max_price_ticks=10**6, max_order_lots=99)
    for command in (ListAsset("ETH", 4), ListAsset("USD", 2), ListInstrument(terms)):
        await submit(floor.engine.client, HOUSE, command)
    await floor.engine.caught_up()
    order = await floor.placed("alice")
    change = {"account_id": floor["alice"].account_id, "symbol": "ETHUSD", "price": "49000"}
    answer = await floor.ask("alice", "PATCH", f"/orders/{order['order_id']}", change)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")


async def test_an_order_that_is_deleted_is_cancelled_and_its_record_stays(floor: Floor, database: Database) -> None:
    """EXD-26."""
    order = await floor.placed("alice")
    path = f"/orders/{order['order_id']}?account_id={order['account_id']}"
    assert (await floor.ask("alice", "DELETE", path)).status_code == 200

    async def is_recorded() -> bool:
        async with database.transaction() as connection:
            states = (await connection.execute(select(OrderRow.state).where(OrderRow.id == order["order_id"]))).all()
        return [tuple(each) for each in states] == [(OrderState.CANCELLED,)]

    await eventually(is_recorded)


async def test_an_account_that_an_operator_cancels_for_is_told_that_the_house_did(
    floor: Floor, database: Database
) -> None:
    order = await floor.placed("alice")
    answer = await floor.ask("admin", "DELETE", f"/orders?account_id={order['account_id']}")
    assert answer.json()["cancelled"] == 1

    async def is_told() -> bool:
        wanted = select(OrderRow.close_reason).where(OrderRow.id == order["order_id"])
        async with database.transaction() as connection:
            return (await connection.execute(wanted)).scalar_one_or_none() is CloseReason.CANCELLED_BY_HOUSE

    await eventually(is_told)


@pytest.mark.parametrize("spelling", ["BTCUSDT", "btcusdt", "BTC/USDT", "btc-usdt", "btc"])
async def test_a_symbol_is_read_in_every_spelling(floor: Floor, spelling: str) -> None:
    """EXD-21: a symbol is one that is listed, a side is buy or sell; others are refused by name."""
    assert (await floor.placed("alice", symbol=spelling))["symbol"] == SYMBOL


async def test_an_order_of_every_type_says_what_its_type_needs(floor: Floor) -> None:
    await floor.placed("alice", side="sell", price="50000", quantity="5")
    await floor.placed("bob", price="50000", quantity="1")
    bought = await floor.placed("bob", type="market", price=None, quantity=None, quote_quantity="1000")
    assert bought["filled"] == "0.01000000", "the fee is in what is spent, and a lot is 0.01"
    stop = await floor.placed("bob", type="stop", price=None, trigger_price="51000")
    limit = await floor.placed("bob", type="stop_limit", trigger_price="51000", price="51500")
    loss = await floor.placed("bob", type="stop_loss", side="sell", price=None, trigger_price="40000")
    profit = await floor.placed("bob", type="take_profit", side="sell", price=None, trigger_price="60000")
    assert {each["state"] for each in (stop, limit, loss, profit)} == {"pending"}
    day = await floor.placed("bob", price="48000", time_in_force="gtd", expires_at=FAR_AWAY, post_only=True)
    assert day["state"] == "open"
    seen = await floor.engine.client.look(LookAtAccount(floor["bob"].account_id))
    assert isinstance(seen, AccountSeen)
    last = seen.orders[-1]
    assert (last.post_only, last.time_in_force, last.self_trade) == (True, TimeInForce.GTD, SelfTrade.EXPIRE_TAKER)
    assert last.expires_ns == FAR_AWAY_NS


async def test_a_batch_is_placed_in_order_and_each_is_answered_by_itself(floor: Floor) -> None:
    orders = [
        floor.order("alice", client_order_id="first"),
        floor.order("alice", symbol="DOGEUSDT"),
        floor.order("alice", quantity="10000"),
        floor.order("alice", account_id=floor["bob"].account_id),
        floor.order("alice", quantity="0.001"),
        floor.order("alice", client_order_id="last"),
    ]
    answer = await floor.ask("alice", "POST", "/orders/batch", {"orders": orders}, key="many")
    results = answer.json()["results"]
    heard = [each["problem"]["code"] if each["problem"] else each["order"]["client_order_id"] for each in results]
    assert heard == ["first", "unknown_symbol", "insufficient_funds", "unknown_account", "bad_lot", "last"]
    numbers = [each["order"]["seq"] for each in results if each["order"]]
    assert numbers == sorted(numbers)
    assert answer.json()["seq"] == numbers[-1]
    again = (await floor.ask("alice", "POST", "/orders/batch", {"orders": orders}, key="many")).json()["results"]
    assert [each["order"] and each["order"]["order_id"] for each in again] == [
        each["order"] and each["order"]["order_id"] for each in results
    ]
    assert all(each["order"]["duplicate"] for each in again if each["order"])


async def test_a_user_opens_a_demo_account_trades_with_it_at_once_and_begins_again(floor: Floor) -> None:
    opened = await floor.ask("alice", "POST", "/accounts", {"currency": "USDT"}, key="mine")
    assert (opened.status_code, opened.json()["duplicate"]) == (201, False)
    again = await floor.ask("alice", "POST", "/accounts", {"currency": "USDT"}, key="mine")
    assert again.json() == {**opened.json(), "duplicate": True}
    others = await floor.ask("bob", "POST", "/accounts", {"currency": "USDT"}, key="mine")
    assert others.json()["account_id"] != opened.json()["account_id"], "keys of two users do not meet"
    account_id = opened.json()["account_id"]
    assert await money(floor, account_id) == {"USDT": 1_000 * WHOLE}
    nothing = await floor.ask("alice", "DELETE", f"/orders?account_id={account_id}")
    assert nothing.json()["cancelled"] == 0
    fresh = (await floor.ask("alice", "POST", f"/accounts/{account_id}/reset")).json()["account_id"]
    assert await money(floor, fresh) == {"USDT": 1_000 * WHOLE}
    closed = await floor.ask("alice", "POST", f"/accounts/{account_id}/reset")
    assert (closed.status_code, closed.json()["code"]) == (403, "account_closed")


async def test_the_first_account_of_a_user_lets_the_user_into_the_engine(floor: Floor, database: Database) -> None:
    user_id = new_id()
    async with database.transaction() as connection:
        row = {"id": user_id, "email": "new@example.com", "role": UserRole.USER, "status": UserState.ACTIVE}
        await connection.execute(insert(UserRow).values(row))
    for number in range(2):
        headers = {"authorization": "Bearer dev:New@Example.com"}
        answer = await floor.http.post("/api/v1/accounts", headers=headers, json={})
        assert answer.status_code == 201, f"account {number}: {answer.text}"
    assert len(floor.house.live.accounts_of[str(user_id)]) == 2


async def test_operators_bring_money_in_and_only_into_what_exists(floor: Floor) -> None:
    body = {"world": "trading", "currency": "USDT", "user_id": floor["bob"].email}
    opened = await floor.ask("admin", "POST", "/accounts", body)
    account_id = opened.json()["account_id"]
    assert floor.house.live.accounts[account_id].user_id == floor["bob"].user_id
    deposit = {"asset": "USDT", "amount": "250.5", "note": "a bank transfer"}
    answer = await floor.ask("admin", "POST", f"/accounts/{account_id}/deposits", deposit, key="d1")
    twice = await floor.ask("admin", "POST", f"/accounts/{account_id}/deposits", deposit, key="d1")
    assert twice.json() == {**answer.json(), "duplicate": True}
    move = {"to_account_id": floor["bob"].account_id, "asset": "USDT", "amount": "0.5"}
    assert (await floor.ask("bob", "POST", f"/accounts/{account_id}/transfers", move)).status_code == 201
    assert await money(floor, account_id) == {"USDT": 250 * WHOLE}
    nobodys = await floor.ask("admin", "POST", "/accounts", body | {"user_id": "nobody@example.com"})
    assert (nobodys.status_code, nobodys.json()["code"]) == (404, "unknown_user")
    for world in ("trading", "external"):
        own = await floor.ask("bob", "POST", "/accounts", {"world": world})
        assert (own.status_code, own.json()["code"]) == (403, "operators_only")
    foreign = {**move, "to_account_id": floor["alice"].account_id}
    missing = await floor.ask("bob", "POST", f"/accounts/{account_id}/transfers", foreign)
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_account")


async def test_a_breaker_halts_new_orders_and_nothing_else(floor: Floor) -> None:
    order = await floor.placed("alice")
    body = {"world": "trading", "symbol": "btc", "reason": "The feed is in doubt."}
    assert (await floor.ask("admin", "POST", "/breakers", body)).status_code == 201
    halted = await floor.ask("alice", "POST", "/orders", floor.order("alice"))
    assert (halted.status_code, halted.json()["code"]) == (422, "breaker_active")
    path = f"/orders/{order['order_id']}?account_id={order['account_id']}"
    assert (await floor.ask("alice", "DELETE", path)).status_code == 200
    assert (await floor.ask("admin", "DELETE", "/breakers?world=trading&symbol=btc")).status_code == 200
    await floor.placed("alice")
    again = await floor.ask("admin", "DELETE", "/breakers?world=trading&symbol=btc")
    assert (again.status_code, again.json()["code"]) == (404, "unknown_breaker")


async def test_limits_are_set_in_units_and_lifted_with_null(floor: Floor) -> None:
    value = {"world": "trading", "scope": "platform", "name": "max_order_value", "about": "USDT", "value": "24999"}
    assert (await floor.ask("admin", "PUT", "/risk/limits", value)).status_code == 200
    capped = await floor.ask("alice", "POST", "/orders", floor.order("alice"))
    assert capped.json()["code"] == "max_order_value"
    for changes in ({"value": "25000"}, {"value": None}):
        assert (await floor.ask("admin", "PUT", "/risk/limits", value | changes)).status_code == 200
        await floor.placed("alice")
    position = {"world": "trading", "scope": "symbol", "subject": "btc", "name": "max_position", "about": "btc"}
    assert (await floor.ask("admin", "PUT", "/risk/limits", position | {"value": "1.2"})).status_code == 200
    capped = await floor.ask("alice", "POST", "/orders", floor.order("alice"))
    assert capped.json()["code"] == "max_position", "1.0 are being bought already"
    count = {"world": "trading", "scope": "account", "subject": str(floor["bob"].account_id), "value": "1"}
    assert (await floor.ask("admin", "PUT", "/risk/limits", count | {"name": "max_open_orders"})).status_code == 200
    await floor.placed("bob")
    capped = await floor.ask("bob", "POST", "/orders", floor.order("bob"))
    assert capped.json()["code"] == "max_open_orders"


async def test_a_frozen_account_and_a_suspended_user_place_nothing(floor: Floor) -> None:
    path = f"/accounts/{floor['alice'].account_id}/status"
    assert (await floor.ask("admin", "PUT", path, {"status": "frozen"})).status_code == 200
    frozen = await floor.ask("alice", "POST", "/orders", floor.order("alice"))
    assert (frozen.status_code, frozen.json()["code"]) == (403, "account_frozen")
    bob = f"/users/{floor['bob'].user_id}/status"
    await floor.placed("bob")
    for state in ("suspended", "banned", "disabled"):
        assert (await floor.ask("admin", "PUT", bob, {"status": state})).status_code == 200
        out = await floor.ask("bob", "POST", "/orders", floor.order("bob"))
        assert (out.status_code, out.json()["code"]) == (403, "user_not_active")
        known = await floor.engine.client.read(lambda machine: machine.house.users[floor["bob"].user_id].status)
        assert known is UserStatus.SUSPENDED
    assert (await floor.ask("admin", "PUT", bob, {"status": "active"})).status_code == 200
    await floor.placed("bob")


async def test_nobody_suspends_themselves_and_only_a_superadmin_an_operator(floor: Floor) -> None:
    async def suspend(who: str, whom: str) -> str:
        body = {"status": "suspended"}
        answer = await floor.ask(who, "PUT", f"/users/{floor[whom].user_id}/status", body)
        return str(answer.json().get("code", answer.status_code))

    assert await suspend("admin", "admin") == "operators_only"
    assert await suspend("admin", "superadmin") == "operators_only"
    assert await suspend("superadmin", "superadmin") == "operators_only"
    assert await suspend("superadmin", "admin") == "200"


async def test_without_an_engine_commands_are_503_and_market_data_go_on(database: Database) -> None:
    house = House(TOKENS, database)
    async with house.http() as http, whole_engine(database) as engine:
        headers = (await opened(database, engine.client))["alice"].headers
        for method, path in (("POST", "/orders"), ("DELETE", "/orders/1005?account_id=1000"), ("POST", "/accounts")):
            body = floor_less_order() if path == "/orders" else {}
            answer = await http.request(method, f"/api/v1{path}", headers=headers, json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "engine_away"), path
            assert int(answer.headers["retry-after"]) > 0
        assert (await http.get("/api/v1/symbols")).status_code == 200


async def test_an_answer_that_is_lost_is_told_so_and_the_key_tells_the_outcome(floor: Floor) -> None:
    deaf = Deaf(floor.engine.client)
    live = LiveHouse(floor.engine.client, floor.house.database)
    house = House(TOKENS, floor.house.database, engine=deaf, live=live)
    async with kept_up(live), house.http() as http:
        headers = floor["alice"].headers | {"idempotency-key": "lost"}
        answers = [await http.post("/api/v1/orders", headers=headers, json=floor.order("alice")) for _ in range(2)]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(503, "outcome_unknown")] * 2
    heard = await floor.ask("alice", "POST", "/orders", floor.order("alice"), key="lost")
    assert heard.json()["duplicate"] is True
    seen = await floor.engine.client.look(LookAtAccount(floor["alice"].account_id))
    assert isinstance(seen, AccountSeen)
    assert len(seen.orders) == 1


async def test_other_spellings_of_a_path_are_answered_the_same(floor: Floor) -> None:
    """A slash at the end leads past the short way, to the framework."""
    placed = await floor.ask("alice", "POST", "/orders/", floor.order("alice"))
    order = placed.json()
    assert (placed.status_code, order["state"]) == (201, "open")
    taken = await floor.ask("alice", "DELETE", f"/orders/{order['order_id']}/?account_id={order['account_id']}")
    assert (taken.status_code, taken.json()["order_id"]) == (200, order["order_id"])


class Deaf:
    """An engine that does what it is told, and whose answers are lost."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self.look = client.look
        self.follow = client.follow

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Do it, and lose the answer."""
        await self._client.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)
        raise OutcomeUnknownError


async def money(floor: Floor, account_id: int) -> dict[str, int]:
    """What an account has, in atoms."""
    seen = await floor.engine.client.look(LookAtAccount(account_id))
    assert isinstance(seen, AccountSeen)
    return {each.asset: each.available for each in seen.balances if each.available}


def floor_less_order() -> dict[str, object]:
    """An order of nobody's."""
    return {"account_id": 1000, "symbol": SYMBOL, "side": "buy", "type": "limit", "quantity": "1", "price": "50000"}
