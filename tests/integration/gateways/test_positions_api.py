"""Leveraged positions over HTTP, on a whole engine: opened, changed, closed, waited for, read, valued at the quote.

What has not been realised is worked out when somebody asks; closing fixes price, result, percent and time (BBX-44).
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from fondaco.core.commands import SetDeskRules
from fondaco.core.desk.terms import MAX_AGE_NS, DeskRules
from fondaco.core.vocabulary import PositionMode, StopOutPolicy, World
from fondaco.infra.database import Database
from support.desk_floor import (
    DEALT,
    dealing_floor,
    do,
    entry,
    margin_account,
    opened_position,
    position,
    quote,
    read,
    settled,
)
from support.trading import Floor, Json

THOUSANDTH = Decimal("0.0001")


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with dealing_floor(database) as opened:
        yield opened


async def available(floor: Floor, name: str, account_id: int = 0) -> Decimal:
    account = account_id or floor[name].account_id
    (cash,) = [
        each
        for each in (await read(floor, name, f"/accounts/{account}/balances"))["balances"]
        if each["asset"] == "USDT"
    ]
    return Decimal(cash["available"])


async def close(floor: Floor, name: str, position_id: int, **body: object) -> Json:
    answer = await floor.ask(name, "POST", f"/positions/{position_id}/close", body)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


async def test_a_position_is_opened_in_parts_closed_and_told_with_the_quotes_it_was_dealt_at(floor: Floor) -> None:
    before = await available(floor, "alice")
    opened = await opened_position(floor, "alice", quantity="1", stop_loss={"amount": "500"})
    assert {name: opened[name] for name in ("price", "quantity", "margin", "closed", "available")} == {
        "price": "50000.00000000",
        "quantity": "1.00000000",
        "margin": "10000.00000000",
        "closed": "0.00000000",
        "available": f"{before - 10_000:f}",
    }
    await quote(floor.engine.client, 51_000, 51_010)
    part = await close(floor, "alice", opened["position_id"], quantity="0.4")
    assert (part["result"], part["left"], part["margin"]) == ("400.00000000", "0.60000000", "4000.00000000")
    rest = await close(floor, "alice", opened["position_id"])
    assert (rest["result"], rest["left"], rest["quantity"]) == ("600.00000000", "0.00000000", "0.60000000")
    assert await available(floor, "alice") == before + 1_000
    told = await read(floor, "alice", f"/positions/{opened['position_id']}")
    one = told["position"]
    assert (one["status"], one["realized_pnl"], one["opened_price"], one["closed_price"], one["close_reason"]) == (
        "closed",
        "1000.00000000",
        "50000.00000000",
        "51000.00000000",
        "owner",
    )
    assert one["realized_percent"] == "10.0000"
    assert (one["price"], one["unrealized_pnl"], one["liquidation_price"]) == (None, None, None)
    assert [
        (each["kind"], each["quantity"], each["bid"], each["tick_id"], each["source"]) for each in told["fills"]
    ] == [
        ("close", "0.60000000", "51000.00000000", 51_000, "binance"),
        ("close", "0.40000000", "51000.00000000", 51_000, "binance"),
        ("open", "1.00000000", "49990.00000000", 49_990, "binance"),
    ]


async def test_what_an_open_position_is_worth_follows_the_quote_and_is_stored_nowhere(floor: Floor) -> None:
    opened = await opened_position(floor, "alice", direction="short", quantity="0.5", leverage=10)
    path = f"/positions/{opened['position_id']}"
    first = (await read(floor, "alice", path))["position"]
    assert first["realized_percent"] is None
    assert (first["price"], first["unrealized_pnl"], first["unrealized_percent"]) == (
        "50000.00000000",
        "-5.00000000",
        "-0.2000",
    )
    # 90 % of the margin of 2499.5 are lost at 54489.1, and the first whole price there is 54490.
    assert first["liquidation_price"] == "54490.00000000"
    await quote(floor.engine.client, 48_990, 49_000)
    second = (await read(floor, "alice", path))["position"]
    assert (second["price"], second["unrealized_pnl"], second["unrealized_percent"]) == (
        "49000.00000000",
        "495.00000000",
        "19.8039",
    )
    assert (second["updated_at"], second["margin"]) == (first["updated_at"], first["margin"])


async def test_the_same_key_again_gets_the_same_answer_also_once_the_position_is_closed(floor: Floor) -> None:
    asked = position(floor, "alice")
    first = await floor.ask("alice", "POST", "/positions", asked, key="open")
    again = await floor.ask("alice", "POST", "/positions", asked, key="open")
    assert again.json() == {**first.json(), "duplicate": True}
    path = f"/positions/{first.json()['position_id']}/close"
    closed = await floor.ask("alice", "POST", path, {}, key="close")
    await settled(floor)
    repeated = await floor.ask("alice", "POST", path, {}, key="close")
    assert (closed.status_code, repeated.json()) == (200, {**closed.json(), "duplicate": True})
    fresh = await floor.ask("alice", "POST", path, {}, key="other")
    assert (fresh.status_code, fresh.json()["code"]) == (404, "unknown_position")


async def test_one_that_was_closed_long_ago_is_found_in_the_tables(floor: Floor) -> None:
    opened = await opened_position(floor, "alice")
    path = f"/positions/{opened['position_id']}/close"
    closed = await floor.ask("alice", "POST", path, {}, key="close")
    assert (await read(floor, "alice", f"/positions/{opened['position_id']}"))["position"]["status"] == "closed"
    waiting = (await floor.ask("alice", "POST", "/entries", entry(floor, "alice"))).json()
    assert (await floor.ask("alice", "DELETE", f"/entries/{waiting['entry_id']}")).status_code == 200
    await read(floor, "alice", "/entries")
    (live_desk,) = [each for each in floor.house.live._parts if type(each).__name__ == "LiveDesk"]
    vars(live_desk)["ended_positions"].clear()
    vars(live_desk)["ended_entries"].clear()
    repeated = await floor.ask("alice", "POST", path, {}, key="close")
    assert repeated.json() == {**closed.json(), "duplicate": True}
    assert (await floor.ask("bob", "POST", path, {})).json()["code"] == "unknown_position"
    gone = await floor.ask("alice", "DELETE", f"/entries/{waiting['entry_id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_entry")


async def test_two_closes_at_once_pay_once(floor: Floor) -> None:
    """EXP-76."""
    before = await available(floor, "alice")
    opened = await opened_position(floor, "alice")
    await quote(floor.engine.client, 51_000, 51_010)
    path = f"/positions/{opened['position_id']}/close"
    answers = await asyncio.gather(*(floor.ask("alice", "POST", path, {}) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [200] + [404] * 7
    assert await available(floor, "alice") == before + 500
    paid = (await read(floor, "alice", "/ledger", reason="desk_result"))["entries"]
    assert [(each["amount"], each["reference_id"]) for each in paid] == [("500.00000000", opened["position_id"])]


async def test_a_close_and_a_stop_on_the_same_quote_close_once(floor: Floor) -> None:
    before = await available(floor, "alice")
    opened = await opened_position(floor, "alice", stop_loss={"price": "49000"})
    path = f"/positions/{opened['position_id']}/close"
    answer, _ = await asyncio.gather(floor.ask("alice", "POST", path, {}), quote(floor.engine.client, 48_900, 48_910))
    fills = (await read(floor, "alice", f"/positions/{opened['position_id']}"))["fills"]
    assert [each["kind"] for each in fills] == ["close", "open"]
    (paid,) = (await read(floor, "alice", "/ledger", reason="desk_result"))["entries"]
    assert await available(floor, "alice") == before - Decimal(paid["amount"])
    reasons = {200: "owner", 404: "stop_loss"}
    assert fills[0]["close_reason"] == reasons[answer.status_code]


async def test_stops_are_moved_and_taken_away(floor: Floor) -> None:
    opened = await opened_position(
        floor, "alice", stop_loss={"price": "48000"}, take_profit={"percent": "10"}, trailing_stop={"amount": "100"}
    )
    path = f"/positions/{opened['position_id']}"
    changed = await floor.ask("alice", "PATCH", path, {"stop_loss": {"amount": "500"}, "take_profit": None})
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in ("stop_loss", "take_profit", "trailing_distance")} == {
        "stop_loss": "49000.00000000",
        "take_profit": None,
        "trailing_distance": "200.00000000",
    }
    told = (await read(floor, "alice", path))["position"]
    assert (told["stop_loss"], told["take_profit"]) == ("49000.00000000", None)
    nothing = await floor.ask("alice", "PATCH", path, {})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "nothing_to_change")


async def test_a_guaranteed_stop_costs_its_premium_and_holds_its_price(floor: Floor) -> None:
    before = await available(floor, "alice")
    opened = await opened_position(floor, "alice", stop_loss={"price": "49000"}, guaranteed=True)
    assert await available(floor, "alice") == before - 5_000 - 25
    await quote(floor.engine.client, 45_000, 45_010)
    told = await read(floor, "alice", f"/positions/{opened['position_id']}")
    assert (told["position"]["close_reason"], told["position"]["closed_price"]) == ("stop_loss", "49000.00000000")
    assert (told["fills"][0]["price"], told["fills"][0]["bid"]) == ("49000.00000000", "45000.00000000")
    reasons = [each["reason"] for each in (await read(floor, "alice", "/ledger", asset="USDT"))["entries"]]
    assert reasons == ["desk_result", "premium", "deposit"]


async def test_an_entry_waits_becomes_a_position_or_is_taken_back(floor: Floor) -> None:
    wanted = entry(floor, "alice", price="49000", stop_loss={"percent": "20"}, take_profit={"amount": "300"})
    placed = await floor.ask("alice", "POST", "/entries", wanted, key="wait")
    assert placed.status_code == 201, placed.text
    id_ = placed.json()["entry_id"]
    (line,) = (await read(floor, "alice", "/entries", open="true"))["entries"]
    assert (line["state"], line["price"], line["stop_loss"], line["take_profit"], line["trailing_stop"]) == (
        "pending",
        "49000.00000000",
        {"percent": "20.0000"},
        {"amount": "300.00000000"},
        None,
    )
    other = (await floor.ask("alice", "POST", "/entries", wanted | {"price": "40000"})).json()
    taken = await floor.ask("alice", "DELETE", f"/entries/{other['entry_id']}")
    assert (taken.status_code, taken.json()["entry_id"]) == (200, other["entry_id"])
    await quote(floor.engine.client, 48_980, 48_990)
    (opened,) = (await read(floor, "alice", "/positions"))["positions"]
    # 20 % of the margin of 4899 is 979.8: at 47030.4 so much is lost, and 47030 is the whole price below.
    assert (opened["entry_id"], opened["entry_price"], opened["stop_loss"]) == (id_, "48990.00000000", "47030.00000000")
    ended = (await read(floor, "alice", "/entries", open="false"))["entries"]
    assert [(each["entry_id"], each["state"], each["position_id"]) for each in ended] == [
        (other["entry_id"], "cancelled", None),
        (id_, "filled", opened["position_id"]),
    ]


async def test_whether_one_could_open_is_told_with_what_it_costs_or_what_is_short(floor: Floor) -> None:
    account = await margin_account(floor, "alice", 1_000)
    wanted = position(floor, "alice", account_id=account, quantity="0.1", leverage=10)
    isolated = (await floor.ask("alice", "POST", "/positions/test", wanted)).json()
    assert {name: isolated[name] for name in ("accepted", "price", "notional", "margin", "premium")} == {
        "accepted": True,
        "price": "50000.00000000",
        "notional": "5000.00000000",
        "margin": "500.00000000",
        "premium": "0.00000000",
    }
    cross = (await floor.ask("alice", "POST", "/positions/test", wanted | {"mode": "cross"})).json()
    opened = await opened_position(floor, "alice", account_id=account, quantity="0.1", leverage=10, mode="cross")
    told = (await read(floor, "alice", f"/positions/{opened['position_id']}"))["position"]
    assert cross["liquidation_price"] == told["liquidation_price"] == "42500.00000000"
    dear = (await floor.ask("alice", "POST", "/positions/test", wanted | {"quantity": "1"})).json()
    assert (dear["accepted"], dear["code"], dear["required"], dear["available"]) == (
        False,
        "insufficient_margin",
        "5000.00000000",
        "499.00000000",
    )
    assert (await read(floor, "alice", "/positions"))["positions"] == [told]


async def test_a_cross_account_tells_how_it_stands_and_is_stopped_out_where_it_was_told(floor: Floor) -> None:
    account = await margin_account(floor, "alice", 1_000)
    assert (await read(floor, "alice", f"/accounts/{account}"))["margin"] == {
        "equity": "1000.00000000",
        "used": "0.00000000",
        "free": "1000.00000000",
        "margin_level": None,
    }
    opened = await opened_position(floor, "alice", account_id=account, quantity="0.1", leverage=10, mode="cross")
    assert (await read(floor, "alice", f"/accounts/{account}"))["margin"] == {
        "equity": "999.00000000",
        "used": "500.00000000",
        "free": "499.00000000",
        "margin_level": "199.8000",
    }
    await quote(floor.engine.client, 42_501, 42_511)
    assert len((await read(floor, "alice", "/positions", open="true"))["positions"]) == 1
    await quote(floor.engine.client, 42_500, 42_510)
    assert (await read(floor, "alice", "/positions", open="true"))["positions"] == []
    (receipt,) = (await read(floor, "alice", "/stop-outs", account_id=account))["stop_outs"]
    assert {name: receipt[name] for name in ("policy", "bid", "equity_before", "margin_before", "positions")} == {
        "policy": "largest_loss",
        "bid": "42500.00000000",
        "equity_before": "250.00000000",
        "margin_before": "500.00000000",
        "positions": [opened["position_id"]],
    }
    told = await read(floor, "alice", f"/positions/{opened['position_id']}")
    assert told["fills"][0]["stop_out_id"] == receipt["stop_out_id"]
    ordinary = (await read(floor, "alice", f"/accounts/{floor['alice'].account_id}"))["margin"]
    assert ordinary is None, "one that is no margin account answers for nothing"


async def test_a_netting_account_is_opened_and_closes_what_goes_the_other_way(floor: Floor) -> None:
    answer = await floor.ask("alice", "POST", "/accounts", {"kind": "margin", "position_mode": "netting"})
    told = (await read(floor, "alice", f"/accounts/{answer.json()['account_id']}"))["account"]
    assert (told["kind"], told["position_mode"], told["swap_free"]) == ("margin", "netting", False)
    account = await margin_account(floor, "alice", 100_000, PositionMode.NETTING)
    first = await opened_position(floor, "alice", account_id=account, quantity="0.5")
    turned = await opened_position(floor, "alice", account_id=account, quantity="0.7", direction="short")
    assert (turned["closed"], turned["quantity"], turned["result"]) == ("0.50000000", "0.20000000", "-5.00000000")
    only = await opened_position(floor, "alice", account_id=account, quantity="0.2")
    assert (only["position_id"], only["closed"], only["quantity"]) == (None, "0.20000000", "0.00000000")
    listed = (await read(floor, "alice", "/positions", account_id=account))["positions"]
    assert [(each["position_id"], each["close_reason"]) for each in listed] == [
        (turned["position_id"], "netted"),
        (first["position_id"], "netted"),
    ]


async def test_lists_are_read_page_by_page_and_narrowed(floor: Floor) -> None:
    ids = [(await opened_position(floor, "alice", quantity="0.02"))["position_id"] for _ in range(5)]
    await close(floor, "alice", ids[1])
    found = list[int]()
    cursor: str | None = None
    for _ in range(3):
        more = {"cursor": cursor} if cursor else {}
        page = await read(floor, "alice", "/positions", limit=2, **more)
        found += [each["position_id"] for each in page["positions"]]
        cursor = page["next"]
    assert found == list(reversed(ids))
    assert cursor is None
    still_open = await read(floor, "alice", "/positions", open="true", symbol="eth")
    assert [each["position_id"] for each in still_open["positions"]] == [ids[4], ids[3], ids[2], ids[0]]
    assert (await read(floor, "alice", "/positions", symbol="btc"))["positions"] == []
    assert (await read(floor, "alice", "/positions", world="demo"))["positions"] == []
    wrong = await floor.ask(
        "alice", "GET", "/entries?cursor=" + (await read(floor, "alice", "/positions", limit=1))["next"]
    )
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_cursor")


async def test_an_operator_closes_what_is_another_s_and_the_house_is_named_for_it(floor: Floor) -> None:
    opened = await opened_position(floor, "alice")
    closed = await floor.ask("admin", "POST", f"/positions/{opened['position_id']}/close", {})
    assert closed.status_code == 200
    told = (await read(floor, "alice", f"/positions/{opened['position_id']}"))["position"]
    assert told["close_reason"] == "house"


async def test_every_leg_of_a_stop_out_stands_in_the_ledger(floor: Floor) -> None:
    rules = DeskRules(World.TRADING, max_quote_age_ns=MAX_AGE_NS, stop_out_policy=StopOutPolicy.CLOSE_ALL)
    await do(floor.engine.client, SetDeskRules(rules))
    account = await margin_account(floor, "alice", 1_000)
    opened = await opened_position(floor, "alice", account_id=account, quantity="0.1", leverage=50, mode="cross")
    await quote(floor.engine.client, 30_000, 30_010)
    entries = (await read(floor, "alice", "/ledger", account_id=account))["entries"]
    told = [(each["reason"], each["type"], each["amount"], each["balance_after"]) for each in reversed(entries)]
    assert told[0] == ("deposit", "credit", "1000.00000000", "1000.00000000")
    assert sum(Decimal(amount) * (1 if kind == "credit" else -1) for _, kind, amount, _ in told) == 0
    assert {(reason, kind) for reason, kind, _, _ in told[1:]} == {("loss_cover", "credit"), ("desk_result", "debit")}
    assert {each["reference_id"] for each in entries[:-1]} == {opened["position_id"]}
    whole = (await read(floor, "alice", "/ledger"))["entries"]
    assert [each for each in whole if each["account_id"] == account] == entries
    assert {each["symbol"] for each in entries[:-1]} == {DEALT}
