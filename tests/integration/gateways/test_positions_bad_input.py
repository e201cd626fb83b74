"""Bad input to the desk's endpoints: each is a problem with a name of its own, and nothing has changed afterwards."""

from collections.abc import AsyncIterator

import pytest

from fondaco.core.money import INT64_MAX
from fondaco.infra.database import Database
from support.desk_floor import DEALT, dealing_floor, entry, grow_old, opened_position, position, quote
from support.trading import Floor, Json

HUGE = "9" * 30


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with dealing_floor(database) as opened:
        yield opened


async def standing(floor: Floor) -> object:
    """All that the engine knows of money, positions and entries of everybody."""
    return await floor.engine.client.read(
        lambda machine: [
            (
                machine.balances_of(person.account_id),
                [repr(each) for each in machine.house.desk.positions_in(person.account_id)],
                [repr(each) for each in machine.house.desk.entries_in(person.account_id)],
            )
            for person in floor.people.values()
        ]
    )


async def must_be_refused(floor: Floor, method: str, path: str, body: Json, status: int, code: str) -> None:
    before = await standing(floor)
    answer = await floor.ask("alice", method, path, body)
    assert (answer.status_code, answer.json().get("code")) == (status, code), (body, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert await standing(floor) == before


OPENS: list[tuple[Json, int, str]] = [
    ({"leverage": 0}, 422, "leverage_out_of_range"),
    ({"leverage": 101}, 422, "leverage_out_of_range"),
    ({"leverage": 10**40}, 422, "leverage_out_of_range"),
    ({"leverage": 1.5}, 400, "bad_body"),
    ({"leverage": "5"}, 400, "bad_body"),
    ({"quantity": "0"}, 400, "bad_amount"),
    ({"quantity": 0.5}, 400, "bad_body"),
    ({"quantity": "0.01"}, 422, "quantity_too_small"),
    ({"quantity": "0.005"}, 422, "bad_lot"),
    ({"quantity": HUGE}, 400, "bad_amount"),
    ({"quantity": "9" * 10}, 422, "quantity_too_large"),
    ({"quantity": "1000", "leverage": 2}, 422, "insufficient_margin"),
    ({"stop_loss": {"price": "51000"}}, 422, "stop_wrong_side"),
    ({"stop_loss": {"price": "49990"}}, 422, "stop_wrong_side"),
    ({"direction": "short", "stop_loss": {"price": "49000"}}, 422, "stop_wrong_side"),
    ({"take_profit": {"price": "49000"}}, 422, "take_wrong_side"),
    ({"direction": "short", "take_profit": {"price": "51000"}}, 422, "take_wrong_side"),
    ({"stop_loss": {"price": "49000.5"}}, 422, "bad_level"),
    ({"stop_loss": {"amount": "900000"}}, 422, "bad_level"),
    ({"stop_loss": {"amount": HUGE}}, 400, "bad_amount"),
    ({"stop_loss": {"percent": "0"}}, 400, "bad_amount"),
    ({"stop_loss": {"percent": "0.00001"}}, 400, "bad_amount"),
    ({"stop_loss": {}}, 400, "bad_body"),
    ({"stop_loss": {"price": "49000", "amount": "5"}}, 400, "bad_body"),
    ({"stop_loss": {"price": None}}, 400, "bad_body"),
    ({"stop_loss": "49000"}, 400, "bad_body"),
    ({"guaranteed": True}, 422, "guarantee_not_offered"),
    ({"guaranteed": True, "stop_loss": {"price": "49900"}}, 422, "guarantee_too_near"),
    ({"expected_price": "49000", "slippage_ppm": 1_000}, 422, "slippage"),
    ({"slippage_ppm": 1_000}, 422, "slippage_out_of_range"),
    ({"slippage_ppm": 1_000_001}, 400, "bad_body"),
    ({"mode": "cross"}, 422, "margin_account_needed"),
    ({"position_id": 999_999}, 404, "unknown_position"),
    ({"account_id": 999_999}, 404, "unknown_account"),
    ({"account_id": INT64_MAX + 1}, 400, "bad_body"),
    ({"symbol": "DOGEUSDT"}, 422, "unknown_symbol"),
    ({"symbol": "BTCUSDT"}, 422, "not_dealt"),
    ({"direction": "up"}, 400, "bad_body"),
    ({"price": "50000"}, 400, "bad_body"),
]


ENTRIES: list[tuple[Json, int, str]] = [
    ({"price": "0"}, 400, "bad_amount"),
    ({"price": "40000.5"}, 422, "bad_tick"),
    ({"price": "60000"}, 422, "would_trigger_now"),
    ({"kind": "stop", "price": "40000"}, 422, "would_trigger_now"),
    ({"leverage": 0}, 422, "leverage_out_of_range"),
    ({"quantity": "0.01"}, 422, "quantity_too_small"),
    ({"expires_at": "2001-01-01T00:00:00Z"}, 422, "expiry_passed"),
    ({"expires_at": "2001-01-01T00:00:00"}, 400, "bad_body"),
    ({"kind": "market"}, 400, "bad_body"),
]


CLOSES: list[tuple[Json, int, str]] = [
    ({"quantity": "0"}, 400, "bad_amount"),
    ({"quantity": "0.6"}, 422, "quantity_too_large"),
    ({"quantity": "0.49"}, 422, "quantity_too_small"),
    ({"quantity": "0.005"}, 422, "bad_lot"),
    ({"quantity": HUGE}, 400, "bad_amount"),
    ({"expected_price": "51000", "slippage_ppm": 0}, 422, "slippage"),
    ({"position_id": 1}, 400, "bad_body"),
]


CHANGES: list[tuple[Json, int, str]] = [
    ({"stop_loss": {"price": "51000"}}, 422, "stop_wrong_side"),
    ({"take_profit": {"price": "49000"}}, 422, "take_wrong_side"),
    ({"trailing_stop": {"price": "0.5"}}, 422, "bad_level"),
    ({"stop_loss": None}, 422, "guarantee_stands"),
    ({}, 422, "nothing_to_change"),
    ({"stop_loss": {"price": "49900"}}, 422, "guarantee_too_near"),
    ({"leverage": 7}, 400, "bad_body"),
]


async def test_an_open_that_cannot_be_is_named(floor: Floor) -> None:
    for changes, status, code in OPENS:
        body = position(floor, "alice", **changes)
        await must_be_refused(floor, "POST", "/positions", body, status, code)
        asked = await floor.ask("alice", "POST", "/positions/test", body)
        told = asked.json()
        assert told["code"] == code, "whoever asks first is told the same"
        assert asked.status_code == (200 if "accepted" in told else status)


async def test_an_entry_that_cannot_be_is_named(floor: Floor) -> None:
    for changes, status, code in ENTRIES:
        await must_be_refused(floor, "POST", "/entries", entry(floor, "alice", **changes), status, code)


async def test_a_close_that_cannot_be_is_named(floor: Floor) -> None:
    opened = await opened_position(floor, "alice")
    for body, status, code in CLOSES:
        await must_be_refused(floor, "POST", f"/positions/{opened['position_id']}/close", body, status, code)


async def test_a_change_that_cannot_be_is_named(floor: Floor) -> None:
    opened = await opened_position(floor, "alice", stop_loss={"price": "49000"}, guaranteed=True)
    for body, status, code in CHANGES:
        await must_be_refused(floor, "PATCH", f"/positions/{opened['position_id']}", body, status, code)


async def test_what_is_unknown_another_s_or_closed_is_missing(floor: Floor) -> None:
    bobs = (await opened_position(floor, "bob"))["position_id"]
    closed = (await opened_position(floor, "alice"))["position_id"]
    await floor.ask("alice", "POST", f"/positions/{closed}/close", {})
    bobs_entry = (await floor.ask("bob", "POST", "/entries", entry(floor, "bob"))).json()["entry_id"]
    for id_ in (bobs, closed, 999_999, 0):
        await must_be_refused(floor, "POST", f"/positions/{id_}/close", {}, 404, "unknown_position")
        change = {"take_profit": {"price": "60000"}}
        await must_be_refused(floor, "PATCH", f"/positions/{id_}", change, 404, "unknown_position")
    for id_ in (bobs_entry, 999_999):
        await must_be_refused(floor, "DELETE", f"/entries/{id_}", {}, 404, "unknown_entry")
    for id_ in ("x", "-1", INT64_MAX + 1):
        await must_be_refused(floor, "POST", f"/positions/{id_}/close", {}, 400, "bad_id")


async def test_without_a_quote_or_with_a_stale_one_nothing_is_dealt(database: Database) -> None:
    async with dealing_floor(database, is_quoted=False) as floor:
        body = position(floor, "alice")
        await must_be_refused(floor, "POST", "/positions", body, 422, "no_quote")
        await must_be_refused(floor, "POST", "/entries", entry(floor, "alice"), 422, "no_quote")
        await quote(floor.engine.client, 49_990, 50_000)
        opened = (await opened_position(floor, "alice"))["position_id"]
        await grow_old(floor)
        await must_be_refused(floor, "POST", "/positions", body, 422, "stale_quote")
        await must_be_refused(floor, "POST", f"/positions/{opened}/close", {}, 422, "stale_quote")
        change = {"stop_loss": {"price": "49000"}}
        await must_be_refused(floor, "PATCH", f"/positions/{opened}", change, 422, "stale_quote")
        await must_be_refused(floor, "POST", f"/order/close/{opened}", {}, 400, "stale_quote")
        simple = {"asset": DEALT, "type": "SHORT", "leverage": 5, "quantity": "1"}
        await must_be_refused(floor, "POST", "/order/open", simple, 400, "stale_quote")
