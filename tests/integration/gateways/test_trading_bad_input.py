"""What traders should not send: refused by name before the engine is asked, and the engine has heard nothing."""

from collections.abc import AsyncIterator

import pytest

from fondaco.core.money import INT64_MAX
from fondaco.domains.trading.api import MAX_KEY
from fondaco.domains.trading.shapes import MAX_BATCH_ORDERS
from fondaco.gateways.rest.bodies import MAX_BODY_BYTES
from fondaco.infra.database import Database
from fondaco.infra.settings import ServeSettings
from support.house import House
from support.trading import Floor, open_floor


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with open_floor(database) as floor:
        yield floor


async def journaled(floor: Floor) -> int:
    """How many commands the engine has done."""
    return await floor.engine.client.read(lambda machine: machine.seq)


async def test_a_body_that_is_no_json_is_named(floor: Floor) -> None:
    before = await journaled(floor)
    for body in (
        b"",
        b"{",
        b"\x83\xa4side\xa3buy",
        b'{"side":"\xff"}',
        b"[" * 60_000,
        b'{"symbol":"\\ud800"}',
        b"\x00",
    ):
        for path in ("/orders", "/orders/batch", "/accounts"):
            headers = floor["alice"].headers
            answer = await floor.http.post(f"/api/v1{path}", headers=headers, content=body)
            assert (answer.status_code, answer.json()["code"]) in {(400, "bad_json"), (400, "bad_body")}, body[:20]
    assert await journaled(floor) == before


BAD_FIELDS: tuple[tuple[dict[str, object], str], ...] = (
    ({"price": 50000.5}, "bad_body"),
    ({"price": 50000}, "bad_body"),
    ({"quantity": 0.5}, "bad_body"),
    ({"pirce": "50000"}, "bad_body"),
    ({"side": "BUY"}, "bad_body"),
    ({"type": "iceberg"}, "bad_body"),
    ({"account_id": "1000"}, "bad_body"),
    ({"account_id": 1000.0}, "bad_body"),
    ({"account_id": -1}, "bad_body"),
    ({"account_id": 2**63}, "bad_body"),
    ({"account_id": None}, "bad_body"),
    ({"post_only": "true"}, "bad_body"),
    ({"symbol": ""}, "bad_body"),
    ({"symbol": "B" * 41}, "bad_body"),
    ({"client_order_id": "x" * 65}, "bad_body"),
    ({"expires_at": "2100-01-01T00:00:00"}, "bad_body"),
    ({"expires_at": 4_102_444_800}, "bad_body"),
    ({"price": ""}, "bad_amount"),
    ({"price": "5e4"}, "bad_amount"),
    ({"price": "NaN"}, "bad_amount"),
    ({"price": "-1"}, "bad_amount"),
    ({"price": "0"}, "bad_amount"),
    ({"price": " 1"}, "bad_amount"),
    ({"price": "1,000"}, "bad_amount"),
    ({"price": "٣"}, "bad_amount"),
    ({"price": "1" * 41}, "bad_body"),
    ({"price": "0.000000001"}, "bad_amount"),
    ({"quantity": "0.123456789"}, "bad_amount"),
    ({"quantity": str(INT64_MAX)}, "bad_amount"),
    ({"symbol": "DOGEUSDT"}, "unknown_symbol"),
    ({"symbol": "../../etc"}, "unknown_symbol"),
    ({"account_id": INT64_MAX}, "unknown_account"),
    ({"account_id": 2}, "unknown_account"),
)


async def test_a_bad_field_is_named_and_nothing_reaches_the_engine(floor: Floor) -> None:
    before = await journaled(floor)
    wrong = []
    for changes, code in BAD_FIELDS:
        for path in ("/orders", "/orders/test"):
            problem = (await floor.ask("alice", "POST", path, floor.order("alice") | changes)).json()
            if (problem["code"], problem.get("seq", 0)) != (code, 0):
                wrong.append((changes, problem))
    assert wrong == []
    assert await journaled(floor) == before


FOR_THE_ENGINE: tuple[tuple[dict[str, object], str], ...] = (
    ({"expires_at": "9999-12-31T23:59:59Z", "time_in_force": "gtd"}, "out_of_range"),
    ({"expires_at": "1970-01-01T00:00:00Z", "time_in_force": "gtd"}, "expiry_needed"),
    ({"expires_at": "1969-01-01T00:00:00Z", "time_in_force": "gtd"}, "expiry_passed"),
    ({"client_order_id": "\u0000"}, "bad_text"),
    ({"self_trade": "allow"}, "self_trade_not_prevented"),
    ({"price": None}, "price_needed"),
    ({"quantity": None}, "quantity_not_positive"),
    ({"price": "0.5"}, "bad_tick"),
    ({"quantity": "0.001"}, "bad_lot"),
)


async def test_what_only_the_engine_can_judge_is_refused_by_it(floor: Floor) -> None:
    wrong = []
    for changes, code in FOR_THE_ENGINE:
        answer = await floor.ask("alice", "POST", "/orders", floor.order("alice") | changes)
        if (answer.status_code, answer.json()["code"]) != (422, code):
            wrong.append((changes, answer.text))
    assert wrong == []


async def test_a_batch_is_bounded_at_its_edge(floor: Floor) -> None:
    longest = floor.order("alice", client_order_id="x" * 64, time_in_force="gtd", expires_at="2100-01-01T00:00:00Z")
    longest |= {"self_trade": "expire_taker", "post_only": False, "trigger_price": None, "quote_quantity": None}
    for count, code in ((0, "bad_body"), (MAX_BATCH_ORDERS, None), (MAX_BATCH_ORDERS + 1, "bad_body")):
        body = {"orders": [longest | {"client_order_id": f"{number:064}"} for number in range(count)]}
        answer = await floor.ask("alice", "POST", "/orders/batch", body)
        assert answer.json().get("code") == code
        if code is None:
            assert len(answer.json()["results"]) == MAX_BATCH_ORDERS
            assert len(answer.request.content) < MAX_BODY_BYTES, "the largest batch must fit"


@pytest.mark.parametrize("path", ["/orders", "/orders/batch", "/accounts"])
async def test_a_body_is_bounded_at_its_edge_announced_or_not(floor: Floor, path: str) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1_024 + 1):
            yield b" " * 1_024

    for content in (b" " * (MAX_BODY_BYTES + 1), unannounced()):
        answer = await floor.http.post(f"/api/v1{path}", headers=floor["alice"].headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    fits = await floor.http.post(f"/api/v1{path}", headers=floor["alice"].headers, content=b" " * MAX_BODY_BYTES)
    assert fits.json()["code"] == "bad_json"


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY + 1), "ä", "a\tb"])
async def test_a_bad_idempotency_key_is_named(floor: Floor, key: str) -> None:
    headers = [*floor["alice"].headers.items(), ("idempotency-key", key.encode("latin-1").decode("latin-1"))]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    for method, path, body in (("POST", "/orders", floor.order("alice")), ("POST", "/accounts", {})):
        answer = await floor.http.request(method, f"/api/v1{path}", headers=raw, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


async def test_a_key_of_full_length_is_taken_and_one_given_twice_is_not(floor: Floor) -> None:
    full = await floor.ask("alice", "POST", "/orders/batch", {"orders": [floor.order("alice")] * 11}, key="k" * MAX_KEY)
    assert all(each["order"] for each in full.json()["results"])
    raw = [*floor["alice"].headers.items(), ("idempotency-key", "a"), ("idempotency-key", "b")]
    twice = await floor.http.post("/api/v1/orders", headers=raw, json=floor.order("alice"))
    assert (twice.status_code, twice.json()["code"]) == (400, "bad_idempotency_key")


TOKENS_OF_NOBODY = (
    ("", "not_signed_in"),
    ("Bearer", "not_signed_in"),
    ("Basic dev:alice@example.com", "not_signed_in"),
    ("Bearer alice@example.com", "unknown_token"),
    ("Bearer dev:", "unknown_token"),
    ("Bearer dev:nobody@example.com", "unknown_token"),
    ("Bearer dev:00000000-0000-0000-0000-000000000000", "unknown_token"),
    ("Bearer dev:' OR 1=1 --", "unknown_token"),
    ("Bearer dev:" + "x" * 4_000, "unknown_token"),
    ("Bearer dev:\xff\xfe", "unknown_token"),
)


async def test_a_token_that_is_none_or_nobodys_is_401_and_says_what_is_wanted(floor: Floor) -> None:
    for header, code in TOKENS_OF_NOBODY:
        raw = [(b"authorization", header.encode("latin-1"))]
        for path in ("/orders", "/accounts"):
            answer = await floor.http.post(f"/api/v1{path}", headers=raw, json=floor.order("alice"))
            assert (answer.status_code, answer.json()["code"]) == (401, code), header
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_development_token_is_nobodys_where_they_are_not_let_in(floor: Floor) -> None:
    house = House(floor.house.settings.model_copy(update={"serve": ServeSettings()}), floor.house.database)
    async with house.http() as http:
        answer = await http.post("/api/v1/orders", headers=floor["alice"].headers, json=floor.order("alice"))
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_token")


BAD_PARAMETERS = (
    ("DELETE", "/orders/1005", "missing_parameter"),
    ("DELETE", "/orders", "missing_parameter"),
    ("DELETE", "/orders?account_id=x", "bad_id"),
    ("DELETE", "/orders?account_id=1&account_id=2", "repeated_parameter"),
    ("DELETE", "/orders/mine?account_id=1000", "bad_id"),
    ("DELETE", "/orders/99999999999999999999?account_id=1000", "bad_id"),
    ("DELETE", "/orders/٣?account_id=1000", "bad_id"),
    ("PATCH", "/orders/mine", "bad_id"),
    ("POST", "/accounts/mine/reset", "bad_id"),
    ("DELETE", "/breakers?world=moon", "bad_world"),
    ("DELETE", "/breakers", "missing_parameter"),
)


async def test_a_bad_parameter_is_400_by_name(floor: Floor) -> None:
    for method, path, code in BAD_PARAMETERS:
        answer = await floor.ask("alice", method, path, {} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (400, code), path
