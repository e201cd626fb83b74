"""What administrators do with the desk over HTTP: terms, rules, insurance and the swap-free flag; and what they see."""

import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from fondaco.core.commands import HOUSE, Command, OpenPosition, SetQuote
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import NO_TRIPLE_DAY, DeskRules, DeskTerms
from fondaco.core.replies import Refused
from fondaco.core.vocabulary import Direction, StopOutPolicy, World
from fondaco.infra.database import Database
from support.engines import submit
from support.floor import SYMBOL, WHOLE
from support.trading import Floor, Json, open_floor

TERMS: Final[Json] = {
    "world": "trading",
    "symbol": "btc",
    "min_quantity": "0.01",
    "max_quantity": "10",
    "max_net_quantity": "20",
    "long_financing_ppm": 150,
    "short_financing_ppm": -20,
    "triple_weekday": 2,
    "guarantee_ppm": 1000,
    "guarantee_distance_ppm": 5000,
}
RULES: Final[Json] = {"world": "trading", "max_quote_age_ms": 60_000, "stop_out_policy": "close_all"}


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with open_floor(database) as floor:
        yield floor


async def told(floor: Floor, path: str) -> Json:
    """What an administrator is told, once the tables have all that was done."""
    seq = await floor.engine.client.read(lambda machine: machine.seq)
    answer = await floor.ask("admin", "GET", f"{path}{'&' if '?' in path else '?'}after_seq={seq}")
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def done(floor: Floor, method: str, path: str, body: Json) -> None:
    answer = await floor.ask("admin", method, path, body)
    assert answer.is_success, answer.text


async def said(floor: Floor, method: str, path: str, body: Json) -> str:
    """The code of a refusal."""
    answer = await floor.ask("admin", method, path, body)
    code: str = answer.json()["code"]
    return code


async def submitted(floor: Floor, account_id: int, command: Command) -> None:
    reply = (await submit(floor.engine.client, account_id, command)).reply
    assert not isinstance(reply, Refused), reply


async def quote(floor: Floor, bid: int, ask: int) -> None:
    """The desk quotes these, in quote units."""
    made = Quote(bid * WHOLE, ask * WHOLE, time.time_ns() // 1_000 * 1_000, (bid + ask) // 2 * WHOLE, 4711)
    await submitted(floor, HOUSE, SetQuote(World.TRADING, SYMBOL, "tested", 100, (made,)))


async def opened(floor: Floor) -> None:
    """A desk at which alice is long three and bob short one, all opened round 50,000."""
    await done(floor, "PUT", "/desk/terms", TERMS)
    await done(floor, "PUT", "/desk/rules", RULES)
    await quote(floor, 49_990, 50_010)
    for name, direction, units in (("alice", Direction.LONG, 3), ("bob", Direction.SHORT, 1)):
        account_id = floor[name].account_id
        await submitted(floor, account_id, OpenPosition(account_id, SYMBOL, direction, units * WHOLE, 1))


async def test_terms_and_rules_reach_the_engine_and_are_told(floor: Floor) -> None:
    await done(floor, "PUT", "/desk/terms", TERMS)
    await done(floor, "PUT", "/desk/rules", RULES)
    desk = await floor.engine.client.read(lambda machine: machine.house.desk)
    terms = DeskTerms(World.TRADING, SYMBOL, True, 1, 1_000, 2_000, 150, -20, 2, 1_000, 5_000)  # noqa: FBT003 - a field
    assert desk.books[World.TRADING, SYMBOL].terms == terms
    assert desk.rules[World.TRADING] == DeskRules(
        World.TRADING, max_quote_age_ns=60_000_000_000, stop_out_policy=StopOutPolicy.CLOSE_ALL
    )
    answer = await told(floor, "/desk/terms")
    (line,) = answer["terms"]
    asked = {name: line[name] for name in TERMS}
    quantities = {"min_quantity": "0.01000000", "max_quantity": "10.00000000", "max_net_quantity": "20.00000000"}
    assert asked == TERMS | quantities | {"symbol": SYMBOL}
    assert (answer["rules"]["max_quote_age_ms"], answer["rules"]["stop_out_policy"]) == (60_000, "close_all")


async def test_what_is_left_out_of_the_terms_is_none(floor: Floor) -> None:
    body = {"world": "trading", "symbol": SYMBOL, "min_quantity": "0.01", "max_quantity": "1"}
    await done(floor, "PUT", "/desk/terms", body)
    terms = await floor.engine.client.read(lambda machine: machine.house.desk.books[World.TRADING, SYMBOL].terms)
    assert terms is not None
    assert (terms.max_net_lots, terms.triple_weekday, terms.guarantee_ppm) == (0, NO_TRIPLE_DAY, 0)
    (line,) = (await told(floor, "/desk/terms"))["terms"]
    assert (line["max_net_quantity"], line["triple_weekday"]) == (None, None)


async def test_terms_that_cannot_be_are_named_and_nothing_changes(floor: Floor) -> None:
    for change, code in (
        ({"min_quantity": "0.001"}, "bad_lot"),
        ({"min_quantity": "0"}, "bad_amount"),
        ({"min_quantity": 0.01}, "bad_body"),
        ({"min_quantity": "11"}, "bad_desk_terms"),
        ({"max_net_quantity": "-1"}, "bad_amount"),
        ({"long_financing_ppm": 10_001}, "bad_body"),
        ({"triple_weekday": 7}, "bad_body"),
        ({"symbol": "NOSUCH"}, "unknown_symbol"),
        ({"world": "demo"}, "unknown_symbol"),
        ({"spread": "1"}, "bad_body"),
    ):
        assert await said(floor, "PUT", "/desk/terms", TERMS | change) == code, change
    for change, code in (
        ({"max_quote_age_ms": 0}, "bad_body"),
        ({"loss_warning_ppm": 950_000}, "bad_desk_rules"),
        ({"stop_out_level_ppm": 900_000}, "bad_desk_rules"),
        ({"stop_out_policy": "random"}, "bad_body"),
    ):
        assert await said(floor, "PUT", "/desk/rules", RULES | change) == code, change
    assert await told(floor, "/desk/terms") | {"seq": 0} == {"seq": 0, "rules": None, "terms": []}


async def test_quotes_are_told_with_their_provenance(floor: Floor) -> None:
    await opened(floor)
    await quote(floor, 50_090, 50_110)
    (line,) = (await told(floor, "/desk/quotes"))["quotes"]
    assert line["age_ms"] >= 0
    assert line | {"age_ms": 0, "received_at": ""} == {
        "world": "trading",
        "symbol": SYMBOL,
        "bid": "50090.00000000",
        "ask": "50110.00000000",
        "received_at": "",
        "age_ms": 0,
        "source": "tested",
        "source_price": "50100.00000000",
        "tick_id": 4711,
        "markup_ppm": 100,
    }


async def test_exposure_is_what_clients_hold_at_the_current_quote(floor: Floor) -> None:
    await opened(floor)
    await quote(floor, 50_090, 50_110)
    (line,) = (await told(floor, "/desk/exposure"))["exposures"]
    assert line | {"received_at": ""} == {
        "symbol": SYMBOL,
        "currency": "USDT",
        "positions": 2,
        "long": "3.00000000",
        "short": "1.00000000",
        "net": "2.00000000",
        "max_net": "20.00000000",
        "bid": "50090.00000000",
        "ask": "50110.00000000",
        "received_at": "",
        "net_value": "100180.00000000",
        # Alice has won 3 x (50,090 - 50,010), Bob lost 50,110 - 49,990.
        "unrealised": "-120.00000000",
    }


async def test_exposure_without_a_quote_or_a_position_is_told_as_far_as_it_is_known(floor: Floor) -> None:
    await done(floor, "PUT", "/desk/terms", TERMS)
    (line,) = (await told(floor, "/desk/exposure"))["exposures"]
    assert (line["positions"], line["long"], line["net"]) == (0, "0.00000000", "0.00000000")
    assert [line[name] for name in ("bid", "ask", "received_at", "net_value", "unrealised")] == [None] * 5


async def test_the_insurance_fund_is_filled_and_told(floor: Floor) -> None:
    body = {"world": "trading", "asset": "USDT", "amount": "250.5", "note": "first"}
    answer = await floor.ask("admin", "POST", "/desk/insurance", body, key="once")
    assert answer.status_code == 201
    assert (await floor.ask("admin", "POST", "/desk/insurance", body, key="once")).json()["duplicate"]
    assert (await told(floor, "/desk/insurance"))["assets"] == [{"asset": "USDT", "amount": "250.50000000"}]
    assert (await told(floor, "/desk/insurance?world=demo"))["assets"] == []
    assert await said(floor, "POST", "/desk/insurance", body | {"amount": "0"}) == "bad_amount"
    assert await said(floor, "POST", "/desk/insurance", body | {"asset": "XYZ"}) == "unknown_asset"


async def test_an_account_is_freed_from_financing_and_back(floor: Floor) -> None:
    account_id = floor["alice"].account_id
    for is_free in (True, False):
        await done(floor, "PUT", f"/accounts/{account_id}/swap-free", {"swap_free": is_free})
        found = await floor.engine.client.read(lambda machine: machine.house.accounts[account_id].is_swap_free)
        assert found == is_free
    assert await said(floor, "PUT", "/accounts/4711/swap-free", {"swap_free": True}) == "unknown_account"
    assert await said(floor, "PUT", "/accounts/x/swap-free", {"swap_free": True}) == "bad_id"


async def test_a_margin_call_leaves_a_receipt_and_the_day_its_profit(floor: Floor, database: Database) -> None:
    """Alice's three were opened at 50,010 with all of their value as margin; at 4,000 nine tenths of it are lost."""
    await opened(floor)
    await quote(floor, 4_000, 4_020)
    (receipt,) = (await told(floor, "/desk/stop-outs"))["stop_outs"]
    assert receipt["account_id"] == floor["alice"].account_id
    assert (receipt["policy"], receipt["bid"], receipt["ask"]) == ("isolated", "4000.00000000", "4020.00000000")
    assert (receipt["equity_before"], receipt["margin_before"]) == ("12000.00000000", "150030.00000000")
    assert (receipt["insurance_paid"], receipt["desk_paid"]) == ("0.00000000", "0.00000000")
    assert len(receipt["positions"]) == 1
    (day,) = (await told(floor, "/desk/profit"))["days"]
    async with database.driver_transaction() as connection:
        rows = await connection.execute(
            "SELECT day::text, asset, results::text, covers::text, financing::text, profit::text FROM v_desk_profit"
            " WHERE world = 'trading'"
        )
        assert [tuple(day.values())] == await rows.fetchall()
    assert (day["results"], day["profit"]) == ("138030.00000000", "138030.00000000")
    (line,) = (await told(floor, "/desk/exposure"))["exposures"]
    assert (line["net"], line["net_value"]) == ("-1.00000000", "-4020.00000000")


async def test_receipts_are_paged_and_those_of_one_account_found(floor: Floor) -> None:
    await opened(floor)
    alice, carol = floor["alice"].account_id, floor["maker"].account_id
    for account_id in (alice, carol):
        await submitted(floor, account_id, OpenPosition(account_id, SYMBOL, Direction.LONG, WHOLE, 1))
    await quote(floor, 4_000, 4_020)
    whole = (await told(floor, "/desk/stop-outs"))["stop_outs"]
    assert sorted(each["account_id"] for each in whole) == [alice, alice, carol]
    first = await told(floor, "/desk/stop-outs?limit=2")
    second = await told(floor, f"/desk/stop-outs?limit=2&cursor={first['next']}")
    assert [*first["stop_outs"], *second["stop_outs"]] == whole
    assert second["next"] is None
    assert len((await told(floor, f"/desk/stop-outs?account_id={carol}"))["stop_outs"]) == 1
    assert (await told(floor, "/desk/stop-outs?world=demo"))["stop_outs"] == []


async def test_a_range_of_days_has_an_order_and_a_bound(floor: Floor) -> None:
    for query in ("from=2024-01-02&to=2024-01-01", "from=2024-01-01&to=2024-01-01", "from=2023-01-01&to=2024-01-03"):
        answer = await floor.ask("admin", "GET", f"/desk/profit?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_range"), query
    assert (await told(floor, "/desk/profit?from=2023-01-01&to=2024-01-02"))["days"] == []
    assert (await told(floor, "/desk/profit?to=0"))["days"] == []
