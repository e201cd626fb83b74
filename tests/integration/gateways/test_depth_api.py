"""`GET /api/v1/depth`: the engine's book over HTTP, at least as new as the command that was named."""

from typing import Any

import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.gateways.rest import depth
from fondaco.gateways.rest.depth import MAX_LEVELS
from fondaco.infra.database import Database
from support.engines import submit
from support.floor import ALICE, BOB, limit
from support.house import House
from support.trading import Floor, open_floor

MANY = 5


async def asked(floor: Floor, query: str, status: int = 200) -> dict[str, Any]:
    answer = await floor.http.get(f"/api/v1/depth?{query}")
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_order_is_in_the_depth_that_is_asked_for_after_it(database: Database) -> None:
    async with open_floor(database) as floor:
        for step in range(MANY):
            ask = await submit(floor.engine.client, ALICE, limit(ALICE, Side.SELL, 50_000 + step, 2))
            found = await asked(floor, f"symbol=btc&after_seq={ask.seq}")
            assert found["seq"] >= ask.seq
            assert [price for price, _ in found["asks"]] == [f"{50_000 + each}.00000000" for each in range(step + 1)]
        met = await submit(floor.engine.client, BOB, limit(BOB, Side.BUY, 50_000, 3))
        found = await asked(floor, f"symbol=BTCUSDT&limit=2&after_seq={met.seq}")
        assert found["bids"] == [["50000.00000000", "0.01000000"]]
        assert [price for price, _ in found["asks"]] == ["50001.00000000", "50002.00000000"]
        assert (found["last_price"], found["last_quantity"]) == ("50000.00000000", "0.02000000")
        assert (found["world"], found["symbol"]) == ("trading", "BTCUSDT")


async def test_what_is_asked_wrongly_is_refused_by_name(database: Database) -> None:
    async with open_floor(database) as floor:
        for query, status, code in (
            ("", 400, "missing_parameter"),
            ("symbol=DOGEUSDT", 422, "unknown_symbol"),
            ("symbol=BTCUSDT&world=demo", 422, "unknown_symbol"),
            ("symbol=BTCUSDT&world=moon", 400, "bad_world"),
            ("symbol=BTCUSDT&limit=0", 400, "bad_limit"),
            (f"symbol=BTCUSDT&limit={MAX_LEVELS + 1}", 400, "bad_limit"),
            ("symbol=BTCUSDT&after_seq=-1", 400, "bad_id"),
        ):
            assert (await asked(floor, query, status))["code"] == code, query
        assert (await asked(floor, f"symbol=BTCUSDT&limit={MAX_LEVELS}"))["asks"] == []


async def test_what_does_not_come_in_time_is_503(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "WAIT_S", 0.05)
    async with open_floor(database) as floor:
        answer = await floor.http.get("/api/v1/depth?symbol=BTCUSDT&after_seq=999999999")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_there_yet")
        assert int(answer.headers["retry-after"]) > 0


async def test_a_house_without_an_engine_has_no_depth(lonely_house: House) -> None:
    async with lonely_house.http() as client:
        answer = await client.get("/api/v1/depth?symbol=BTCUSDT")
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_away")
